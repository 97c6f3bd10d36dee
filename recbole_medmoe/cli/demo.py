"""The demonstration: healthy food, the hybrid against its halves and classic models, on the packaged data."""
from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from .encode import requests_of
from .output import PROGRAM, console, note, say, table

if TYPE_CHECKING:
    from ..bench.sections import Section

DATASET, SUITE = "healthfood", "demo"
_NEXT = f"""
Next:
  {PROGRAM} --model MedMoE,FeatureRidge --dataset healthfood --seeds 0,1,2
  {PROGRAM} --model MedMoE,MoEOnly --dataset healthfood --split cold_item0
  {PROGRAM} bench demo
  {PROGRAM} list models MedMoE
  {PROGRAM} --model BPR --dataset ml-100k --epochs=5
  {PROGRAM} --help"""


def demo() -> None:
    """Verifies the shipped features, runs both comparisons, prints tables, writes the page."""
    from ..bench.reading import sections_of
    from ..bench.report import write_report
    from ..bench.suite import load_suites
    from ..bench.terminal import print_section
    from ..quick_start import compare

    (suite,), _ = load_suites(SUITE)
    begun = time.perf_counter()
    say("Healthy food: which of 81 real grocery items suit a patient? The patients are real (open eICU demo); the\n"
        "labels are simulated from published dietary guidance and are no clinical truth. No network is used.")
    verify_features()
    sections: list[Section] = []
    for title, split in (("Patients that training never saw", "cold_patient"),
                         ("Patients with some choices known, some asked", "warm")):
        rows = {name: row.overrides for name, row in suite.rows.items() if row.splits is None or split in row.splits}
        say(f"\n{title} (split {split}): {', '.join(rows)}")
        sections += sections_of(compare(list(rows), DATASET, seeds=suite.seeds, split=split, per_model=rows).folders)
        print_section(sections[-1], console())
    page = Path("runs") / DATASET / "demo.html"
    write_report(sections, html=page)
    say(f"\nPage: {page.resolve()}\nTime: {time.perf_counter() - begun:.0f} s")
    say(_NEXT)


def verify_features(rows: int | None = None) -> None:
    """Encodes some rows of each shipped feature bank anew with the real encoders and prints how close they come.

    Args:
        rows: how many of each; None takes the key ``verify_rows``.

    Raises:
        FeatureBankError: a bank is missing, damaged, or not what its encoder gives.
        MissingPackageError: an encoder's package is not installed.
    """
    from ..config import MedConfig
    from ..data import create_dataset
    from ..encoders import FeatureBank, bank_name, verify_bank

    config = MedConfig("MedMoE", DATASET)
    data = create_dataset(config)
    number = rows or config["verify_rows"]
    lines = []
    for side, spec in requests_of(config):
        name = bank_name(side, spec)
        note(f"encoding {number} rows of {name} anew")
        bank = FeatureBank.load(data.folder / "features" / f"{name}.safetensors")
        told = verify_bank(bank, spec, data.store.contents(side, spec.modality), rows=number,
                           device=config["device"], batch_tokens=config["encode_batch_tokens"])
        lines.append([name, f"{len(bank):,}", str(told["rows"]), f"{told['min_cosine']:.4f}"])
    console().print(table("\nShipped features, some rows encoded anew by the real encoders",
                          ["bank", "rows", "encoded anew", "least cosine"], lines, right=(1, 2, 3)))
