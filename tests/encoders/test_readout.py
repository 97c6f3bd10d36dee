"""Read-outs of the tiny Llama against a naive loop over its hidden states."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from recbole_medmoe.encoders.loading import load_backbone
from recbole_medmoe.encoders.readout import Readout, blocks_of, last_token, mean_tokens
from recbole_medmoe.errors import ConfigError

LENGTHS = [7, 3, 5]


@pytest.fixture(scope="module")
def model(tiny_llama: Path):
    return load_backbone(tiny_llama, torch.device("cpu"), torch.float32)[1]


@pytest.fixture(scope="module")
def batch() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 7)))
    mask = torch.tensor([[1] * length + [0] * (7 - length) for length in LENGTHS])
    return ids, mask


def naive(model, batch, layer: int, row: int) -> torch.Tensor:
    """States [T, D] of one row alone, without padding, after ``layer`` blocks."""
    ids = batch[0][row:row + 1, :LENGTHS[row]]
    with torch.inference_mode():
        return model(input_ids=ids, output_hidden_states=True).hidden_states[layer][0]


def test_mean_is_the_loop_over_real_tokens(model, batch) -> None:
    expected = torch.stack([sum(naive(model, batch, 2, row)) / LENGTHS[row] for row in range(3)])
    torch.testing.assert_close(Readout(model, "mean")(*batch), expected, atol=1e-5, rtol=1e-5)


def test_last_is_the_last_real_token(model, batch) -> None:
    expected = torch.stack([naive(model, batch, 2, row)[-1] for row in range(3)])
    torch.testing.assert_close(Readout(model, "last")(*batch), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("layers", [(), (1,)])
def test_layers_are_middle_mean_last_token_last_mean(model, batch, layers: tuple[int, ...]) -> None:
    expected = torch.stack([torch.cat([naive(model, batch, 1, row).mean(0), naive(model, batch, 2, row)[-1],
                                       naive(model, batch, 2, row).mean(0)]) for row in range(3)])
    torch.testing.assert_close(Readout(model, "layers", layers)(*batch), expected, atol=1e-5, rtol=1e-5)


def test_several_middle_layers_keep_their_order(model, batch) -> None:
    both = Readout(model, "layers", (2, 1))(*batch)
    assert both.shape == (3, 64)
    torch.testing.assert_close(both[:, 16:32], Readout(model, "layers", (1,))(*batch)[:, :16])


def test_no_hook_is_left_behind(model, batch) -> None:
    Readout(model, "mean")(*batch)
    before = [len(block._forward_hooks) for block in blocks_of(model, 2)]  # transformers may keep some of its own
    Readout(model, "layers")(*batch)
    assert [len(block._forward_hooks) for block in blocks_of(model, 2)] == before


def test_a_layer_that_is_not_there_is_refused(model) -> None:
    with pytest.raises(ConfigError, match="layers 1 to 2"):
        Readout(model, "layers", (3,))


def test_a_backbone_without_blocks_is_refused() -> None:
    with pytest.raises(ConfigError, match="use last or mean"):
        blocks_of(torch.nn.Linear(2, 2), 2)


def test_means_of_half_precision_are_summed_in_float32() -> None:
    states = torch.full((1, 4096, 1), 0.1, dtype=torch.bfloat16)
    mask = torch.ones(1, 4096, dtype=torch.int64)
    assert mean_tokens(states, mask).item() == pytest.approx(states[0, 0, 0].item(), rel=1e-5)
    assert last_token(states, mask).dtype == torch.float32
