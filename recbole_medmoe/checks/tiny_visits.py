"""A tiny data set of visits, made in code: 30 patients, 12 medications, known and unknown order, interactions."""
from __future__ import annotations

import csv
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..atomic import write_atomic, write_texts
from .tiny_food import CONDITIONS

MEDICATIONS = ("amlodipine", "bisoprolol", "chlortalidone", "dapagliflozin", "exenatide", "fiasp", "colchicine",
               "febuxostat", "allopurinol", "iron", "folate", "epoetin")
FOLDS = 5
_HEADER = {"visit_id": "token", "item_id": "token"}
_USER = {"visit_id": "token", "patient_id": "token", "visit_no": "float", "earlier": "token_seq", "diag": "token_seq",
         "proc": "token_seq", "age": "float", "sex": "token"}
# Earlier visits of each visit, by patient in turn: sole, two in order, three in order, two that cannot be ordered, and
# two that cannot be ordered before a third one.
_ORDERS: tuple[tuple[tuple[int, ...], ...], ...] = (((),), ((), (0,)), ((), (0,), (0, 1)), ((), ()), ((), (), (0, 1)))


@dataclass
class _Visit:
    token: str
    patient: int
    number: int
    earlier: list[str]
    diag: list[str] = field(default_factory=list)
    proc: list[str] = field(default_factory=list)

    @property
    def medications(self) -> list[str]:
        """Each condition wants three of its own, so that any sensible model learns something; nobody goes without."""
        chosen = [item for place, name in enumerate(CONDITIONS) if name in self.diag
                  for item in MEDICATIONS[3 * place:3 * place + 3]]
        return chosen or list(MEDICATIONS[:3])


def _visits() -> list[_Visit]:
    """A patient's first condition stays, the second one changes from visit to visit."""
    made: list[_Visit] = []
    for patient in range(30):
        own: list[_Visit] = []
        for number, earlier in enumerate(_ORDERS[patient % len(_ORDERS)]):
            visit = _Visit(f"v{len(made) + len(own) + 1:03d}", patient, number + 1,
                           [own[other].token for other in earlier])
            named = {CONDITIONS[patient % 4], CONDITIONS[(patient // 4 + number) % 4]}
            visit.diag = sorted({*named, f"sign{(patient + number) % 6}", *(["rare"] if patient == 28 else [])})
            visit.proc = [] if patient % 3 == 0 else sorted({f"test{number}", f"scan{patient % 4}"})
            own.append(visit)
        made += own
    made[-1].diag = []   # a visit of which little is known
    return made


def _parts(visits: list[_Visit]) -> dict[str, dict[str, str]]:
    """Split to the part of each visit."""
    found = {"patient": {visit.token: "train" if visit.patient < 18 else "valid" if visit.patient < 23 else "test"
                         for visit in visits}}
    for fold in range(FOLDS):
        found[f"fold{fold}"] = {
            visit.token: {fold: "test", (fold + 1) % FOLDS: "valid"}.get(visit.patient * 7 // 5 % FOLDS, "train")
            for visit in visits}
    followed = {other for visit in visits for other in visit.earlier}
    found["warm_visit"] = {
        visit.token: ("valid", "test")[visit.patient % 2] if visit.earlier and visit.token not in followed else "train"
        for visit in visits}
    return found


def make_visits(folder: Path) -> Path:
    """Writes the data set into ``folder``, whose name is the data set's, and returns it.

    Splits: ``patient``, ``fold0`` to ``fold4``, ``warm_visit``. Diagnoses decide the medications; training has not seen
    all codes, one patient has a rare diagnosis, one visit has none.
    """
    visits, name = _visits(), folder.name
    folder.mkdir(parents=True)
    rows = [{"visit_id": visit.token, "patient_id": f"p{visit.patient:02d}", "visit_no": visit.number,
             "earlier": visit.earlier, "diag": visit.diag, "proc": visit.proc, "age": 40 + visit.patient,
             "sex": ("female", "male")[visit.patient % 2]} for visit in visits]
    write_atomic(pd.DataFrame(rows), _USER, folder / f"{name}.user")
    items = [{"item_id": item, "name": item, "atc": f"A{place:02d}", "category": CONDITIONS[place // 3]}
             for place, item in enumerate(MEDICATIONS)]
    write_atomic(pd.DataFrame(items), dict.fromkeys(items[0], "token"), folder / f"{name}.item")
    pairs = pd.DataFrame([{"visit_id": visit.token, "item_id": item} for visit in visits for item in visit.medications])
    write_atomic(pairs, _HEADER, folder / f"{name}.inter")
    for split, part in _parts(visits).items():
        for phase in ("train", "valid", "test"):
            chosen = pairs[pairs["visit_id"].map(part) == phase]
            write_atomic(chosen, _HEADER, folder / f"{name}.{split}.{phase}.inter")
    codes = {(kind, code) for visit in visits for kind, found in (("diag", visit.diag), ("proc", visit.proc))
             for code in found}
    _write_csv(folder / "codes.csv", [("kind", "code", "name"), *((kind, code, code) for kind, code in sorted(codes))])
    _write_csv(folder / "ddi.csv", [("item_a", "item_b", "severity"), ("amlodipine", "bisoprolol", "Major"),
                                    ("colchicine", "iron", "Major"), ("fiasp", "folate", "Major")])
    texts: dict[str, dict[str, Any]] = {
        "user": {visit.token: f"Visit for {' and '.join(visit.diag)}. Done: {', '.join(visit.proc)}."
                 for visit in visits if visit.diag},
        "item": {item: f"{item}, against {CONDITIONS[place // 3]}." for place, item in enumerate(MEDICATIONS)}}
    for side, told in texts.items():
        write_texts(told, folder / "text" / f"{side}.jsonl")
    (folder / f"{name}.yaml").write_text(
        "task: medication\nsplit: patient\nUSER_ID_FIELD: visit_id\nITEM_ID_FIELD: item_id\nload_col:\n"
        "  inter: [visit_id, item_id]\n  user: [visit_id, diag, proc, age, sex]\n  item: [item_id, atc]\n",
        encoding="utf-8")
    return folder


def _write_csv(path: Path, rows: list[tuple[str, ...]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, lineterminator="\n").writerows(rows)
