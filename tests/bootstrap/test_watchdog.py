"""What hangs is found by its silence and ended; what only rests, or has just begun, is left alone."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap import watchdog
from bootstrap.airflow import health, metadata
from bootstrap.airflow.health import Health
from bootstrap.base.lock import held
from bootstrap.base.process import CommandFailed
from bootstrap.installed.installation import Installation
from bootstrap.services.manager import State, stop_order
from bootstrap.state.home import Home
from bootstrap.watchdog import HOUR, STARTING, Judge, Watchdog
from tests.support import schedulers
from tests.support.receipts import sample


def test_silence_and_nothing_else_is_a_sign_of_hanging() -> None:
    judge = Judge(60)
    hangs = [
        judge.hangs("scheduler", 1, beat, now) for now, beat in ((0, "a"), (30, "b"), (89, "b"), (91, "b"))
    ]
    assert hangs == [False, False, False, True]
    # another process begins anew, and has longer for its first sign
    assert not judge.hangs("scheduler", 2, "b", 92)
    assert not judge.hangs("scheduler", 2, "b", 92 + STARTING)
    assert judge.hangs("scheduler", 2, "b", 93 + STARTING)
    # no sign at all, as of a web server that does not answer
    seen = ((0, 0), (10, 10), (65, None), (71, None))
    assert [judge.hangs("api-server", 3, sign, now) for now, sign in seen] == [False, False, False, True]


def test_restarts_are_rationed() -> None:
    judge = Judge(60)
    assert [judge.may_restart("scheduler", now) for now in (0, 1, 2, 3)] == [True, True, True, False]
    assert judge.may_restart("triggerer", 3)
    assert judge.may_restart("scheduler", HOUR + 0.5)


def test_limit_comes_from_the_environment() -> None:
    texts = {"": 300, "90": 90, "0": 0, "-5": 0, "soon": 300}
    assert {text: watchdog.limit_of({watchdog.LIMIT: text}) for text in texts} == texts
    assert watchdog.limit_of({}) == 300


def test_watchdog_is_stopped_first() -> None:
    assert stop_order(["postgres", "api-server", "scheduler", "watchdog"])[0] == ["watchdog"]


class Services:
    """A service manager that only knows states."""

    def __init__(self) -> None:
        self.found: dict[str, State] = {}

    def states(self) -> dict[str, State]:
        return self.found


class Scene:
    """An installation whose parts are told what they show; `ended` are the processes that were ended."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = Home(home)
        self.home.run.mkdir()
        self.services = Services()
        self.beats: Mapping[str, str] | None = {}
        self.parsed = ""
        self.answers = True
        self.now = 0.0
        self.ended: list[int] = []
        self.installation = Installation(replace(sample(home), airflow="3.3.2"))
        monkeypatch.setattr(Installation, "services", property(lambda _: self.services))
        monkeypatch.setattr(metadata, "heartbeats", lambda *_: self._beats())
        monkeypatch.setattr(
            metadata, "last_parsing", lambda *_: str(self.now // 30) if self.parsed == "live" else self.parsed
        )
        monkeypatch.setattr(health, "fetch", lambda *_, **__: Health({}, (), {} if self.answers else None))
        monkeypatch.setattr(watchdog, "end", lambda pid, **_: self.ended.append(pid))
        self.dog = Watchdog(self.installation, 60, lambda: self.now)
        self.up(*self.installation.servers, *self.installation.components)

    def _beats(self) -> Mapping[str, str]:
        if self.beats is None:
            raise CommandFailed("away")
        return self.beats

    def up(self, *names: str) -> None:
        for name in names:
            self.services.found[name] = State(name, "RUNNING", 100 + len(name), "")

    def pass_by(self, seconds: float) -> None:
        """Time goes by, and it looks every ten seconds; a heartbeat that is ``live`` beats."""
        until = self.now + seconds
        while self.now < until:
            self.now += 10
            live = self.beats
            if live is not None:
                self.beats = {name: str(self.now) if text == "live" else text for name, text in live.items()}
            self.dog.look()
            self.beats = live

    def history(self) -> list[str]:
        path = self.home.journal
        lines = path.read_text().splitlines() if path.exists() else []
        return [f"{line['event']} {line.get('component', '')}".strip() for line in map(json.loads, lines)]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch)


def test_what_hangs_is_ended_at_most_three_times_an_hour_and_that_is_history(scene: Scene) -> None:
    scene.beats = {"scheduler": "live", "triggerer": "live"}
    scene.pass_by(300)
    assert scene.ended == []
    scene.beats = {"scheduler": "stands", "triggerer": "live"}
    scene.pass_by(100)
    pid = scene.services.found["scheduler"].pid
    assert scene.ended == [pid]
    assert scene.history() == ["watchdog-started scheduler", "watchdog-done"]
    scene.pass_by(5 * STARTING)
    assert scene.ended == [pid] * 3
    assert scene.history()[-1] == "watchdog-gave-up scheduler"
    assert scene.history().count("watchdog-gave-up scheduler") == 1


def test_web_server_that_does_not_answer_is_ended(scene: Scene) -> None:
    scene.beats = {"scheduler": "live"}
    scene.pass_by(60)
    scene.answers = False
    scene.pass_by(100)
    assert scene.ended == [scene.services.found["api-server"].pid]


def test_dag_processor_that_beats_and_reads_nothing_is_ended(scene: Scene) -> None:
    scene.beats = {"scheduler": "live", "dag-processor": "live"}
    scene.pass_by(300)  # no DAG file is there that it could read
    scene.parsed = "live"
    scene.pass_by(300)
    assert scene.ended == []
    scene.parsed = "stands"
    scene.pass_by(100)
    assert scene.ended == [scene.services.found["dag-processor"].pid]
    line = json.loads(scene.home.journal.read_text().splitlines()[0])
    assert line["because"] == "no DAG file read for 70 s"
    scene.parsed = ""  # the last file was taken away
    scene.pass_by(5 * STARTING)
    assert len(scene.ended) == 1


def test_dag_files_that_are_to_be_read_seldom_have_longer(scene: Scene) -> None:
    scene.home.airflow_cfg.write_text("[dag_processor]\nmin_file_process_interval = 600\n")
    scene.beats = {"dag-processor": "live"}
    scene.parsed = "live"
    scene.pass_by(100)
    scene.parsed = "stands"
    scene.pass_by(3000)
    assert scene.ended == []
    scene.pass_by(100)
    assert scene.ended == [scene.services.found["dag-processor"].pid]


def test_database_that_does_not_answer_is_ended_and_nobody_else_for_it(scene: Scene) -> None:
    scene.beats = {"scheduler": "live"}
    scene.pass_by(60)
    scene.beats, scene.answers = None, False
    scene.pass_by(100)
    assert scene.ended == [scene.services.found["postgres"].pid]


def test_nothing_is_judged_while_a_command_is_at_work_or_airflow_is_kept_stopped(scene: Scene) -> None:
    scene.beats = {"scheduler": "live"}
    scene.pass_by(60)
    scene.beats = {"scheduler": "stands"}
    with held(scene.home.lock):
        scene.pass_by(1000)
    (scene.home.run / "halted").touch()
    scene.pass_by(1000)
    assert scene.ended == []
    scene.dog.judge.limit = 0
    (scene.home.run / "halted").unlink()
    scene.pass_by(5000)
    assert scene.ended == []


def test_hook_is_told_what_goes_down_and_comes_back(scene: Scene) -> None:
    hook = scene.home.path / watchdog.HOOK
    hook.parent.mkdir()
    hook.write_text('#!/bin/sh\necho "$@" >> "$AIRFERRY_HOME/told"; exit 1\n')
    hook.chmod(0o755)
    scene.pass_by(20)
    scene.services.found["triggerer"] = State("triggerer", "FATAL", 0, "")
    scene.pass_by(30)
    scene.up("triggerer")
    scene.pass_by(20)
    assert (scene.home.path / "told").read_text() == "triggerer down\ntriggerer up\n"


def test_stopped_process_is_ended_with_all_that_it_has_started(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import os, time; os.fork(); time.sleep(300)"]) as child:
        child.send_signal(signal.SIGSTOP)
        watchdog.end(child.pid)
        assert child.wait(10) == -signal.SIGKILL


def test_tasks_of_a_stopped_scheduler_are_asked_first(tmp_path: Path) -> None:
    child = schedulers.start(tmp_path / "note", task=": example.sleep")
    child.send_signal(signal.SIGSTOP)
    watchdog.end(child.pid)
    assert child.wait(10) == -signal.SIGKILL
    assert "asked" in (tmp_path / "note").read_text()
