"""The visits of a data set folder as prompts: names of codes and medications, and the table of token ids."""
from __future__ import annotations

import csv
import logging
from typing import Any

import torch

from ..errors import DataError
from .requests import FeatureTable, VisitPromptSpec
from .tables import FolderFeatures
from .visit_file import VisitFile
from .visit_prompts import VisitPrompts, load_templates, prompt_sha256, shown
from .visit_tables import KINDS, MEDICATIONS, Ragged

log = logging.getLogger("recbole_medmoe")


def folder_prompts(store: FolderFeatures, file: VisitFile, medications: Ragged,
                   spec: VisitPromptSpec) -> tuple[FeatureTable, dict[str, Any]]:
    """Token ids of the visits of a data set, and the state that tells other visits alike.

    Args:
        store: of the data set.
        file: order and codes of U visits, all codes of the file.
        medications: item ids of each visit; told are those of visits known to be earlier.
        spec: what is told.

    Raises:
        DataError: no ``codes.csv``, or no names of the medications.
        ConfigError: as `VisitPrompts`.
    """
    records, _ = store.records("user")
    told = store.profile_columns("user") if "profile" in load_templates(spec)[0].places else []
    state: dict[str, Any] = {"names": _folder_names(store), "prompt_sha256": prompt_sha256(spec), "profile": told}
    items = store.tokens["item"]
    own: list[dict[str, Any]] = [
        {kind: [file.vocabulary[kind][code] for code in file.codes[kind].row(place)] for kind in KINDS}
        | {MEDICATIONS: [items[item] for item in medications.row(place)]} for place in range(len(records))]
    visits = [{**records[place], **own[place], "earlier": [own[old] for old in file.history.row(place)]}
              for place in range(1, len(records))]
    nameless = {kind: len(set(file.vocabulary[kind][1:]) - state["names"][kind].keys()) for kind in KINDS}
    if any(nameless.values()):
        log.warning("%d diagnoses and %d procedures have no name in codes.csv; prompts tell their codes",
                    *(nameless[kind] for kind in KINDS))
    ids, present = VisitPrompts.load(spec, state, cache=store.cache,
                                     allow_download=store.options.get("allow_download", False)).table([None, *visits])
    return FeatureTable(torch.from_numpy(ids), torch.from_numpy(present)), state


def _folder_names(store: FolderFeatures) -> dict[str, dict[str, str]]:
    """Names of codes from codes.csv, of medications from the ``.item`` file."""
    path = store.folder / "codes.csv"
    if not path.is_file():
        raise DataError(f"{path} is missing: the model reads diagnoses and procedures in words; write one line per "
                        "code, kind,code,name with the kind diag or proc")
    with path.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    if not rows or not {"kind", "code", "name"} <= rows[0].keys():
        raise DataError(f"{path}, line 1: the columns must be kind,code,name")
    records, types = store.records("item")
    if "name" not in types:
        raise DataError(f"{store.folder.name}.item has no column 'name': the model reads medications in words; add "
                        "name:token")
    named = dict(zip(store.tokens["item"][1:], records[1:]))
    return {**{kind: {row["code"]: row["name"] for row in rows if row["kind"] == kind} for kind in KINDS},
            MEDICATIONS: {token: str(row["name"]) for token, row in named.items() if shown(row.get("name"))}}
