"""Multiple choice: questions in JSON lines become a data set of task ``choice``."""
from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Callable, Sequence

from ...errors import DataError
from .questions import read_questions
from .repeats import families, without_repeats
from .splits import draw_parts
from .write import ChoiceData, facts_of, write_folder

__all__ = ["prepare_choice"]


def prepare_choice(files: Sequence[Path], out: Path, progress: Callable[[str], None]) -> dict[str, str]:
    """Makes the data set folder; the same questions give the same bytes, in whatever order they come.

    Everything is written beside the target first and put in place at the end, so an error leaves an earlier data set
    whole.

    Args:
        files: JSON lines, gzipped or not, see ``read_questions``; a file's source is its name up to the first dot.
        out: the data set folder, named like the data set; one that is there already is replaced.
        progress: called with one line per stage.

    Returns:
        What to print, in order: what every filter keeps, then facts of the data set.

    Raises:
        DataError: a line that is no question (all of them, with file and line), no question left, or ``out`` holds
            something else.
    """
    target = Path(out).absolute()
    if target.exists() and not (target / f"{target.name}.inter").is_file() and (target.is_file()
                                                                                or any(target.iterdir())):
        raise DataError(f"{out}: is there already and is no data set; name another folder with --out")
    questions, cleaned = read_questions([Path(file) for file in files])
    progress(f"questions: {len(questions)} read from {len(files)} files")
    kept, counts = without_repeats(questions)
    progress(f"repeats: {len(kept)} questions differ")
    parts = draw_parts(kept, families(kept))
    data = ChoiceData(kept, parts, [("questions read", len(questions)), *counts], cleaned)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as temporary:
        made = Path(temporary) / target.name
        made.mkdir()
        write_folder(data, [Path(file) for file in files], made)
        if (target / "features").is_dir():
            shutil.copytree(target / "features", made / "features")
        if target.exists():
            os.replace(target, Path(temporary) / "before")
        os.replace(made, target)
    return {**{name: f"{left:,}" for name, left in data.counts}, **facts_of(data)}
