from __future__ import annotations

import subprocess
import sys

import pytest

from recbole_medmoe.encoders import EncoderSpec
from recbole_medmoe.errors import ConfigError


def test_slug_is_safe_in_file_names() -> None:
    spec = EncoderSpec("text", "/models/My Llama:7B", "layers", "prompts/food user.txt", 256, (3, 5))
    assert spec.slug == "My-Llama-7B-layers-3-5-food-user"


def test_slug_of_a_torchvision_model_is_its_name() -> None:
    assert EncoderSpec("image", "torchvision:resnet18:/w/r.safetensors", "pool").slug == "resnet18-pool"


def test_key_does_not_depend_on_where_the_backbone_lies() -> None:
    here, there = EncoderSpec("text", "/a/llama", "mean"), EncoderSpec("text", "/b/renamed", "mean")
    assert here.key("0" * 64, None) == there.key("0" * 64, None)


@pytest.mark.parametrize("change", [{"readout": "last"}, {"max_tokens": 7}, {"readout": "layers", "layers": (1,)}])
def test_key_depends_on_what_fixes_the_numbers(change: dict) -> None:
    base = {"modality": "text", "backbone": "x", "readout": "mean"}
    assert EncoderSpec(**base).key("0", None) != EncoderSpec(**(base | change)).key("0", None)


def test_key_depends_on_the_template() -> None:
    spec = EncoderSpec("text", "x", "mean")
    assert spec.key("0", "1") != spec.key("0", "2")


def test_all_faults_come_in_one_error() -> None:
    with pytest.raises(ConfigError) as caught:
        EncoderSpec("text", "x", "pool", None, 0, (1,))
    assert len(caught.value.faults) == 3


def test_pictures_take_no_prompt() -> None:
    with pytest.raises(ConfigError, match="take none"):
        EncoderSpec("image", "efficientnet-lite0", "pool", "food_item")


def test_importing_the_room_loads_nothing_heavy() -> None:
    code = ("import sys, recbole_medmoe.encoders as room;"
            "room.EncoderSpec('text', 'minilm-l6', 'mean'); room.BACKBONES;"
            "print([name for name in ('torch', 'transformers', 'PIL', 'torchvision') if name in sys.modules])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
