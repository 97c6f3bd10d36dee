"""Splits of visits: by patient, in five folds, and by time; drawn by SHA-256 or by id, never by the order of rows."""
from __future__ import annotations

from ...errors import DataError
from .frame import VisitTables
from .session import run

__all__ = ["DEFAULT_SPLIT", "FOLDS", "SHARES", "make_splits"]
DEFAULT_SPLIT = "patient"
FOLDS = 5
SEED = "recbole_medmoe visits splits 1"
MIN_PATIENTS = 10  # below, a part of some split would be empty
# What orders the patients of the default split -> the share that validates, and as many test. ``id`` is LEADER's 8:1:1;
# raw ids that are numbers are in the order of numbers.
SHARES = {"hash": 0.17, "id": 0.1}
_BY_ID = "TRY_CAST(patient_id AS BIGINT) NULLS LAST, patient_id"


def make_splits(tables: VisitTables) -> dict[str, str]:
    """Makes the table ``parts(split, part, visit_id)``; all rows of a visit are in one part.

    Needs the writer's table ``patient_tokens(patient_id, patient)``: a patient's part hangs on the token alone, or with
    ``tables.split_by`` ``id`` on the place of its raw id among all: the lowest train, the next validate.

    Returns:
        Split -> what it asks for, in one sentence. ``warm_visit`` is left out where under two patients have a visit
        that is known to be their latest.

    Raises:
        DataError: under 10 patients.
    """
    patients = tables.number("SELECT count(*) FROM patient_tokens")
    if patients < MIN_PATIENTS:
        raise DataError(f"{patients} patients are left, too few to split; {MIN_PATIENTS} are needed. Loosen the "
                        "filters (--min-item-visits, --min-items, --min-visits) or give more records")
    run(tables.session, "CREATE OR REPLACE TABLE parts (split VARCHAR, part VARCHAR, visit_id VARCHAR)")
    share = round(SHARES[tables.split_by] * patients)
    train = patients - 2 * share
    if tables.split_by == "id":
        part = f"CASE WHEN drawn < {train} THEN 'train' WHEN drawn < {train + share} THEN 'valid' ELSE 'test' END"
        _assign(tables, DEFAULT_SPLIT, _BY_ID, part)
        way = "new patients, in the order of their raw ids"
    else:
        part = f"CASE WHEN drawn < {share} THEN 'test' WHEN drawn < {2 * share} THEN 'valid' ELSE 'train' END"
        _assign(tables, DEFAULT_SPLIT, _drawn(DEFAULT_SPLIT), part)
        way = "new patients"
    told = {DEFAULT_SPLIT: f"{way}: {train} train, {share} others validate, {share} others test"}
    for fold in range(FOLDS):
        # The five folds share one draw, so that every patient tests in one of them; a fifth of the others validates.
        part = (f"CASE WHEN drawn % {FOLDS} = {fold} THEN 'test' WHEN (drawn + drawn // {FOLDS}) % {FOLDS} = {fold} "
                "THEN 'valid' ELSE 'train' END")
        _assign(tables, f"fold{fold}", _drawn("folds"), part)
        told[f"fold{fold}"] = f"new patients, fold {fold} of {FOLDS}: a fifth tests, a fifth of the rest validates"
    return told | _warm_visit(tables)


def _drawn(draw: str) -> str:
    """SQL: the order of patients in a draw."""
    return f"sha256('{SEED}:{draw}:' || patient)"


def _assign(tables: VisitTables, split: str, order: str, part: str) -> None:
    """Gives each patient a part, a SQL expression over ``drawn``, the patient's number from 0 in an order."""
    run(tables.session, f"""
        INSERT INTO parts SELECT '{split}', {part}, visit_id FROM visits JOIN (
            SELECT patient_id, row_number() OVER (ORDER BY {order}) - 1 AS drawn
            FROM patient_tokens) USING (patient_id)""")


def _warm_visit(tables: VisitTables) -> dict[str, str]:
    """The latest visit of a patient validates or tests; visits known to be earlier, and all other patients', train.

    Where a patient has several visits after which none is known, that with the longest history is asked for. Visits
    of such a patient that may be later than the one asked for are in no part.
    """
    run(tables.session, f"""
        CREATE OR REPLACE TABLE latest AS
        SELECT patient_id, visit_id, row_number() OVER (ORDER BY {_drawn('warm_visit')}) - 1 AS drawn
        FROM (SELECT patient_id, visit_id,
                     row_number() OVER (PARTITION BY patient_id ORDER BY known DESC, token) AS rank
              FROM (SELECT visit_id, count(*) AS known FROM earlier GROUP BY visit_id)
              JOIN visits USING (visit_id) JOIN visit_tokens USING (visit_id)
              WHERE visit_id NOT IN (SELECT earlier_id FROM earlier))
        JOIN patient_tokens USING (patient_id) WHERE rank = 1""")
    asked = tables.number("SELECT count(*) FROM latest")
    if asked < 2:
        return {}
    run(tables.session, """
        INSERT INTO parts
        SELECT 'warm_visit', CASE WHEN drawn % 2 = 0 THEN 'test' ELSE 'valid' END, visit_id FROM latest
        UNION ALL SELECT 'warm_visit', 'train', visit_id FROM visits v
        WHERE patient_id NOT IN (SELECT patient_id FROM latest)
           OR visit_id IN (SELECT earlier_id FROM earlier e JOIN latest l ON e.visit_id = l.visit_id)""")
    return {"warm_visit": f"known patients: of {asked} patients the visit known to be their latest validates or tests "
                          "(half each), earlier ones and all visits of other patients train"}
