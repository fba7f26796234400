"""Processes that write into a folder which is about to be made anew."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bootstrap.services import strays


def test_users_of_a_folder_are_killed_and_others_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "한글 release"
    folder.mkdir()
    sleep = "import time; time.sleep(60)"
    user = subprocess.Popen([sys.executable, "-c", sleep, str(folder / "venv")])
    other = subprocess.Popen([sys.executable, "-c", sleep, f"{folder}-of-another/venv"])
    try:
        strays.kill_users(folder)
        assert user.wait(10) == -9
        assert other.poll() is None
    finally:
        user.kill()
        other.kill()
        other.wait()
