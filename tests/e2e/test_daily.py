"""The commands for daily use on one real installation, and what that lets others see."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.e2e.hosts import Host, wait_until
from tests.e2e.matrix import query
from tests.support import browser, exposure
from tests.support.certificates import authority, leaf, needs_openssl
from tests.support.proxies import needs_nginx, nginx

ROOT = Path(__file__).resolve().parents[2]
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1500)]

ADD_ON = "cowsay"  # small, pure Python, needed by nothing, with a program
# Where others may look: bin/airferry env and Airflow's own pages need what is in these.
PUBLIC = (
    "bin",
    "current",
    "dags",
    "doc",
    "etc",
    "plugins",
    "releases",
    "airflow.cfg",
    "receipt.json",
    "journal.jsonl",
)


# How browsers reach it, through a proxy with HTTPS in front
PORTAL = "portal.example.com:18447"


@dataclass
class Installed:
    """A home on a host."""

    host: Host
    home: Path
    bundle: Path

    def run(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return self.host.run(self.home / "bin" / "airferry", *arguments)

    def json(self, *arguments: str | Path) -> Any:
        return self.host.json(self.home / "bin" / "airferry", *arguments, "--json")

    def install(self) -> Any:
        options: list[str | Path] = ["--home", self.home, "--python", self.host.python]
        options += ["--name", "daily"]  # the usual one may be root's meanwhile
        options += ["--host", "127.0.0.1", "--url", f"https://{PORTAL}/airflow", "--json"]
        return self.host.json("sh", self.bundle, "install", *options)


@pytest.fixture(scope="module")
def installed(bundle: Path, user_host: Host) -> Iterator[Installed]:
    found = Installed(user_host, user_host.folder / "daily 일상", bundle)
    found.install()
    yield found
    user_host.run("sh", bundle, "uninstall", "--home", found.home, "--yes", "--purge")
    assert not found.home.exists()
    assert user_host.processes(found.home) == []


def test_only_the_address_that_was_asked_for_is_listened_on(installed: Installed) -> None:
    """The log servers, which Airflow binds to all interfaces, do not run."""
    seen = set()
    for table in ("tcp", "tcp6"):
        for line in installed.host.run("cat", f"/proc/net/{table}").stdout.splitlines()[1:]:
            local, state = line.split()[1], line.split()[3]
            if state == "0A":  # listening
                address, port = local.split(":")
                seen.add((address, int(port, 16)))
    receipt = json.loads((installed.home / "receipt.json").read_text())
    assert seen == {("0100007F", receipt["web_port"]), ("0100007F", receipt["database"]["port"])}


def test_password_is_changed_and_opens_the_door(installed: Installed) -> None:
    before = (installed.home / "secrets" / "admin-password").read_text()
    changed = installed.json("passwd", "--generate")
    assert changed["proved"] is True
    after = Path(changed["file"]).read_text()
    assert (after == before, Path(changed["file"]).name) == (False, "admin-password")
    unknown = installed.run("passwd", "nobody", "--generate")
    assert (unknown.returncode, "accounts: admin" in unknown.stderr) == (91, True)


def test_option_is_changed_and_read_by_the_restarted_component(installed: Installed) -> None:
    place = ("scheduler", "scheduler_heartbeat_sec")
    text = (installed.home / "airflow.cfg").read_text()
    ran = installed.run("config", "set", *place, "7", "--restart")
    assert ran.returncode == 0, ran.stderr
    asked = installed.host.run(installed.home / "bin" / "airflow", "config", "get-value", *place)
    assert asked.stdout.splitlines()[-1] == "7"
    changed = (installed.home / "airflow.cfg").read_text().splitlines()
    assert len([line for line in text.splitlines() if line not in changed]) <= 1
    refused = installed.run("config", "set", "core", "executor", "SequentialExecutor")
    assert refused.returncode == 94
    assert installed.json("config", "get", "database", "sql_alchemy_conn")["value"] == "***"
    found = installed.json("config", "diff")["differences"]
    by = {(item["section"], item["option"]): item["by"] for item in found}
    assert by[place] == "hand"
    assert by["core", "load_examples"] == "airferry"
    wait_until("the scheduler is healthy", lambda: installed.run("status").returncode == 0, 120)


def test_logs_of_every_component(installed: Installed) -> None:
    lines = installed.run("logs", "-n", "3").stdout.splitlines()
    names = {line.split()[0] for line in lines}
    assert names == {"postgres", "api-server", "scheduler", "dag-processor", "triggerer"}
    assert installed.run("logs", "scheduler", "--since", "1h").stdout
    assert "# ended with exit status 0" in installed.run("logs", "--install").stdout


def test_dags_are_added_and_checked(installed: Installed, scratch: Path) -> None:
    """By its own reading of them, Airflow's own table, and three scripts that become a DAG."""
    for name in ("one", "two", "three"):
        (scratch / f"{name}.sh").write_text(f"echo {name} $1\n")
    added = installed.json(
        "dags", "add", "--name", "in_order", *(scratch / f"{name}.sh" for name in ("one", "two", "three"))
    )
    assert (added["dags"], added["seconds"]) == (["in_order"], 30)
    broken = scratch / "broken.py"
    broken.write_text("from airflow import DAG\nimport nothere\n")
    refused = installed.run("dags", "add", broken)
    assert (refused.returncode, "broken.py:2: ModuleNotFoundError" in refused.stderr) == (97, True)
    checked = installed.json("dags", "check")
    assert {"in_order", "airferry_pipeline"} <= set(checked["dags"])
    assert checked["problems"] == []

    def known() -> bool:
        return "in_order" in [dag["dag_id"] for dag in installed.json("dags", "list")["dags"]]

    wait_until("Airflow has read the new DAG", known, 120)


def test_connections_and_variables_come_from_files_and_go_out_again(installed: Installed) -> None:
    """What Airflow itself exports is what came in; nothing but the database knows a value."""
    given = {
        "warehouse": {
            "conn_type": "postgres",
            "host": "db",
            "login": "kim",
            "password": "zebra/7 &",
            "port": 5432,
        },
        "shop": "http://kim:zebra%2F8@shop:8080/x?timeout=5",
    }
    for name, value in (("connections", given), ("variables", {"limits": {"zebra": [1, 2]}, "who": "kim"})):
        file = installed.host.folder / f"{name}.json"
        file.write_text(json.dumps(value))
        file.chmod(0o644)
        done = installed.run(name, "import", file)
        assert done.returncode == 0, done.stderr
        assert f"added: {', '.join(sorted(value))}" in done.stdout
        assert "chmod 600" in done.stderr
        again = installed.json(name, "import", file)
        assert again["kept"] == sorted(value)
        out = installed.home / "run" / "out.json"
        exported = installed.host.run(installed.home / "bin" / "airflow", name, "export", out)
        assert exported.returncode == 0, exported.stderr
        found = json.loads(out.read_text())
        out.unlink()
        if name == "variables":
            assert found == value
            continue
        assert (found["warehouse"]["password"], found["shop"]["password"]) == ("zebra/7 &", "zebra/8")
        # Airflow makes it of the URI, a number or a text by its release
        assert str(json.loads(found["shop"]["extra"])["timeout"]) == "5"
    said = [path for path in installed.home.glob("**/*.log") if "zebra" in path.read_text(errors="replace")]
    assert (said, "zebra" in (installed.home / "journal.jsonl").read_text()) == ([], False)


def test_the_manual_is_there(installed: Installed) -> None:
    assert installed.run("help", "add-dags").stdout.startswith("# Adding DAGs")
    assert "<h1>airferry</h1>" in (installed.home / "doc" / "index.html").read_text(encoding="utf-8")


def test_environment_for_a_shell(installed: Installed) -> None:
    script = (
        f'eval "$(\'{installed.home}/bin/airferry\' env)"; command -v airflow; python -c "import airflow"'
    )
    ran = installed.host.run("sh", "-ec", script)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == str(installed.home / "bin" / "airflow")


def test_packages_are_added_and_taken_out(installed: Installed, scratch: Path) -> None:
    made = subprocess.run(
        [
            sys.executable, "-m", "bundler", "bundle", "--onto", str(installed.bundle), ADD_ON,
            "--output", str(scratch), "--json",
        ],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert made.returncode == 0, made.stdout + made.stderr
    file = Path(json.loads(made.stdout)["result"]["file"])
    (added,) = installed.json("add", file)["added"]
    assert added["packages"][0].startswith(f"{ADD_ON} ")
    python = installed.home / "current" / "venv" / "bin" / "python"
    assert installed.host.run(python, "-c", f"import airflow, {ADD_ON}").returncode == 0
    assert installed.host.run(python.with_name(ADD_ON), "-t", "moo").returncode == 0
    status = installed.json("status")
    assert status["added"] == added["packages"]
    assert {item["health"] for item in status["components"]} == {"healthy"}
    whole = installed.run("add", installed.bundle)
    said = " ".join(whole.stderr.split())
    assert (whole.returncode, "a complete Airflow bundle" in said) == (96, True)
    assert installed.json("add", "--remove", file.name, "--no-restart")["added"] == []
    assert installed.host.run(python, "-c", f"import {ADD_ON}").returncode == 1


def pids(installed: Installed) -> dict[str, int]:
    """The components that run, also while some are ill."""
    components = json.loads(installed.run("status", "--json").stdout)["result"]["components"]
    notes = {item["name"]: item["note"] for item in components}
    return {name: int(note.split()[1].rstrip(",")) for name, note in notes.items() if note.startswith("pid ")}


def struck(installed: Installed) -> list[str]:
    """The components that the watchdog has ended, as history tells it."""
    entries = installed.json("history", "-n", "0")["entries"]
    return [item["details"]["component"] for item in entries if item["command"] == "watchdog"]


def test_what_hangs_is_started_again(installed: Installed) -> None:
    """All of Airflow's components at once, then PostgreSQL, each stopped as a hanging process is."""
    own = installed.home / "etc" / "local.env"
    before = own.read_text()
    own.write_text(f"{before}AIRFERRY_WATCHDOG_SECONDS=25\n")
    hook = installed.home / "etc" / "on-component-change"
    hook.write_text('#!/bin/sh\necho "$@" >> "$AIRFERRY_HOME/run/told"\n')
    hook.chmod(0o755)
    assert installed.run("restart", "watchdog").returncode == 0
    time.sleep(25)  # a few looks: it has seen everybody well
    for names in (("api-server", "scheduler", "dag-processor", "triggerer"), ("postgres",)):
        found = {name: pid for name, pid in pids(installed).items() if name in names}
        assert set(found) == set(names)
        for pid in found.values():
            assert installed.host.run("kill", "-STOP", str(pid)).returncode == 0

        def renewed(before: dict[str, int] = found) -> bool:
            now = pids(installed)
            return all(now.get(name) not in (None, pid) for name, pid in before.items())

        wait_until(f"{names} are started again", renewed, 180)
        wait_until("all is healthy", lambda: installed.run("status").returncode == 0, 180)
        assert set(names) <= set(struck(installed))
    told = installed.home / "run" / "told"
    for name in set(struck(installed)):
        wait_until(
            f"the hook is told of {name}",
            lambda line=f"{name} restarted": line in told.read_text().splitlines(),  # type: ignore[misc]
        )
    own.write_text(before)
    hook.unlink()
    assert installed.run("restart", "watchdog").returncode == 0


def test_restarted_component_answers_and_monitoring_hears_it(installed: Installed) -> None:
    assert installed.run("restart", "api-server").returncode == 0
    said = installed.run("status", "--format", "nagios")
    assert (said.returncode, said.stdout[:5]) == (0, "OK - ")
    assert "airferry_healthy 1\n" in installed.run("status", "--format", "prometheus").stdout


def test_status_is_korean_where_that_is_asked_for(installed: Installed) -> None:
    said = installed.host.run("env", "AIRFERRY_LANG=ko", installed.home / "bin/airferry", "status")
    assert (said.returncode, "구성 요소" in said.stdout, "실행 중" in said.stdout) == (0, True, True)
    said = installed.host.run("env", "AIRFERRY_LANG=ko", installed.home / "bin/airferry", "status", "--json")
    assert {item["state"] for item in json.loads(said.stdout)["result"]["components"]} == {"RUNNING"}


@pytest.fixture
def portal(installed: Installed) -> Iterator[Callable[[], None]]:
    """A real nginx where browsers look, with what airferry prints for it; called again it is told anew."""
    folder = installed.host.folder / "nginx"
    folder.mkdir()
    name = PORTAL.partition(":")[0]
    pair = leaf(folder, f"DNS:{name}", authority(folder), name="portal")
    shutil.copy(pair.certificate, folder / f"{name}.pem")
    shutil.copy(pair.key, folder / f"{name}.key")
    running: list[subprocess.Popen[str]] = []

    def stop() -> None:
        for child in running:
            child.terminate()
            child.communicate(timeout=30)
        running.clear()

    def start() -> None:
        stop()
        lines = installed.json("site", "proxy", "nginx")["lines"]
        trusted = installed.run("site", "tls", "--show-ca")
        (folder / "airflow-ca.pem").write_text(trusted.stdout)
        command = nginx(folder, "\n".join(lines))
        for path in (folder, *folder.iterdir()):
            os.chown(path, installed.host.uid, installed.host.gid)
        running.append(installed.host.command(command))
        time.sleep(1)
        assert running[0].poll() is None, (folder / "error.log").read_text()

    yield start
    stop()
    shutil.rmtree(folder)


@needs_nginx
@needs_openssl
def test_a_browser_logs_in_and_reads_a_log_below_a_path_of_a_proxy(
    installed: Installed, portal: Callable[[], None]
) -> None:
    """Then with HTTPS from the proxy to Airflow, and from its tasks: the change proves that by a run."""
    if browser.missing():
        pytest.skip(f"{browser.missing()} is not on this machine")
    portal()
    seen = browse(installed)
    base = f"https://{PORTAL}/airflow"
    assert seen["login"].startswith(f"{base}/auth/login")
    assert seen["home"].startswith(f"{base}/")
    assert seen["insecure"] == []
    assert seen["cookies"] and all(seen["cookies"].values()), seen["cookies"]
    groups = {item["name"]: item["value"] for item in installed.json("site")["groups"]}
    assert groups["url"] == base
    made = installed.json("site", "tls", "--self-signed")
    assert (made["changed"], made["proved"]) == (True, True)
    assert set(made["components"]) == {"api-server", "scheduler", "dag-processor", "triggerer"}
    assert installed.json("status")["url"].startswith("https://127.0.0.1:")
    assert installed.json("passwd", "--generate")["proved"]
    portal()
    assert browse(installed)["home"].startswith(f"{base}/")


def browse(installed: Installed) -> Any:
    """What Chromium sees as the admin, up to the log of a task of the example pipeline."""
    sql = "SELECT run_id FROM dag_run WHERE dag_id = 'airferry_pipeline' AND state = 'success' LIMIT 1"
    run = query(installed.host, installed.home, sql)[0]
    asked = {
        "url": f"https://{PORTAL}/airflow",
        "user": "admin",
        "password": (installed.home / "secrets" / "admin-password").read_text().strip(),
        "log": f"https://{PORTAL}/airflow/dags/airferry_pipeline/runs/{quote(run)}/tasks/A",
        "text": "A collects what happened on",
    }
    given = installed.host.folder / "asked.json"
    given.write_text(json.dumps(asked))
    os.chown(given, installed.host.uid, installed.host.gid)
    given.chmod(0o600)
    program = shutil.copy(browser.__file__, installed.host.folder / "browser.py")
    try:
        command = f"exec '{installed.host.python}' '{program}' < '{given}'"
        ran = installed.host.run("sh", "-c", command, timeout=400)
    finally:
        given.unlink()
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout)


def test_old_rows_and_logs_are_removed_after_a_backup(installed: Installed) -> None:
    old = installed.home / "logs" / "dag_id=old" / "attempt=1.log"
    made = installed.host.run("sh", "-c", f"mkdir -p '{old.parent}' && touch -d '100 days ago' '{old}'")
    assert made.returncode == 0
    counted = installed.json("clean", "--older-than", "90d", "--dry-run")
    assert old.exists()
    assert not counted["backup"]
    cleaned = installed.json("clean", "--older-than", "90d")
    assert counted["removed"] == cleaned["removed"]
    assert {item["what"]: item["count"] for item in cleaned["removed"]}["task logs"] == 1
    assert not old.parent.exists()
    assert cleaned["backup"] in [item["backup"]["id"] for item in installed.json("backups")["backups"]]
    # another test looks at a home without backups
    assert installed.host.run("rm", "-r", installed.home / "backups").returncode == 0


def test_history_tells_all_of_it(installed: Installed) -> None:
    entries = installed.json("history")["entries"]
    told = {(item["command"], item["outcome"]) for item in entries}
    assert told >= {
        ("install", "done"),
        ("passwd", "done"),
        ("passwd", "failed"),
        ("config", "done"),
        ("add", "done"),
    }
    assert {"home", "packages", "proof"} <= {step["name"] for step in entries[0]["steps"]}
    assert all(item["by"] and item["account"] for item in entries)


def test_no_secret_is_where_others_can_look(installed: Installed) -> None:
    assert len(exposure.secrets_of(installed.home)) >= 6
    exposure.assert_closed(installed.home)
    assert (installed.home / "postgres").is_dir()
    assert not (installed.home / "backups").exists()
    outside = {path.name for path in installed.home.iterdir() if path.stat().st_mode & 0o004}
    assert {name for name in outside if not re.fullmatch(r"airflow-.*\.pid", name)} <= set(PUBLIC)


def test_no_secret_is_in_a_command_line_or_an_environment(installed: Installed) -> None:
    exposure.assert_no_process_shows(installed.home)


def test_uninstalled_and_installed_again_the_data_is_there(installed: Installed) -> None:
    runs = "SELECT count(*) FROM dag_run WHERE state = 'success'"
    before = int(query(installed.host, installed.home, runs)[0])
    assert before >= 1
    (installed.home / "dags" / "mine.py").write_text("# mine\n")
    password = (installed.home / "secrets" / "admin-password").read_text()
    # half broken: it must not matter
    for path in installed.home.glob("current/supervisor"):
        path.rename(path.with_name("gone"))
    gone = installed.json("uninstall", "--yes")
    assert installed.host.processes(installed.home) == []
    left = {Path(item["what"]).name for item in gone["left"]}
    assert {"postgres", "dags", "logs", "secrets", "airflow.cfg", "journal.jsonl"} <= left
    assert not {"bin", "releases", "current", "run"} & left
    result = installed.install()
    assert {step["name"]: step["state"] for step in result["steps"]}["cluster"] == "already"
    assert int(query(installed.host, installed.home, runs)[0]) > before
    assert (installed.home / "dags" / "mine.py").read_text() == "# mine\n"
    assert (installed.home / "secrets" / "admin-password").read_text() == password
    assert installed.json("config", "get", "scheduler", "scheduler_heartbeat_sec")["value"] == "7"
    assert installed.run("status").returncode == 0
    told = [(item["command"], item["outcome"]) for item in installed.json("history")["entries"]]
    assert told[-2:] == [("uninstall", "done"), ("install", "done")]
