"""The text of the units: checked by systemd itself, and read back for what they must and must not hold."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.services import launcher, units
from bootstrap.services.launcher import Launcher
from bootstrap.services.manager import POSTGRES, Program
from bootstrap.services.units import KNOWN, Layout
from bootstrap.state.home import Home

LAYOUT = Layout("airflow", "/opt/airflow", "airflow", ("api-server", "scheduler", "triggerer"), True)
ODD = "/srv/두 낱말 100% $HOME ;a #b"


def of(layout: Layout, component: str) -> dict[str, list[str]]:
    """A unit's settings, sections left out."""
    found: dict[str, list[str]] = {}
    for line in units.render(layout)[layout.unit(component)].splitlines():
        if "=" in line and not line.startswith("#"):
            name, _, value = line.partition("=")
            found.setdefault(name, []).append(value)
    return found


def test_one_unit_a_component_and_a_target() -> None:
    assert set(units.render(LAYOUT)) == {
        "airferry-airflow.target", "airferry-airflow-postgres.service", "airferry-airflow-api-server.service",
        "airferry-airflow-scheduler.service", "airferry-airflow-triggerer.service",
    }  # fmt: skip
    assert not [name for name in units.render(replace(LAYOUT, postgres=False)) if POSTGRES in name]
    for name in LAYOUT.names:
        assert of(LAYOUT, name)["PartOf"] == of(LAYOUT, name)["WantedBy"] == ["airferry-airflow.target"]


def test_order() -> None:
    server, web = LAYOUT.unit(POSTGRES), LAYOUT.unit("api-server")
    for name in LAYOUT.components:
        assert of(LAYOUT, name)["Wants"] == [server]
        # a task that ends while all are stopped can still report: what it reports to is stopped later
        before = [] if name == "api-server" else [web]
        assert of(LAYOUT, name)["After"] == [LAYOUT.target, *before, server]
    # ready, not only begun
    assert of(LAYOUT, POSTGRES)["ExecStartPost"][0].endswith('service.sh" postgres-ready')
    external = replace(LAYOUT, postgres=False)
    assert of(external, "scheduler")["After"] == [LAYOUT.target, web, "network-online.target"]
    assert of(replace(external, account=""), "scheduler")["After"] == [LAYOUT.target, web]


@pytest.mark.parametrize("name", LAYOUT.names)
def test_every_unit_is_guarded(name: str) -> None:
    unit = of(LAYOUT, name)
    assert unit["User"] == ["airflow"]
    assert (unit["Restart"], unit["KillMode"], unit["NoNewPrivileges"]) == (
        ["on-failure"],
        ["mixed"],
        ["yes"],
    )
    assert (unit["ProtectSystem"], unit["UMask"], unit["LimitNOFILE"]) == (["full"], ["0027"], ["65536"])
    assert ("PrivateTmp" in unit) == ("ProtectHome" in unit) == (name != "scheduler")
    assert "ProtectHome" not in of(replace(LAYOUT, home="/home/kim/airflow"), name)
    assert "EnvironmentFile" not in unit


def test_units_of_an_account_need_no_namespace() -> None:
    unit = of(replace(LAYOUT, account=""), "scheduler")
    assert not {"User", "ProtectSystem", "PrivateTmp", "ProtectHome", "ReadWritePaths"} & set(unit)
    assert "WantedBy=default.target" in units.render(replace(LAYOUT, account=""))[LAYOUT.target]


@pytest.mark.parametrize("account", ["root", ""], ids=["system", "user"])
@pytest.mark.parametrize("home", ["/opt/airflow", ODD], ids=["plain", "odd"])
@pytest.mark.parametrize("postgres", [True, False], ids=["own server", "external"])
def test_systemd_finds_nothing(tmp_path: Path, home: str, account: str, postgres: bool) -> None:
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    layout = Layout("blue", home, account, KNOWN[1:], postgres)
    assert units.problem(layout) == ""
    for name, text in units.render(layout).items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    manager = ["--user"] if not account else []
    done = subprocess.run(
        ["systemd-analyze", *manager, "--man=no", "verify", *sorted(tmp_path.glob("*"))],
        check=False, capture_output=True, text=True, env={**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_systemd_would_take_for_something_else_is_refused() -> None:
    for home in ("relative", "/a\nUser=root", "/a*", "/a[b]", "/a{b,c}", '/a"b', "/a\\b", "/a ", "/a\x7f"):
        assert units.problem(replace(LAYOUT, home=home)), home
    for name in ("", "A", "a b", "../x", "a.b", "-a", "a" * 33):
        assert units.problem(replace(LAYOUT, name=name)), name
    for account in ("a b", "a\nb", "%u", "-a"):
        assert units.problem(replace(LAYOUT, account=account)), account
    assert units.problem(replace(LAYOUT, components=("celery",)))


def test_environment_reads_the_same_in_sh_and_systemd(tmp_path: Path) -> None:
    """In sh; the same value under a real systemd is looked at in tests/e2e/test_systemd.py."""
    variables = {"A": "two  words", "B": 'q"uo`te\\ $HOME', "C": "100% ;# 한글", "D": "'"}
    file = tmp_path / "env"
    file.write_text(launcher.environment(variables), encoding="utf-8")
    done = subprocess.run(
        ["sh", "-c", 'set -a; . "$1"; env -0', "sh", file],
        check=True,
        capture_output=True,
        env={"PATH": "/bin:/usr/bin"},
    )
    found = dict(item.split("=", 1) for item in done.stdout.decode().split("\0") if item)
    assert {name: found[name] for name in variables} == variables


def test_script_runs_one_component_through_the_relay(tmp_path: Path) -> None:
    """A stand-in for the interpreter shows what it was asked to run."""
    home = tmp_path / "a home's 100% $HOME"
    (home / "etc").mkdir(parents=True)
    python = tmp_path / "py thon"
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    program = Program("scheduler", (f"{home}/bin/airflow", "scheduler"), home / "scheduler.log")
    release = Home(home).release("3.3.2-x")
    server = Program(
        "postgres", (f"{release.path}/postgres/bin/postgres",), home / "postgres.log", "INT",
        ("test", "-e", f"{home}/ready"),
    )  # fmt: skip
    made = Launcher(Home(home), release, str(python), {"PATH": f"{release.venv}/bin:/bin"})
    assert not made.current([server, program])
    made.write([server, program])
    assert made.current([server, program])
    script = home / "etc" / "service.sh"
    assert "3.3.2-x" not in script.read_text() + (home / "etc" / "services.env").read_text()
    for name in ("services.env", "local.env"):
        assert (home / "etc" / name).stat().st_mode & 0o777 == 0o600
    relay = f"{home}/current/runtime/bootstrap/services/relay.py"
    (home / "current").symlink_to("releases/3.3.2-x")
    done = subprocess.run(["sh", script, "scheduler"], check=True, capture_output=True, text=True)
    # where an install has compiled it
    command = [f"{release.venv}/bin/python", "-m", "airflow", "scheduler"]
    assert done.stdout.splitlines() == ["-I", "-S", relay, str(program.log), *command]
    done = subprocess.run(["sh", script, "postgres"], check=True, capture_output=True, text=True)
    assert done.stdout.splitlines()[3:] == [str(server.log), f"{release.path}/postgres/bin/postgres"]
    waiting = subprocess.Popen(["sh", script, "postgres-ready"])
    with pytest.raises(subprocess.TimeoutExpired):
        waiting.wait(0.5)
    (home / "ready").touch()
    assert waiting.wait(10) == 0
    (home / "ready").unlink()
    # systemd says which process the server is
    with subprocess.Popen(["sleep", "60"]) as begun:
        env = {"PATH": os.environ["PATH"], "MAINPID": str(begun.pid)}
        waiting = subprocess.Popen(["sh", script, "postgres-ready"], env=env, stderr=subprocess.DEVNULL)
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(0.5)
        begun.kill()
    assert waiting.wait(10) == 1
    assert subprocess.run(["sh", script, "other"], check=False, capture_output=True).returncode == 2
