"""A component that has read older settings than there are now is started anew by the next install."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from bootstrap.installed import outdated
from bootstrap.installed.installation import Installation
from bootstrap.services.manager import State
from bootstrap.state.home import Home
from bootstrap.steps import airflow
from bootstrap.steps.airflow import StartStep
from tests.support.receipts import sample


@pytest.fixture
def running() -> Iterator[int]:
    child = subprocess.Popen(["sleep", "60"])
    yield child.pid
    child.kill()
    child.wait()


@pytest.mark.parametrize("name", ["airflow.cfg", "etc/local.env", "config/airflow_local_settings.py"])
def test_start_is_not_done_while_a_component_has_old_settings(
    tmp_path: Path, running: int, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    home = Home(tmp_path)
    file = home.path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text("")
    stopped: list[str] = []
    states = {"scheduler": State("scheduler", "RUNNING", running, "")}
    services = SimpleNamespace(states=lambda: states, stop=stopped.extend)
    monkeypatch.setattr(Installation, "services_of", lambda self, kind: services)
    monkeypatch.setattr(airflow, "start", lambda installation: None)
    installation = Installation(replace(sample(home.path), services="supervisor"))

    def changed(seconds: float) -> list[str]:
        os.utime(file, (time.time() + seconds,) * 2)
        return outdated.components(installation)

    assert changed(-100) == []
    assert changed(3600) == []  # the clock was wrong when that was written
    time.sleep(2.5)
    assert changed(0) == ["scheduler"]
    step = StartStep(installation)
    assert not step.done()
    step.apply()
    assert stopped == ["scheduler"]
