"""The table of the example DAG, as editors and Excel save it: read, or refused with its line."""

from __future__ import annotations

import ast
import csv
import io
import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SOURCE = Path(__file__).resolve().parents[3] / "dags_example" / "airferry_scripts.py"
TABLE = "name,script,after\n# 표: 이름, 스크립트\na,scripts/가.sh,\nb,scripts/b.sh,a\nc,scripts/c d.sh,a b\n"
ROWS = [("a", "scripts/가.sh", []), ("b", "scripts/b.sh", ["a"]), ("c", "scripts/c d.sh", ["a", "b"])]
Read = Callable[[bytes], Any]


@pytest.fixture(scope="module")
def functions() -> dict[str, Any]:
    """The functions that read it, without Airflow."""
    tree = ast.parse(SOURCE.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.FunctionDef) and "read" in node.name]
    names: dict[str, Any] = {
        "csv": csv, "io": io, "re": re, "Path": Path, "log": logging.getLogger("airferry.table"),
    }  # fmt: skip
    exec(compile(tree, str(SOURCE), "exec"), names)
    return names


@pytest.fixture
def read(functions: dict[str, Any], tmp_path: Path) -> Read:
    (tmp_path / "scripts").mkdir()
    for _, script, _ in ROWS:
        (tmp_path / script).touch()

    def call(data: bytes) -> Any:
        path = tmp_path / "scripts.csv"
        path.write_bytes(data)
        try:
            rows = functions["read_table"](path)
        except ValueError as error:
            return str(error).replace(f"{tmp_path}/", "")
        return [(name, str(file.relative_to(tmp_path)), after) for name, file, after in rows]

    return call


def excel(text: str, separator: str) -> str:
    """The table as Excel writes it again: another separator, quotes, empty cells at the end."""
    out = io.StringIO()
    writer = csv.writer(out, delimiter=separator, lineterminator="\r\n")
    for cells in csv.reader(io.StringIO(text)):
        writer.writerow(
            ([*cells, "", "", "", ""])[:4] if not cells[0].startswith("#") else [", ".join(cells)]
        )
    return out.getvalue()


def test_table_is_read_as_it_was_saved(read: Read) -> None:
    texts = {
        "plain": TABLE,
        "crlf": TABLE.replace("\n", "\r\n"),
        "cr": TABLE.replace("\n", "\r"),
        "no end": TABLE.rstrip("\n"),
        "empty lines": TABLE.replace("\n", "\n\n"),
        "blanks": TABLE.replace(",", " , "),
        "big letters": TABLE.replace("name,script,after", "Name,Script,After"),
        "no header": TABLE.partition("\n")[2],
        "no comment": TABLE.replace("# 표: 이름, 스크립트\n", ""),
        "empty cells": TABLE.replace("a b\n", "a b,,\n,,,\n"),
        **{f"excel {separator!r}": excel(TABLE, separator) for separator in ",;\t"},
        "excel sep=": "sep=;\r\n" + excel(TABLE, ";"),
    }
    encodings = ("utf-8", "utf-8-sig", "utf-16", "cp949")
    wrong = [
        (name, encoding, found)
        for name, text in texts.items()
        for encoding in encodings
        for found in [read(text.encode(encoding))]
        if found != ROWS
    ]
    assert wrong == []
    assert read(b"\xfe\xff" + TABLE.encode("utf-16-be")) == ROWS
    assert read(b"") == []


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a,scripts/b.sh,\n\nb,scripts/b.sh,\xff\xff\n",
         "scripts.csv: line 3: a character that is not UTF-8. Save the table as 'CSV UTF-8'."),
        (TABLE.encode("utf-16-le"),
         "scripts.csv: line 1: a NUL character. Save the table as 'CSV UTF-8'."),
        (b"name,script,after\na b,scripts/b.sh,\n",
         "scripts.csv: line 2: the name 'a b' may have only letters, digits and _ . -"),
        (b"a,scripts/b.sh,\na,scripts/b.sh,\n",
         "scripts.csv: line 2: there is another line with the name 'a'"),
        (b"\n\na;scripts/none.sh;\n", "scripts.csv: line 3: there is no file scripts/none.sh"),
        (b"a,scripts/b.sh,z\n", "scripts.csv: line 1: 'a' comes after 'z', which is no name above it"),
        (b"a,scripts/b.sh,\nb,scripts/b.sh,a,a\n",
         "scripts.csv: line 2: 'a' is a fourth column; the third has blanks between names"),
        (b'a,scripts/b.sh,\nb,"scripts/b.sh,\nc,scripts/b.sh,\n',
         'scripts.csv: line 3: a quote (") that begins in a line above has no end there'),
    ],
)  # fmt: skip
def test_mistake_is_told_with_its_line(read: Read, data: bytes, said: str) -> None:
    assert read(data) == said


def test_another_encoding_is_told_in_the_log(read: Read, caplog: pytest.LogCaptureFixture) -> None:
    assert read(TABLE.encode("cp949")) == ROWS
    assert "line 2 is not UTF-8; the table was read as CP949" in caplog.text
