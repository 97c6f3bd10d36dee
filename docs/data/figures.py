"""Figures and tables of healthfood.md, made from the shipped files: ``python docs/data/figures.py``, then commit.

Writes healthfood-labels.png and healthfood-items.png beside this file, and the part of healthfood.md between its two
marks.
"""
from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from typing import Any, Iterable, Sequence

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1]))  # the package beside docs/, installed or not

from recbole_medmoe.atomic import (  # noqa: E402
    PARTS, inter_path, label_variants, read_atomic, read_images, read_manifest, read_texts, text_path)

FOLDER = HERE.parents[1] / "dataset_atomic" / "healthfood"
MARKS = ("<!-- made by figures.py -->", "<!-- end -->")
COLOURS = {"fruit": "#d55e00", "vegetables": "#009e73", "packages": "#0072b2"}  # Okabe and Ito: told apart by all eyes
SHEET, TILE, GAP = (8, 3), 96, 22  # items across and down; pixels of a picture and of the name below it
LONGEST = 420  # characters of the base text of an example


def pairs(split: str, labels: str | None = None) -> set[tuple[str, str]]:
    """(user, item) of all parts of a split."""
    return {pair for part in PARTS
            for pair in read_atomic(inter_path(FOLDER, split, part, labels)).itertuples(index=False, name=None)}


def kept() -> dict[str, float]:
    """Label variant -> share of the data set's own positives that it has too."""
    own = pairs("cold_patient")
    return {name: len(own & pairs("cold_patient", name)) / len(own) for name in label_variants(FOLDER)}


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def split_table() -> str:
    """Patients and rows of each split."""
    rows = []
    for split, entry in read_manifest(FOLDER).splits.items():
        frames = [read_atomic(inter_path(FOLDER, split, part)) for part in PARTS]
        users = " / ".join(f"{frame['user_id'].nunique():,}" for frame in frames)
        rows.append([f"`{split}`", users, " / ".join(f"{len(frame):,}" for frame in frames), entry.description])
    return table(["split", "patients train / valid / test", "rows train / valid / test", "what it is"], rows)


def label_tables() -> str:
    """How positives fall on groups, items and patients."""
    items, rows = read_atomic(FOLDER / "healthfood.item"), read_atomic(FOLDER / "healthfood.inter")
    users = rows["user_id"].nunique()
    per_item = Counter({item: 0 for item in items["item_id"]}) + Counter(rows["item_id"])
    group = dict(zip(items["item_id"], items["group"]))
    groups = [[name, sum(of == name for of in group.values()),
               f"{sum(count for item, count in per_item.items() if group[item] == name) / len(rows):.1%}"]
              for name in COLOURS]
    ordered = sorted(group, key=lambda item: (-per_item[item], item))
    ends = [[f"{item} ({per_item[item] / users:.1%})" for item in some] for some in (ordered[:6], ordered[-6:])]
    sizes = Counter(Counter(rows["user_id"]).values())
    return "\n\n".join([
        table(["group", "items", "share of positives"], groups),
        "Items that suit the most patients: " + ", ".join(ends[0]) + ". The fewest: " + ", ".join(ends[1]) + ".",
        "Positives per patient: " + ", ".join(f"{size} for {sizes[size]:,}" for size in sorted(sizes)) + "."])


def variant_table(shares: dict[str, float]) -> str:
    """Variants, jitters of one design in one row."""
    told, groups = read_manifest(FOLDER).labels or {}, dict[str, list[str]]()
    for name in shares:
        groups.setdefault(name.rstrip("0123456789"), []).append(name)
    rows = []
    for names in groups.values():
        values = [shares[name] for name in names]
        spread = f", {min(values):.1%} to {max(values):.1%}" if len(values) > 1 else ""
        called = f"`{names[0]}`" if len(names) == 1 else f"`{names[0]}` to `{names[-1]}`"
        rows.append([called, told[names[0]], f"{sum(values) / len(values):.1%}{spread}"])
    return table(["variant", "what it is", "own positives kept"], rows)


def known_words(split: str, width: int) -> float:
    """Mean share of a test text's runs of ``width`` words that some training text has."""
    texts = read_texts(text_path(FOLDER, "user", split))
    grams = {user: {tuple(words[at:at + width]) for at in range(len(words) - width + 1)}
             for user, words in ((user, re.findall(r"\w+", text.lower())) for user, text in texts.items())}
    train, test = (set(read_atomic(inter_path(FOLDER, split, part))["user_id"]) for part in ("train", "test"))
    seen = set().union(*(grams[user] for user in train))
    return sum(len(grams[user] & seen) / len(grams[user]) for user in test) / len(test)


def word_table() -> str:
    """What the split ``phrasing`` changes for a bag of words."""
    rows = [[name, *(f"{known_words(split, width):.1%}" for split in ("cold_patient", "phrasing"))]
            for name, width in (("words", 1), ("pairs of words", 2), ("runs of three", 3))]
    return table(["of a test patient's text, training has seen", "`cold_patient`", "`phrasing`"], rows)


def example_table() -> str:
    """The first short text of each part of ``phrasing``, in both wordings."""
    base, said = (read_texts(text_path(FOLDER, "user", split)) for split in (None, "phrasing"))
    rows = []
    for part in PARTS:
        users = sorted(set(read_atomic(inter_path(FOLDER, "phrasing", part))["user_id"]))
        user = next(user for user in users if len(base[user]) < LONGEST)
        rows += [[f"`{user}`, base", base[user]], [f"`{user}`, as `{part}` says it", said[user]]]
    return table(["patient", "text"], rows)


def made_part() -> str:
    """What stands between the marks of healthfood.md."""
    users, items = (len(read_atomic(FOLDER / f"healthfood.{side}")) for side in ("user", "item"))
    lines = [f"{users:,} patients, {items} items, {len(read_atomic(FOLDER / 'healthfood.inter')):,} positives; "
             f"{len(read_images(FOLDER))} catalogue pictures, photos of {len(read_images(FOLDER, 'photo'))} items.",
             split_table(), "## Labels", "![positives per item, and what variants keep](healthfood-labels.png)",
             label_tables(), "## Label variants", variant_table(kept()), "## Wording", word_table(), example_table()]
    return "\n\n".join(lines)


def draw_labels(path: Path) -> None:
    """Bars of patients per item by group, and of the share of own positives that each variant keeps."""
    import matplotlib
    matplotlib.use("Agg")
    from matplotlib import pyplot

    items, rows = read_atomic(FOLDER / "healthfood.item"), read_atomic(FOLDER / "healthfood.inter")
    users, group = rows["user_id"].nunique(), dict(zip(items["item_id"], items["group"]))
    per_item = Counter(rows["item_id"])
    ordered = sorted(group, key=lambda item: (-per_item[item], item))
    figure, (upper, lower) = pyplot.subplots(2, 1, figsize=(12, 7), height_ratios=(3, 1), layout="constrained")
    upper.bar(range(len(ordered)), [100 * per_item[item] / users for item in ordered],
              color=[COLOURS[group[item]] for item in ordered])
    upper.set_xticks(range(len(ordered)), ordered, rotation=90, fontsize=6)
    upper.set(ylabel="% of patients it suits", xlim=(-1, len(ordered)))
    upper.legend([pyplot.Rectangle((0, 0), 1, 1, color=colour) for colour in COLOURS.values()], list(COLOURS))
    shares = kept()
    lower.bar(range(len(shares)), [100 * share for share in shares.values()], color="#999999")
    lower.set_xticks(range(len(shares)), list(shares), fontsize=8)
    lower.set(ylabel="% kept", ylim=(0, 100), xlim=(-1, len(shares)))
    figure.savefig(path, dpi=90)
    pyplot.close(figure)


def draw_items(path: Path) -> None:
    """Contact sheet of every third or so item, by group."""
    from PIL import Image, ImageDraw

    across, down = SHEET
    items, pictures = read_atomic(FOLDER / "healthfood.item"), read_images(FOLDER)
    order = [item for name in COLOURS for item, of in zip(items["item_id"], items["group"]) if of == name]
    chosen = [order[place * len(order) // (across * down)] for place in range(across * down)]
    sheet = Image.new("RGB", (across * (TILE + 8), down * (TILE + GAP)), "white")
    pen = ImageDraw.Draw(sheet)
    for place, item in enumerate(chosen):
        left, top = place % across * (TILE + 8), place // across * (TILE + GAP)
        with Image.open(pictures[item]) as picture:
            small = picture.convert("RGB")
            small.thumbnail((TILE, TILE))
        sheet.paste(small, (left + 4 + (TILE - small.width) // 2, top + 4))
        pen.text((left + 4, top + TILE + 6), item if len(item) < 18 else f"{item[:16]}..", fill="black")
    sheet.quantize(128).save(path, optimize=True)


def main() -> None:
    draw_labels(HERE / "healthfood-labels.png")
    draw_items(HERE / "healthfood-items.png")
    page = HERE / "healthfood.md"
    before, rest = page.read_text(encoding="utf-8").split(MARKS[0])
    after = rest.split(MARKS[1])[1]
    page.write_text(f"{before}{MARKS[0]}\n\n{made_part()}\n\n{MARKS[1]}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
