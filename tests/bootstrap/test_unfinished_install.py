"""An install that was broken off: what it has left running is told, with the command that stops it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap import install
from bootstrap.base import lock
from bootstrap.installed import status
from bootstrap.installed.installation import Installation
from bootstrap.services.manager import State
from bootstrap.state import receipt
from bootstrap.state.home import Home
from tests.support import receipts
from tests.support.plans import Watcher
from wheelhouse.errors import AirferryError


class Manager:
    """A service manager that knows these processes."""

    def __init__(self, **pids: int) -> None:
        self.pids = pids

    def states(self) -> dict[str, State]:
        if "broken" in self.pids:
            raise AirferryError("no supervisor there")
        return {
            name.replace("_", "-"): State(name, "RUNNING" if pid else "STOPPED", pid, "")
            for name, pid in self.pids.items()
        }


Make = Callable[..., Installation]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    def build(completed: str = "", removed: str = "", **pids: int) -> Installation:
        home = Home(tmp_path / "air flow")
        home.path.mkdir()
        found = replace(
            receipts.sample(home.path), completed=completed, removed=removed, bundle_file="a b.run"
        )
        receipt.save(home.receipt, found)
        monkeypatch.setattr(Installation, "services", Manager(**pids))
        return Installation(found)

    return build


def test_next_install_says_what_runs(make: Make) -> None:
    made = make(postgres=7, api_server=0, scheduler=8)
    watcher = Watcher()
    install._tell_of_unfinished(made.home, watcher)
    stop = f"'{made.home.path}/bin/airferry' stop"
    assert watcher.lines == [
        (
            "Look for what an unfinished install has left running",
            f"running: postgres, scheduler. To stop them: {stop}",
        )
    ]


@pytest.mark.parametrize("more", [{"completed": "2026-10-01T00:00:00Z"}, {"removed": "2026-10-01T00:00:00Z"}])
def test_nothing_is_said_of_a_finished_or_removed_one(make: Make, more: dict[str, str]) -> None:
    made = make(scheduler=8, **more)
    watcher = Watcher()
    install._tell_of_unfinished(made.home, watcher)
    assert watcher.lines == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), AirferryError("no")])
def test_install_that_is_broken_off_says_it_itself(make: Make, error: BaseException) -> None:
    made = make(scheduler=8)
    watcher = Watcher()
    with pytest.raises(type(error)), install._telling_what_runs_on(made, watcher):
        raise error
    ((_, outcome),) = watcher.lines
    assert outcome.startswith("running: scheduler. To stop them: ")


def test_a_manager_that_is_not_there_yet_changes_no_error(make: Make) -> None:
    made = make(broken=1)
    watcher = Watcher()
    with pytest.raises(KeyboardInterrupt), install._telling_what_runs_on(made, watcher):
        raise KeyboardInterrupt
    assert watcher.lines == []


def test_status_says_it_unless_the_install_is_under_way(make: Make) -> None:
    made = make(scheduler=8)
    components = [status.ComponentStatus("scheduler", "RUNNING", "", "")]
    said = status._never_finished(made, components)
    again = f"sh 'a b.run' install --home '{made.home.path}'"
    stop = f"'{made.home.path}/bin/airferry' stop"
    assert said == (
        "The install was never finished; running all the same: scheduler."
        f" To finish it: {again}. To stop what runs: {stop}"
    )
    with lock.held(made.home.lock):
        assert status._never_finished(made, components) == ""
