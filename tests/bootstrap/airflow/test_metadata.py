"""The questions are plain SQL: SQLite answers them as PostgreSQL does, with pg_tables as a table."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from bootstrap.airflow import metadata
from bootstrap.airflow.differences import FAB_TABLES, TABLES
from bootstrap.postgres.locks import Query

SCHEMA = """
CREATE TABLE pg_tables (schemaname, tablename);
CREATE TABLE dag (dag_id);
CREATE TABLE serialized_dag (dag_id);
CREATE TABLE dag_run (dag_id, run_id, state);
CREATE TABLE task_instance (dag_id, run_id, task_id, state, start_date);
CREATE TABLE import_error (filename, stacktrace);
"""


class Database:
    def __init__(self) -> None:
        self.connection = sqlite3.connect(":memory:")
        self.connection.create_function("chr", 1, chr)
        self.connection.create_function("current_schema", 0, lambda: "public")
        self.connection.executescript(SCHEMA)

    def add(self, table: str, *rows: tuple[object, ...]) -> None:
        for row in rows:
            self.connection.execute(f"INSERT INTO {table} VALUES ({','.join('?' * len(row))})", row)

    def query(self, sql: str) -> str:
        """As ``psql -At -F TAB``, with blanks at the ends cut off."""
        rows = self.connection.execute(sql).fetchall()
        return "\n".join("\t".join("" if cell is None else str(cell) for cell in row) for row in rows).strip()


@pytest.fixture
def database() -> Iterator[Database]:
    found = Database()
    yield found
    found.connection.close()


def test_missing_tables(database: Database) -> None:
    database.add("pg_tables", *(("public", name) for name in TABLES), ("other", "ab_user"))
    assert metadata.missing_tables(database.query, "simple") == []
    assert metadata.missing_tables(database.query) == list(FAB_TABLES)
    database.add("pg_tables", *(("public", name) for name in FAB_TABLES), ("public", "one more"))
    assert metadata.missing_tables(database.query) == []
    assert metadata.missing_tables(Database().query, "simple") == list(TABLES)


def test_a_dag_is_known_when_it_can_be_run(database: Database) -> None:
    database.add("dag", ("d",), ("e",))
    database.add("serialized_dag", ("d",))
    assert metadata.dag_is_known(database.query, "d")
    assert not metadata.dag_is_known(database.query, "e")


def test_states(database: Database) -> None:
    database.add("dag_run", ("d", "manual__2026-11-20T00:00:00+00:00", "running"), ("d", "r", "failed"))
    run = "manual__2026-11-20T00:00:00+00:00"
    rows = [("d", run, "b", None, None), ("d", run, "a", "success", 1), ("d", "r", "a", "failed", 2)]
    database.add("task_instance", *rows)
    assert metadata.run_state(database.query, "d", run) == "running"
    assert metadata.run_state(database.query, "d", "none") == ""
    assert metadata.task_states(database.query, "d", run) == {"a": "success", "b": ""}


def test_import_errors(database: Database) -> None:
    trace = "Traceback (most recent call last):\n  File x\nValueError: line 3: there is no file /a b\n"
    database.add("import_error", ("/dags/a.py", trace), ("/dags/b.py", "SyntaxError"))
    assert metadata.import_errors(database.query) == {
        "/dags/a.py": "ValueError: line 3: there is no file /a b",
        "/dags/b.py": "SyntaxError",
    }


@pytest.mark.parametrize("name", ["x'; DROP TABLE dag; --", "", "a b", "a\n"])
def test_a_name_cannot_carry_sql(name: str) -> None:
    asked: list[str] = []

    def query(sql: str) -> str:
        asked.append(sql)
        return ""

    checked: Query = query
    with pytest.raises(ValueError, match="not a valid Airflow id"):
        metadata.run_state(checked, "d", name)
    assert asked == []
