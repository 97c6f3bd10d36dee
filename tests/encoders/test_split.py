"""SplitBackbone: two halves that compute what the whole backbone computes."""
from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from recbole_medmoe.encoders.loading import load_backbone, quiet_transformers
from recbole_medmoe.encoders.lora import LoraSpec
from recbole_medmoe.encoders.readout import Readout
from recbole_medmoe.encoders.split import SplitBackbone
from recbole_medmoe.errors import ConfigError

LENGTHS = [7, 3, 5]
CPU, FULL = torch.device("cpu"), torch.float32


def split(folder: Path, tuned: int | None, kind: str = "layers", layers: tuple[int, ...] = (), dropout: float = 0.0,
          targets: tuple[str, ...] = ("q_proj", "down_proj")) -> SplitBackbone:
    torch.manual_seed(0)
    return SplitBackbone(folder, tuned=tuned, kind=kind, layers=layers, lora=LoraSpec(2, 4.0, dropout, targets),
                         device=CPU, lower_dtype=FULL, upper_dtype=FULL)


@pytest.fixture(scope="module")
def batch() -> tuple[Tensor, Tensor]:
    ids = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (3, 7)))
    mask = torch.tensor([[1] * length + [0] * (7 - length) for length in LENGTHS])
    return ids * mask, mask


def through(halves: SplitBackbone, ids: Tensor, mask: Tensor) -> Tensor:
    return halves.leave(*halves.enter(ids, mask), mask)


@pytest.mark.parametrize("tuned", [1, 2, None])
@pytest.mark.parametrize("kind, layers", [("mean", ()), ("last", ()), ("layers", ()), ("layers", (2, 1))])
def test_untrained_halves_equal_the_whole(tiny_llama: Path, batch: tuple[Tensor, Tensor], tuned: int | None, kind: str,
                                          layers: tuple[int, ...]) -> None:
    halves = split(tiny_llama, tuned, kind, layers)
    whole = Readout(load_backbone(tiny_llama, CPU, FULL)[1], kind, layers)(*batch)
    assert halves.width == whole.shape[1]
    torch.testing.assert_close(through(halves, *batch), whole, atol=1e-5, rtol=1e-5)


def test_neither_padding_nor_batch_mates_are_seen(tiny_llama: Path, batch: tuple[Tensor, Tensor]) -> None:
    halves = split(tiny_llama, 1)
    together = through(halves, *batch)
    for row, length in enumerate(LENGTHS):
        alone = through(halves, batch[0][row:row + 1, :length], batch[1][row:row + 1, :length])
        torch.testing.assert_close(together[row:row + 1], alone, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tuned", [1, 2, None])
def test_gradients_reach_every_adapter_and_nothing_else(tiny_llama: Path, batch: tuple[Tensor, Tensor],
                                                        tuned: int | None) -> None:
    halves = split(tiny_llama, tuned).train()
    through(halves, *batch).square().sum().backward()
    with_gradient = {name for name, weight in halves.named_parameters() if weight.grad is not None}
    assert with_gradient == {name for name, _ in halves.named_parameters() if ".lora_" in name}
    assert len(with_gradient) == 2 * 2 * (tuned or 2)


def test_the_halves_hold_no_block_twice(tiny_llama: Path) -> None:
    halves = split(tiny_llama, 1)
    assert len(halves.lower.layers) == len(halves.upper.layers) == 1 and halves.cut == 1


def test_the_lower_half_stays_in_evaluation(tiny_llama: Path) -> None:
    halves = split(tiny_llama, 1).train()
    assert not halves.lower.training and halves.upper.training


def test_dropout_is_for_training_only(tiny_llama: Path, batch: tuple[Tensor, Tensor]) -> None:
    halves = split(tiny_llama, 1, dropout=0.5)
    for name, weight in halves.upper.named_parameters():
        if ".lora_B." in name:
            torch.nn.init.normal_(weight)
    assert torch.equal(through(halves, *batch), through(halves, *batch))
    halves.train()
    assert not torch.allclose(through(halves, *batch), through(halves, *batch))


def test_without_adapters_nothing_is_trained(tiny_llama: Path, batch: tuple[Tensor, Tensor]) -> None:
    bare = SplitBackbone(tiny_llama, tuned=None, kind="last", layers=(), lora=None, device=CPU, lower_dtype=FULL,
                         upper_dtype=FULL)
    assert not any(weight.requires_grad for weight in bare.parameters()) and not bare.is_tuned
    assert torch.equal(through(bare, *batch), through(split(tiny_llama, None, "last"), *batch))


@pytest.mark.parametrize("kind", ["last", "layers"])
def test_checkpointing_runs_blocks_again_for_the_same_gradients(tiny_llama: Path, batch: tuple[Tensor, Tensor],
                                                                kind: str) -> None:
    """Blocks run once forward and once more backward; also where a middle layer inside the tuned half is read."""
    gradients, runs = [], []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        halves = SplitBackbone(tiny_llama, tuned=None, kind=kind, layers=(), lora=LoraSpec(2, 4.0, 0.0, ("q_proj",)),
                               device=CPU, lower_dtype=FULL, upper_dtype=FULL, checkpointing=checkpointing).train()
        for name, weight in halves.named_parameters():
            if ".lora_B." in name:
                torch.nn.init.constant_(weight, 0.1)
        count: list[int] = []
        halves.upper.layers[0].self_attn.register_forward_hook(lambda *_: count.append(1))
        through(halves, *batch).square().sum().backward()
        runs.append(len(count))
        gradients.append([weight.grad for weight in halves.parameters() if weight.requires_grad])
    assert runs == [1, 2]
    for plain, again in zip(*gradients):
        torch.testing.assert_close(plain, again)


def test_a_backbone_that_cannot_run_its_blocks_again_is_told(tiny_llama: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with quiet_transformers():
        from transformers import LlamaModel

    monkeypatch.setattr(LlamaModel, "supports_gradient_checkpointing", False)
    with pytest.raises(ConfigError, match="gradient_checkpointing: LlamaModel cannot"):
        SplitBackbone(tiny_llama, tuned=1, kind="last", layers=(), lora=None, device=CPU, lower_dtype=FULL,
                      upper_dtype=FULL, checkpointing=True)


def test_it_is_tuned_once_an_adapter_has_learned(tiny_llama: Path) -> None:
    halves = split(tiny_llama, 1)
    assert not halves.is_tuned
    torch.nn.init.normal_(next(weight for name, weight in halves.named_parameters() if ".lora_B." in name))
    assert halves.is_tuned


def test_a_bfloat16_upper_half_gives_float32(tiny_llama: Path, batch: tuple[Tensor, Tensor]) -> None:
    halves = SplitBackbone(tiny_llama, tuned=1, kind="layers", layers=(), lora=LoraSpec(2, 4.0, 0.0, ("q_proj",)),
                           device=CPU, lower_dtype=FULL, upper_dtype=torch.bfloat16)
    found = through(halves, *batch)
    assert found.dtype == FULL
    torch.testing.assert_close(found, through(split(tiny_llama, 1), *batch), atol=0.1, rtol=0.1)


def test_more_layers_than_there_are_are_refused(tiny_llama: Path) -> None:
    with pytest.raises(ConfigError, match="tuned_layers 3: the backbone has 2 layers"):
        split(tiny_llama, 3)


def test_a_middle_layer_that_is_not_there_is_refused(tiny_llama: Path) -> None:
    with pytest.raises(ConfigError, match="layers 1 to 2"):
        split(tiny_llama, 1, layers=(5,))


def _saved(folder: Path, config: object, tokenizer_from: Path) -> Path:
    with quiet_transformers():
        from transformers import AutoModel

        torch.manual_seed(0)
        AutoModel.from_config(config).save_pretrained(folder)
    for file in tokenizer_from.glob("tokenizer*"):
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def test_blocks_of_two_kinds_keep_their_kinds(tiny_llama: Path, tmp_path: Path) -> None:
    """A backbone whose first block sees three tokens back and whose second sees all."""
    from transformers import Qwen2Config

    config = Qwen2Config(vocab_size=256, hidden_size=16, intermediate_size=32, num_hidden_layers=2, sliding_window=3,
                         num_attention_heads=4, num_key_value_heads=2, use_sliding_window=True,
                         layer_types=["sliding_attention", "full_attention"])
    folder = _saved(tmp_path, config, tiny_llama)
    ids = torch.arange(20).unsqueeze(0)
    mask = torch.ones_like(ids)
    whole = Readout(load_backbone(folder, CPU, FULL)[1], "layers")(ids, mask)
    torch.testing.assert_close(through(split(folder, 1), ids, mask), whole, atol=1e-5, rtol=1e-5)


def test_a_backbone_that_adds_positions_before_its_blocks_is_refused(tiny_llama: Path, tmp_path: Path) -> None:
    from transformers import GPT2Config

    folder = _saved(tmp_path, GPT2Config(vocab_size=256, n_embd=16, n_layer=2, n_head=4, n_positions=64), tiny_llama)
    with pytest.raises(ConfigError, match="GPT2Model cannot be cut"):
        split(folder, 1, targets=("c_attn",))
