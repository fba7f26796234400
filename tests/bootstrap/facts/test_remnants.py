"""Units, crontab lines and profiles that would start an old Airflow again, and the commands that end them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bootstrap.base import account as accounts
from bootstrap.facts import remnants
from bootstrap.facts.remnants import Remnant
from tests.support.accounts import can_own_etc, in_process, own_etc

HOME = Path("/home/kim/airflow")
UNIT = """[Service]
Environment="AIRFLOW_HOME=/home/kim/airflow" AIRFLOW__CORE__PARALLELISM=9
EnvironmentFile=-{folder}/airflow.env
ExecStart=/home/kim/venv/bin/airflow \\
    scheduler
"""


@pytest.fixture
def etc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(remnants, "UNITS", (f"{tmp_path}/*.service",))
    monkeypatch.setattr(remnants, "CRONTABS", (f"{tmp_path}/crontab",))
    monkeypatch.setattr(remnants, "PROFILES", (f"{tmp_path}/*.sh", "~/.profile"))
    return tmp_path


def found(person: Path) -> list[Remnant]:
    return list(remnants.collect(HOME, str(person)))


def test_nothing_is_there(etc: Path) -> None:
    assert found(etc) == []


def test_unit_that_starts_it(etc: Path) -> None:
    (etc / "scheduler.service").write_text(UNIT.format(folder=etc))
    (etc / "other.service").write_text("[Service]\nExecStart=/usr/bin/python3 -m http.server\n")
    (etc / "ours.service").write_text("[Service]\nExecStart=/opt/airflow/bin/airflow scheduler # airferry\n")
    (etc / "elsewhere.service").write_text(UNIT.format(folder=etc).replace("/home/kim/airflow", "/srv/af"))
    (item,) = found(etc)
    assert (item.kind, item.path) == ("unit", f"{etc}/scheduler.service")
    assert item.commands[0] == "systemctl disable --now scheduler.service"


def test_variables_of_a_unit_win_over_its_airflow_cfg(etc: Path) -> None:
    (etc / "scheduler.service").write_text(UNIT.format(folder=etc))
    (etc / "airflow.env").write_text("# the key\nAIRFLOW__CORE__FERNET_KEY='abc='\nOTHER=1\n")
    assert dict(remnants.variables_of(HOME, str(etc))) == {
        "AIRFLOW_HOME": "/home/kim/airflow",
        "AIRFLOW__CORE__PARALLELISM": "9",
        "AIRFLOW__CORE__FERNET_KEY": "abc=",
    }


def test_crontab_line(etc: Path) -> None:
    lines = ["# airflow scheduler", "@reboot airflow scheduler -D", "0 3 * * * /usr/bin/backup", ""]
    (etc / "crontab").write_text("\n".join(lines))
    (item,) = found(etc)
    assert (item.path, item.what) == (f"{etc}/crontab:2", "@reboot airflow scheduler -D")
    assert item.commands == (f"sed -i.bak '2d' {etc}/crontab",)


def test_profile_of_its_owner(etc: Path) -> None:
    (etc / ".profile").write_text("PATH=$PATH:~/bin\nexport AIRFLOW_HOME=/home/kim/airflow\n")
    (etc / "other.sh").write_text("export AIRFLOW_HOME=/srv/af\n")
    (item,) = found(etc)
    assert (item.kind, item.path) == ("profile", f"{etc}/.profile:2")


@pytest.mark.skipif(not can_own_etc(), reason="no mount namespaces")
def test_real_places_of_a_host(tmp_path: Path) -> None:
    """Units, crontabs and profiles where a host has them, each with the command that retires it."""
    in_process(lambda: real_places(tmp_path / "kim"), own_etc)()


def real_places(person: Path) -> None:
    home = person / "airflow"
    home.mkdir(parents=True)
    files = {
        "/etc/systemd/system/airflow-scheduler.service": (
            f"[Service]\nUser=kim\nEnvironment=AIRFLOW_HOME={home}\n"
            f"ExecStart={person}/venv/bin/airflow scheduler\nRestart=always\n"
        ),
        "/etc/systemd/system/airflow-web@.service": (
            "[Service]\nEnvironmentFile=/etc/default/airflow\n"
            "ExecStart=/usr/bin/env airflow webserver -p %i\n"
        ),
        "/etc/systemd/system/other.service": "[Service]\nExecStart=/usr/bin/airflowish scheduler\n",
        "/etc/default/airflow": f"AIRFLOW_HOME={home}\nAIRFLOW__CORE__PARALLELISM=4\n",
        "/etc/cron.d/airflow-clean": (
            f"MAILTO=root\nAIRFLOW_HOME={home}\n0 4 * * * kim {person}/venv/bin/airflow db clean -y\n"
            f"5 4 * * * kim find {home}/logs -mtime +30 -delete\n"
        ),
        "/etc/crontab": "17 * * * * root cd / && run-parts --report /etc/cron.hourly\n",
        "/etc/profile.d/airflow.sh": f"export AIRFLOW_HOME={home}\nexport AIRFLOW__CORE__DAGBAG=1\n",
        f"{person}/.bashrc": "alias ll='ls -l'\nexport AIRFLOW_HOME=~/airflow\n",
        f"{person}/.profile": f"PATH=$PATH:{person}/venv/bin\nexport AIRFLOW_HOME=$HOME/airflow\n",
        f"{person}/.config/systemd/user/airflow.service": "[Service]\nExecStart=%h/bin/airflow standalone\n",
    }
    for name, text in files.items():
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    found = {item.path: item.commands for item in remnants.collect(home, str(person))}
    named = {path.partition(":")[0] for path in found}
    assert named == set(files) - {"/etc/systemd/system/other.service", "/etc/crontab"}, found
    assert found["/etc/systemd/system/airflow-scheduler.service"] == (
        "systemctl disable --now airflow-scheduler.service",
        "rm /etc/systemd/system/airflow-scheduler.service",
        "systemctl daemon-reload",
    )
    assert found["/etc/systemd/system/airflow-web@.service"][0] == "systemctl stop 'airflow-web@*.service'"
    # each line of a file is retired by what is named for it; the others stay
    for name in (
        "/etc/cron.d/airflow-clean",
        f"{person}/.bashrc",
        f"{person}/.profile",
        "/etc/profile.d/airflow.sh",
    ):
        for place, commands in reversed(list(found.items())):
            if place.startswith(f"{name}:"):
                for command in commands:
                    subprocess.run(["sh", "-c", command], check=True)
    assert Path("/etc/cron.d/airflow-clean").read_text() == "MAILTO=root\n"
    assert (person / ".bashrc").read_text() == "alias ll='ls -l'\n"
    assert Path("/etc/profile.d/airflow.sh").read_text() == ""
    assert (person / ".profile").read_text() == f"PATH=$PATH:{person}/venv/bin\n"


def test_crontab_of_an_account_that_cannot_list_the_spool_folder(
    etc: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On Debian and Red Hat nobody but root can; crontab(1) shows an account its own."""
    program = etc / "bin" / "crontab"
    program.parent.mkdir()
    program.write_text(
        '#!/bin/sh\n[ "$*" = -l ] && printf "# mine\\n@reboot ~/venv/bin/airflow scheduler -D\\n"\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(accounts, "SYSTEM_PATH", str(program.parent))
    (item,) = found(etc)
    name = accounts.current().name
    assert (item.kind, item.path, item.what) == (
        "crontab", f"crontab of {name}:2", "@reboot ~/venv/bin/airflow scheduler -D",
    )  # fmt: skip
    assert item.commands == (f"crontab -u {name} -e",)
    program.write_text("#!/bin/sh\necho no crontab for kim >&2; exit 1\n")
    assert found(etc) == []
