"""What crosses from the old Airflow to the account: plain files, packed as the owner, whole."""

from __future__ import annotations

import io
import os
import resource
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from bootstrap.facts import remnants
from bootstrap.facts.old_airflow import OldAirflow
from bootstrap.takeover import archive, look
from bootstrap.takeover.archive import TakeOverFailed
from tests.support import old_airflow as old
from tests.support.accounts import NOBODY, Folder, in_process


@pytest.fixture(autouse=True)
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """No unit, crontab line or profile of this machine's."""
    for name in ("UNITS", "CRONTABS", "PROFILES"):
        monkeypatch.setattr(remnants, name, ())


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that every account can enter."""
    with Folder() as path:
        yield path


def seen(home: Path) -> OldAirflow:
    found = look.look(home)
    assert found.old is not None, found.problem
    return found.old


def unpacked(home: Path, target: Path) -> Path:
    target.mkdir(mode=0o700)
    archive.unpack(archive.packed(seen(home)), target)
    return target


def names(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_all_of_it_comes_out_and_the_old_one_is_as_it_was(tmp_path: Path) -> None:
    home = old.make("2.2.2", tmp_path / "airflow")
    (home / "logs" / "etl_daily" / "load").mkdir(parents=True)
    (home / "logs" / "etl_daily" / "load" / "1.log").write_text("done\n")
    (home / "logs" / "scheduler").mkdir()
    (home / "logs" / "scheduler" / "latest.log").write_text("of a component\n")
    (home / "dags" / "run.sh").write_text("#!/bin/sh\n")
    (home / "dags" / "run.sh").chmod(0o755)
    (home / "dags" / "link.py").symlink_to("/etc/passwd")
    (home / "dags" / ".git").mkdir()
    (home / "dags" / ".git" / "config").write_text("url = https://user:token@git")
    before = old.contents(home)
    target = unpacked(home, tmp_path / "staging")
    assert names(target) == [
        "airflow.cfg", "airflow.db", "dags/etl_daily.py", "dags/legacy.py", "dags/run.sh", "fernet-key",
        "logs/etl_daily/load/1.log", "old.json", "plugins/helper.py",
    ]  # fmt: skip
    assert (target / "dags" / "run.sh").stat().st_mode & 0o777 == 0o700
    assert (target / "airflow.db").stat().st_mode & 0o777 == 0o600
    with sqlite3.connect(target / "airflow.db") as copy:
        assert copy.execute("SELECT count(*) FROM task_instance").fetchone() == (60,)
    assert old.contents(home) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["airflow", "staging"]


@pytest.mark.skipif(os.geteuid() != 0, reason="not root")
def test_root_packs_it_as_its_owner(tmp_path: Path, reachable: Path) -> None:
    home = old.make("2.2.2", reachable / "airflow")
    (home / "dags" / "secret.py").write_text("x = 1")
    old.own(home, NOBODY, NOBODY)
    os.chown(home / "dags" / "secret.py", 0, 0)
    (home / "dags" / "secret.py").chmod(0o600)
    found = seen(home)
    assert found.dags.unreadable == (f"{home}/dags/secret.py",)
    target = unpacked(home, tmp_path / "staging")
    assert "dags/etl_daily.py" in names(target)
    assert "dags/secret.py" not in names(target)


def test_no_room_for_the_archive(tmp_path: Path) -> None:
    """Said with what there is to do; nothing was changed so far, and nothing is left behind."""
    home = old.make("2.2.2", tmp_path / "airflow")
    before, unlimited = old.contents(home), resource.getrlimit(resource.RLIMIT_FSIZE)

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 10, resource.RLIM_INFINITY))

    def packs() -> None:
        with pytest.raises(TakeOverFailed) as caught:
            archive.packed(seen(home))
        assert "disk I/O error" in caught.value.found  # SQLite's word where its copy cannot grow
        assert "/var/tmp" in caught.value.hint

    in_process(packs, limit)()
    assert resource.getrlimit(resource.RLIMIT_FSIZE) == unlimited
    assert old.contents(home) == before


def test_python_without_sqlite3_gets_as_far_as_doctor() -> None:
    """An install on such a host is refused by a finding, not by an import."""
    program = "import sys; sys.modules['sqlite3'] = None; import bootstrap.commands.installing"
    tried = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True)
    assert (tried.returncode, tried.stderr) == (0, "")


@pytest.mark.parametrize(
    "member",
    ["../escape", "/etc/passwd", "dags/../../escape", "other/file", "airflow.cfg/below", "link", "device"],
)
def test_entry_that_does_not_belong_there(member: str, tmp_path: Path) -> None:
    with tempfile.TemporaryFile() as stream, tarfile.open(fileobj=stream, mode="w") as made:
        info = tarfile.TarInfo(member if member not in ("link", "device") else "dags/x")
        info.type = {"link": tarfile.SYMTYPE, "device": tarfile.CHRTYPE}.get(member, tarfile.REGTYPE)
        info.linkname = "/etc/passwd" if member == "link" else ""
        made.addfile(info, io.BytesIO(b""))
        made.close()
        refuse(stream, tmp_path)


def test_archive_that_ends_early(tmp_path: Path) -> None:
    with tempfile.TemporaryFile() as stream:
        stream.write(b"no archive" * 1000)
        refuse(stream, tmp_path)


def refuse(stream: IO[bytes], tmp_path: Path) -> None:
    stream.seek(0)
    (tmp_path / "staging").mkdir()
    with pytest.raises(TakeOverFailed):
        archive.unpack(os.dup(stream.fileno()), tmp_path / "staging")
    assert names(tmp_path) == []
