"""Texts of visits and medications: what the codes say in words, and never what was prescribed."""
from __future__ import annotations

import json
from pathlib import Path

from .frame import VisitTables
from .session import batches

__all__ = ["write_visit_texts"]
# A prefix of a hierarchical code says nothing that the code itself does not, so only the ends of paths are told.
_TOLD = """
    SELECT token, string_agg(word, '; ' ORDER BY word) FILTER (WHERE kind = 'diag') AS diagnoses,
           string_agg(word, '; ' ORDER BY word) FILTER (WHERE kind = 'proc') AS procedures
    FROM (SELECT DISTINCT t.token, c.kind, coalesce(n.name, c.code) AS word
          FROM codes c JOIN visit_tokens t USING (visit_id)
          LEFT JOIN code_names n ON c.kind = n.kind AND c.code = n.code
          WHERE (c.visit_id, c.kind, c.code) NOT IN (
              SELECT (visit_id, kind, regexp_extract(code, '^(.*)[|]', 1)) FROM codes WHERE contains(code, '|')))
    GROUP BY token ORDER BY token"""


def write_visit_texts(tables: VisitTables, procedures: str, out: Path) -> None:
    """Writes ``text/user.jsonl`` and ``text/item.jsonl`` under ``out``; a visit without codes has no line.

    A code that ``code_names`` does not hold is told as it is.

    Args:
        tables: with the writer's ``visit_tokens``.
        procedures: what the records call codes of kind ``proc``, e.g. ``Procedures``.
        out: the data set folder.
    """
    (out / "text").mkdir()
    with (out / "text" / "user.jsonl").open("w", encoding="utf-8") as file:
        for part in batches(tables.session, _TOLD):
            for token, diagnoses, treated in part:
                said = (("Diagnoses", diagnoses), (procedures, treated))
                told = [f"{word}: {names}." for word, names in said if names]
                file.write(json.dumps({"id": token, "text": " ".join(told)}, ensure_ascii=False) + "\n")
    with (out / "text" / "item.jsonl").open("w", encoding="utf-8") as file:
        for part in batches(tables.session, "SELECT item_id, name FROM items ORDER BY item_id"):
            file.writelines(json.dumps({"id": item, "text": name}, ensure_ascii=False) + "\n" for item, name in part)
