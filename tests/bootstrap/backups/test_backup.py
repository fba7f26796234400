"""Backups on disk: found, rotated, compared; the state of a home copied out and back."""

from __future__ import annotations

import json
import os
import stat
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.backups import state
from bootstrap.state import backup as backups
from bootstrap.state.backup import ASKED, UPGRADE, Backup, BackupDamaged, BackupNotFound, Content, SavedBackup
from bootstrap.state.home import Home
from tests.support import receipts
from tests.support.accounts import Folder, ordinary
from wheelhouse import codec

OLD, NEW = "3.3.1-cp311-a0b1c2d3e4", "3.3.2-cp311-0a1b2c3d4e"
RECEIPT = replace(receipts.sample(), bundle_id=NEW, previous=OLD)


def make(folder: Path, number: int, *, reason: str = ASKED, into: str = "") -> SavedBackup:
    """A backup with one file in it, the `number`-th of a day."""
    name = f"20261001T{number:02}0000Z-{OLD}"
    (folder / name).mkdir(parents=True)
    (folder / name / backups.DUMP).write_bytes(b"dump")
    value = Backup(
        schema=1,
        id=name,
        reason=reason,
        airferry="0.1.0",
        airflow="3.3.1",
        bundle_id=OLD,
        bundle_file="airflow-3.3.1.run",
        postgres="18.6",
        home="/opt/airflow",
        revision="d2f4e1b3c5a7",
        started=f"2026-10-01T{number:02}:00:00Z",
        finished=f"2026-10-01T{number:02}:00:01Z",
        database_size=1 << 20,
        rows=backups.counts({"dag": 2, "dag_run": 7}, {"dag": 2, "dag_run": 5}),
        files=(Content(backups.DUMP, *backups.digest(folder / name / backups.DUMP)),),
        into=into,
    )
    (folder / name / backups.DESCRIPTION).write_text(codec.dumps(value), encoding="utf-8")
    return SavedBackup(folder / name, value)


def test_read_back_and_listed_oldest_first(tmp_path: Path) -> None:
    places = [make(tmp_path, number) for number in (3, 1, 2)]
    (tmp_path / ".unfinished-x").mkdir()
    (tmp_path / "something").mkdir()
    assert backups.find_all(tmp_path) == sorted(places, key=lambda place: place.path)
    assert backups.named(tmp_path, places[0].backup.id) == places[0]
    assert backups.named(tmp_path / "elsewhere", str(places[0].path)) == places[0]
    assert [(count.least, count.most) for count in places[0].backup.rows] == [(2, 2), (5, 7)]


def test_what_is_no_backup_is_told(tmp_path: Path) -> None:
    with pytest.raises(BackupNotFound):
        backups.named(tmp_path, "20261001T000000Z-x")
    place = make(tmp_path, 1)
    (place.path / backups.DESCRIPTION).write_text('{"schema": 1}')
    with pytest.raises(BackupDamaged):
        backups.load(place.path)
    assert backups.find_all(tmp_path) == []


@pytest.mark.parametrize("damage", ["changed", "missing"])
def test_damage_is_found(tmp_path: Path, damage: str) -> None:
    place = make(tmp_path, 1)
    backups.compare(place)
    if damage == "changed":
        place.dump.write_bytes(b"dumb")
    else:
        place.dump.unlink()
    with pytest.raises(BackupDamaged, match="is damaged") as caught:
        backups.compare(place)
    assert backups.DUMP in caught.value.found


def leave_out(place: SavedBackup, *lines: str, archived: bool = True) -> None:
    listed = {"files": [], "left_out": lines, "archived": archived}
    (place.path / backups.DAGS).write_text(json.dumps(listed))


def test_what_was_left_out_is_read_back(tmp_path: Path) -> None:
    place = make(tmp_path, 1)
    assert (place.left_out, place.archived) == ((), True)
    leave_out(place, "dags/a.py: Permission denied", archived=False)
    assert (place.left_out, place.archived) == (("dags/a.py: Permission denied",), False)
    (place.path / backups.DAGS).write_text("[1]")
    assert (place.left_out, place.archived) == ((), True)


def test_rotation_spares_the_newest_that_lacks_nothing(tmp_path: Path) -> None:
    for number in range(1, 6):
        place = make(tmp_path, number)
        if number > 2:
            leave_out(place, "dags/a.py: Permission denied")
    assert [name[9:11] for name in backups.rotate(tmp_path, 1, RECEIPT)] == ["01", "03", "04"]


def test_rotation_spares_the_newest_and_the_newest_and_the_one_for_a_rollback(tmp_path: Path) -> None:
    make(tmp_path, 1, reason=UPGRADE, into=NEW)
    for number in range(2, 7):
        make(tmp_path, number)
    removed = backups.rotate(tmp_path, 2, RECEIPT)
    assert [name[9:11] for name in removed] == ["02", "03", "04"]
    assert [place.backup.id[9:11] for place in backups.find_all(tmp_path)] == ["01", "05", "06"]
    assert len(list(tmp_path.iterdir())) == 3
    assert len(backups.rotate(tmp_path, 1, replace(RECEIPT, previous=""))) == 2


def test_the_backup_of_the_last_upgrade(tmp_path: Path) -> None:
    assert backups.of_last_upgrade(tmp_path, RECEIPT) is None
    make(tmp_path, 1, reason=UPGRADE, into=NEW)
    wanted = make(tmp_path, 2, reason=UPGRADE, into=NEW)
    make(tmp_path, 3, reason=UPGRADE, into="3.4.0-cp311-ffffffffff")
    make(tmp_path, 4)
    assert backups.of_last_upgrade(tmp_path, RECEIPT) == wanted
    assert backups.of_last_upgrade(tmp_path, replace(RECEIPT, previous="")) is None


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A home with everything in it that goes into a backup, and more."""
    made = Home(tmp_path / "한글 홈")
    for name, text in {
        "airflow.cfg": "[core]\n",
        "receipt.json": "{}",
        "bin/airflow": "#!/bin/sh\n",
        "etc/environment.sh": "export A=1\n",
        "etc/airflow-settings.json": "{}",
        "etc/left.new": "half",
        "secrets/fernet-key": "key",
        "secrets/pgpass": "of the cluster",
        "secrets/postgres-superuser-password": "of the cluster",
        "dags/team/a.py": "a = 1\n",
        "dags/team/__pycache__/a.pyc": "x",
        "logs/task.log": "x",
    }.items():
        path = made.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return made


def test_state_goes_out_private_and_comes_back(home: Home, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    before = os.umask(0)
    try:
        state.copy_out(home, copy)
    finally:
        os.umask(before)
    for path in (copy, *copy.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    names = state.names(copy)
    assert names[-1] == "receipt.json"
    assert {"etc/left.new", "secrets/pgpass", "secrets/postgres-superuser-password"}.isdisjoint(names)

    for name in names:
        (home.path / name).write_text("changed")
    (home.path / "bin" / "airflow").unlink()
    state.copy_back(copy, home, without=["etc/environment.sh"])
    assert (home.path / "airflow.cfg").read_text() == "[core]\n"
    assert (home.path / "etc" / "environment.sh").read_text() == "changed"
    assert stat.S_IMODE((home.path / "bin" / "airflow").stat().st_mode) == 0o755
    assert stat.S_IMODE((home.path / "secrets" / "fernet-key").stat().st_mode) == 0o600
    assert (home.path / "secrets" / "pgpass").read_text() == "of the cluster"


def test_code_is_listed_and_packed(home: Home, tmp_path: Path) -> None:
    code = state.code_files(home)
    listed = code.files
    assert code.left_out == ()
    assert [(item["path"], item["size"]) for item in listed] == [("dags/team/a.py", 6)]
    assert json.dumps(listed)
    assert state.archive_code(home, tmp_path / "code.tar.gz")
    assert stat.S_IMODE((tmp_path / "code.tar.gz").stat().st_mode) == 0o600


def test_code_behind_links_is_packed_as_airflow_reads_it(home: Home, tmp_path: Path) -> None:
    outside = tmp_path / "repository"
    outside.mkdir()
    (outside / "b.py").write_text("b = 1\n")
    dags = home.path / "dags"
    (dags / "repo").symlink_to(outside)
    (dags / "one.py").symlink_to(outside / "b.py")
    (dags / "two.py").hardlink_to(dags / "team" / "a.py")
    (outside / "again").symlink_to(dags)  # a loop
    assert [item["path"] for item in state.code_files(home).files] == [
        "dags/one.py",
        "dags/two.py",
        "dags/repo/b.py",
        "dags/team/a.py",
    ]
    assert state.archive_code(home, tmp_path / "code.tar.gz")
    with tarfile.open(tmp_path / "code.tar.gz") as archive:
        content = {item.name: archive.extractfile(item) for item in archive.getmembers()}
        assert {name: stream.read() for name, stream in content.items() if stream} == {
            "dags/one.py": b"b = 1\n",
            "dags/two.py": b"a = 1\n",
            "dags/repo/b.py": b"b = 1\n",
            "dags/team/a.py": b"a = 1\n",
        }


@ordinary
def test_code_that_cannot_be_read_is_named_and_the_rest_is_packed() -> None:
    with Folder() as folder:
        home = Home(folder / "home")
        for name in ("dags/a.py", "dags/closed.py", "dags/shut/b.py", "dags/dark/c.py", "plugins/d.py"):
            (home.path / name).parent.mkdir(parents=True, exist_ok=True)
            (home.path / name).write_text("x = 1\n")
        (home.path / "dags" / "gone.py").symlink_to("nowhere")
        os.mkfifo(home.path / "dags" / "pipe")
        (home.path / "dags" / "closed.py").chmod(0)
        (home.path / "dags" / "shut").chmod(0)
        (home.path / "dags" / "dark").chmod(0o400)
        try:
            code = state.code_files(home)
            assert state.archive_code(home, folder / "code.tar.gz")
        finally:
            for name in ("shut", "dark"):
                (home.path / "dags" / name).chmod(0o700)
        assert sorted(code.left_out) == [
            "dags/closed.py: Permission denied",
            "dags/dark/c.py: Permission denied",
            "dags/shut: Permission denied",
        ]
        assert [item["path"] for item in code.files] == ["dags/a.py", "plugins/d.py"]
        with tarfile.open(folder / "code.tar.gz") as archive:
            assert archive.getnames() == ["dags/a.py", "plugins/d.py"]
            member = archive.extractfile("plugins/d.py")
            assert member and member.read() == b"x = 1\n"
