"""Raw tables through DuckDB: what is found, and how each fault is told."""
from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare.visits.session import batches, find_table, open_session, rows, run, table, view


@pytest.mark.parametrize("name", ["ADMISSIONS.csv", "admissions.csv", "Admissions.CSV"])
def test_a_table_is_found_in_any_case(session, tmp_path, name):
    (tmp_path / name).write_text("SUBJECT_ID,Hadm_Id\n1,2\n")
    assert table(session, tmp_path, "ADMISSIONS", ["subject_id", "hadm_id"]) == "raw_admissions"
    assert rows(session, "SELECT subject_id, hadm_id FROM raw_admissions") == [("1", "2")]


def test_a_gzipped_table_in_a_sub_folder(session, tmp_path):
    (tmp_path / "hosp").mkdir()
    with gzip.open(tmp_path / "hosp" / "patients.csv.gz", "wt") as file:
        file.write("subject_id\n7\n")
    assert table(session, tmp_path, "hosp/patients", ["subject_id"]) == "raw_patients"
    assert rows(session, "SELECT * FROM raw_patients") == [("7",)]


def test_a_parquet_table_is_read_as_text(session, tmp_path):
    session.execute(f"COPY (SELECT 5 AS number) TO '{tmp_path / 'visits.parquet'}' (FORMAT parquet)")
    view(session, find_table(tmp_path, "visits"), "made", ["number"])
    assert rows(session, "SELECT number FROM made") == [("5",)]


def test_all_is_text_trimmed_and_empty_is_null(session, tmp_path):
    (tmp_path / "t.csv").write_text("a,b\n007, x \n1.50,\"\"\n")
    table(session, tmp_path, "t", ["a", "b"])
    assert rows(session, "SELECT a, b FROM raw_t ORDER BY a") == [("007", "x"), ("1.50", None)]


def test_an_optional_column_that_is_not_there_is_null(session, tmp_path):
    (tmp_path / "t.csv").write_text("a\n1\n")
    table(session, tmp_path, "t", ["a"], optional=["b"])
    assert rows(session, "SELECT a, b FROM raw_t") == [("1", None)]


def test_batches_give_all_rows_in_parts(session):
    parts = list(batches(session, "SELECT i FROM range(25) t(i) ORDER BY i", size=10))
    assert [len(part) for part in parts] == [10, 10, 5] and parts[2][-1] == (24,)


def test_a_missing_table_is_named_with_its_folder(session, tmp_path):
    with pytest.raises(DataError, match=f"{tmp_path}: no table 'PRESCRIPTIONS'"):
        table(session, tmp_path, "PRESCRIPTIONS", ["ndc"])


def test_a_missing_column_is_named_with_its_table(session, tmp_path):
    (tmp_path / "t.csv").write_text("subject,hadm_id\n1,2\n")
    with pytest.raises(DataError, match=r"t\.csv: no column subject_id; did you mean 'subject'"):
        table(session, tmp_path, "t", ["subject_id", "hadm_id"])


def test_a_column_that_comes_twice_is_refused(session, tmp_path):
    (tmp_path / "t.csv").write_text("a,A\n1,2\n")
    with pytest.raises(DataError, match="comes twice"):
        table(session, tmp_path, "t", ["a"])


@pytest.mark.parametrize(("content", "told"), [
    (b"", "empty"),
    (b"\xff\xfe\x00a", "not UTF-8"),
])
def test_a_header_that_cannot_be_read(session, tmp_path, content, told):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=told):
        table(session, tmp_path, "t", ["a"])


def test_a_gzip_that_is_none(session, tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(b"a,b\n1,2\n")
    with pytest.raises(DataError, match=r"t\.csv\.gz: not a whole gzip file"):
        table(session, tmp_path, "t", ["a"])


def test_a_gzip_that_ends_too_soon(session, tmp_path):
    whole = gzip.compress("".join(["a,b\n", *(f"{i * 7919 % 100003},{i}\n" for i in range(50_000))]).encode())
    (tmp_path / "t.csv.gz").write_bytes(whole[:len(whole) // 2])
    table(session, tmp_path, "t", ["a"])
    with pytest.raises(DataError, match=r"GZIP.*t\.csv\.gz; restore"):
        run(session, "CREATE TABLE made AS SELECT * FROM raw_t")


@pytest.mark.parametrize(("line", "told"), [
    ("3,4,secret", "Line: 3; Expected Number of Columns: 2 Found: 3"),
    ("3,\"secret", "unterminated quote"),
])
def test_a_broken_line_is_named_but_not_shown(session, tmp_path, line, told):
    (tmp_path / "t.csv").write_text(f"a,b\n1,2\n{line}\n")
    table(session, tmp_path, "t", ["a", "b"])
    with pytest.raises(DataError, match=told) as fault:
        rows(session, "SELECT * FROM raw_t")
    assert "t.csv" in str(fault.value) and "secret" not in str(fault.value)
    assert fault.value.__cause__ is None and fault.value.__suppress_context__


def test_a_memory_limit_that_is_too_low(tmp_path):
    with open_session("30MB", tmp_path / "out") as session, pytest.raises(DataError, match="--memory"):
        run(session, "CREATE TABLE t AS SELECT list(i) AS l FROM range(50000000) r(i)")


@pytest.mark.parametrize("memory", ["2", "lots", "-1GB", ""])
def test_a_memory_limit_that_is_no_size(tmp_path, memory):
    with pytest.raises(DataError, match="right: --memory 2GB"), open_session(memory, tmp_path / "out"):
        pass


def test_what_was_spilled_is_gone_after_a_fault(tmp_path):
    with pytest.raises(ZeroDivisionError), open_session("1GB", tmp_path / "deep" / "out"):
        raise ZeroDivisionError
    assert list((tmp_path / "deep").iterdir()) == []


def test_find_table_names_the_folder_that_is_missing():
    with pytest.raises(DataError, match="nowhere: no table 'patient'"):
        find_table(Path("nowhere"), "patient")
