"""Processes that write into a folder which is about to be made anew, or that a killed installer has left."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap import daily
from bootstrap.installed.installation import Installation
from bootstrap.services import strays
from tests.support import receipts

SLEEP = "import time; time.sleep(60)"


@contextmanager
def sleeping(*command: str | Path) -> Iterator[subprocess.Popen[bytes]]:
    child = subprocess.Popen([str(word) for word in command])
    try:
        yield child
    finally:
        child.kill()
        child.wait()


def test_users_of_a_folder_are_killed_and_others_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "한글 release"
    folder.mkdir()
    with (
        sleeping(sys.executable, "-c", SLEEP, folder / "venv") as user,
        sleeping(sys.executable, "-c", SLEEP, f"{folder}-of-another/venv") as other,
    ):
        strays.kill_users(folder)
        assert user.wait(10) == -9
        assert other.poll() is None


@pytest.mark.parametrize("services", ["supervisor", "none"])
def test_stop_ends_the_migration_of_a_killed_install(tmp_path: Path, services: str) -> None:
    """It runs on the release's own Python; an editor with a file of that release is not ours."""
    home = tmp_path / "it's 홈"
    installation = Installation(replace(receipts.sample(home), services=services))
    python = installation.release.venv / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    with (
        sleeping(python, "-c", SLEEP, "db", "migrate") as migration,
        sleeping(sys.executable, "-c", SLEEP, installation.release.venv / "pyvenv.cfg") as editor,
    ):
        daily.stop(installation)
        if services == "none":  # whatever runs is run by other means
            assert migration.poll() is None
        else:
            assert migration.wait(10) == -9
        assert editor.poll() is None
