"""What `clean` takes and what it leaves, on real files; Airflow's own command and the dump are stand-ins."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.airflow.command import Airflow
from bootstrap.base import channel
from bootstrap.base.console import Console
from bootstrap.base.process import CommandFailed, Completed
from bootstrap.installed.installation import Installation
from bootstrap.state import backup as backups
from bootstrap.state.home import Home
from bootstrap.upkeep import retention
from tests.support.commands import run
from tests.support.receipts import sample

DAY = 86_400
SAID = (
    "Performing Delete...\nFound 40 rows meeting deletion criteria.\nFound 2 rows meeting deletion criteria."
)


class Scene:
    """A home with old and young things in it; `asked` are the commands of Airflow."""

    def __init__(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.home = Home(home)
        self.asked: list[tuple[str, ...]] = []
        self.saved: list[str] = []
        self.fails = False
        self.installation = Installation(
            replace(sample(home), airflow="3.3.2", bundle_id="new", previous="old")
        )
        for name in ("new", "old", "older"):
            (home / "releases" / name).mkdir(parents=True)
            (home / "releases" / name / "file").write_text("x" * 1000)
        for name, age in {
            "dag_id=a/run_id=1/task_id=t/attempt=1.log": 100, "dag_id=a/run_id=2/task_id=t/attempt=1.log": 3,
            "dag_id=b/run_id=1/attempt=1.log": 91, "airferry/scheduler.log": 200,
            "airferry/scheduler.log.1": 10, "airferry/scheduler.log.2": 100, "airferry/install.log": 300,
        }.items():  # fmt: skip
            self.file(home / "logs" / name, age)
        monkeypatch.setattr(Airflow, "run", self._run)
        monkeypatch.setattr(retention, "save", self._save)
        monkeypatch.setattr(retention, "database_running", lambda _: Console(quiet=True).step(""))

    def file(self, path: Path, age: float) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x" * 100)
        moment = time.time() - age * DAY
        os.utime(path, (moment, moment))

    def _run(self, *arguments: str, **_more: object) -> Completed:
        if self.fails:
            raise CommandFailed("Could not clean the database.")
        self.asked.append(arguments)
        return Completed(0, SAID, "", 1.0)

    def _save(self, installation: Installation, *, reason: str) -> object:
        self.saved.append(reason)
        return type("Place", (), {"backup": type("Backup", (), {"id": "the-backup"})})

    def clean(self, *, dry_run: bool = False) -> dict[str, tuple[int, int]]:
        found = retention.clean(self.installation, 90 * DAY, Console(quiet=True), dry_run=dry_run)
        assert (found.dry_run, found.backup) == (dry_run, "" if dry_run else "the-backup")
        return {item.what: (item.count, item.bytes) for item in found.removed}

    def files(self) -> set[str]:
        return {str(path.relative_to(self.home.path)) for path in self.home.path.rglob("*") if path.is_file()}


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    return Scene(tmp_path, monkeypatch)


GONE = {
    "logs/dag_id=a/run_id=1/task_id=t/attempt=1.log",
    "logs/dag_id=b/run_id=1/attempt=1.log",
    "logs/airferry/scheduler.log.2",
    "releases/older/file",
}


def test_dry_run_counts_what_a_real_one_removes(scene: Scene) -> None:
    before = scene.files()
    wanted = scene.clean(dry_run=True)
    assert scene.files() - {"journal.jsonl", ".airferry.lock"} == before
    assert scene.saved == []
    assert wanted == {
        "rows of the database": (42, 0), "task logs": (2, 200), "rotated component logs": (1, 100),
        "backups": (0, 0), "releases": (1, 1000),
    }  # fmt: skip
    assert scene.clean() == wanted
    assert before - scene.files() == GONE
    assert not (scene.home.logs / "dag_id=b").exists()
    assert (scene.home.logs / "dag_id=a").exists()
    assert scene.saved == [retention.CLEAN]
    (dry, wet) = scene.asked
    assert dry[:4] == wet[:4] == ("db", "clean", "--yes", "--skip-archive")
    assert (dry[-1], "--dry-run" in wet) == ("--dry-run", False)


def test_releases_of_roots_go_with_root_alone(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """The account cannot write there; root's process removes them for it, where it serves the command."""
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert scene.clean(dry_run=True)["releases"] == (0, 0)
    monkeypatch.setattr(channel, "available", lambda: True)
    assert scene.clean(dry_run=True)["releases"] == (1, 1000)


def test_nothing_goes_when_airflow_cannot_clean(scene: Scene) -> None:
    before = scene.files()
    scene.fails = True
    with pytest.raises(CommandFailed):
        scene.clean()
    assert before <= scene.files()
    events = [json.loads(line)["event"] for line in scene.home.journal.read_text().splitlines()]
    assert events == ["clean-started", "clean-failed"]


def test_release_without_the_command_keeps_its_rows(scene: Scene) -> None:
    scene.installation = Installation(replace(scene.installation.receipt, airflow="2.2.2"))
    found = retention.clean(scene.installation, 90 * DAY, Console(quiet=True), dry_run=False)
    assert (scene.asked, scene.saved, found.backup) == ([], [], "")
    assert found.removed[0].count == 0
    assert found.removed[1].count == 2


def test_newest_backup_stays_however_old(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    removed: list[str] = []
    ids = ["2025-01-01T00:00:00Z", "2025-02-01T00:00:00Z"]
    places = [
        backups.SavedBackup(
            scene.home.backups / moment,
            backups.Backup(**{**dict.fromkeys(backups.Backup.__dataclass_fields__, ""), "started": moment,
                              "files": (), "id": moment}),  # type: ignore[arg-type]
        )
        for moment in ids
    ]  # fmt: skip
    monkeypatch.setattr(backups, "find_all", lambda _: places)
    monkeypatch.setattr(backups, "remove", lambda doomed: removed.extend(item.backup.id for item in doomed))
    assert scene.clean()["backups"][0] == 1
    assert removed == ids[:1]


def test_less_than_a_day_is_refused(tmp_path: Path) -> None:
    for text in ("0s", "23h", "soon"):
        assert run(Home(tmp_path), "clean", "--older-than", text).returncode == 2
