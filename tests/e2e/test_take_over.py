"""Databases that real old releases made, taken over by real installs: counted, asked for, run.

``AIRFERRY_FULL=1 make e2e TESTS=tests/e2e/test_take_over.py``. The take-over as root into the newest release
is part of the install by root (test_crossing.py).
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bootstrap.airflow import config
from tests.e2e.hosts import Host
from tests.e2e.matrix import make_bundle, query
from tests.support import old_airflow
from tests.support.accounts import Folder
from tests.support.postgres import RealServer, programs

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        not os.environ.get("AIRFERRY_FULL"), reason="only with AIRFERRY_FULL=1: takes minutes"
    ),
]


@pytest.mark.parametrize(
    ("old", "every", "runs", "first", "new"),
    [
        ("2.2.2-history", 1507, 1504, "2023-01-01", "2.11.2"),
        ("2.10.5", 200, 200, "2024-01-01", "3.3.2"),
        ("3.0.6", 1505, 1500, "2024-01-01", "3.3.2"),
    ],
)
def test_taken_over(
    old: str, every: int, runs: int, first: str, new: str, user_host: Host, scratch: Path, minor: str
) -> None:
    there = old_airflow.make(old, scratch / f"old-{old}" / "airflow")
    before, counts = old_airflow.contents(there), rows_of(there / "airflow.db")
    with installing(user_host, new, minor, scratch, there, f"from {old}") as (home, install):
        planned = user_host.json(*install, "--dry-run")["take_over"]
        assert planned["rows"]["dag_run"] == every
        assert not home.exists()
        result = user_host.json(*install)
        all_there(user_host, home, result, runs, counts, first)
        assert old_airflow.contents(there) == before
        again(user_host, install)


def test_killed_on_its_way_and_finished_by_the_same_command(
    user_host: Host, scratch: Path, minor: str
) -> None:
    there = old_airflow.make("2.6.3", scratch / "old-killed" / "airflow")
    before, counts = old_airflow.contents(there), rows_of(there / "airflow.db")
    with installing(user_host, "2.11.2", minor, scratch, there, "killed") as (home, install):
        staging, journal = home / "run" / "takeover", home / "journal.jsonl"

        def says(step: str) -> Callable[[], bool]:
            return lambda: journal.exists() and f'"{step}"' in journal.read_text()

        points: Sequence[Callable[[], bool]] = (
            staging.exists,
            (staging / "complete").exists,
            (staging / "settings.json").exists,
            says("take-over-schema"),
            says("take-over-rows"),
            says("migration"),
            says("start"),
        )
        for reached in points:
            child = user_host.command([str(word) for word in install])
            deadline = time.monotonic() + 300
            while not reached():
                assert child.poll() is None and time.monotonic() < deadline, child.communicate()
                time.sleep(0.02)
            time.sleep(0.3)
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
            assert old_airflow.contents(there) == before
        result = user_host.json(*install)
        all_there(user_host, home, result, 1504, counts, "2023-01-01")
        assert old_airflow.contents(there) == before
        again(user_host, install)
        # another one would not be taken: it is refused
        other = shutil.copytree(there, scratch / "another")
        refused = user_host.run(*[other if word == there else word for word in install])
        assert refused.returncode == 3
        assert "take-over-place" in refused.stdout + refused.stderr


@pytest.fixture
def server(user_host: Host) -> Iterator[RealServer]:
    """The old database's server, in the network of the closed host."""
    folder = programs()
    if folder is None:
        pytest.skip("the distribution's PostgreSQL server is not installed")
    with Folder() as place:
        made = RealServer(place, folder, enter=user_host.namespace.enter)
        made.create()
        made.start()
        try:
            yield made
        finally:
            made.stop()


def test_database_on_postgresql(user_host: Host, scratch: Path, minor: str, server: RealServer) -> None:
    """Its role may only read; what others have left there is named and stays."""
    there = old_airflow.make("2.6.3-postgresql", scratch / "old-server" / "airflow", server)
    before = old_airflow.contents(there)
    dumped = dump(server)
    counts = {name: int(server.sql(f"SELECT count(*) FROM {name}", "old")) for name in old_airflow.SAME}
    with installing(user_host, "2.11.2", minor, scratch, there, "from a server") as (home, install):
        planned = user_host.json(*install, "--dry-run")["take_over"]
        assert any("celery_taskmeta (2 rows)" in line for line in planned["left"])
        result = user_host.json(*install)
        all_there(user_host, home, result, 1504, counts, "2023-01-01")
        again(user_host, install)
    # the address alone, with its key and its DAG files in the new home
    word = scratch / "word"
    word.write_text(f"{old_airflow.ROLE_PASSWORD}\n")
    with installing(
        user_host, "2.11.2", minor, scratch, old_airflow.address(server), "from an address",
        "--take-over-password-file", word,
    ) as (home, install):  # fmt: skip
        home.mkdir()
        key = config.get(config.read(there / "airflow.cfg"), "core", "fernet_key")
        (home / "airflow.cfg").write_text(f"[core]\nfernet_key = {key}\n")
        shutil.copytree(there / "dags", home / "dags")
        old_airflow.own(home, user_host.uid, user_host.gid)
        result = user_host.json(*install)
        all_there(user_host, home, result, 1504, counts, "2023-01-01")
    assert old_airflow.contents(there) == before
    assert dump(server) == dumped


def dump(server: RealServer) -> str:
    said = server.run("pg_dump", "-h", server.folder, "-p", str(server.port), "-U", "postgres", "old")
    return "\n".join(line for line in said.splitlines() if not line.startswith("\\"))


@contextlib.contextmanager
def installing(
    host: Host, new: str, minor: str, scratch: Path, there: Path | str, name: str, *more: str | Path
) -> Iterator[tuple[Path, list[str | Path]]]:
    """The command that takes over what is `there`; what it has installed is gone afterwards."""
    bundle = make_bundle(new, minor, scratch)
    home = host.folder / name
    install: list[str | Path] = [
        "sh", bundle, "install", "--home", home, "--python", host.python, "--name", "taking",
        "--host", "127.0.0.1", "--json", "--take-over", there, *more,
    ]  # fmt: skip
    try:
        yield home, install
    finally:
        host.run("sh", bundle, "uninstall", "--home", home, "--yes", "--purge")


def rows_of(database: Path) -> dict[str, int]:
    with contextlib.closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        return {
            name: opened.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in old_airflow.SAME
        }


def all_there(
    host: Host, home: Path, result: dict[str, Any], runs: int, counts: dict[str, int], first: str
) -> None:
    """What Airflow, its web server and the database itself say."""
    old_airflow.taken(host, home, result, runs, first)
    found = {name: int(query(host, home, f"SELECT count(*) FROM {name}")[0]) for name in counts}
    # the admin's account, made anew
    assert found == {**counts, "ab_user_role": counts["ab_user_role"] + 1}
    for table in ("dag_run", "log", "connection", "ab_user", "slot_pool"):
        behind = f"SELECT max(id) - nextval('{table}_id_seq') FROM {table}"
        assert int(query(host, home, behind)[0]) < 0, table
    if runs > 200:
        assert old_airflow.runs_seen_by(host, home, "kim") >= runs
        assert old_airflow.runs_seen_by(host, home, "viewer") >= runs


def again(host: Host, install: list[str | Path]) -> None:
    assert {step["state"] for step in host.json(*install)["steps"]} == {"already"}
