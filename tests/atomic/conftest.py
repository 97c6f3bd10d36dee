"""The smallest whole data set folder: two users, three items, one split, texts, pictures, candidates."""
from __future__ import annotations

from pathlib import Path
from typing import Callable

import pytest
from PIL import Image

FILES = {
    "food.user": "user_id:token\tage:float\tconditions:token_seq\nu1\t61\tgout statin\nu2\t\t\n",
    "food.item": "item_id:token\tgroup:token\napple\tfruit\nkiwi\tfruit\nmilk\tdairy\n",
    "food.inter": "user_id:token\titem_id:token\nu1\tapple\nu1\tkiwi\nu2\tmilk\nu2\tapple\n",
    "food.warm.train.inter": "user_id:token\titem_id:token\nu1\tapple\n",
    "food.warm.valid.inter": "user_id:token\titem_id:token\nu2\tapple\n",
    "food.warm.test.inter": "user_id:token\titem_id:token\nu1\tkiwi\nu2\tmilk\n",
    "food.warm.candidates.csv": "phase,item_id\ntest,kiwi\ntest,milk\n",
    "text/user.jsonl": '{"id": "u1", "text": "A man of 61."}\n{"id": "u2", "text": "A woman."}\n',
    "text/item.jsonl": '{"id": "apple", "text": "Sweet."}\n{"id": "kiwi", "text": "Green."}\n',
    "images.csv": "item_id,file,kind\napple,images/apple.png,catalogue\nkiwi,images/kiwi.png,catalogue\n"
                  "apple,images/shop.png,photo\n",
}


@pytest.fixture
def food(tmp_path: Path) -> Path:
    """Folder of a data set without faults."""
    folder = tmp_path / "food"
    (folder / "text").mkdir(parents=True)
    (folder / "images").mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    for name in ("apple", "kiwi", "shop"):
        Image.new("RGB", (4, 4), "green").save(folder / "images" / f"{name}.png")
    return folder


@pytest.fixture
def add_variant(food: Path) -> Callable[[str], Path]:
    """Adds a label variant of the split ``warm`` to the folder: u1 likes milk, u2 what it liked; gives its folder."""

    def add(name: str) -> Path:
        folder = food / "labels" / name
        folder.mkdir(parents=True)
        for part, rows in (("train", "u1\tmilk\n"), ("valid", "u2\tapple\n"), ("test", "u1\tkiwi\nu2\tmilk\n")):
            (folder / f"food.warm.{part}.inter").write_text(f"user_id:token\titem_id:token\n{rows}", encoding="utf-8")
        return folder

    return add
