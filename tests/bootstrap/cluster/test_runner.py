"""The process that runs a worker, with a program in the place of Airflow's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bootstrap.cluster import runner
from bootstrap.services.ending import Patience
from bootstrap.state import cluster
from bootstrap.state.home import Home
from tests.support.clusters import join

# Airflow's worker: a task as a child process; after SIGINT it ends when that has, and says how.
STAND_IN = """\
import os, signal, subprocess, sys, time
from pathlib import Path
told = []
signal.signal(signal.SIGINT, lambda *_: told.append("int"))
task = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(float(%r))"])
Path("up").write_text(" ".join(sys.argv[1:]))
while not (told and task.poll() is not None):
    time.sleep(0.02)
Path("ended").write_text(f"{told[0]} {task.returncode}")
"""


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path)
    for folder in (found.secrets, found.run):
        folder.mkdir()
    cluster.keep_join(found, join())
    return found


def begin(home: Home, seconds: str) -> subprocess.Popen[bytes]:
    """Start the runner on a stand-in whose task lasts that long."""
    package = home.path / "airflow"
    package.mkdir()
    (package / "__main__.py").write_text(STAND_IN % seconds)
    script = Path(runner.__file__)
    environment = {**os.environ, "PYTHONPATH": str(home.path)}
    child = subprocess.Popen(
        [sys.executable, str(script), str(home.path), sys.executable, "4"], cwd=home.path, env=environment
    )
    deadline = time.monotonic() + 30
    while not (home.path / "up").exists():
        assert time.monotonic() < deadline
        assert child.poll() is None
        time.sleep(0.02)
    return child


def test_a_running_task_is_waited_for(home: Home) -> None:
    child = begin(home, "1.5")
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 0
    assert (home.path / "ended").read_text() == "int 0"
    assert (home.path / "up").read_text() == "edge worker -H w1 -q w1,default -c 4"


def test_a_task_whose_time_is_up_is_asked_to_end(home: Home) -> None:
    Patience(0.5).write(home.run / "patience")
    child = begin(home, "60")
    child.send_signal(signal.SIGTERM)
    assert child.wait(30) == 0
    assert (home.path / "ended").read_text() == f"int {-signal.SIGTERM}"


def test_the_admins_own_variables_reach_the_worker(home: Home) -> None:
    home.etc.mkdir()
    (home.etc / "environment.sh").write_text("export OWN='two\nlines' NO_PROXY=localhost\n")
    found = runner.of_installation(home)
    assert found["OWN"] == "two\nlines"
    assert runner.environment(join(), found, home)["NO_PROXY"] == "localhost,head"


def test_the_head_is_exempt_from_a_proxy(home: Home) -> None:
    found = runner.environment(join(base="http://192.0.2.11:8080"), {"NO_PROXY": "localhost"}, home)
    assert found["NO_PROXY"] == "localhost,head,192.0.2.11"
    assert found["no_proxy"] == "head,192.0.2.11"


def test_the_heads_certificate_is_trusted_beside_others(home: Home) -> None:
    own = home.path / "own.pem"
    own.write_text("OWN")
    found = runner.environment(join(authorities="HEAD"), {"SSL_CERT_FILE": str(own)}, home)
    text = Path(found["SSL_CERT_FILE"]).read_text()
    assert "OWN" in text
    assert "HEAD" in text
    assert found["AIRFLOW__API__SSL_CERT"] == found["SSL_CERT_FILE"]
