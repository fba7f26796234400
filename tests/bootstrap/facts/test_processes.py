"""Processes of a container: they name the same paths and mean others."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.facts import processes
from bootstrap.services import strays


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    """A scheduler of a home, and one of a container in which a folder of the same name lies."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / f"container{home}").mkdir(parents=True)
    proc = tmp_path / "proc"
    for pid, root in ((302, Path("/")), (318, tmp_path / "container")):
        folder = proc / str(pid)
        folder.mkdir(parents=True)
        (folder / "cmdline").write_bytes(f"{home}/venv/bin/python\0airflow\0scheduler\0".encode())
        mark = f"{strays.MARK}={home}"
        (folder / "environ").write_bytes(f"AIRFLOW_HOME={home}\0{mark}\0".encode())
        (folder / "stat").write_text(f"{pid} (python) S 1 {pid} {pid} 0")
        (folder / "exe").symlink_to("/usr/bin/python3")
        (folder / "root").symlink_to(root)
    return proc


@pytest.mark.parametrize("installed", [True, False], ids=["home", "no-home-yet"])
def test_home_of_a_container_is_not_ours(proc: Path, tmp_path: Path, installed: bool) -> None:
    home = tmp_path / "home"
    if not installed:
        home.rmdir()
    found = {item.pid: item.home for item in processes.collect(proc)}
    assert found == {302: str(home), 318: ""}
    assert strays.find(home, proc) == [302]
    assert strays._users(home, proc, programs_only=False) == [302]
