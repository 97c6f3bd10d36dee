"""What a tuning is said to take, against what torch counts of one."""
from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from recbole_medmoe.checks.tiny_llama import save_byte_tokenizer
from recbole_medmoe.encoders.estimate import (Plan, Shape, epoch_operations, kept_bytes, product_rate, trained_bytes,
                                              weight_bytes)
from recbole_medmoe.encoders.loading import load_backbone, quiet_transformers
from recbole_medmoe.encoders.lora import LoraSpec
from recbole_medmoe.encoders.split import SplitBackbone

CPU, ALL = torch.device("cpu"), ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
FULL, HALF = torch.float32, torch.bfloat16
ROWS, LENGTH = 4, 64


def plan(lora: LoraSpec | None, tuned: int, dtype: torch.dtype = HALF, checkpointing: bool = False,
         quantised: bool = False, batch_tokens: int = 10 ** 6) -> Plan:
    return Plan(lora, tuned, dtype, dtype, quantised, checkpointing, batch_tokens, head=0)


@pytest.fixture(scope="module")
def seven(tmp_path_factory: pytest.TempPathFactory) -> Shape:
    """LLaMA-7B, by its config alone."""
    folder = tmp_path_factory.mktemp("seven")
    with quiet_transformers():
        from transformers import LlamaConfig

        LlamaConfig(architectures=["LlamaForCausalLM"]).save_pretrained(folder)
    return Shape.read(folder)


@pytest.fixture(scope="module", params=[(128, 352, 4, 4), (96, 160, 4, 2)], ids=["plain", "grouped"])
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three blocks of a Llama; of one whose heads share keys and values."""
    width, inner, heads, shared = request.param
    place = tmp_path_factory.mktemp("llama")
    with quiet_transformers():
        from transformers import LlamaConfig, LlamaModel

        torch.manual_seed(0)
        LlamaModel(LlamaConfig(vocab_size=256, hidden_size=width, intermediate_size=inner, num_hidden_layers=3,
                               num_attention_heads=heads, num_key_value_heads=shared)).save_pretrained(place)
    save_byte_tokenizer(place)
    return place


def halves(folder: Path, lora: LoraSpec | None, dtype: torch.dtype, checkpointing: bool = False,
           tuned: int | None = None) -> SplitBackbone:
    return SplitBackbone(folder, tuned=tuned, kind="last", layers=(), lora=lora, device=CPU, lower_dtype=dtype,
                         upper_dtype=dtype, checkpointing=checkpointing).train()


def test_llama_7b_has_its_known_numbers(seven: Shape) -> None:
    output_head = 32_000 * 4_096   # which is not read here
    assert seven.parameters + output_head == 6_738_415_616
    assert seven.adapters(LoraSpec(8, 32.0, 0.1, ALL), 32) == 19_988_480
    assert (seven.blocks, seven.width, seven.inner) == (32, 4_096, 11_008)


def test_weights_of_llama_7b(seven: Shape) -> None:
    lora = LoraSpec(8, 32.0, 0.1, ALL)
    assert weight_bytes(seven, plan(lora, 32)) == 2 * seven.parameters
    assert weight_bytes(seven, plan(lora, 32, FULL)) == 4 * seven.parameters
    assert weight_bytes(seven, plan(lora, 32, quantised=True)) / 2 ** 30 == pytest.approx(3.36, abs=0.02)
    assert trained_bytes(seven, plan(lora, 32)) == 16 * 19_988_480 and trained_bytes(seven, plan(None, 0)) == 0


def test_counts_are_those_of_the_real_backbone(folder: Path) -> None:
    shape, lora = Shape.read(folder), LoraSpec(2, 4.0, 0.0, ("q_proj", "v_proj", "down_proj"))
    whole = load_backbone(folder, CPU, FULL)[1]
    assert shape.parameters == sum(weight.numel() for weight in whole.parameters())
    assert shape.block == sum(weight.numel() for weight in whole.layers[1].parameters())
    made = halves(folder, lora, FULL, tuned=2)
    assert shape.adapters(lora, 2) == sum(weight.numel() for weight in made.parameters() if weight.requires_grad)
    frozen = [weight for weight in made.parameters() if not weight.requires_grad]
    assert weight_bytes(shape, plan(lora, 2, FULL)) == pytest.approx(
        sum(weight.nbytes for weight in frozen), abs=2 * 4 * shape.width)   # a norm in either half


def _bytes_kept(made: SplitBackbone, dtype: torch.dtype) -> int:
    """Bytes that autograd keeps of a forward pass, weights left out."""
    own = {weight.untyped_storage()._cdata for weight in [*made.parameters(), *made.buffers()]}
    kept: dict[int, torch.UntypedStorage] = {}

    def note(value: torch.Tensor) -> torch.Tensor:
        storage = value.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage
        return value

    ids = torch.randint(0, 256, (ROWS, LENGTH), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    mask[0, -3:] = 0
    with torch.autograd.graph.saved_tensors_hooks(note, lambda value: value), (
            torch.autocast("cpu", dtype=HALF) if dtype == HALF else nullcontext()):
        made.leave(*made.enter(ids, mask), mask)
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize("dtype", [FULL, HALF])
@pytest.mark.parametrize("dropout, targets", [(0.1, ALL), (0.0, ALL)])
def test_what_is_kept_for_the_backward_pass(folder: Path, dtype: torch.dtype, dropout: float,
                                            targets: tuple[str, ...]) -> None:
    lora = LoraSpec(4, 8.0, dropout, targets)
    found = _bytes_kept(halves(folder, lora, dtype), dtype)
    told = kept_bytes(Shape.read(folder), plan(lora, 3, dtype), ROWS * LENGTH, LENGTH)
    assert told == pytest.approx(found, rel=0.08)   # the first block keeps less: nothing below it learns


@pytest.mark.parametrize("dtype", [FULL, HALF])
def test_checkpointing_keeps_each_blocks_input_and_one_block_at_work(folder: Path, dtype: torch.dtype) -> None:
    lora, shape = LoraSpec(4, 8.0, 0.1, ALL), Shape.read(folder)
    tokens = ROWS * LENGTH
    work = kept_bytes(shape, plan(lora, 1, dtype), tokens, LENGTH) - 4 * tokens * shape.width
    told = kept_bytes(shape, plan(lora, 3, dtype, checkpointing=True), tokens, LENGTH)
    found = _bytes_kept(halves(folder, lora, dtype, checkpointing=True), dtype)
    assert told - work == pytest.approx(found, rel=0.06)
    assert kept_bytes(shape, plan(lora, 3, dtype, True, batch_tokens=tokens // 4), tokens, LENGTH) < told


def test_a_frozen_backbone_keeps_nothing(seven: Shape) -> None:
    assert kept_bytes(seven, plan(None, 0), 1000, 100) == 0


@pytest.mark.parametrize("checkpointing", [False, True])
def test_operations_are_those_that_torch_counts(folder: Path, checkpointing: bool) -> None:
    lora, shape = LoraSpec(1, 2.0, 0.0, ALL), Shape.read(folder)
    made = halves(folder, lora, FULL, checkpointing)
    ids = torch.randint(0, 256, (ROWS, LENGTH), generator=torch.Generator().manual_seed(0))
    mask = torch.ones_like(ids)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        made.leave(*made.enter(ids, mask), mask).sum().backward()
    once, each = epoch_operations(shape, plan(lora, 3, FULL, checkpointing), ROWS * LENGTH, LENGTH)
    assert once == 0 and each == pytest.approx(counter.get_total_flops(), rel=0.1)


def test_blocks_below_the_cut_run_forward_alone(seven: Shape) -> None:
    lora = LoraSpec(8, 32.0, 0.1, ALL)
    once, each = epoch_operations(seven, plan(lora, 8), 1000, 300.0)
    assert once == pytest.approx(3 * each / 2) and once == pytest.approx(2 * 24 * seven.block * 1000, rel=0.02)


def test_the_rate_of_a_product_is_measured() -> None:
    assert 1e8 < product_rate(CPU, FULL) < 1e14


def test_a_config_without_weights_does_and_so_does_another_kind(tmp_path: Path) -> None:
    with quiet_transformers():
        from transformers import Qwen2Config

        Qwen2Config(architectures=["Qwen2ForCausalLM"]).save_pretrained(tmp_path)
    shape = Shape.read(tmp_path)
    assert set(shape.maps) == set(ALL) and shape.parameters > shape.blocks * shape.block
