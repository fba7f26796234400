"""An installation on an external PostgreSQL through its life, then its database under other homes.

``AIRFERRY_FULL=1 make e2e TESTS=tests/e2e/test_external_life.py``. The role may make no database, so no
copy can lie beside: the backup stands for it. The tests go on from each other, in this order.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.e2e.hosts import Host
from tests.e2e.life import PASSWORD, Life
from tests.e2e.matrix import make_bundle
from tests.support.accounts import Folder
from tests.support.postgres import RealServer, programs

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        not os.environ.get("AIRFERRY_FULL"), reason="only with AIRFERRY_FULL=1: takes minutes"
    ),
]

OLD = "3.0.6"
ADOPT = "--adopt-database"
SMALL = ("--service", "supervisor", "--parallelism", "2")
ROLE = DATABASE = "airflow_of_theirs"
ROLE_PASSWORD = "Rol3:of%the@role"


@pytest.fixture(scope="module")
def server(user_host: Host) -> Iterator[RealServer]:
    """The server on the closed network, with a database for a role that may do nothing else."""
    folder = programs()
    if folder is None or shutil.which("openssl") is None:
        pytest.skip("the distribution's PostgreSQL server and openssl are not installed")
    with Folder() as place:
        made = RealServer(place, folder, enter=user_host.namespace.enter, settings=["max_connections = 150"])
        made.create()
        made.start()
        made.role(ROLE, ROLE_PASSWORD)
        made.database(DATABASE, ROLE)
        yield made
        made.stop()


@pytest.fixture(scope="module")
def life(bundle: Path, user_host: Host, server: RealServer, scratch: Path, minor: str) -> Iterator[Life]:
    """An installation there, with something in it."""
    old = make_bundle(OLD, minor, scratch)
    found = Life(user_host, user_host.folder / "elsewhere", old, bundle, server)
    assert user_host.json(*found.install(old, *there(found), *SMALL))["receipt"]["completed"]
    found.add_connection()
    yield found
    for home in user_host.folder.glob("*/bin/airferry"):
        user_host.run(home, "stop")
    assert found.host.processes(user_host.folder) == []


def test_upgrade_waits_for_nobody_for_ever(life: Life, server: RealServer) -> None:
    """A report holds a table: found out when Airflow is stopped, before anything is changed."""
    before, state, schema = life.data(), life.state(), life.schema()
    with report(server, life):
        said = life.host.json(*life.install(life.new), status=85)["error"]
    assert said["reference"] == "upgrade-failed"
    assert f"Airflow {OLD} is back and runs" in said["message"]
    assert "of postgres (nightly report): dag_run" in said["found"], said["found"]
    assert "pg_terminate_backend" in said["hint"]
    assert life.version() == OLD
    assert (life.data(), life.state(), life.schema()) == (before, state, schema)
    life.whole()
    assert life.host.run(life.home / "bin" / "airferry", "status").returncode == 0


def test_migration_that_fails_is_undone(life: Life) -> None:
    life.sql(f"SET ROLE {ROLE}; CREATE TABLE task_state_store AS SELECT 'by-hand' AS made")
    before, state, schema = life.data(), life.state(), life.schema()
    said = life.host.json(*life.install(life.new), status=85)["error"]
    assert said["reference"] == "upgrade-failed"
    assert 'relation "task_state_store" already exists' in said["found"], said["found"]
    assert str(life.home / "logs" / "airferry" / "install.log") in said["hint"]
    assert life.version() == OLD
    assert (life.data(), life.state(), life.schema()) == (before, state, schema)
    assert life.sql("SELECT made FROM task_state_store") == ["by-hand"]
    assert life.secret_of_connection() == PASSWORD
    life.whole()
    assert life.host.run(life.home / "bin" / "airferry", "status").returncode == 0
    life.sql("DROP TABLE task_state_store")


def test_upgrade_rollback_backup_and_restore(life: Life, server: RealServer) -> None:
    before, schema = life.data(), life.schema()
    receipt = life.host.json(*life.install(life.new))["receipt"]
    assert receipt["airflow"] == life.version() != OLD
    assert set(before[0]) < set(life.data()[0])
    assert life.schema() != schema
    life.whole()
    assert life.airferry("rollback", "--yes")["receipt"]["airflow"] == OLD
    assert life.version() == OLD
    assert (life.data(), life.schema()) == (before, schema)
    assert life.secret_of_connection() == PASSWORD
    said = life.airferry("backup", "--verify")
    made = said["backup"]
    assert said["checked"]
    assert made["postgres"].startswith("15.")
    life.airflow("connections", "delete", "carried")
    life.airferry("restore", made["id"], "--yes")
    assert life.secret_of_connection() == PASSWORD
    assert (life.data(), life.schema()) == (before, schema)
    life.whole()
    assert server.sql("SELECT datname FROM pg_database WHERE NOT datistemplate ORDER BY 1").split() == [
        DATABASE, "postgres",
    ]  # fmt: skip


def test_older_airflow_is_taken_over_when_asked(life: Life) -> None:
    """Another home, with the keys of the first. What is told is the first release with that schema."""
    before = life.data()
    life.stop()
    other = moved(life, "older")
    assert blocking(other, life.new) == {"database-airflow": f"Airflow 3.0.3 in {DATABASE}"}
    assert not (other.home / "receipt.json").exists()
    assert replace(other, home=life.home).sql("SELECT version_num FROM alembic_version") == ["fe199e1abd77"]
    adopted = other.host.json(*other.install(life.new, *there(other), *SMALL, ADOPT))["receipt"]
    assert adopted["database"]["adopted"]
    proven(other, before)


def test_newer_airflow_is_refused(life: Life) -> None:
    moved(life, "older").stop()
    other = moved(life, "newer")
    for more in ([], [ADOPT]):
        assert blocking(other, life.old, *more) == {"database-newer": "Airflow 3.3.0"}
    assert not (other.home / "receipt.json").exists()


def test_same_airflow_is_taken_over_when_asked(life: Life) -> None:
    """Without the key first: that is told, too."""
    other = moved(life, "same")
    before = replace(other, home=life.home).data()
    assert blocking(other, life.new) == {"database-airflow": f"Airflow 3.3.0 in {DATABASE}"}
    kept = (other.home / "airflow.cfg").rename(other.host.folder / "kept.cfg")
    assert set(blocking(other, life.new, ADOPT)) == {"database-fernet"}
    kept.rename(other.home / "airflow.cfg")
    other.host.json(*other.install(life.new, *there(other), *SMALL, ADOPT))
    proven(other, before)


def there(life: Life) -> list[str | Path]:
    """The options for that database; the password lies where only the account can look."""
    assert life.server
    password = life.host.folder / "role-password"
    if not password.exists():
        password.write_text(ROLE_PASSWORD + "\n")
        password.chmod(0o600)
        os.chown(password, life.host.uid, -1)
    url = f"postgresql://{ROLE}@127.0.0.1:{life.server.port}/{DATABASE}"
    url += f"?sslmode=verify-full&sslrootcert={life.server.certificate}"
    return ["--postgres", url, "--postgres-password-file", password]


def moved(life: Life, name: str) -> Life:
    """Another home, in which nothing but the first one's airflow.cfg lies."""
    home = life.host.folder / name
    if not home.exists():
        home.mkdir()
        shutil.copy(life.home / "airflow.cfg", home)
        for path in (home, home / "airflow.cfg"):
            os.chown(path, life.host.uid, life.host.gid)
    return replace(life, home=home)


def proven(other: Life, before: tuple[list[str], list[str]]) -> None:
    """It is the newest, and has what was there before."""
    assert other.version() != OLD
    runs, accounts = other.data()
    assert set(before[0]) < set(runs)
    assert accounts == before[1]
    assert other.secret_of_connection() == PASSWORD
    assert other.host.run(other.home / "bin" / "airferry", "status").returncode == 0


def blocking(other: Life, bundle: Path, *more: str) -> dict[str, str]:
    """What blocks an install there: id and what was found, as doctor says it too."""
    install = [*other.install(bundle, *there(other), *SMALL), *more]
    stopped: set[str] = {"database-in-use"}
    deadline = time.monotonic() + 90
    while "database-in-use" in stopped:  # for a minute after the last sign of life
        assert time.monotonic() < deadline
        stopped = set(other.host.json(*install, status=3)["error"]["found"].split(", "))
    judge: list[str | Path] = [
        "sh",
        bundle,
        "doctor",
        "--home",
        other.home,
        "--python",
        other.host.python,
        "--json",
    ]
    said = other.host.json(*judge, *there(other), *more, status=3)["findings"]
    found = {item["id"]: item["found"] for item in said if item["severity"] == "blocker"}
    assert set(found) == stopped
    return found


@contextlib.contextmanager
def report(server: RealServer, life: Life) -> Iterator[None]:
    """Another session that has read a table, and sits on it."""
    command = [str(server.bin / "psql"), "-X", "-q", "-h", str(server.folder), "-p", str(server.port)]
    child = subprocess.Popen(
        [*command, "-U", "postgres", "-d", DATABASE], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
        env={"PATH": os.defpath, "PGAPPNAME": "nightly report"},
    )  # fmt: skip
    assert child.stdin
    child.stdin.write(b"BEGIN; SELECT count(*) FROM dag_run;\n")
    child.stdin.flush()
    try:
        yield
    finally:
        child.stdin.close()
        child.wait(timeout=20)
