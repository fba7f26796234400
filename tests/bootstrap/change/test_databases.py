"""The database set aside and brought back in a real cluster, with a client connected, and after a kill."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.backups import databases
from bootstrap.installed.installation import Installation
from bootstrap.postgres import dump
from bootstrap.postgres.embedded import DATABASE
from bootstrap.state.home import Home
from bootstrap.steps.secrets import FoldersStep
from tests.support import receipts
from tests.support.accounts import Folder, ordinary
from tests.support.postgres import free_port, programs


@pytest.fixture
def folder() -> Iterator[Path]:
    with Folder() as place:
        yield place


@contextlib.contextmanager
def installation(folder: Path) -> Iterator[Installation]:
    """An installation of which only the database is there, with one table in it."""
    found = programs()
    if found is None:
        pytest.skip("the distribution's PostgreSQL server is not installed (Debian: postgresql)")
    base = receipts.sample(folder / "home")
    database = replace(base.database, port=free_port(), programs=str(found))
    made = Installation(replace(base, database=database, library_path=""))
    FoldersStep(Home(folder / "home"), None).apply()
    cluster = made.cluster
    cluster.create()
    cluster.configure(20)
    with (folder / "log").open("ab") as log:
        server = subprocess.Popen(cluster.command, stdout=log, stderr=log, env=dict(cluster.env))
    try:
        cluster.wait()
        cluster.create_database()
        cluster.query("CREATE TABLE dag (name text); INSERT INTO dag VALUES ('old')")
        yield made
    finally:
        server.send_signal(signal.SIGINT)
        server.wait(timeout=20)


def names(found: Installation) -> list[str]:
    sql = "SELECT datname FROM pg_database WHERE datname LIKE 'airflow%' ORDER BY 1"
    return found.cluster.query(sql, superuser=True).split()


def test_all_of_it(folder: Path) -> None:
    """One cluster for all: making it takes longer than the rest."""
    ordinary(_all)(folder)


def _all(folder: Path) -> None:
    with installation(folder) as found:
        saved = folder / "dump"
        with found.database.clients() as clients:
            dump.save(clients, saved)
            # another psql keeps the database open
            command = [*map(str, clients.command("psql", "-c", "SELECT pg_sleep(60)"))]
            stranger = subprocess.Popen(command, env=dict(clients.env), stderr=subprocess.DEVNULL)
        _set_aside_and_back(found, saved)
        assert stranger.wait(timeout=10) != 0
        _put_in(found, saved)
        _kept(found)


def _set_aside_and_back(found: Installation, saved: Path) -> None:
    databases.set_aside(found)
    assert names(found) == [DATABASE, databases.ASIDE]
    found.cluster.query("DROP TABLE dag; CREATE TABLE migrated (n int)")
    databases.bring_back(found, saved)
    assert names(found) == [DATABASE]
    assert found.cluster.query("SELECT name FROM dag") == "old"
    databases.bring_back(found, saved)  # killed just after: the same again
    assert found.cluster.query("SELECT name FROM dag") == "old"
    found.cluster.query("INSERT INTO dag VALUES ('newer')")


def _put_in(found: Installation, saved: Path) -> None:
    databases.put_in(found, saved)
    assert names(found) == [DATABASE, databases.ASIDE]
    assert found.cluster.query("SELECT name FROM dag") == "old"
    found.cluster.query("INSERT INTO dag VALUES ('by its owner')")
    databases.bring_back(found, saved)
    assert names(found) == [DATABASE]
    assert found.cluster.query("SELECT count(*) FROM dag") == "2"


def _kept(found: Installation) -> None:
    databases.set_aside(found)
    found.cluster.query("CREATE TABLE migrated (n int)")
    databases.tidy(found)
    assert names(found) == [DATABASE]
    assert found.cluster.query("SELECT count(*) FROM migrated") == "0"
