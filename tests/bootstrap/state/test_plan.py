"""Plans: what is done is left, what fails stops, an interrupted plan goes on, and the journal tells it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bootstrap.state.journal import Journal
from bootstrap.state.plan import Done, execute
from tests.support.plans import FileStep, Watcher
from wheelhouse.errors import AirferryError

ROOT = Path(__file__).parents[3]


def events(path: Path) -> list[tuple[str, str]]:
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for line in lines:
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", line["time"])
    return [(line["event"], line.get("step", "")) for line in lines]


def test_only_what_is_missing_is_done(tmp_path: Path) -> None:
    steps = [FileStep(tmp_path / name) for name in ("a", "b", "c")]
    steps[1].path.touch()
    watcher, journal = Watcher(), Journal(tmp_path / "journal")
    results = execute(steps, watcher, journal)
    assert [(item.name, item.state) for item in results] == [("a", "done"), ("b", "already"), ("c", "done")]
    assert watcher.lines == [("Make a", "done"), ("Make b", "already done"), ("Make c", "done")]
    assert [step.applied for step in steps] == [1, 0, 1]
    assert events(journal.path) == [
        ("step-started", "a"),
        ("step-done", "a"),
        ("step-started", "c"),
        ("step-done", "c"),
    ]


def test_again_changes_nothing(tmp_path: Path) -> None:
    steps = [FileStep(tmp_path / name) for name in ("a", "b")]
    journal = Journal(tmp_path / "journal")
    execute(steps, Watcher(), journal)
    before = journal.path.read_bytes()
    assert execute(steps, Watcher(), journal) == [Done("a", "already", 0.0), Done("b", "already", 0.0)]
    assert journal.path.read_bytes() == before


@pytest.mark.parametrize("error", [AirferryError("no"), OSError("no"), KeyboardInterrupt(), SystemExit(1)])
def test_first_failure_stops_it_and_the_next_run_goes_on(tmp_path: Path, error: BaseException) -> None:
    steps = [FileStep(tmp_path / name) for name in ("a", "b", "c")]
    steps[1].error = error
    watcher, journal = Watcher(), Journal(tmp_path / "journal")
    with pytest.raises(type(error)) as caught:
        execute(steps, watcher, journal)
    assert caught.value is error
    assert watcher.lines == [("Make a", "done"), ("Make b", "failed")]
    assert events(journal.path)[-1] == ("step-failed", "b")
    assert steps[2].applied == 0
    steps[1].error = None
    results = execute(steps, Watcher(), journal)
    assert [item.state for item in results] == ["already", "done", "done"]
    assert steps[0].applied == 1


def test_journal_never_holds_the_message_of_an_error(tmp_path: Path) -> None:
    """It may quote what a program said."""
    step = FileStep(tmp_path / "a", AirferryError("password=Tops3cret"))
    journal = Journal(tmp_path / "journal")
    with pytest.raises(AirferryError):
        execute([step], Watcher(), journal)
    assert "Tops3cret" not in journal.path.read_text()
    assert "AirferryError" in journal.path.read_text()


def test_the_error_of_a_step_is_not_hidden_by_a_journal_that_cannot_be_written(tmp_path: Path) -> None:
    """A step that fails because the disk is full: the journal is on the same disk."""
    journal = Journal(tmp_path / "sub" / "journal")
    journal.path.parent.mkdir()
    error = AirferryError("the real one")

    class Last(FileStep):
        def apply(self) -> None:
            journal.path.unlink()
            journal.path.parent.rmdir()
            raise error

    with pytest.raises(AirferryError) as caught:
        execute([Last(tmp_path / "a")], Watcher(), journal)
    assert caught.value is error


def test_journal_line_is_one_line_in_any_language(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.write("install-started", bundle="3.3.2", by="사용자\n2")
    journal.write("done", path=os.fsdecode(b"/\xc7\xd1"))
    lines = journal.path.read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2
    assert json.loads(lines[0])["by"] == "사용자\n2"


KILLED = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.support.plans import FileStep, Watcher
from bootstrap.state.journal import Journal
from bootstrap.state.plan import execute
class Slow(FileStep):
    def apply(self):
        print("half", flush=True)
        time.sleep(60)
folder = Path(sys.argv[1])
execute([FileStep(folder / "a"), Slow(folder / "b")], Watcher(), Journal(folder / "journal"))
"""


def test_killed_and_run_again(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KILLED.format(root=str(ROOT)), str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        assert child.stdout.readline() == "half\n"
        child.send_signal(signal.SIGKILL)
    journal = Journal(tmp_path / "journal")
    assert events(journal.path)[-1] == ("step-started", "b")
    results = execute([FileStep(tmp_path / "a"), FileStep(tmp_path / "b")], Watcher(), journal)
    assert [item.state for item in results] == ["already", "done"]


def test_seconds_are_measured(tmp_path: Path) -> None:
    class Slow(FileStep):
        def apply(self) -> None:
            time.sleep(0.05)

    results = execute([Slow(tmp_path / "a")], Watcher(), Journal(tmp_path / "journal"))
    assert 0.04 <= results[0].seconds < 2
