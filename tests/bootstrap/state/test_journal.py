"""The journal: who did what and how it ended, whatever a killed writer has left in the file."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bootstrap.base import account, language
from bootstrap.base.lock import HomeBusy
from bootstrap.commands.history import _rows as rows
from bootstrap.state.journal import Journal, JournalStep, read
from bootstrap.state.plan import execute
from tests.support.accounts import Folder, in_process
from tests.support.plans import FileStep, Watcher
from wheelhouse import codec
from wheelhouse.errors import AirferryError


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.jsonl")


def test_a_command_is_told_whole(journal: Journal) -> None:
    with journal.recorded("upgrade", bundle="3.3.2") as more:
        execute([FileStep(journal.path.with_name("a"))], Watcher(), journal)
        journal.write("airflow-cfg-issues", see="install.log")
        more["backup"] = "b1"
    (entry,) = read(journal.path).entries
    assert (entry.command, entry.outcome, entry.exit) == ("upgrade", "done", 0)
    assert entry.details == {"bundle": "3.3.2", "backup": "b1"}
    assert [(step.name, step.state) for step in entry.steps] == [
        ("a", "done"),
        ("airflow-cfg-issues", "noted"),
    ]
    assert entry.seconds is not None
    assert entry.by
    assert entry.account


@pytest.mark.parametrize(
    ("error", "outcome", "status", "kind"),
    [
        (HomeBusy("password=Tops3cret"), "failed", 35, "home-busy"),
        (OSError("Tops3cret"), "failed", 1, "OSError"),
        (KeyboardInterrupt(), "interrupted", 130, ""),
    ],
)
def test_a_failure_is_told_by_its_kind_alone(
    journal: Journal, error: BaseException, outcome: str, status: int, kind: str
) -> None:
    with pytest.raises(type(error)), journal.recorded("stop"):
        raise error
    (entry,) = read(journal.path).entries
    assert (entry.outcome, entry.exit, entry.error) == (outcome, status, kind)
    assert "Tops3cret" not in journal.path.read_text()


def test_a_step_that_failed_and_one_that_never_ended(journal: Journal) -> None:
    with pytest.raises(AirferryError), journal.recorded("install"):
        execute([FileStep(journal.path.with_name("a"), AirferryError("no"))], Watcher(), journal)
    journal.write("install-started", run="1", process=2**22 + 1)  # a number beyond every process
    journal.write("step-started", step="b")
    first, second = read(journal.path).entries
    assert first.steps == (JournalStep("a", "failed"),)
    assert (second.outcome, second.steps) == ("killed", (JournalStep("b", "unfinished"),))


def test_one_that_is_at_work_runs_and_one_inside_another_is_its_own(journal: Journal) -> None:
    with journal.recorded("upgrade"):
        with journal.recorded("backup"):
            pass
        assert [item.outcome for item in read(journal.path).entries] == ["running", "done"]
    assert [item.outcome for item in read(journal.path).entries] == ["done", "done"]


def test_a_number_that_another_process_has_by_now_is_not_taken_for_it(journal: Journal) -> None:
    line = {"time": "2020-01-01T00:00:00Z", "event": "stop-started", "process": os.getpid()}
    journal.path.write_text(json.dumps(line) + "\n")
    assert read(journal.path).entries[0].outcome == "killed"


def test_half_a_line_costs_no_other(journal: Journal) -> None:
    journal.write("stop-done", exit=0)
    with journal.path.open("a") as stream:
        stream.write('{"schema": 1, "time": "2026-11-25T02:0')
    journal.write("start-done", exit=0)
    with journal.path.open("ab") as stream:
        stream.write(b'[]\n\0\0\0\0\n{"event": 5}\nnot JSON\xff\n')
    found = read(journal.path)
    assert [item.command for item in found.entries] == ["stop", "start"]
    assert found.unreadable == 4


def test_lines_of_the_first_version_are_read(journal: Journal) -> None:
    journal.path.write_text(
        '{"time": "2026-01-01T00:00:00Z", "event": "install-started", "bundle": "b", "by": "kim"}\n'
        '{"time": "2026-01-01T00:00:01Z", "event": "step-started", "step": "home"}\n'
        '{"time": "2026-01-01T00:00:01Z", "event": "step-done", "step": "home", "seconds": 0.5}\n'
        '{"time": "2026-01-01T00:01:00Z", "event": "install-done", "bundle": "b"}\n'
    )
    (entry,) = read(journal.path).entries
    assert (entry.command, entry.outcome, entry.by) == ("install", "done", "kim")
    assert entry.steps == (JournalStep("home", "done", 0.5),)


def test_no_journal_is_an_empty_one(journal: Journal) -> None:
    assert read(journal.path).entries == ()


def test_it_goes_through_json(journal: Journal) -> None:
    with journal.recorded("stop", components=["scheduler"]):
        pass
    data = json.loads(codec.dumps(read(journal.path)))
    assert data["entries"][0]["details"] == {"components": ["scheduler"]}


def test_every_line_has_its_schema_and_the_file_is_for_its_account(journal: Journal) -> None:
    before = os.umask(0)
    try:
        journal.write("stop-started")
    finally:
        os.umask(before)
    assert json.loads(journal.path.read_text())["schema"] == 1
    assert stat.S_IMODE(journal.path.stat().st_mode) == 0o640


def test_a_journal_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    with Journal(tmp_path / "nowhere" / "journal").recorded("stop") as more:
        more["x"] = 1


WRITER = """
import sys
import time
from pathlib import Path
from bootstrap.commands.history import _rows as rows
from bootstrap.state.journal import Journal
journal = Journal(Path(sys.argv[1]))
for number in range(200):
    journal.write("note", number=number, text="x" * 200)
"""


def test_writers_at_once_keep_every_line_whole(journal: Journal) -> None:
    root = Path(__file__).parents[3]
    command = [sys.executable, "-c", WRITER, str(journal.path)]
    children = [subprocess.Popen(command, cwd=root) for _ in range(4)]
    assert [child.wait() for child in children] == [0] * 4
    assert len(read(journal.path).entries) == 800
    assert read(journal.path).unreadable == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another account")
def test_who_asked_is_known_after_root_gave_itself_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_USER", "kim")

    def stop(folder: Path) -> None:
        nobody = account.find("nobody")
        assert nobody
        account.become(nobody)
        with Journal(folder / "journal").recorded("stop"):
            pass

    with Folder() as folder:
        in_process(stop, lambda: None)(folder)
        (entry,) = read(folder / "journal").entries
    assert (entry.by, entry.account) == ("kim", "nobody")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Seoul", "America/Chicago"])
def test_lines_that_nobody_wrote_end_nothing(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """Whoever can write to the journal has no way to make its readers fail."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    lines = [
        "[" * 100_000,
        '{"event": "a-done", "seconds": ' + "9" * 400 + "}",
        '{"event": "a-done", "seconds": 1e999, "x": NaN}',
        '{"event": "a-started", "process": "../../tmp/x", "time": "9999-12-31T23:59:59Z"}',
        '{"event": "a-started", "process": [1], "time": "0001-01-01T00:00:00Z"}',
        '{"event": "a-done", "time": "0001-01-01T00:00:00+23:59"}',
        '{"event": "a-done", "time": "9999-12-31T23:59:59-23:59"}',
        '{"event": "step-done", "step": {}}',
    ]
    journal.path.write_text("".join(f"{line}\n" for line in lines))
    found = read(journal.path)
    assert (found.unreadable, len(found.entries)) == (3, 2)
    assert len(rows(found, 0, language.ENGLISH, steps=True)) == 2
    monkeypatch.undo()
    time.tzset()
