from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe.paths import cache_dir


def test_the_cache_is_what_is_given_else_the_environments_else_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/own")
    monkeypatch.delenv("RECBOLE_MEDMOE_CACHE", raising=False)
    assert cache_dir() == cache_dir(None) == Path("/own/recbole_medmoe")
    monkeypatch.setenv("RECBOLE_MEDMOE_CACHE", "/named")
    assert cache_dir() == cache_dir("") == Path("/named")
    assert cache_dir("given") == cache_dir(Path("given")) == Path("given")
