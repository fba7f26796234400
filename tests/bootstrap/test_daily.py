"""The commands for daily use, as far as they need no running Airflow."""

from __future__ import annotations

import json
import os
import pty
import shlex
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from bootstrap import daily
from bootstrap.base.account import current
from bootstrap.installed.installation import Installation
from bootstrap.services.manager import State
from bootstrap.state import cluster as clusters
from bootstrap.state import receipt as receipts
from bootstrap.state.home import Home
from tests.support.accounts import NOBODY
from tests.support.commands import CODE, ROOT, run
from tests.support.receipts import sample


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A receipt, in a folder that shells find difficult."""
    home = Home(tmp_path / "it's $HOME 한글")
    home.path.mkdir()
    home.secrets.mkdir(mode=0o700)
    receipts.save(
        home.receipt, replace(sample(home.path), account=current().name, library_path="", web_port=9)
    )
    return home


def test_env_is_for_any_shell_and_clears_what_would_win_over_the_file(home: Home) -> None:
    theirs = {
        "AIRFLOW__CORE__EXECUTOR": "X",
        "PYTHONPATH": "",
        "PATH": "/usr/bin:/bin",
        "NO_PROXY": "x.example",
    }
    said = run(home, "env", env={**os.environ, **theirs}).stdout
    script = (
        f'{said}\nprintf \'%s\\n\' "$AIRFLOW_HOME" "$PATH" "$NO_PROXY" "${{AIRFLOW__CORE__EXECUTOR-none}}"'
    )
    shell = subprocess.run(["sh", "-ec", script], env=theirs, capture_output=True, text=True, check=True)
    place, path, no_proxy, executor = shell.stdout.splitlines()
    assert place == str(home.path)
    assert path == f"{home.bin}:{home.current_link}/venv/bin:/usr/bin:/bin"
    assert no_proxy.startswith("x.example,127.0.0.1,localhost,")
    assert executor == "none"
    again = run(home, "env", env={**os.environ, **theirs, "PATH": path}).stdout
    assert f"export PATH={shlex.quote(path)}" in again.splitlines()


def test_env_for_cron_and_as_json_holds_the_same_and_no_secret(home: Home) -> None:
    said = json.loads(run(home, "env", "--json").stdout)
    assert (said["schema"], said["ok"], said["command"]) == (1, True, "env")
    found = said["result"]
    assert {"AIRFLOW_HOME", "PATH", "NO_PROXY"} <= set(found["variables"])
    lines = dict(line.split("=", 1) for line in run(home, "env", "--cron").stdout.splitlines())
    assert set(lines) == set(found["variables"])
    assert lines["PATH"].startswith(f"{home.bin}:")
    assert "$" not in lines["PATH"].replace(str(home.path), "")
    assert not [name for name in lines if "CONN" in name or "PASS" in name]


def test_passwd_without_a_terminal_says_what_to_do(home: Home) -> None:
    ran = run(home, "passwd")
    assert ran.returncode == 93
    assert "There is no terminal to ask on; nothing was changed. [confirmation-missing]" in ran.stderr
    assert "--password-file FILE, or --generate" in ran.stderr
    both = run(home, "passwd", "--generate", "--password-file", str(home.receipt))
    assert (both.returncode, "cannot be combined" in both.stderr) == (2, True)


def test_a_component_that_is_none(home: Home) -> None:
    """Told before anything starts or stops, and no event of the history."""
    for verb in ("stop", "logs"):
        ran = run(home, verb, "schedulr")
        assert (ran.returncode, "Did you mean scheduler?" in ran.stderr) == (2, True), ran.stderr
    assert not home.journal.exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become another account")
def test_another_account_is_told_whose_it_is(tmp_path: Path) -> None:
    """Not ninety lines of a traceback, and no advice about the disk."""
    place = Home(Path(tempfile.mkdtemp(dir="/var/tmp")))
    try:
        place.path.chmod(0o755)
        receipts.save(place.receipt, replace(sample(place.path), account=current().name))
        text, mode = Installation(receipts.load(place.receipt)).scripts()["bin/airflow"]
        place.bin.mkdir()
        (place.bin / "airflow").write_text(text)
        (place.bin / "airflow").chmod(mode)
        (place.path / "airflow.cfg").touch(mode=0o600)
        ran = subprocess.run(
            ["sh", place.bin / "airflow", "dags", "list"], check=False, cwd="/", user=NOBODY, extra_groups=[],
            capture_output=True, text=True,
        )  # fmt: skip
        assert (ran.returncode, ran.stderr.count("\n")) == (36, 2), ran.stderr
        assert "airferry: this Airflow belongs to" in ran.stderr
    finally:
        shutil.rmtree(place.path)


@pytest.mark.parametrize(("typed", "said"), [("one\ntwo\n", "do not match"), ("\n", "No password was typed")])
def test_passwd_asks_twice_and_shows_nothing(home: Home, typed: str, said: str) -> None:
    outer, inner = pty.openpty()
    command = [sys.executable, "-c", CODE, "passwd", "--home", str(home.path)]
    # the terminal becomes the controlling one, which getpass opens by its name
    setup = (
        "import os, sys; os.setsid(); os.close(os.open(os.ttyname(0), os.O_RDWR));"
        f"os.execv(sys.executable, {command})"
    )
    with subprocess.Popen(
        [sys.executable, "-c", setup], cwd=ROOT, stdin=inner, stdout=inner, stderr=subprocess.PIPE, text=True
    ) as child:
        os.close(inner)
        seen = b""
        for line in typed.splitlines(keepends=True):
            prompt = b""
            while not prompt.rstrip().endswith(b":"):
                prompt += os.read(outer, 1000)
            seen += prompt
            os.write(outer, line.encode())
        assert child.stderr
        errors = child.stderr.read()
    os.close(outer)
    assert (child.returncode, said in errors) == (92, True), errors
    assert b"one" not in seen
    assert not list(home.secrets.iterdir())


def test_simple_accounts_are_those_of_airflow_cfg(home: Home) -> None:
    receipts.save(home.receipt, replace(receipts.load(home.receipt), auth="simple"))
    home.airflow_cfg.write_text("[core]\nsimple_auth_manager_users = admin:admin, kim:viewer\n")
    ran = run(home, "passwd", "lee", "--generate")
    assert (ran.returncode, "accounts: admin, kim" in ran.stderr) == (91, True)
    for name, user in (("password-of-kim", ["kim"]), ("admin-password", [])):
        ran = run(home, "passwd", *user, "--generate", "--json")
        assert ran.returncode == 0, ran.stderr
        file = home.secrets / name
        answer = json.loads(ran.stdout)["result"]
        assert (answer["file"], answer["proved"]) == (str(file), False)
        assert file.stat().st_mode & 0o777 == 0o600
        kept = json.loads((home.secrets / "simple-auth-passwords.json").read_text())
        assert kept[user[0] if user else "admin"] == file.read_text().strip()
        assert file.read_text().strip() not in home.journal.read_text()


@pytest.mark.parametrize("enabled", [True, False], ids=["head", "no workers"])
def test_a_stop_waits_for_no_task_of_another_host(home: Home, *, enabled: bool) -> None:
    with sqlite3.connect(":memory:") as database:
        database.create_function("to_regclass", 1, lambda name: name)
        for table, rows in (
            ("task_instance", ["d t r -1", "d u r -1", "d m r 0", "d m r 1"]),
            ("edge_job", ["d u r -1", "d m r 1", "d old r -1"]),
        ):
            database.execute(
                f"CREATE TABLE {table} (dag_id, task_id, run_id, map_index, state, start_date, queued_dttm)"
            )
            for row in rows:
                database.execute(
                    f"INSERT INTO {table} VALUES (?, ?, ?, ?, 'running', 1, 1)",
                    row.split(),
                )

        def query(sql: str) -> str:
            return "".join("\t".join(map(str, row)) + "\n" for row in database.execute(sql))

        stopped = SimpleNamespace(
            is_worker=False,
            executor=SimpleNamespace(task_component="scheduler"),
            services=SimpleNamespace(states=lambda: {"scheduler": State("scheduler", "RUNNING", 1, "")}),
            database=SimpleNamespace(query=query),
            home=home,
        )
        if enabled:
            clusters.save(home, clusters.HeadRecord(1, "c", "edge", "head.example", 8080))
        found = daily.waited_for(cast("Installation", stopped))
    database.close()
    everything = ["d.t (r)", "d.u (r)", "d.m (r)", "d.m (r)"]
    assert sorted(found) == sorted(["d.t (r)", "d.m (r)"] if enabled else everything)
