"""What the validator finds: each fault names file, line, column, rule and an example of a right line."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence

from ..errors import DataError

__all__ = ["AtomicError", "Fault", "MAX_FAULTS", "fault_at"]
MAX_FAULTS = 20
_LINES_SHOWN = 3


@dataclass(frozen=True)
class Fault:
    """One broken rule. It shows no cell of a patient, only where the cell is.

    Args:
        file: path inside the data set folder.
        rule: what is wrong and what the rule is.
        line: first line at fault, counted from 1 with the header; None where the whole file is meant.
        column: column at fault.
        example: a right line, or what to do.
        more: other lines with the same fault, as the end of a sentence.
    """

    file: str
    rule: str
    line: int | None = None
    column: str | None = None
    example: str | None = None
    more: str = ""

    def __str__(self) -> str:
        place = self.file + (f", line {self.line}" if self.line else "")
        place += f", column '{self.column}'" if self.column else ""
        shown = self.example.replace("\t", "<TAB>") if self.example else ""
        return f"{place}: {self.rule}{self.more}" + (f"; right: {shown}" if shown else "")


class AtomicError(DataError):
    """All faults of a data set folder, up to 20 of them in the message.

    Args:
        folder: the data set folder, as the message names it.
        faults: every fault found.
    """

    def __init__(self, folder: object, faults: Sequence[Fault]) -> None:
        self.faults = list(faults)
        head = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        lines = [f"  - {fault}" for fault in self.faults[:MAX_FAULTS]]
        if len(self.faults) > MAX_FAULTS:
            lines.append(f"  ... and {len(self.faults) - MAX_FAULTS} more")
        super().__init__(f"{head} in the data set {folder}:\n" + "\n".join(lines))


def fault_at(file: str, lines: Sequence[int], rule: str, column: str | None = None,
             example: str | None = None) -> Fault:
    """One fault for all lines that break the same rule: the first is the place, the next two and the count follow."""
    more = ""
    if len(lines) > 1:
        more = f" (also line{'s' if len(lines) > 2 else ''} " + ", ".join(str(line) for line in lines[1:_LINES_SHOWN])
        rest = len(lines) - _LINES_SHOWN
        more += f" and {rest} more)" if rest > 0 else ")"
    return Fault(file, rule, int(lines[0]), column, example, more)
