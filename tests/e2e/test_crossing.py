"""One real bundle, installed for real without a network, by an ordinary account and by root."""

from __future__ import annotations

import configparser
import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bootstrap.state import registry
from tests.e2e.hosts import Host, hostile, wait_until
from tests.support import exchanging, exposure, old_airflow
from tests.support.certificates import authority, leaf
from tests.support.postgres import programs

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

# The proof of a living Airflow is in every install: it ends with a run of the example pipeline.


# root's own; a test's own process sees another place
RECORDS = registry.SYSTEM
# where the web server and PostgreSQL usually listen
USUAL_PORTS = (8080, 25432)


@contextlib.contextmanager
def occupied(host: Host, *ports: int) -> Iterator[None]:
    """Some other program listens on these ports."""
    code = """import socket, sys, time
held = [socket.create_server(("", int(port))) for port in sys.argv[1:]]
print("up", flush=True)
time.sleep(600)"""
    other = host.command([host.python, "-c", code, *map(str, ports)])
    try:
        assert other.stdout
        assert other.stdout.readline() == "up\n"
        yield
    finally:
        os.killpg(other.pid, signal.SIGKILL)
        other.communicate()


@pytest.fixture(scope="module")
def crossing(bundle: Path, user_host: Host) -> Iterator[tuple[Host, Path, dict[str, Any]]]:
    """An install by an ordinary account on a host that does all it can to get in the way.

    Other programs hold the usual ports, and the installer is killed three times on its way.
    """
    # what other tests have installed there keeps its ports, also while it is stopped
    shutil.rmtree(user_host.folder / ".local" / "state", ignore_errors=True)
    home = user_host.folder / "Air flow 한글"
    host = Host(
        user_host.folder,
        user_host.python,
        user_host.uid,
        user_host.gid,
        user_host.namespace,
        dict(hostile()),
        umask=0o077,
    )
    home.mkdir()
    # another Airflow was here: their settings stay, their file is kept
    (home / "airflow.cfg").write_text("# ours\n[core]\nmax_active_tasks_per_dag = 7\nexecutor = X\n")
    if os.geteuid() == 0:
        for path in (home, home / "airflow.cfg"):
            os.chown(path, host.uid, host.gid)
    install = ["sh", str(bundle), "install", "--home", str(home), "--python", host.python, "--json"]
    with occupied(host, *USUAL_PORTS):
        for seconds in (1.5, 5.0, 12.0):
            child = host.command(install)
            time.sleep(seconds)
            os.killpg(child.pid, signal.SIGKILL)
            child.communicate()
        result = host.json(*install)
    yield host, home, result
    host.run(home / "bin" / "airferry", "stop")
    assert host.processes(home) == []


def test_install_runs_and_is_healthy(crossing: tuple[Host, Path, dict[str, Any]]) -> None:
    host, home, result = crossing
    assert [step["state"] for step in result["steps"]][-1] == "done"
    assert result["receipt"]["completed"]
    status = host.json(home / "bin" / "airferry", "status", "--json")
    assert {item["name"]: item["state"] for item in status["components"]}["scheduler"] == "RUNNING"
    assert {item["health"] for item in status["components"]} == {"healthy"}


def test_occupied_ports_are_passed_over(crossing: tuple[Host, Path, dict[str, Any]]) -> None:
    receipt = crossing[2]["receipt"]
    assert (receipt["web_port"], receipt["database"]["port"]) == tuple(port + 1 for port in USUAL_PORTS)


def test_configuration_is_ours_and_keeps_theirs(crossing: tuple[Host, Path, dict[str, Any]]) -> None:
    host, home, _ = crossing
    text = (home / "airflow.cfg").read_text(encoding="utf-8")
    parser = configparser.ConfigParser()
    parser.read_string(text)
    assert text.startswith("# ours\n")
    assert parser["core"]["max_active_tasks_per_dag"] == "7"
    assert parser["core"]["executor"] == "LocalExecutor"
    assert parser["core"]["load_examples"] == "False"
    assert parser["database"]["sql_alchemy_conn"].startswith("postgresql+psycopg2://airflow:")
    assert next(home.glob("airflow.cfg.*.bak")).read_text().endswith("executor = X\n")
    # what the host's environment says does not reach the installation
    asked = host.run(home / "bin" / "airflow", "config", "get-value", "core", "executor")
    assert asked.stdout.splitlines()[-1] == "LocalExecutor"


def test_nothing_is_open_to_others(crossing: tuple[Host, Path, dict[str, Any]]) -> None:
    _, home, _ = crossing
    assert exposure.assert_closed(home) == {"airflow.cfg"}
    exposure.assert_no_process_shows(home)


def test_running_again_finds_nothing_to_do(crossing: tuple[Host, Path, dict[str, Any]], bundle: Path) -> None:
    host, home, _ = crossing
    again = host.json("sh", bundle, "install", "--home", home, "--python", host.python, "--json")
    assert {step["state"] for step in again["steps"]} == {"already"}


def test_killed_component_comes_back(crossing: tuple[Host, Path, dict[str, Any]]) -> None:
    host, home, _ = crossing

    def pid() -> int:
        states = host.json(home / "bin" / "airferry", "status", "--json", status=0)["components"]
        note = next(item["note"] for item in states if item["name"] == "triggerer")
        return int(note.split()[1].rstrip(","))

    before = pid()
    os.kill(before, signal.SIGKILL)

    def back() -> bool:
        found = host.run(home / "bin" / "airferry", "status", "--json")
        return found.returncode == 0 and pid() != before

    wait_until("the triggerer is back", back, 90)


def test_stop_leaves_no_process_and_start_brings_all_back(
    crossing: tuple[Host, Path, dict[str, Any]],
) -> None:
    host, home, _ = crossing
    stopped = host.json(home / "bin" / "airferry", "stop", "--json")
    assert {item["state"] for item in stopped["components"]} == {"STOPPED"}
    assert host.processes(home) == []
    down = host.run(home / "bin" / "airferry", "status")
    assert down.returncode == 33
    assert "scheduler" in down.stdout
    started = host.json(home / "bin" / "airferry", "start", "--json")
    assert {item["state"] for item in started["components"]} == {"RUNNING"}
    assert host.run(home / "bin" / "airferry", "status").returncode == 0


def test_named_port_in_use_blocks_before_anything_is_written(
    crossing: tuple[Host, Path, dict[str, Any]], bundle: Path, user_host: Host
) -> None:
    """Another installation's port, and one that some other program listens on."""
    port = str(crossing[2]["receipt"]["web_port"])
    home = user_host.folder / "blocked"
    install: list[str | Path] = [
        "sh",
        bundle,
        "install",
        "--home",
        home,
        "--python",
        user_host.python,
        "--port",
    ]
    ran = user_host.run(*install, port)
    assert ran.returncode == 72, ran.stderr
    assert "neighbour-conflict" in ran.stderr
    with occupied(user_host, 18080):
        ran = user_host.run(*install, "18080")
    assert ran.returncode == 3, ran.stderr
    assert "port-in-use" in ran.stdout + ran.stderr
    assert not home.exists()


def test_dry_run_changes_nothing(bundle: Path, user_host: Host) -> None:
    home = user_host.folder / "dry"
    ran = user_host.run("sh", bundle, "install", "--dry-run", "--home", home, "--python", user_host.python)
    assert ran.returncode == 0, ran.stderr
    assert "Nothing was changed" in ran.stdout
    assert not home.exists()


def test_interrupt_says_that_nothing_is_lost(bundle: Path, user_host: Host) -> None:
    home = user_host.folder / "interrupted"
    child = user_host.command(
        ["sh", str(bundle), "install", "--home", str(home), "--python", user_host.python]
    )
    wait_until("the packages are being installed", (home / "releases").exists, 30)
    time.sleep(0.3)
    os.killpg(child.pid, signal.SIGINT)
    _, err = child.communicate(timeout=60)
    assert child.returncode == 130, err
    assert "same command again" in err
    assert user_host.processes(home) == []
    shutil.rmtree(home)


def test_damaged_file_writes_nothing(bundle: Path, user_host: Host) -> None:
    home = user_host.folder / "damaged"
    copy = user_host.folder / "damaged.run"
    shutil.copy(bundle, copy)
    with copy.open("r+b") as stream:
        stream.seek(copy.stat().st_size // 2)
        byte = stream.read(1)[0]
        stream.seek(-1, os.SEEK_CUR)
        stream.write(bytes([byte ^ 1]))
    ran = user_host.run("sh", copy, "install", "--home", home, "--python", user_host.python)
    copy.unlink()
    assert ran.returncode == 10, ran.stderr
    assert "bundle-damaged" in ran.stderr
    assert not home.exists()


def https(private: Path) -> list[str | Path]:
    """A certificate of a company's authority, whose files only root can read; the tasks speak HTTPS, too."""
    if not shutil.which("openssl"):
        return []
    root = authority(private)
    issuing = authority(private, "Example Issuing", root)
    pair = leaf(private, "DNS:airflow.example.com,IP:127.0.0.1", issuing)
    pair.certificate.write_text(pair.text + issuing.text)
    return [
        "--url", "https://airflow.example.com:18449", "--tls-cert", pair.certificate, "--tls-key", pair.key,
        "--tls-ca", root.certificate,
    ]  # fmt: skip


def test_root_installs_for_an_account_of_its_own(bundle: Path, root_host: Host, scratch: Path) -> None:
    """The bundle and the password lie where only root can look; everything runs as the account.

    The server is the distribution's, and an old Airflow on SQLite, of another account, is taken over.
    """
    if programs() is None:
        pytest.skip("the distribution's PostgreSQL server is not installed")
    private = root_host.folder / "private"
    private.mkdir(mode=0o700)
    carried = private / bundle.name
    shutil.copy(bundle, carried)
    carried.chmod(0o600)
    (private / "password").write_text("Four-Words-Are-Better-8\n")
    (private / "password").chmod(0o600)
    home = scratch / "opt-airflow"
    nobody = pwd.getpwnam("nobody")
    old = old_airflow.make("2.10.5", scratch / "old" / "airflow")
    old_airflow.own(old, nobody.pw_uid, nobody.pw_gid)
    before = old_airflow.contents(old)
    known = {entry.pw_name for entry in pwd.getpwall()}
    try:
        result = root_host.json(
            "sh", carried, "install", "--home", home, "--json", "--python", root_host.python,
            "--admin-user", "lee", "--admin-password-file", private / "password", "--postgres", "host",
            "--take-over", old, *https(private),
        )  # fmt: skip
        old_airflow.taken(root_host, home, result, runs=200)
        assert old_airflow.contents(old) == before
        assert result["receipt"]["database"]["programs"] == str(programs())
        assert result["receipt"]["account"] == "airflow"
        account = pwd.getpwnam("airflow")
        assert exchanging.not_roots(home) == []
        data = [path for top in home.iterdir() if top.name not in exchanging.CODE for path in tree(top)]
        assert {path.lstat().st_uid for path in data} == {account.pw_uid}
        # who writes a DAG, and who is in the account's group, can exchange none of it
        assert exchanging.exchanged(home, account.pw_uid, account.pw_gid) == []
        assert exchanging.exchanged(home, nobody.pw_uid, nobody.pw_gid, [account.pw_gid]) == []
        assert not (home / ".handoff").exists()
        # the components read the bytecode that was written beside the steps, and write none of it anew
        assert list((home / "run" / "bytecode").glob("**/airflow/__init__.*.pyc"))
        assert not Path(f"{home}/run/bytecode{home}/current").exists()
        assert (home / "secrets" / "admin-password").read_text() == "Four-Words-Are-Better-8\n"
        status = root_host.json(home / "bin" / "airferry", "status", "--json")
        assert all(item["health"] == "healthy" for item in status["components"])
        owners = subprocess.run(
            ["ps", "-eo", "user:32,args"], capture_output=True, text=True, check=True
        ).stdout
        running = [line.split()[0] for line in owners.splitlines() if str(home) in line]
        assert set(running) == {"airflow"}
        said = root_host.run(home / "bin" / "airflow", "dags", "list")
        assert "airferry_pipeline" in said.stdout, said.stderr
    finally:
        # with its record in /etc, and the account if the install made it
        ended = root_host.run("sh", carried, "uninstall", "--home", home, "--yes", "--purge")
        assert ended.returncode == 0, f"{ended.stdout}{ended.stderr}"
        assert root_host.processes(home) == []
        if "airflow" not in known:
            subprocess.run(["userdel", "airflow"], check=False, capture_output=True)
    assert not home.exists()
    assert [path for path in RECORDS.glob("*.json") if str(home) in path.read_text()] == []


def tree(top: Path) -> list[Path]:
    return [top, *([] if top.is_symlink() else top.rglob("*"))]


def test_the_namespace_has_no_way_out(user_host: Host) -> None:
    """The control of all tests here: from such a host nothing but loopback can be reached."""
    code = "import socket; socket.create_connection(('192.0.2.1', 80), 3)"
    ran = user_host.run(user_host.python, "-c", code)
    assert ran.returncode == 1
    assert "unreachable" in ran.stderr
