"""Raw tables through DuckDB: what is found, and how each fault is told."""
from __future__ import annotations

import gzip
import resource
from pathlib import Path

import pandas as pd
import pytest

from recbole_medmoe.errors import DataError
from recbole_medmoe.prepare.visits.session import batches, find_table, named, open_session, rows, run, table, view


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
    with pytest.raises(DataError, match="column a comes twice"):
        table(session, tmp_path, "t", ["a"])


@pytest.mark.parametrize("header", ["a,,b", "a,b,", ",a,,b", "a,x,x,b"])
def test_columns_without_a_name_or_with_one_twice_that_nobody_asks_for(session, tmp_path, header):
    (tmp_path / "t.csv").write_text(f"{header}\n{','.join(name or 'z' for name in header.split(','))}\n")
    table(session, tmp_path, "t", ["a", "b"])
    assert rows(session, "SELECT a, b FROM raw_t") == [("a", "b")]


@pytest.mark.parametrize("name", ["select", "c0", 'the "new" one', "two words", "it's", "a.b"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_any_name_of_a_column(session, tmp_path, name, ending):
    frame = pd.DataFrame({"first": ["x"], name: ["y"]})
    frame.to_csv(tmp_path / "t.csv", index=False) if ending == "csv" else frame.to_parquet(tmp_path / "t.parquet")
    table(session, tmp_path, "t", [name, "first"])
    assert rows(session, f"SELECT {named(name)}, first FROM raw_t") == [("y", "x")]


@pytest.mark.parametrize("folder", ["export [2024]", "what?", "all*", "year=2024"])
@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_a_path_is_no_pattern(session, tmp_path, folder, ending):
    for name, cell in ((folder, "right"), ("export 2", "wrong"), ("whatX", "wrong"), ("all2", "wrong")):
        (tmp_path / name).mkdir()
        frame = pd.DataFrame({"a": [cell]})
        path = tmp_path / name / f"t.{ending}"
        frame.to_csv(path, index=False) if ending == "csv" else frame.to_parquet(path)
    table(session, tmp_path / folder, "t", ["a"])
    assert rows(session, "SELECT * FROM raw_t") == [("right",)]


def test_a_first_line_that_is_a_record_is_not_shown(session, tmp_path):
    (tmp_path / "t.csv").write_text("Smith,1950-01-01,diabetes\n")
    with pytest.raises(DataError, match=r"t\.csv: no column subject_id, dob, .* has 3 cells; .* add it") as fault:
        table(session, tmp_path, "t", ["subject_id", "dob"], optional=["smiths"])
    assert not any(word in str(fault.value) for word in ("Smith", "1950", "diabetes"))


@pytest.mark.parametrize(("line", "sign"), [("a;b", "';'"), ("a\tb", r"'\\t'")])
def test_another_sign_between_the_cells_is_told(session, tmp_path, line, sign):
    (tmp_path / "t.csv").write_text(f"{line}\n")
    with pytest.raises(DataError, match=f"parted by {sign}, it seems"):
        table(session, tmp_path, "t", ["a", "b"])


@pytest.mark.parametrize(("content", "told"), [
    (b"", "empty"),
    (b"\xff\xfe\x00a", "not UTF-8"),
    (b'"' + 200_000 * b"a", "first line is no CSV"),
])
def test_a_header_that_cannot_be_read(session, tmp_path, content, told):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(DataError, match=told):
        table(session, tmp_path, "t", ["a"])


def test_a_gzip_that_is_none(session, tmp_path):
    (tmp_path / "t.csv.gz").write_bytes(b"a,b\n1,2\n")
    with pytest.raises(DataError, match=r"t\.csv\.gz: not a whole gzip file"):
        table(session, tmp_path, "t", ["a"])


@pytest.mark.parametrize("damage", [lambda whole: whole[:len(whole) // 2], lambda whole: b"",
                                    lambda whole: whole[:-200] + 180 * b"\xff" + whole[-20:]])
def test_a_damaged_parquet_file(session, tmp_path, damage):
    pd.DataFrame({"a": range(1000)}).to_parquet(tmp_path / "t.parquet")
    (tmp_path / "t.parquet").write_bytes(damage((tmp_path / "t.parquet").read_bytes()))
    with pytest.raises(DataError, match=r"t\.parquet: not a whole Parquet file .*; restore"):
        table(session, tmp_path, "t", ["a"])


def test_a_parquet_file_that_is_damaged_inside(session, tmp_path):
    pd.DataFrame({"a": [f"word {number * 7919 % 1013}" for number in range(10_000)]}).to_parquet(tmp_path / "t.parquet")
    whole = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").write_bytes(whole[:4] + 60 * b"\xff" + whole[64:])
    table(session, tmp_path, "t", ["a"])
    with pytest.raises(DataError, match="a Parquet file is damaged"):
        rows(session, "SELECT min(a) FROM raw_t")


def test_a_gzip_that_ends_too_soon(session, tmp_path):
    whole = gzip.compress("".join(["a,b\n", *(f"{i * 7919 % 100003},{i}\n" for i in range(50_000))]).encode())
    (tmp_path / "t.csv.gz").write_bytes(whole[:len(whole) // 2])
    table(session, tmp_path, "t", ["a"])
    with pytest.raises(DataError, match=r"GZIP.*t\.csv\.gz; restore"):
        run(session, "CREATE TABLE made AS SELECT * FROM raw_t")


@pytest.mark.parametrize(("line", "told"), [
    ("3,4,secret", "Line: 3; Expected Number of Columns: 2 Found: 3"),
    ("3,\"secret", "unterminated quote"),
    (f"3,{2_100_000 * 's'}ecret", "Maximum line size"),
    ("3,4\r5,secret\r\n6,7", "invalid state"),
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


@pytest.fixture
def small_files():
    """Files end at 1 MB, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("statement", [
    "COPY (SELECT sha256(i::VARCHAR) FROM range(100000) r(i)) TO '{folder}/big.csv' (FORMAT csv)",
    "CREATE TABLE t AS SELECT sha256(i::VARCHAR) AS m FROM range(1000000) r(i)"])
def test_a_full_disk_is_told_with_the_folder(small_files, tmp_path, statement):
    with pytest.raises(DataError, match=rf"{tmp_path}: cannot be written \(File too large\); .*--out"):
        with open_session("30MB", tmp_path / "out") as session:
            run(session, statement.format(folder=tmp_path))


def test_a_limit_of_what_is_spilled_is_told_with_the_folder(tmp_path):
    with pytest.raises(DataError, match=f"{tmp_path}: cannot be written .*no space left"):
        with open_session("30MB", tmp_path / "out") as session:
            session.execute("SET max_temp_directory_size = '5MB'")
            run(session, "CREATE TABLE t AS SELECT sha256(i::VARCHAR) AS m FROM range(1000000) r(i)")


def test_a_place_that_cannot_be_a_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match="cannot be written"), open_session("1GB", tmp_path / "file" / "out"):
        pass
