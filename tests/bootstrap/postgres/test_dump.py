"""Dumps of a real database: written, read back, and put in the place of what is there."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.base import process
from bootstrap.postgres import dump
from bootstrap.postgres.connection import Connection
from bootstrap.postgres.dump import DumpFailed
from bootstrap.postgres.server import Clients
from tests.support.postgres import RealServer

_NUMBERS = itertools.count()
SCHEMA = """
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY);
INSERT INTO alembic_version VALUES ('abc');
CREATE TABLE dag (id serial PRIMARY KEY, name text, how mood);
INSERT INTO dag (name, how) VALUES ('하나', 'good'), ('two', 'bad');
CREATE VIEW named AS SELECT name FROM dag;
CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql AS 'SELECT 2 * n';
"""


@pytest.fixture
def clients(server: RealServer, tmp_path: Path) -> Iterator[Clients]:
    """The server's own programs on a database of a role that owns it, as on an external server."""
    name = f"dumped{next(_NUMBERS)}"
    server.role(name)
    server.database(name, name)
    passfile = tmp_path / "pgpass"
    passfile.write_text(f"*:*:*:{name}:pw\n")
    passfile.chmod(0o600)
    connection = Connection("127.0.0.1", server.port, name, name, passfile=passfile)
    found = Clients(server.bin, connection, process.environment(connection.environment))
    dump.query(found, SCHEMA)
    yield found
    server.sql(f'DROP DATABASE "{name}" WITH (FORCE)')


def test_what_is_in_it(clients: Clients) -> None:
    assert dump.rows(clients) == {"alembic_version": 1, "dag": 2}
    assert dump.revision(clients) == "abc"
    assert dump.size(clients) > 1_000_000
    assert dump.version(clients).split(".")[0].isdigit()


def test_replaced_by_a_dump_as_a_whole(clients: Clients, tmp_path: Path) -> None:
    """A later release made other tables, columns, types; all of that goes, all that was comes back."""
    dump.save(clients, tmp_path / "dump")
    dump.query(
        clients,
        "DROP VIEW named; ALTER TABLE dag ADD COLUMN bundle text; DELETE FROM dag WHERE id = 1;"
        "CREATE TABLE dag_bundle (id int); CREATE TYPE state AS ENUM ('a');"
        "UPDATE alembic_version SET version_num = 'def'; DROP FUNCTION twice(int)",
    )
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    dump.replace(clients, tmp_path / "dump", scratch)
    assert dump.rows(clients) == {"alembic_version": 1, "dag": 2}
    assert dump.revision(clients) == "abc"
    assert dump.query(clients, "SELECT name, twice(id) FROM dag JOIN named USING (name) ORDER BY id") == (
        "하나\t2\ntwo\t4"
    )
    assert dump.query(clients, "SELECT to_regclass('dag_bundle'), to_regtype('state')") == "\t".strip()
    dump.query(clients, "INSERT INTO dag (name, how) VALUES ('next', 'good')")


def test_failed_replacement_leaves_all_as_it_was(clients: Clients, tmp_path: Path) -> None:
    dump.save(clients, tmp_path / "dump")
    dump.query(clients, "INSERT INTO dag (name) VALUES ('later')")
    content = (tmp_path / "dump").read_bytes()
    (tmp_path / "half").write_bytes(content[: len(content) * 3 // 4])
    with pytest.raises(DumpFailed):
        dump.replace(clients, tmp_path / "half", tmp_path)
    assert dump.rows(clients)["dag"] == 3
    assert dump.query(clients, "SELECT count(*) FROM named") == "3"


def test_loaded_into_an_empty_database(clients: Clients, server: RealServer, tmp_path: Path) -> None:
    dump.save(clients, tmp_path / "dump")
    dump.query(
        clients, "DROP TABLE dag CASCADE; DROP TABLE alembic_version; DROP TYPE mood; DROP FUNCTION twice"
    )
    assert dump.rows(clients) == {}
    assert dump.revision(clients) == ""
    dump.load(clients, tmp_path / "dump")
    assert dump.rows(clients) == {"alembic_version": 1, "dag": 2}
    with pytest.raises(DumpFailed, match="from a file"):
        dump.load(clients, tmp_path / "dump")


def test_full_disk_and_missing_programs_are_told(clients: Clients, tmp_path: Path) -> None:
    with pytest.raises(DumpFailed, match="to a file"):
        dump.save(clients, Path("/dev/full"))
    bare = Clients(tmp_path, clients.connection, clients.env)
    with pytest.raises(DumpFailed, match="pg_dump is missing"):
        dump.save(bare, tmp_path / "dump")
