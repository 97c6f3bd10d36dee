from __future__ import annotations

from pathlib import Path

import pytest

from recbole_medmoe import processes
from recbole_medmoe.quick_start import job as steps
from recbole_medmoe.quick_start.job import Job


def test_no_process_looks_at_the_files_before_the_first_one_has_written_them(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    job = Job.__new__(Job)   # save() asks for nothing else
    job.facts = job.evaluation = job.model = job.dataset = None   # type: ignore[assignment]
    monkeypatch.setattr(Job, "_save_run", lambda self, evaluation: done.append("files") or tmp_path)
    monkeypatch.setattr(processes, "wait", lambda: done.append("wait"))
    monkeypatch.setattr(steps, "build_record", lambda facts, folder: done.append("record made") or {})
    monkeypatch.setattr(steps, "write_record", lambda folder, record: done.append("record written"))
    job.save()
    assert done == ["files", "wait", "record made", "record written", "wait"]
