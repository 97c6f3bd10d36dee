"""``check``: the table, the exit code, keys and names."""
from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe.cli import main


def test_a_sound_model_gets_its_table_and_exit_code_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "Pop", "--only", "bf16", "--only", "gradients"]) == 0
    shown = capsys.readouterr()
    assert "Checks of Pop" in shown.out and "clear pairs in order" in shown.out
    assert "1 passed, 1 not applicable, 0 failed" in shown.out
    assert "bf16: passed" in shown.err


def test_a_failing_model_gets_its_table_one_message_and_exit_code_2(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "noisy_model.py").write_text(
        "import torch\nfrom recbole_medmoe.model.baselines.pop import Pop\n\n\nclass Noisy(Pop):\n"
        "    def full_sort_predict(self, interaction):\n"
        "        return super().full_sort_predict(interaction) + torch.rand(1)\n")
    (tmp_path / "Noisy.yaml").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert main(["check", "noisy_model:Noisy", "--only", "eval_is_deterministic"]) == 2
    shown = capsys.readouterr()
    assert "0 passed, 0 not applicable, 1 failed" in shown.out
    assert "noisy_model:Noisy, eval_is_deterministic: two passes in evaluation mode differ by" in shown.err


def test_keys_go_to_every_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "MedMoE", "--only", "builds_from_yaml", "--fusion=fixd"]) == 2
    assert "fusion" in capsys.readouterr().err


def test_a_misspelt_check_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "Pop", "--only", "fp16"]) == 2
    assert "did you mean 'bf16'" in capsys.readouterr().err
