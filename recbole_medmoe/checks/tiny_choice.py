"""A tiny data set of questions, made in code: 30 questions of two tasks, 12 options, three or four for each."""
from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..atomic import write_atomic, write_texts
from .tiny_food import CONDITIONS, ITEMS

_HEADER = {"user_id": "token", "item_id": "token"}
_USER = {"user_id": "token", "task": "token", "source": "token", "conditions": "token_seq"}
_ITEM = {"item_id": "token", "category": "token"}


def _questions() -> list[dict[str, object]]:
    """A question asks for the food against one condition; one of its options is good against it, at changing places."""
    rows: list[dict[str, object]] = []
    for number in range(30):
        wanted, count = number % 4, 3 + number % 2
        wrong = [ITEMS[3 * (wanted + step) % 12 + (number + step) % 3] for step in range(1, count)]
        place = number * 7 // 3 % count
        right = ITEMS[3 * wanted + number // 4 % 3]
        rows.append({"user_id": f"q{number + 1:02d}", "task": ("exam.food", "abstract")[number % 3 == 0],
                     "source": ("exam", "abstract")[number % 3 == 0], "conditions": [CONDITIONS[wanted]],
                     "item_id": right, "options": [*wrong[:place], right, *wrong[place:]]})
    return rows


def make_choices(folder: Path) -> Path:
    """Writes the data set into ``folder``, whose name is the data set's, and returns it."""
    folder.mkdir(parents=True)
    name, questions = folder.name, pd.DataFrame(_questions())
    write_atomic(questions[list(_USER)], _USER, folder / f"{name}.user")
    write_atomic(pd.DataFrame({"item_id": ITEMS, "category": [CONDITIONS[place // 3] for place in range(12)]}), _ITEM,
                 folder / f"{name}.item")
    rows = questions[list(_HEADER)]
    write_atomic(rows, _HEADER, folder / f"{name}.inter")
    for part, some in (("train", rows[:18]), ("valid", rows[18:23]), ("test", rows[23:])):
        write_atomic(some.reset_index(drop=True), _HEADER, folder / f"{name}.question.{part}.inter")
    pairs = [f"{user},{item}" for user, own in zip(questions["user_id"], questions["options"]) for item in own]
    (folder / "candidates.csv").write_text("\n".join(["user_id,item_id", *pairs]) + "\n", encoding="utf-8")
    write_texts({user: f"Question {user}: which food is good against {codes[0]}?"
                 for user, codes in zip(questions["user_id"], questions["conditions"])}, folder / "text" / "user.jsonl")
    write_texts({item: f"{item}, which is good against {CONDITIONS[place // 3]}"
                 for place, item in enumerate(ITEMS)}, folder / "text" / "item.jsonl")
    (folder / f"{name}.yaml").write_text(
        "task: choice\nsplit: question\nload_col:\n  inter: [user_id, item_id]\n  user: [user_id]\n  item: [item_id]\n",
        encoding="utf-8")
    return folder
