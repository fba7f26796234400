"""Stopping units in their order, with a real relay below a systemctl that only notes what it is told."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from bootstrap.services import ending, relay
from bootstrap.services.ending import Ending, Patience
from bootstrap.services.launcher import Launcher
from bootstrap.services.systemd import Systemd, timespan
from bootstrap.services.units import Layout
from bootstrap.state.home import Home
from tests.support import schedulers

NAMES = ("api-server", "scheduler", "dag-processor", "triggerer")


class Control:
    """Systemctl's stand-in: notes the components that it shall stop, and stops a relay."""

    def __init__(self, home: Path, timeout: str, child: subprocess.Popen[bytes]) -> None:
        self.layout = Layout("airflow", str(home), "", NAMES, postgres=True)
        self.timeout = timeout
        self.child = child
        self.stopped: list[list[str]] = []
        self.patience: list[Patience] = []
        self.tasks_left: list[int] = []

    def stop(self, names: Sequence[str]) -> None:
        self.stopped.append(list(names))
        self.patience.append(Patience.read(Path(self.layout.home, relay.PATIENCE)))
        self.tasks_left.append(len(ending.below(self.child.pid)))
        if "scheduler" in names:
            self.child.send_signal(signal.SIGTERM)
            self.child.wait(30)

    def show(self) -> list[dict[str, str]]:
        pid = str(self.child.pid)
        return [{"Id": self.layout.unit("scheduler"), "MainPID": pid, "TimeoutStopUSec": self.timeout}]

    def installed(self) -> bool:
        return True

    def current(self) -> bool:
        return True

    def configure(self) -> None: ...

    def start(self, names: Sequence[str], wait: bool) -> None: ...

    def remove(self) -> None: ...


@contextlib.contextmanager
def running(home: Path, timeout: str) -> Iterator[tuple[Systemd, Control]]:
    """A scheduler with a task that works, below a relay."""
    (home / "run").mkdir()
    command = ("env", f"AIRFERRY_HOME={home}", sys.executable, "-I", "-S", relay.__file__, home / "log")
    child = schedulers.start(home / "note", task=": example.sleep", relay=command)
    control = Control(home, timeout, child)
    release = Home(home).release("x")
    try:
        yield Systemd(control, Launcher(Home(home), release, sys.executable, {}), {}), control
    finally:
        Ending(child.pid).kill()
        child.wait(10)


def test_order_and_the_usual_time(tmp_path: Path) -> None:
    with running(tmp_path, "18s") as (systemd, control):
        systemd.stop(["postgres", *NAMES])
    assert control.stopped == [["scheduler", "dag-processor", "triggerer"], ["api-server"], ["postgres"]]
    # the unit's own time without what a task may need to report; the relay was told, systemd waited
    assert control.patience == [Patience(3.0), Patience(), Patience()]
    assert control.tasks_left[0]
    assert "asked" in (tmp_path / "note").read_text()
    assert not (tmp_path / relay.PATIENCE).exists()


def test_longer_than_systemd_waits(tmp_path: Path) -> None:
    """The task ends by itself after a while; systemd is asked when it has."""
    with running(tmp_path, "5s") as (systemd, control):
        task = ending.workers(ending.below(control.child.pid))[2][0]
        with subprocess.Popen(["sh", "-c", f"sleep 3; kill -KILL {task.pid}"]):
            begun = time.monotonic()
            systemd.stop(["scheduler"], 600)
    assert 3 <= time.monotonic() - begun < 30
    assert control.stopped == [["scheduler"]]
    assert control.tasks_left == [0]
    assert "asked" not in (tmp_path / "note").read_text()


def test_now(tmp_path: Path) -> None:
    with running(tmp_path, "1min 15s") as (systemd, control):
        begun = time.monotonic()
        systemd.stop(["scheduler"], 0)
        assert time.monotonic() - begun < 15
    assert "asked" in (tmp_path / "note").read_text()
    assert control.patience == [Patience(0.0)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1min 15s", 75), ("60s", 60), ("1h 30min", 5400), ("500ms", 0.5), ("infinity", float("inf"))],
)
def test_times_as_systemd_shows_them(text: str, seconds: float) -> None:
    assert timespan(text) == seconds
