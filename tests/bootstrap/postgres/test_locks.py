"""Tables that another session holds, on a real server: waited for, named, and nothing of ours is changed."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.backups import databases
from bootstrap.base import secret
from bootstrap.base.secret import Secret
from bootstrap.installed import external
from bootstrap.installed.external import DatabaseChoice
from bootstrap.installed.installation import Installation
from bootstrap.postgres import dump, host, locks
from bootstrap.postgres.connection import Connection
from bootstrap.postgres.dump import DumpFailed
from bootstrap.postgres.embedded import PostgresFailed
from bootstrap.postgres.locks import DatabaseHeld
from bootstrap.steps.secrets import FoldersStep
from tests.support import receipts
from tests.support.postgres import RealServer

_NUMBERS = itertools.count()


@pytest.fixture
def installation(server: RealServer, tmp_path: Path) -> Iterator[Installation]:
    """One with a table in an external database, of a role that may make no other one."""
    name = f"held {next(_NUMBERS)}"
    server.role(name)
    server.database(name, name)
    there = Connection("127.0.0.1", server.port, name, name, "verify-full", str(server.certificate))
    home = tmp_path / "home"
    database = external.database_of(DatabaseChoice(there), Installation(receipts.sample(home)).home)
    database = replace(database, sslrootcert=str(server.certificate))
    made = Installation(replace(receipts.sample(home), database=database))
    FoldersStep(made.home, None).apply()
    made.home.run.mkdir(exist_ok=True)
    secret.write(made.home.postgres_password, Secret("pw"))
    made.database.query("CREATE TABLE dag (name text); INSERT INTO dag VALUES ('old')")
    yield made
    server.sql(f'DROP DATABASE "{name}" WITH (FORCE)')


@contextlib.contextmanager
def held(
    server: RealServer, found: Installation, mode: str, user: str = "", program: str = "report of the night"
) -> Iterator[subprocess.Popen[bytes]]:
    """Another session with a lock on the table, until the context ends."""
    command = [str(server.bin / "psql"), "-X", "-q", "-h", str(server.folder), "-p", str(server.port)]
    command += ["-U", user or "postgres", "-d", found.receipt.database.name]
    child = subprocess.Popen(
        command, stdin=subprocess.PIPE, env={"PATH": os.defpath, "PGAPPNAME": program},
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    assert child.stdin
    child.stdin.write(f"BEGIN; LOCK TABLE dag IN {mode} MODE;\n".encode())
    child.stdin.flush()
    deadline = time.monotonic() + 20
    while not locks.holders(found.database.query):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    try:
        yield child
    finally:
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
        child.wait(timeout=20)


def saved(found: Installation, target: Path) -> Path:
    with found.database.clients() as clients:
        dump.save(clients, target)
    return target


def test_who_holds_what(server: RealServer, installation: Installation) -> None:
    query = installation.database.query
    assert locks.holders(query) == []
    locks.wait(query)
    with held(server, installation, "ACCESS SHARE"):
        (said,) = locks.holders(query)
        assert said.endswith(" of postgres (report of the night): dag")
        with pytest.raises(DatabaseHeld, match="although Airflow is stopped") as caught:
            locks.wait(query, 0.2)
        assert said in caught.value.found
        with pytest.raises(DatabaseHeld, match="in vain") as blamed:
            locks.blame(DumpFailed("tried in vain", found="lock timeout"), query)
        assert blamed.value.found == f"lock timeout\n{said}"
    locks.blame(DumpFailed("nobody to blame"), query)


def test_waits_until_it_is_let_go(server: RealServer, installation: Installation) -> None:
    with held(server, installation, "ACCESS SHARE") as child:
        assert child.stdin
        timer = threading.Timer(1, child.stdin.close)
        timer.start()
        locks.wait(installation.database.query, 20)
        timer.join()


def test_replaced_only_when_nobody_holds_it(
    server: RealServer, installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session of our own role is what a killed program has left: it is ended."""
    monkeypatch.setattr(locks, "SECONDS", 1)
    source = saved(installation, tmp_path / "dump")
    installation.database.query("INSERT INTO dag VALUES ('newer')")
    count = "SELECT count(*) FROM dag"
    with held(server, installation, "ACCESS SHARE"):
        with pytest.raises(DatabaseHeld, match="replace what is in the database") as caught:
            databases.bring_back(installation, source)
        assert "report of the night" in caught.value.found
        assert installation.database.query(count) == "2"
    with held(server, installation, "ACCESS EXCLUSIVE", installation.receipt.database.role):
        databases.bring_back(installation, source)
        assert installation.database.query(count) == "1"


def test_dump_does_not_wait_for_ever(
    server: RealServer, installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "SECONDS", 1)
    with held(server, installation, "ACCESS EXCLUSIVE"), pytest.raises(DumpFailed, match="to a file"):
        saved(installation, tmp_path / "dump")


def test_programs_older_than_the_server(
    server: RealServer, installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bundle carries an older PostgreSQL than the external server is: the host's are "
    "taken, if they fit."""
    old = tmp_path / "carried"
    old.mkdir()
    (old / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6.24'\n")
    (old / "pg_dump").chmod(0o755)
    carried = replace(installation.external, carried=old)
    with carried.clients() as clients:
        assert clients.programs != old
        assert host.major_of(clients.programs) >= host.major_of(server.bin)
        assert dump.size(clients) > 1_000_000
    monkeypatch.setattr("bootstrap.postgres.host.clients", lambda major: None)
    with pytest.raises(PostgresFailed) as caught, carried.clients():
        pass
    assert caught.value.found.startswith("those of PostgreSQL 9 in the bundle")
