"""The link on root's PATH: made beside what is there, and removed with its installation alone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.state import shortcut
from bootstrap.state.home import Home
from tests.support.accounts import NOBODY

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has a PATH to link into")


@pytest.fixture
def root_only() -> Iterator[Path]:
    """A folder that nobody but root can change, as /opt is; not below /tmp."""
    folder = Path("/opt") / f"airferry-shortcut-{os.getpid()}"
    folder.mkdir()
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def path(root_only: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = root_only / "bin"
    folder.mkdir()
    monkeypatch.setattr(shortcut, "FOLDER", folder)
    return folder


def installation(folder: Path, name: str) -> Home:
    home = Home(folder / name)
    home.bin.mkdir(parents=True)
    (home.bin / "airferry").write_text("#!/bin/sh\n")
    return home


def test_the_first_has_the_name_and_others_their_own(root_only: Path, path: Path) -> None:
    first, second = installation(root_only, "airflow"), installation(root_only, "blue")
    assert shortcut.plan(first, "airflow") == [f"Link {path}/airferry to {first.bin}/airferry"]
    assert shortcut.make(first, "airflow") == path / "airferry"
    assert shortcut.make(first, "airflow") == path / "airferry"
    assert shortcut.plan(first, "airflow") == []
    assert shortcut.plan(second, "blue") == [f"Link {path}/airferry-blue to {second.bin}/airferry"]
    assert shortcut.make(second, "blue") == path / "airferry-blue"
    shortcut.remove(first)
    assert [link.name for link in path.iterdir()] == ["airferry-blue"]
    assert shortcut.make(second, "blue") == path / "airferry"
    shortcut.remove(second)
    assert list(path.iterdir()) == []


def test_what_is_not_ours_stays(root_only: Path, path: Path) -> None:
    home = installation(root_only, "airflow")
    (path / "airferry").write_text("another program")
    (path / "airferry-airflow").symlink_to("/nowhere")
    assert shortcut.plan(home, "airflow") == []
    assert shortcut.make(home, "airflow") is None
    shortcut.remove(home)
    assert (path / "airferry").read_text() == "another program"
    assert (path / "airferry-airflow").readlink() == Path("/nowhere")


def test_no_link_to_what_the_account_can_exchange(root_only: Path, path: Path) -> None:
    """Root would run it by its bare name."""
    home = installation(root_only, "airflow")
    os.chown(home.bin, NOBODY, NOBODY)
    assert shortcut.make(home, "airflow") is None
    assert list(path.iterdir()) == []
