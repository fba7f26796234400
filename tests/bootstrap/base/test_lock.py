"""One install at a time: between real processes, and free again however its holder ended."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bootstrap.base import process
from bootstrap.base.lock import HomeBusy, held
from bootstrap.base.lock import holder as holder_of

ROOT = Path(__file__).parents[3]
HOLD = (
    "import sys; from pathlib import Path; from bootstrap.base.lock import held\n"
    "with held(Path(sys.argv[1])):\n"
    "    print('held', flush=True); sys.stdin.read()\n"
)


@contextmanager
def holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is told to end."""
    command = [sys.executable, "-c", HOLD, str(path)]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == "held\n"
        yield child
        child.kill()


def test_second_process_is_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with holder(path) as child:
        with pytest.raises(HomeBusy, match=f"running in {tmp_path}") as caught, held(path):
            pass
        assert caught.value.exit_code == 35
        assert caught.value.found.startswith(f"process {child.pid} since 20")


def test_holder_is_named_to_those_who_only_look(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert holder_of(path) == ""
    with holder(path) as child:
        assert holder_of(path).startswith(f"process {child.pid} since 20")
    with held(path):
        pass
    assert holder_of(path) == ""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_free_after_its_holder_was_ended(tmp_path: Path, number: signal.Signals) -> None:
    path = tmp_path / "lock"
    with holder(path) as child:
        child.send_signal(number)
        child.wait()
        with held(path):
            assert f"process {os.getpid()} " in path.read_text()


def test_free_after_an_error(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with pytest.raises(ZeroDivisionError), held(path):
        raise ZeroDivisionError
    with held(path):
        pass


def test_not_held_twice_by_one_process(tmp_path: Path) -> None:
    with held(tmp_path / "lock"), pytest.raises(HomeBusy), held(tmp_path / "lock"):
        pass


def test_a_daemon_that_was_started_meanwhile_does_not_hold_it(tmp_path: Path) -> None:
    """supervisord is launched by an install and outlives it."""
    path = tmp_path / "lock"
    with held(path):
        script = f"sleep 30 >/dev/null 2>&1 & echo $! > {tmp_path}/pid"
        process.run(["sh", "-c", script], what="start a daemon")
    try:
        with held(path):
            pass
    finally:
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)


def test_file_is_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with held(tmp_path / "lock"):
            assert stat.S_IMODE((tmp_path / "lock").stat().st_mode) == 0o600
    finally:
        os.umask(before)


def test_name_of_an_earlier_holder_is_wiped(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    path.write_text("process 123456789 since a very long time ago, and even longer than that\n")
    with held(path):
        assert path.read_text().startswith(f"process {os.getpid()} since ")
        assert path.read_text().count("\n") == 1
