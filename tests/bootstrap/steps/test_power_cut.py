"""A power cut: what has its name is whole, on a real file system that loses what was not written through."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.base import smallfile
from bootstrap.installed.installation import Installation
from bootstrap.services.control import Systemctl
from bootstrap.services.units import Layout
from bootstrap.state.home import Home
from bootstrap.steps.airflow import PipelinesStep
from tests.support import receipts
from tests.support.disks import Disk
from wheelhouse.reader import Bundle


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if os.geteuid() != 0 or not shutil.which("mkfs.ext4"):
        pytest.skip("mounting needs root and mkfs.ext4")
    probe = subprocess.run(["losetup", "-f"], check=False, capture_output=True, text=True)
    if probe.returncode:
        pytest.skip(f"no loop devices here: {probe.stderr.strip()}")
    made = Disk(tmp_path / "disk", "96m")
    made.make()
    yield made
    made.remove()


def lose_power(disk: Disk) -> None:
    """Names reach the disk sooner than contents: others write to it as well, and it commits every 5 s."""
    smallfile.write(disk.folder / "other", "x")
    disk.cut()
    disk.unmount()
    disk.mount()


def test_names_without_contents_are_what_a_power_cut_leaves(disk: Disk) -> None:
    """What the others are compared with: a file that was written and moved to its place, no more."""
    (disk.folder / "beside").write_text("content")
    (disk.folder / "beside").rename(disk.folder / "file")
    lose_power(disk)
    assert (disk.folder / "file").read_text() == ""


def test_pipelines_are_whole_or_copied_again(disk: Disk, tiny_bundle: Path) -> None:
    home = Home(disk.folder / "home")
    home.path.mkdir()
    with Bundle.open(tiny_bundle) as bundle:
        step = PipelinesStep(Installation(receipts.sample(home.path)), bundle)
        step.apply()
        lose_power(disk)
        if not step.done():
            step.apply()
        files = {path.name: path.read_bytes() for path in step.folder.rglob("*") if path.is_file()}
    assert files == {"pipeline.py": b"print('a -> b -> c')\n"}


def test_units_are_no_empty_files_that_mask(disk: Disk, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = disk.folder / "units"
    control = Systemctl(
        Layout("airflow", "/opt/airflow", "airflow", ("scheduler",), True), folder, user=False
    )
    monkeypatch.setattr(control, "_run", lambda *words, **more: None)
    control.configure()
    lose_power(disk)
    assert control.current()
