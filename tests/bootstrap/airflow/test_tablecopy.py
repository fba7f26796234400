"""Values of SQLite as PostgreSQL's COPY reads them, by the type of its column."""

from __future__ import annotations

import pytest

from bootstrap.airflow.tablecopy import Column


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
