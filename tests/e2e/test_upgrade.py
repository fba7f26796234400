"""One installation through its life: backed up, upgraded in vain, killed on its way, upgraded, taken back.

The tests share it and go on from each other, in this order: an install takes half a minute.
"""

from __future__ import annotations

import os
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hosts import Host, wait_until
from tests.e2e.life import PASSWORD, Life
from tests.e2e.matrix import DAG, make_bundle

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

OLD = "3.3.1"


@pytest.fixture(scope="module")
def life(bundle: Path, user_host: Host, scratch: Path, minor: str) -> Iterator[Life]:
    """An installation of the release before the newest, with something in it."""
    old = make_bundle(OLD, minor, scratch)
    found = Life(user_host, user_host.folder / "a life", old, bundle)
    result = found.host.json(*found.install(old))
    assert result["receipt"]["completed"]
    found.add_connection()
    yield found
    found.stop()
    assert found.host.processes(found.home) == []


def test_backup_while_it_runs_is_proven_by_a_restore(life: Life) -> None:
    said = life.airferry("backup", "--verify")
    made = said["backup"]
    assert said["checked"]
    assert {item["table"]: item["most"] for item in made["rows"]}["dag_run"] >= 1
    folder = Path(said["path"])
    for path in (folder, *folder.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    assert [item["backup"]["id"] for item in life.airferry("backups")["backups"]] == [made["id"]]
    life.whole()
    assert life.airferry("status")["components"]


def test_damaged_backup_is_not_restored(life: Life) -> None:
    before = life.state()
    made = life.airferry("backup", "--output", life.host.folder / "elsewhere")
    dump = Path(made["path"]) / "database.dump"
    dump.write_bytes(dump.read_bytes()[:-100])
    said = life.airferry("restore", made["path"], "--yes", status=82)
    assert said["error"]["reference"] == "backup-damaged"
    assert life.state() == before


def test_failed_upgrade_leaves_the_old_one_running(life: Life) -> None:
    """The example pipeline fails under the new release only: the last moment at which it can go wrong."""
    before, state = life.data(), life.state()
    pipeline = life.home / "dags" / "airferry_examples" / "airferry_pipeline.py"
    text = pipeline.read_text()
    pipeline.write_text(f"import airflow\nassert airflow.__version__ == {OLD!r}\n{text}")
    said = life.host.json(*life.install(life.new), status=85)["error"]
    assert said["reference"] == "upgrade-failed"
    assert "is back and runs" in said["message"]
    assert life.version() == OLD
    assert life.state() == state
    assert life.data() == before
    assert life.secret_of_connection() == PASSWORD
    life.whole()
    pipeline.write_text(text)


def test_killed_upgrade_is_seen_by_other_commands_and_undone_by_rollback(life: Life) -> None:
    before, state = life.data(), life.state()
    busy = kill_in_step(life, "migration", meanwhile="backup")
    assert busy["reference"] == "home-busy"
    assert busy["found"].startswith("process ")
    start = life.host.run(life.home / "bin" / "airferry", "start")
    assert start.returncode == 83, start.stderr
    said = " ".join(start.stderr.split())
    assert "/bin/airferry' rollback" in said
    assert "install --home" in said
    assert life.host.run(life.home / "bin" / "airflow", "version").returncode == 75
    back = life.airferry("rollback", "--yes")
    assert back["receipt"]["airflow"] == OLD
    assert life.version() == OLD
    assert life.state() == state
    assert life.data() == before
    life.whole()


def test_killed_upgrade_ends_in_the_new_state_when_it_is_run_again(life: Life) -> None:
    runs, accounts = life.data()
    old_release = (life.home / "current").readlink()
    kill_in_step(life, "start")
    result = life.host.json(*life.install(life.new))
    assert result["receipt"]["completed"]
    assert result["receipt"]["previous"] == old_release.name
    assert life.version() == result["receipt"]["airflow"] != OLD
    assert life.secret_of_connection() == PASSWORD
    after, same = life.data()
    assert set(runs) < set(after)  # and the run that proved it
    assert same == accounts
    assert (life.home / old_release / "complete").exists()
    life.whole()
    assert life.host.run(life.home / "bin" / "airferry", "status").returncode == 0


def test_step_down_is_refused_with_the_way_to_go(life: Life) -> None:
    before = life.state()
    said = life.host.json(*life.install(life.old), status=84)["error"]
    assert said["reference"] == "upgrade-refused"
    assert "airferry rollback" in said["hint"]
    assert life.state() == before


def test_rollback_brings_all_of_it_back_together(life: Life) -> None:
    """Asked first, and not done unasked."""
    asked = life.host.run(life.home / "bin" / "airferry", "rollback")
    assert asked.returncode == 93
    assert "DAG runs have started since then" in " ".join(asked.stderr.split())
    proofs = len(life.sql(f"SELECT 1 FROM dag_run WHERE dag_id = '{DAG}'"))
    back = life.airferry("rollback", "--yes")
    assert back["receipt"]["airflow"] == OLD
    assert back["lost_runs"] >= 1
    assert life.version() == OLD
    assert life.secret_of_connection() == PASSWORD
    assert len(life.sql(f"SELECT 1 FROM dag_run WHERE dag_id = '{DAG}'")) < proofs
    life.whole()
    assert life.host.run(life.home / "bin" / "airferry", "status").returncode == 0
    again = life.airferry("rollback", "--yes", status=88)
    assert again["error"]["reference"] == "nothing-to-roll-back"


def test_backup_and_restore_round_trip(life: Life) -> None:
    listed = [item["backup"] for item in life.airferry("backups")["backups"]]
    (made,) = [item for item in listed if item["reason"] == "asked"]
    life.airflow("connections", "delete", "carried")
    restored = life.airferry("restore", made["id"], "--yes")
    assert restored["receipt"]["airflow"] == OLD
    assert life.secret_of_connection() == PASSWORD
    life.whole()
    history = life.host.json(life.home / "bin" / "airferry", "history", "--lines", "0", "--json")["entries"]
    outcomes = [(item["command"], item["outcome"]) for item in history]
    for expected in (("backup", "done"), ("upgrade", "failed"), ("upgrade", "done"), ("rollback", "done")):
        assert expected in outcomes
    assert outcomes[-1] == ("restore", "done")


def kill_in_step(life: Life, step: str, meanwhile: str = "") -> Any:
    """Kill an upgrade as soon as that step has begun; the program that it runs just then lives on."""
    journal = life.home / "journal.jsonl"
    before = journal.read_text().count(f'"step": "{step}"')
    child = life.host.command(life.install(life.new))
    try:
        wait_until(
            f"step {step}", lambda: journal.read_text().count(f'"step": "{step}"') > before, seconds=300
        )
        time.sleep(0.5)
        # another account tries, too
        said = life.airferry(meanwhile, status=35)["error"] if meanwhile else None
    finally:
        os.killpg(child.pid, signal.SIGKILL)
        out, err = child.communicate()
    assert child.returncode == -signal.SIGKILL, out + err
    return said
