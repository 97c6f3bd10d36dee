"""FeatureRequest refuses what does not go together."""
from __future__ import annotations

import pytest

from recbole_medmoe.data import FeatureRequest, TokenSpec, WordSpec
from recbole_medmoe.encoders import EncoderSpec
from recbole_medmoe.errors import ConfigError

TEXT = EncoderSpec("text", "minilm-l6", "mean")


def test_key_tells_sides_apart() -> None:
    assert FeatureRequest("text", "user", "text", TEXT).key != FeatureRequest("text", "item", "text", TEXT).key


@pytest.mark.parametrize("request_of", [
    lambda: FeatureRequest("x", "patient", "text", TEXT),
    lambda: FeatureRequest("x", "user", "sound", TEXT),
    lambda: FeatureRequest("x", "user", "text"),
    lambda: FeatureRequest("x", "user", "text", WordSpec(2, 2, 100)),
    lambda: FeatureRequest("x", "user", "profile", TEXT),
    lambda: FeatureRequest("x", "user", "words"),
    lambda: FeatureRequest("x", "user", "tokens", TEXT),
    lambda: FeatureRequest("x", "user", "text", TokenSpec("smollm2-135m", None, 64)),
])
def test_parts_that_do_not_go_together_are_refused(request_of) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigError, match="do not go together"):
        request_of()
