"""Every row of Airflow's tables from another database to PostgreSQL: run by Airflow's Python, asked in JSON.

The other one is a file of SQLite's, or a list of files that PostgreSQL's own COPY has written. Both databases
have the same schema. It is one transaction: all of it is there at the end, or nothing. SQLite's values go by
the types of PostgreSQL's columns, as text of COPY, a few megabytes at a time. Foreign
keys are taken away meanwhile and put back: SQLite does not check them, and a row that belongs to nothing is
left out and told. The report is the comment on the table alembic_version: see
``bootstrap.takeover.rows.Copied``.
"""

# ruff: noqa: S608  (names come from the databases' own catalogues, quoted)

import io
import json
import math
import os
import re
import sqlite3
import sys
import time
import urllib.parse
from datetime import datetime
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

from bootstrap.airflow.tablekeys import ForeignKeys, quoted, set_sequences

BATCH = 4 << 20  # bytes of COPY text
ROWS = 2000
# Web sessions end with the old key; import errors are of files that are read anew.
FRESH = ("session", "import_error", "alembic_version", "alembic_version_fab")
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": None})
# What a JSON reader of Python takes and PostgreSQL does not.
_NUL = "\\u0000"


def _is_of_the_row(error: Exception) -> bool:
    """Whether PostgreSQL refuses a value or a row, and not all: a disk that is full, a lost connection.

    Classes of SQLSTATE: 22 is data that is not valid, 23 a constraint that does not hold.
    """
    if type(error).__module__.startswith("psycopg2") or hasattr(error, "pgcode"):
        return str(getattr(error, "pgcode", "") or "")[:2] in ("22", "23")
    return isinstance(error, (ValueError, TypeError))


class Column:
    """A column that both databases have."""

    def __init__(self, name: str, kind: str) -> None:
        self.name = name
        self.kind = kind

    def text(self, value: Any, *, mend: bool = False) -> str:
        """The value as COPY reads it."""
        if value is None:
            return "\\N"
        if self.kind == "bytea":
            data = value.encode("utf-8") if isinstance(value, str) else bytes(value)
            return "\\\\x" + data.hex()
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        if self.kind == "boolean":
            return "t" if value in (1, "1", "t", "true", "True") else "f"
        if (
            self.kind in ("integer", "bigint", "smallint")
            and isinstance(value, float)
            and math.isfinite(value)
        ):
            return str(round(value))  # SQLite keeps what it is given; PostgreSQL rounds the same way
        if self.kind == "interval":
            return f"{_seconds(value)} seconds"
        if self.kind in ("json", "jsonb") and mend:
            value = json.dumps(_plain(json.loads(value)))
        return str(value).translate(_ESCAPES)


def _seconds(value: Any) -> float:
    # SQLAlchemy keeps an interval in SQLite as the time so long after 1970
    if isinstance(value, (int, float)):
        return float(value)
    return (datetime.fromisoformat(value) - datetime(1970, 1, 1)).total_seconds()


def _plain(value: Any) -> Any:
    """JSON without what PostgreSQL refuses: numbers that are none, and the character NUL."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, str):
        return value.replace("\0", "")
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {_plain(key): _plain(item) for key, item in value.items()}
    return value


class Sqlite:
    """A file of SQLite's; a row is its values."""

    def __init__(self, path: str) -> None:
        self.connection = sqlite3.connect(f"file:{urllib.parse.quote(path)}?mode=ro", uri=True)
        self.connection.text_factory = lambda data: data.decode("utf-8", "replace")

    def tables(self) -> List[str]:
        """The names of its tables."""
        rows = self.connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return [row[0] for row in rows]

    def columns(self, table: str) -> List[str]:
        """The names of a table's columns."""
        return [row[1] for row in self.connection.execute(f"PRAGMA table_info({quoted(table)})")]

    def count(self, table: str) -> int:
        """The rows of a table."""
        return int(self.connection.execute(f"SELECT count(*) FROM {quoted(table)}").fetchone()[0])

    def rows(self, table: str, columns: List[Column]) -> Iterator[Tuple[Any, ...]]:
        """Every row of a table."""
        names = ", ".join(quoted(column.name) for column in columns)
        yield from self.connection.execute(f"SELECT {names} FROM {quoted(table)}")

    def line(self, columns: List[Column], row: Tuple[Any, ...], *, mend: bool) -> str:
        """A row as COPY reads it."""
        return "\t".join(column.text(value, mend=mend) for column, value in zip(columns, row))


class CopiedFiles:
    """Files that COPY has written, and their list; a row is its values as they stand there."""

    def __init__(self, path: str) -> None:
        with open(path, encoding="utf-8") as stream:  # noqa: PTH123  (this file is run alone)
            self.contents = json.load(stream)
        self.folder = os.path.join(os.path.dirname(path), "tables")  # noqa: PTH118, PTH120

    def tables(self) -> List[str]:
        """The names of its tables."""
        return list(self.contents)

    def columns(self, table: str) -> List[str]:
        """The names of a table's columns."""
        return list(self.contents[table]["columns"])

    def count(self, table: str) -> int:
        """The rows of a table."""
        return int(self.contents[table]["rows"])

    def rows(self, table: str, columns: List[Column]) -> Iterator[Tuple[Any, ...]]:
        """Every row of a table: a tabulator or an end of line within a value is written otherwise."""
        there = self.columns(table)
        places = [there.index(column.name) for column in columns]
        path = os.path.join(self.folder, self.contents[table]["file"])  # noqa: PTH118
        with open(path, encoding="utf-8", newline="\n") as stream:  # noqa: PTH123
            for line in stream:
                cells = line[:-1].split("\t")
                yield tuple(cells[place] for place in places)

    def line(self, columns: List[Column], row: Tuple[Any, ...], *, mend: bool) -> str:
        """A row as COPY reads it."""
        return "\t".join(row)


class Copy:
    """One copy: from the `source` to `target`, a connection of psycopg2's in a transaction."""

    def __init__(self, source: Union[Sqlite, CopiedFiles], target: Any) -> None:
        self.source = source
        self.cursor = target.cursor()
        self.left: List[Dict[str, Any]] = []

    def run(self) -> List[Dict[str, Any]]:
        """Copy every table that both have; what became of each."""
        self.cursor.execute("SET LOCAL TIME ZONE 'UTC'")
        self.cursor.execute("SET LOCAL standard_conforming_strings = on")
        ours, theirs = self._tables(), self.source.tables()
        names = [name for name in ours if name in theirs and name not in FRESH]
        keys = ForeignKeys(self.cursor)
        keys.take()
        if names:
            self.cursor.execute("TRUNCATE " + ", ".join(map(quoted, names)))
        for name in names:
            self._fill(name, self._columns(name))
        self.left += keys.drop_orphans()
        keys.put_back()
        set_sequences(self.cursor)
        counted = []
        for name in sorted(theirs):
            before = self.source.count(name)
            if name in names:
                counted.append({"table": name, "before": before, "after": self._count(name)})
            elif before and not name.startswith(("alembic_version", "sqlite_")):
                why = "is made anew" if name in FRESH else "is no table of this release"
                self.left.append({"table": name, "rows": before, "why": why})
        return counted

    def _tables(self) -> List[str]:
        self.cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema() ORDER BY 1")
        return [row[0] for row in self.cursor.fetchall()]

    def _columns(self, table: str) -> List[Column]:
        self.cursor.execute(
            "SELECT column_name, CASE data_type WHEN 'USER-DEFINED' THEN udt_name ELSE data_type END"
            " FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = %s"
            " AND is_generated = 'NEVER' ORDER BY ordinal_position",
            (table,),
        )
        old = set(self.source.columns(table))
        return [Column(name, kind) for name, kind in self.cursor.fetchall() if name in old]

    def _fill(self, table: str, columns: List[Column]) -> None:
        batch: List[Tuple[Any, ...]] = []
        size = 0
        for row in self.source.rows(table, columns):
            batch.append(row)
            size += sum(len(value) if isinstance(value, (str, bytes)) else 8 for value in row)
            if size > BATCH or len(batch) >= ROWS:
                self._send(table, columns, batch)
                batch, size = [], 0
        if batch:
            self._send(table, columns, batch)

    def _send(self, table: str, columns: List[Column], rows: List[Tuple[Any, ...]]) -> None:
        """A batch; where PostgreSQL refuses it, row by row, so that only what it refuses is left out."""
        if self._sent(table, columns, rows) is None:
            return
        for row in rows:
            if self._sent(table, columns, [row]) is None:
                continue
            problem = self._sent(table, columns, [row], mend=True)
            if problem is not None:
                self._leave(table, problem)

    def _leave(self, table: str, why: str) -> None:
        for known in self.left:
            if (known["table"], known["why"]) == (table, why):
                known["rows"] += 1
                return
        self.left.append({"table": table, "rows": 1, "why": why})

    def _sent(
        self, table: str, columns: List[Column], rows: List[Tuple[Any, ...]], *, mend: bool = False
    ) -> Optional[str]:
        names = ", ".join(quoted(column.name) for column in columns)
        self.cursor.execute("SAVEPOINT batch")
        try:
            lines = (self.source.line(columns, row, mend=mend) for row in rows)
            text = io.StringIO("".join(f"{line}\n" for line in lines))
            self.cursor.copy_expert(f"COPY {quoted(table)} ({names}) FROM STDIN", text)
        except Exception as error:  # psycopg2's own, and values that are no JSON or no time
            if not _is_of_the_row(error):
                raise
            self.cursor.execute("ROLLBACK TO SAVEPOINT batch")
            # nothing of the row itself: it may hold a password
            said = re.sub(r'"[^"]*"?$', "", str(error).strip().split("\n")[0])
            return said.rstrip(": ")[:200] or type(error).__name__
        self.cursor.execute("RELEASE SAVEPOINT batch")
        return None

    def _count(self, table: str) -> int:
        self.cursor.execute(f"SELECT count(*) FROM {quoted(table)}")
        return int(self.cursor.fetchone()[0])


def encrypt_plain(target: Any) -> int:
    """Encrypt what an Airflow without a fernet key has kept in plain text; the number of rows."""
    from airflow.models.crypto import get_fernet  # type: ignore[import-not-found]  # noqa: PLC0415

    fernet = get_fernet()
    cursor = target.cursor()
    changed = 0
    for table, column, flag in (
        ("connection", "password", "is_encrypted"),
        ("connection", "extra", "is_extra_encrypted"),
        ("variable", "val", "is_encrypted"),
    ):
        cursor.execute(
            f"SELECT id, {column} FROM {table} WHERE {column} IS NOT NULL AND {column} <> ''"
            f" AND NOT COALESCE({flag}, false)"
        )
        for number, value in cursor.fetchall():
            token = fernet.encrypt(value.encode("utf-8")).decode("ascii")
            cursor.execute(f"UPDATE {table} SET {column} = %s, {flag} = true WHERE id = %s", (token, number))
            changed += 1
    return changed


def main() -> int:
    """Copy, and say what became of each table."""
    from airflow.configuration import conf  # type: ignore[import-not-found]  # noqa: PLC0415
    from sqlalchemy import create_engine  # type: ignore[import-not-found]  # noqa: PLC0415

    asked = json.load(sys.stdin)
    where = asked["source"]
    source = CopiedFiles(where) if where.endswith(".json") else Sqlite(where)
    engine = create_engine(conf.get(*asked["database"]))
    target = engine.raw_connection()
    try:
        copy = Copy(source, target)
        tables = copy.run()
        encrypted = encrypt_plain(target) if asked["encrypt"] else 0
        found = {"time": time.time(), "tables": tables, "left": copy.left, "encrypted": encrypted}
        # in the same transaction: whoever asks later knows that the rows are there, and what became of them
        target.cursor().execute("COMMENT ON TABLE alembic_version IS %s", (json.dumps(found),))
        target.commit()
    finally:
        target.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
