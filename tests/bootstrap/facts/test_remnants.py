"""Units, crontab lines and profiles that would start an old Airflow again, and the commands that end them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.facts import remnants
from bootstrap.facts.remnants import Remnant

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
