"""Values of SQLite as PostgreSQL's COPY reads them, by the type of its column."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from bootstrap.airflow.tablecopy import Column, Copy, Sqlite


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("text", None, "\\N"),
        ("text", "a\tb\nc\\d\re\0f", "a\\tb\\nc\\\\d\\ref"),
        ("character varying", "\\N", "\\\\N"),
        ("character varying", 7, "7"),
        ("text", b"bytes", "bytes"),
        ("boolean", 1, "t"),
        ("boolean", 0, "f"),
        ("boolean", "true", "t"),
        ("bytea", b"\x80\x05\\", "\\\\x80055c"),
        ("bytea", "text", "\\\\x74657874"),
        ("timestamp with time zone", "2024-01-01 00:00:00.000000", "2024-01-01 00:00:00.000000"),
        ("interval", "1970-01-01 00:01:30.500000", "90.5 seconds"),
        ("integer", 12, "12"),
        # SQLite keeps a fraction in a column of whole numbers
        ("integer", 12.6, "13"),
        ("bigint", 0.5, "0"),
        ("double precision", 12.6, "12.6"),
        ("json", '{"a": 1}', '{"a": 1}'),
    ],
)
def test_value(kind: str, value: object, text: str) -> None:
    assert Column("c", kind).text(value) == text


def test_json_that_postgresql_refuses_is_mended() -> None:
    """Airflow's own migration writes such numbers as texts, too."""
    column = Column("value", "jsonb")
    text = column.text('{"a": NaN, "b": [Infinity, "x\\u0000y"]}', mend=True)
    assert text == '{"a": "nan", "b": ["inf", "xy"]}'


class Refused(Exception):
    def __init__(self, pgcode: str | None) -> None:
        super().__init__('invalid input syntax for type integer: "s3cret"\nCONTEXT: COPY variable')
        self.pgcode = pgcode


class Cursor:
    """In the place of psycopg2's: refuses every row in the same way."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def cursor(self) -> Cursor:
        return self

    def execute(self, sql: str) -> None:
        pass

    def copy_expert(self, sql: str, text: object) -> None:
        raise self.error


def left_out(error: Exception) -> list[dict[str, object]]:
    copy = Copy(Sqlite(":memory:"), Cursor(error))
    copy._send("variable", [Column("val", "integer")], [("a",), ("b",)])
    return copy.left


def test_row_that_is_refused_is_left_out_and_its_value_not_told() -> None:
    why = "invalid input syntax for type integer"
    assert left_out(Refused("22P02")) == [{"table": "variable", "rows": 2, "why": why}]
    assert left_out(ValueError("no JSON")) == [{"table": "variable", "rows": 2, "why": "no JSON"}]


@pytest.mark.parametrize("pgcode", ["53100", "57P01", "40P01", None])
def test_full_disk_or_lost_connection_is_no_matter_of_a_row(pgcode: str | None) -> None:
    """Else the rows would count as refused, and the rest be committed without them."""
    with pytest.raises(Refused):
        left_out(Refused(pgcode))


def test_home_with_characters_that_an_address_takes_otherwise(tmp_path: Path) -> None:
    folder = tmp_path / "air?flow #1"
    folder.mkdir()
    with contextlib.closing(sqlite3.connect(folder / "airflow.db")) as database:
        database.execute("CREATE TABLE dag (dag_id TEXT)")
    assert Sqlite(str(folder / "airflow.db")).tables() == ["dag"]
