"""Faults made for real in one real installation that runs, each undone again: exactly that finding comes."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from bootstrap.airflow import config
from bootstrap.airflow.config import Setting
from tests.e2e.hosts import Host, wait_until
from tests.support.faults import fault

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: mounts and owners")
# what this machine, and a home in a scratch folder, are known for
USUAL = {
    "login-unencrypted",
    "home-volatile",
    "dag-import-errors",
    "memory-low",
    "disk-low",
    "clock-behind",
    "fapolicyd-on",
}
# any edit of airflow.cfg makes it newer than the components
EDITED = "component-stale"


@dataclass
class Lab:
    """The installation, and doctor on it."""

    host: Host
    home: Path

    @property
    def cfg(self) -> Path:
        return self.home / "airflow.cfg"

    @property
    def release(self) -> Path:
        (folder,) = (path for path in (self.home / "releases").iterdir() if not path.name.startswith("."))
        return folder

    @property
    def site(self) -> Path:
        return next((self.release / "venv").glob("lib/python3*/site-packages"))

    @property
    def receipt(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "receipt.json").read_text())
        return found

    def doctor(self) -> dict[str, dict[str, Any]]:
        """The findings by their ids, asked from the release itself: the link to it may be broken.

        A machine that is busy with other tests may answer late: it is asked again.
        """
        for _ in range(4):
            ran = self.host.run(
                self.host.python, "-I", "-S", "-X", "utf8", self.release / "runtime", "doctor",
                "--home", self.home, "--json",
            )  # fmt: skip
            assert ran.returncode in (0, 3), ran.stdout + ran.stderr
            found = {item["id"]: item for item in json.loads(ran.stdout)["result"]["findings"]}
            if "facts-incomplete" not in found:
                break
        return found

    def expect(self, identifier: str, *also: str) -> dict[str, Any]:
        """That finding, and no other blocker or warning than those named."""
        found = self.doctor()
        bad = {key for key, item in found.items() if item["severity"] in ("blocker", "warning")}
        assert identifier in found, found
        assert bad - {identifier, *also, *USUAL} == set(), found
        return found[identifier]

    def airferry(self, *arguments: str) -> None:
        ran = self.host.run(self.home / "bin" / "airferry", *arguments)
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def sql(self, statement: str, user: str = "postgres", database: str = "airflow") -> str:
        programs = next((self.release / "postgres").glob("*/pginstall/bin"))
        asked = replace(self.host, environment={"PGPASSFILE": str(self.home / "secrets" / "pgpass")})
        port = str(self.receipt["database"]["port"])
        ran = asked.run(
            programs / "psql", "-h", "127.0.0.1", "-p", port, "-U", user, "-d", database, "-Atc", statement
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout.strip()

    @contextlib.contextmanager
    def kept(self, path: Path) -> Iterator[Path]:
        """Whatever becomes of a file, it is as it was in the end: contents, mode, owner and times."""
        status, content = path.stat(), path.read_bytes()
        try:
            yield path
        finally:
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            path.unlink(missing_ok=True)
            path.write_bytes(content)
            os.chown(path, status.st_uid, status.st_gid)
            path.chmod(status.st_mode & 0o7777)
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    @contextlib.contextmanager
    def moved(self, path: Path) -> Iterator[Path]:
        """Something out of its place for a while."""
        away = path.with_name(path.name + ".away")
        path.rename(away)
        try:
            yield path
        finally:
            if os.path.lexists(path):
                path.unlink()
            away.rename(path)

    def link(self, path: Path, target: str) -> None:
        """A link as the account itself would make it."""
        path.symlink_to(target)
        os.chown(path, self.host.uid, self.host.gid, follow_symlinks=False)

    @contextlib.contextmanager
    def mode(self, path: Path, mode: int) -> Iterator[Path]:
        """Another mode for a while."""
        before = path.stat().st_mode & 0o7777
        path.chmod(mode)
        try:
            yield path
        finally:
            path.chmod(before)

    def pid(self, component: str) -> int:
        """The process of a component that runs."""
        status = self.host.json(self.home / "bin" / "airferry", "status", "--json")
        note = next(item["note"] for item in status["components"] if item["name"] == component)
        return int(note.split()[1].rstrip(","))


@pytest.fixture(scope="module")
def lab(bundle: Path, user_host: Host) -> Iterator[Lab]:
    """One installation for all; a DAG that does not import lies there from the start."""
    home = user_host.folder / "faults"
    # an install of its own, without what another test may have left in the environment
    host = Host(user_host.folder, user_host.python, user_host.uid, user_host.gid, user_host.namespace)
    host.json("sh", bundle, "install", "--home", home, "--python", host.python, "--json")
    made = Lab(host, home)
    broken = home / "dags" / "broken.py"
    broken.write_text("from airflow import DAG\nimport no_such_module\n")
    os.chown(broken, host.uid, host.gid)
    yield made
    host.run(home / "bin" / "airferry", "stop")


def test_nothing_is_wrong_with_it(lab: Lab) -> None:
    found = lab.doctor()
    assert {key for key, item in found.items() if item["severity"] == "blocker"} == set()
    assert {"installation-ok", "config-ok", "components-ok", "database-ok", "growth-ok"} <= set(found)
    assert {key for key, item in found.items() if item["severity"] == "warning"} <= USUAL


# files


@fault("installation-incomplete", "an install that was broken off, with everything running")
def test_components_of_an_install_that_was_broken_off(lab: Lab) -> None:
    with lab.kept(lab.home / "receipt.json") as path:
        path.write_text(json.dumps({**lab.receipt, "completed": ""}))
        found = lab.expect("installation-incomplete")
        assert "running all the same: postgres, api-server, scheduler" in found["found"]
        assert found["commands"][-1].endswith("/bin/airferry stop")
        ran = lab.host.run(lab.home / "bin" / "airferry", "status")
        assert ran.returncode == 33, ran.stdout + ran.stderr
        assert "The install was never finished" in ran.stderr, ran.stderr


@fault("packages-damaged", "a file of an installed package deleted")
def test_deleted_file(lab: Lab) -> None:
    with lab.kept(lab.site / "jwt" / "api_jwt.py") as path:
        path.unlink()
        assert str(path) in lab.expect("packages-damaged")["found"]


@fault("packages-damaged", "a file of an installed package truncated")
def test_file_of_another_size(lab: Lab) -> None:
    with lab.kept(lab.site / "jwt" / "api_jwt.py") as path:
        path.write_text("")
        assert "has 0 bytes" in lab.expect("packages-damaged")["found"]


@fault("packages-damaged", "a folder in the place of a file of an installed package")
def test_folder_instead_of_a_file(lab: Lab) -> None:
    with lab.kept(lab.site / "jwt" / "api_jwt.py") as path:
        path.unlink()
        path.mkdir()
        assert "is not a file" in lab.expect("packages-damaged")["found"]


@fault("packages-damaged", "a word in a file of an installed package exchanged for one as long")
def test_file_of_the_same_size(lab: Lab) -> None:
    with lab.kept(lab.site / "jwt" / "api_jwt.py") as path:
        path.write_text(path.read_text().replace("import", "impart", 1))
        assert "has other contents" in lab.expect("packages-damaged")["found"]


@fault("packages-changed", "a package of another version installed into the release by hand")
def test_package_of_another_version(lab: Lab) -> None:
    (folder,) = lab.site.glob("tabulate-*.dist-info")
    with lab.kept(folder / "METADATA") as path:
        path.write_text("Metadata-Version: 2.1\nName: tabulate\nVersion: 0.8.10\n")
        record, renamed = folder / "RECORD", folder.with_name("tabulate-0.8.10.dist-info")
        text = record.read_text()
        record.write_text(re.sub(r"(?m)^tabulate-[^,]*,.*$\n", "", text))
        folder.rename(renamed)
        try:
            assert "changed: tabulate 0.8.10" in lab.expect("packages-changed")["found"]
        finally:
            renamed.rename(folder)
            record.write_text(text)


@fault("login-modules-missing", "a webserver_config.py with LDAP, and no python-ldap in the bundle")
def test_login_over_ldap_without_its_module(lab: Lab) -> None:
    path = lab.home / "webserver_config.py"
    path.write_text("from flask_appbuilder.const import AUTH_LDAP\nAUTH_TYPE = AUTH_LDAP\n")
    os.chown(path, lab.host.uid, lab.host.gid)
    try:
        found = lab.expect("login-modules-missing")
        assert found["found"] == f"{path}, line 2, AUTH_TYPE = AUTH_LDAP: No module named 'ldap'"
        assert "--extra ldap" in found["remedy"]
    finally:
        path.unlink()


@fault("bytecode-damaged", "bytecode of an installed package cut off, as by a full disk")
def test_bytecode_that_is_cut_off(lab: Lab) -> None:
    (compiled,) = (lab.site / "jwt" / "__pycache__").glob("api_jwt.*.pyc")
    with lab.kept(compiled) as path:
        path.write_bytes(path.read_bytes()[:1000])
        assert str(path) in lab.expect("bytecode-damaged")["found"]


@fault("link-broken", "the link to the release taken away")
def test_link_that_is_gone(lab: Lab) -> None:
    with lab.moved(lab.home / "current"):
        lab.expect("link-broken")


@fault("link-broken", "the link to the release made to lead nowhere")
def test_link_that_leads_nowhere(lab: Lab) -> None:
    with lab.moved(lab.home / "current") as path:
        lab.link(path, "releases/none")
        lab.expect("link-broken")


@fault("environment-broken", "the interpreter of the environment gone")
def test_environment_whose_python_is_gone(lab: Lab) -> None:
    with lab.moved(lab.release / "venv" / "bin" / "python") as path:
        lab.link(path, "/nonexistent/python3.11")
        lab.expect("environment-broken")


@fault("supervisor-broken", "the interpreter of the supervisor gone")
def test_supervisor_whose_python_is_gone(lab: Lab) -> None:
    if not (lab.release / "supervisor" / "bin").is_dir():
        pytest.skip("there is no supervisor here")
    with lab.moved(lab.release / "supervisor" / "bin" / "python") as path:
        lab.link(path, "/nonexistent/python3.11")
        lab.expect("supervisor-broken")


@fault("postgres-broken", "pg_restore deleted")
def test_postgres_that_lacks_a_program(lab: Lab) -> None:
    with lab.moved(next(lab.release.glob("postgres/*/pginstall/bin/pg_restore"))):
        assert "lacks pg_restore" in lab.expect("postgres-broken")["found"]


@fault("manifest-damaged", "the release's manifest cut short")
def test_manifest_that_is_cut_short(lab: Lab) -> None:
    with lab.kept(lab.release / "manifest.json") as path:
        path.write_bytes(path.read_bytes()[:1000])
        lab.expect("manifest-damaged")


@fault("commands-changed", "bin/airflow edited")
def test_command_that_was_edited(lab: Lab) -> None:
    with lab.kept(lab.home / "bin" / "airflow") as path:
        path.write_text("#!/bin/sh\nexec /usr/bin/airflow\n")
        lab.expect("commands-changed")


@fault("commands-changed", "bin/airflow without its right to be executed")
def test_command_that_cannot_be_executed(lab: Lab) -> None:
    with lab.mode(lab.home / "bin" / "airflow", 0o644):
        assert "cannot be executed" in lab.expect("commands-changed")["found"]


@fault("installation-incomplete", "the mark that the release is complete taken away")
def test_release_that_is_not_complete(lab: Lab) -> None:
    with lab.moved(lab.release / "complete"):
        lab.expect("installation-incomplete")


@fault("installation-incomplete", "a receipt whose last step is missing")
def test_install_that_was_never_proved(lab: Lab) -> None:
    with lab.kept(lab.home / "receipt.json") as path:
        path.write_text(json.dumps({**lab.receipt, "completed": ""}))
        lab.expect("installation-incomplete")


# owners and modes


@as_root
@fault("owner-wrong", "a DAG that belongs to root")
@fault("files-unreadable", "a DAG that only root may read")
def test_dag_of_root(lab: Lab) -> None:
    path = lab.home / "dags" / "of_root.py"
    path.write_text("")
    path.chmod(0o600)
    try:
        assert str(path) in lab.expect("owner-wrong", "files-unreadable")["found"]
        assert str(path) in lab.expect("files-unreadable", "owner-wrong")["found"]
    finally:
        path.unlink()


@as_root
@fault("owner-wrong", "a file of root's in the database's folder")
def test_database_file_of_root(lab: Lab) -> None:
    path = lab.home / "postgres" / "left-behind"
    path.write_text("")
    try:
        assert lab.expect("owner-wrong")["severity"] == "blocker"
    finally:
        path.unlink()


@fault("cluster-mode", "the database's folder opened to everybody (chmod 755)")
def test_database_folder_that_is_open(lab: Lab) -> None:
    with lab.mode(lab.home / "postgres", 0o755):
        lab.expect("cluster-mode")


@fault("modes-open", "the folder of DAGs writable for everybody (chmod 777)")
def test_dags_that_everybody_may_write(lab: Lab) -> None:
    with lab.mode(lab.home / "dags", 0o777):
        lab.expect("modes-open")


@fault("secrets-open", "a password that everybody may read")
def test_secret_that_everybody_may_read(lab: Lab) -> None:
    with lab.mode(lab.home / "secrets" / "admin-password", 0o644):
        lab.expect("secrets-open")


# airflow.cfg


@pytest.mark.parametrize(
    ("section", "option", "value", "expected"),
    [
        pytest.param(
            "database", "sql_alchemy_conn", "sqlite:////tmp/airflow.db", "config-sqlite",
            marks=fault("config-sqlite", "an SQLite database in airflow.cfg, with LocalExecutor"),
        ),
        pytest.param(
            "database", "sql_alchemy_conn", "postgresql+psycopg2://u:p@db.example/a", "config-database",
            marks=fault("config-database", "another PostgreSQL in airflow.cfg"),
        ),
        pytest.param(
            "core", "executor", "CeleryExecutor", "config-executor",
            marks=fault("config-executor", "CeleryExecutor in airflow.cfg"),
        ),
        pytest.param(
            "core", "execution_api_server_url", "http://127.0.0.1:8/execution/", "config-execution-api",
            marks=fault("config-execution-api", "the task API at another port than the API server"),
        ),
        pytest.param(
            "api_auth", "jwt_secret", "", "config-keys",
            marks=fault("config-keys", "an empty JWT secret in airflow.cfg"),
        ),
        pytest.param(
            "secrets", "jwt_secret", "x" * 32, "config-section",
            marks=fault("config-section", "the JWT secret in the section [secrets]"),
        ),
        pytest.param(
            "core", "sql_alchemy_conn", "postgresql+psycopg2://u:p@db.example/a", "config-obsolete",
            marks=fault("config-obsolete", "the database in [core], as before 2.3"),
        ),
        pytest.param(
            "core", "executer", "LocalExecutor", "config-unknown",
            marks=fault("config-unknown", "an option whose name has a slip of the pen"),
        ),
    ],
)  # fmt: skip
def test_setting(lab: Lab, section: str, option: str, value: str, expected: str) -> None:
    with lab.kept(lab.cfg) as path:
        config.write(path, config.edit(config.read(path), [Setting(section, option, value)]))
        assert option in lab.expect(expected, EDITED)["found"]


@fault("config-port", "another port for the web server, written into airflow.cfg in both places")
def test_port_that_was_changed_by_hand(lab: Lab) -> None:
    with lab.kept(lab.cfg) as path:
        url = Setting("core", "execution_api_server_url", "http://127.0.0.1:9/execution/")
        config.write(path, config.edit(config.read(path), [Setting("api", "port", "9"), url]))
        lab.expect("config-port", EDITED)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(
            "[smtp]\nsmtp_password = 100%\n", marks=fault("config-unreadable", "a % that stands alone")
        ),
        pytest.param("[core]\n", marks=fault("config-unreadable", "a section that stands twice")),
        pytest.param("[x]\na = 1\na = 2\n", marks=fault("config-unreadable", "an option that stands twice")),
        pytest.param("[x]\nno sign\n", marks=fault("config-unreadable", "a line that is no option")),
    ],
)
def test_file_that_airflow_cannot_parse(lab: Lab, line: str) -> None:
    with lab.kept(lab.cfg) as path:
        with path.open("a") as stream:
            stream.write("\n" + line)
        lab.expect("config-unreadable", EDITED)


@fault("config-unreadable", "an airflow.cfg that its own account may not read")
def test_file_without_the_right_to_read_it(lab: Lab) -> None:
    with lab.mode(lab.cfg, 0o000):
        # a backup cannot hold it either
        assert "Permission denied" in lab.expect("config-unreadable", "files-unreadable")["found"]


@fault("settings-code-broken", "a webserver_config.py with a syntax error")
def test_settings_in_python_that_are_broken(lab: Lab) -> None:
    path = lab.home / "webserver_config.py"
    before = path.read_bytes() if path.exists() else None
    try:
        path.write_text("AUTH_TYPE = (\n")
        os.chown(path, lab.host.uid, lab.host.gid)
        assert "webserver_config.py, line 1" in lab.expect("settings-code-broken")["found"]
    finally:
        if before is None:
            path.unlink()
        else:
            path.write_bytes(before)


@fault("component-stale", "airflow.cfg edited without a restart")
def test_edit_without_a_restart(lab: Lab) -> None:
    with lab.kept(lab.cfg) as path:
        os.utime(path)
        lab.expect("component-stale")


# components


@fault("component-down", "one component stopped")
@fault("port-taken", "a stranger on the port of a component that is down")
def test_component_that_is_down(lab: Lab) -> None:
    lab.airferry("stop", "triggerer")
    try:
        lab.expect("component-down")
        child = listen(lab, lab.receipt["trigger_log_port"])
        try:
            lab.expect("port-taken", "component-down")
        finally:
            child.kill()
            child.communicate()
    finally:
        lab.airferry("start", "triggerer")


def listen(lab: Lab, port: int) -> subprocess.Popen[str]:
    """A program that listens on a port of that host."""
    code = f"import socket; s = socket.create_server(('', {port})); print('up', flush=True); s.accept()"
    child = lab.host.command([lab.host.python, "-c", code])
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    return child


@fault("component-ill", "a component that hangs (SIGSTOP), its heartbeat five minutes old")
def test_component_that_hangs(lab: Lab) -> None:
    wait_until("the triggerer is up", lambda: "components-ok" in lab.doctor(), 120)
    pid = lab.pid("triggerer")
    os.kill(pid, signal.SIGSTOP)
    try:
        lab.sql("UPDATE job SET latest_heartbeat = now() - interval '5 min' WHERE job_type = 'TriggererJob'")
        assert "triggerer" in lab.expect("component-ill")["found"]
    finally:
        os.kill(pid, signal.SIGCONT)
    wait_until("it goes on", lambda: "components-ok" in lab.doctor(), 120)


@fault("component-stray", "a second triggerer, started by hand")
@fault("component-variables", "a component started with AIRFLOW__ variables")
@fault("component-keys", "a component started with another JWT secret")
@fault("component-database", "a component started with another database")
def test_component_that_was_started_by_hand(lab: Lab) -> None:
    variables = {
        "AIRFLOW_HOME": str(lab.home),
        "AIRFLOW__API_AUTH__JWT_SECRET": "x" * 32,
        # it waits there, and does no harm
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql+psycopg2://nobody@127.0.0.1:1/none",
    }
    code = "import time; time.sleep(120)"
    asked = replace(lab.host, environment=variables)
    child = asked.command([str(lab.release / "venv/bin/python"), "-c", code, "airflow", "triggerer"])
    try:
        wait_until("it runs", lambda: b"triggerer" in Path(f"/proc/{child.pid}/cmdline").read_bytes())
        also = ("component-stray", "component-variables", "component-keys", "component-database")
        for identifier in also:
            found = lab.expect(identifier, *also)["found"]
            assert "triggerer" in found
            assert "x" * 32 not in found
    finally:
        child.kill()
        child.communicate()


@fault("port-shared", "the receipt of another installation with the same ports, beside this one")
def test_two_installations_with_one_port(lab: Lab) -> None:
    folder = lab.home.parent / "other"
    folder.mkdir()
    try:
        (folder / "receipt.json").write_text(json.dumps({**lab.receipt, "home": str(folder)}))
        assert str(folder) in lab.expect("port-shared")["found"]
    finally:
        shutil.rmtree(folder)


# the database


@fault("database-refused", "a wrong password for Airflow's role")
def test_role_that_cannot_log_in(lab: Lab) -> None:
    with lab.kept(lab.home / "secrets" / "pgpass") as path:
        lines = path.read_text().splitlines()
        path.write_text("\n".join(line.rpartition(":")[0] + ":wrong" for line in lines) + "\n")
        assert "authentication failed" in lab.expect("database-refused")["found"]


@fault("schema-behind", "another revision in alembic_version")
def test_schema_of_another_release(lab: Lab) -> None:
    before = lab.sql("SELECT version_num FROM alembic_version")
    lab.sql("UPDATE alembic_version SET version_num = 'ec3471c1e067'")
    try:
        assert f"ec3471c1e067, not {before}" in lab.expect("schema-behind")["found"]
    finally:
        lab.sql(f"UPDATE alembic_version SET version_num = '{before}'")


@fault("tables-missing", "a table renamed")
def test_table_that_is_missing(lab: Lab) -> None:
    lab.sql("ALTER TABLE xcom RENAME TO xcom_away")
    try:
        assert lab.expect("tables-missing")["found"] == "xcom"
    finally:
        lab.sql("ALTER TABLE xcom_away RENAME TO xcom")


@fault("connections-many", "clients that hold on to nearly all connections")
def test_connections_that_are_used_up(lab: Lab) -> None:
    script = (
        "import psycopg2, sys, time\n"
        "data = dict(host='127.0.0.1', port=int(sys.argv[1]), user='airflow', dbname='airflow')\n"
        "data['password'] = open(sys.argv[2]).read().strip()\n"
        "held = [psycopg2.connect(**data) for _ in range(60)]\n"
        "held[0].autocommit = True\n"
        "asking = held[0].cursor()\n"
        "for _ in range(35):\n"
        "    asking.execute('SELECT count(*) FROM pg_stat_activity WHERE usename = current_user')\n"
        "    if asking.fetchone()[0] >= 90:\n"
        "        break\n"
        "    held.append(psycopg2.connect(**data))\n"
        "print('up', flush=True)\n"
        "time.sleep(120)\n"
    )
    child = lab.host.command(
        [str(lab.release / "venv/bin/python"), "-c", script, str(lab.receipt["database"]["port"]),
         str(lab.home / "secrets" / "postgres-password")]
    )  # fmt: skip
    try:
        assert child.stdout is not None
        assert child.stdout.readline() == "up\n", child.communicate()[1]
        lab.expect("connections-many")
    finally:
        child.kill()
        child.communicate()


@fault("dag-import-errors", "a DAG that imports a module which is not there")
def test_dag_that_does_not_import(lab: Lab) -> None:
    wait_until("it was read", lambda: "dag-import-errors" in lab.doctor(), 120)
    assert "no_such_module" in lab.expect("dag-import-errors")["found"]


# room and backups


@contextlib.contextmanager
def mounted_over(lab: Lab, folder: Path, options: str) -> Iterator[Path]:
    """A small filesystem over a folder: who has files there open goes on with the old ones."""
    given = f"{options},uid={lab.host.uid},gid={lab.host.gid}"
    mount = ["mount", "-t", "tmpfs", "-o", given, "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount here: {done.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True, capture_output=True)


@fault("logs-closed", "a log folder without the right to write (chmod 500)")
def test_log_folder_that_is_closed(lab: Lab) -> None:
    with lab.mode(lab.home / "logs", 0o500):
        lab.expect("logs-closed")


@as_root
@fault("logs-full", "the log folder on a disk of 10 MB")
def test_log_folder_that_is_full(lab: Lab) -> None:
    with mounted_over(lab, lab.home / "logs", "size=10m,mode=750"):
        lab.expect("logs-full")


@as_root
@fault("logs-full", "the log folder on a disk without inodes")
def test_log_folder_without_inodes(lab: Lab) -> None:
    with mounted_over(lab, lab.home / "logs", "size=200m,nr_inodes=20,mode=750"):
        lab.expect("logs-full")


@as_root
@fault("database-full", "the database's folder on a disk of 10 MB")
def test_database_folder_that_is_full(lab: Lab) -> None:
    with mounted_over(lab, lab.home / "postgres", "size=10m,mode=700"):
        lab.expect("database-full")


def aged(receipt: dict[str, Any], days: int) -> str:
    then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - days * 86400))
    return json.dumps({**receipt, "completed": then})


@as_root
@fault("disk-filling", "100 MB of logs within a week, and as much room left")
def test_disk_that_will_be_full(lab: Lab) -> None:
    with lab.kept(lab.home / "receipt.json") as path:
        path.write_text(aged(lab.receipt, 10))
        with mounted_over(lab, lab.home / "logs", "size=250m,mode=750") as folder:
            (folder / "big.log").write_bytes(b"x" * 100_000_000)
            os.chown(folder / "big.log", lab.host.uid, lab.host.gid)
            assert "full in" in lab.expect("disk-filling", "backup-none")["found"]


@fault("backup-none", "no backup, ten days after the install")
@fault("backup-old", "the only backup is a month old")
def test_backups(lab: Lab) -> None:
    with lab.kept(lab.home / "receipt.json") as path:
        path.write_text(aged(lab.receipt, 10))
        assert lab.expect("backup-none")["severity"] == "warning"
    lab.airferry("backup")
    assert "backup-ok" in lab.doctor()
    (description,) = (lab.home / "backups").glob("*/backup.json")
    with lab.kept(description):
        then = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 30 * 86400))
        description.write_text(json.dumps({**json.loads(description.read_text()), "started": then}))
        assert "30 days old" in lab.expect("backup-old")["found"]


@fault("files-unreadable", "a DAG of mode 0000, which a backup leaves out and names")
def test_backup_of_a_dag_that_cannot_be_read(lab: Lab) -> None:
    path = lab.home / "dags" / "closed.py"
    path.write_text("")
    os.chown(path, lab.host.uid, lab.host.gid)
    path.chmod(0)
    lacking = ["dags/closed.py: Permission denied"]
    try:
        assert str(path) in lab.expect("files-unreadable")["found"]
        ran = lab.host.run(lab.home / "bin" / "airferry", "backup", "--json")
        assert (ran.returncode, json.loads(ran.stdout)["result"]["left_out"]) == (89, lacking), ran.stderr
        ran = lab.host.run(lab.home / "bin" / "airferry", "backup")
        assert ran.returncode == 89, ran.stdout + ran.stderr
        assert lacking[0] in " ".join((ran.stdout + ran.stderr).split())
    finally:
        path.unlink()
    listed = lab.host.run(lab.home / "bin" / "airferry", "backups", "--json")
    assert json.loads(listed.stdout)["result"]["backups"][-1]["left_out"] == lacking
    assert "1 left out" in lab.host.run(lab.home / "bin" / "airferry", "backups").stdout
    newest = json.loads(listed.stdout)["result"]["backups"][-1]["backup"]["id"]
    asked = lab.host.run(lab.home / "bin" / "airferry", "restore", newest)
    assert "dags/closed.py" in asked.stderr, asked.stderr


# last, because all of it is stopped


@fault("components-stopped", "everything stopped")
def test_everything_stopped(lab: Lab) -> None:
    lab.airferry("stop")
    lab.expect("components-stopped")
    report = lab.host.run(lab.home / "bin" / "airferry", "doctor", "--strict")
    assert report.returncode == 4, report.stdout + report.stderr
    assert "components-stopped" in report.stdout
