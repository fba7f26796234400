"""The longest step made at once: Airflow 2.10 on PostgreSQL 16 to the newest on 18, in vain, then well.

``AIRFERRY_FULL=1 make e2e TESTS=tests/e2e/test_long_way.py``. A bundle for a host with an old C library
carries PostgreSQL 16, one for a newer host 18. The tests go on from each other, in this order.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.hosts import Host
from tests.e2e.life import PASSWORD, Life
from tests.e2e.matrix import DAG, make_bundle

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        not os.environ.get("AIRFERRY_FULL"), reason="only with AIRFERRY_FULL=1: takes minutes"
    ),
]

OLD = "2.10.5"
# A release after 3.2 makes a table of this name, long after the first migrations on the way are committed.
IN_THE_WAY = "task_state_store"


@pytest.fixture(scope="module")
def life(bundle: Path, user_host: Host, scratch: Path, minor: str) -> Iterator[Life]:
    """An installation as an old host had it, with something in it."""
    old = make_bundle(OLD, minor, scratch, "--glibc", "2.24")
    found = Life(user_host, user_host.folder / "long way", old, bundle)
    receipt = found.host.json(*found.install(old))["receipt"]
    assert (receipt["airflow"], postgres(receipt)) == (OLD, "16")
    found.add_connection()
    yield found
    found.stop()
    assert found.host.processes(found.home) == []


def test_migration_that_fails_half_way_is_undone_as_a_whole(life: Life) -> None:
    """Dozens of migrations are committed in the new cluster before the one that fails."""
    new_password(life)
    life.sql(f"CREATE TABLE {IN_THE_WAY} (made text); INSERT INTO {IN_THE_WAY} VALUES ('by-hand')")
    before, state, schema = life.data(), life.state(), life.schema()
    said = life.host.json(*life.install(life.new), status=85)["error"]
    assert said["reference"] == "upgrade-failed"
    assert f"Airflow {OLD} is back and runs" in said["message"]
    assert f'"{IN_THE_WAY}" already exists' in said["found"], said["found"]
    assert str(life.home / "logs" / "airferry" / "install.log") in said["hint"]
    assert as_before(life)
    assert (life.data(), life.state(), life.schema()) == (before, state, schema)
    assert life.sql(f"SELECT made FROM {IN_THE_WAY}") == ["by-hand"]
    life.sql(f"DROP TABLE {IN_THE_WAY}")


def test_upgrade_crosses_both(life: Life) -> None:
    runs, accounts = life.data()
    receipt = life.host.json(*life.install(life.new))["receipt"]
    assert receipt["airflow"].startswith("3.")
    assert postgres(receipt) == life.sql("SHOW server_version")[0].partition(".")[0] == "18"
    after, same = life.data()
    assert set(runs) < set(after)
    assert same == accounts
    assert life.secret_of_connection() == PASSWORD
    new_password(life)
    life.whole()
    assert life.host.run(life.home / "bin" / "airferry", "status").returncode == 0
    life.airferry("backup", "--verify")


def test_rollback_to_the_older_server(life: Life) -> None:
    back = life.airferry("rollback", "--yes")
    assert (back["receipt"]["airflow"], postgres(back["receipt"])) == (OLD, "16")
    assert back["lost_runs"] >= 1
    assert as_before(life)
    # the password was changed since, and its file went back with the account
    new_password(life)


def test_backup_on_a_host_with_nothing_but_the_bundle(life: Life) -> None:
    """The home is lost; its backups were kept elsewhere. The same bundle, the same path."""
    made = life.airferry("backup", "--verify", "--output", life.host.folder / "kept")
    before = life.data()
    life.stop()
    life.home.rename(life.home.with_name("burnt"))
    life.host.json(*life.install(life.old))
    assert life.data()[0] != before[0]
    restored = life.airferry("restore", made["path"], "--yes")
    assert restored["receipt"]["airflow"] == OLD
    assert life.data() == before
    assert as_before(life)
    new_password(life)


def as_before(life: Life) -> bool:
    """The old one runs, whole, with its server and under its key."""
    life.whole()
    assert life.version() == OLD
    assert life.sql("SHOW server_version")[0].startswith("16.")
    assert life.secret_of_connection() == PASSWORD
    assert life.sql(f"SELECT 1 FROM dag_run WHERE dag_id = '{DAG}'")
    return life.host.run(life.home / "bin" / "airferry", "status").returncode == 0


def new_password(life: Life) -> None:
    assert life.airferry("passwd", "--generate")["proved"] is True


def postgres(receipt: dict[str, dict[str, str]]) -> str:
    return receipt["database"]["server"].partition(".")[0]
