"""The relay with real programs: everything arrives twice, to the last byte; it ends as its program ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bootstrap.services import relay
from bootstrap.services.relay import RotatedFile
from tests.support import pythons

SCRIPT = Path(relay.__file__)


def start(log: Path, *command: str, python: Path | str = sys.executable) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [python, "-I", "-S", SCRIPT, log, *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.mark.parametrize("python", pythons.fitting(), ids=lambda item: item.minor)
def test_output_arrives_twice(tmp_path: Path, python: pythons.Python) -> None:
    log = tmp_path / "one 100% 한글.log"
    child = start(log, "sh", "-c", "echo out; echo err >&2; exit 7", python=python.path)
    out, err = child.communicate()
    assert (child.returncode, out, err) == (7, b"out\nerr\n", b"")
    assert log.read_bytes() == out


def test_last_words_of_a_killed_program_arrive(tmp_path: Path) -> None:
    """200 kB are more than a pipe holds; then the program is gone at once."""
    child = start(
        tmp_path / "log", sys.executable, "-c", "import os; print('x' * 200000, flush=True); os.abort()"
    )
    out, _ = child.communicate()
    assert child.returncode == -signal.SIGABRT
    assert out == b"x" * 200000 + b"\n" == (tmp_path / "log").read_bytes()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_ends_by_the_signal_that_ended_the_program(tmp_path: Path, number: signal.Signals) -> None:
    with start(tmp_path / "log", "sh", "-c", f"kill -{number.value} $$") as child:
        assert child.wait(10) == -number


def test_stop_signal_reaches_the_program_alone(tmp_path: Path) -> None:
    script = "trap 'echo ended; exit 3' TERM; trap 'echo int' INT; echo up; while :; do sleep 0.05; done"
    child = start(tmp_path / "log", "sh", "-c", script)
    assert child.stdout
    assert child.stdout.readline() == b"up\n"
    child.send_signal(signal.SIGINT)
    assert child.stdout.readline() == b"int\n"
    child.send_signal(signal.SIGTERM)
    assert child.communicate(timeout=10)[0] == b"ended\n"
    assert child.returncode == 3


def test_a_grandchild_that_keeps_the_pipe_does_not_hold_it_up(tmp_path: Path) -> None:
    started = time.monotonic()
    with start(tmp_path / "log", "sh", "-c", "sleep 30 & echo $!; exit 0") as child:
        assert child.wait(10) == 0
        assert time.monotonic() - started < 5
        os.kill(int((tmp_path / "log").read_text()), signal.SIGKILL)


def test_program_that_cannot_be_started(tmp_path: Path) -> None:
    child = start(tmp_path / "log", "/nonexistent")
    out, _ = child.communicate()
    assert child.returncode == 127
    assert b"/nonexistent did not start" in out == (tmp_path / "log").read_bytes()


def test_nobody_listens_or_no_log_can_be_written(tmp_path: Path) -> None:
    child = start(tmp_path / "no such folder" / "log", "sh", "-c", "echo out; exit 4")
    assert (child.communicate()[0], child.returncode) == (b"out\n", 4)
    with start(tmp_path / "log", "sh", "-c", "sleep 0.3; echo one; sleep 0.1; echo two") as child:
        assert child.stdout
        child.stdout.close()
        assert child.wait(10) == 0
    assert (tmp_path / "log").read_text() == "one\ntwo\n"


def test_program_has_the_signals_of_a_fresh_process(tmp_path: Path) -> None:
    """Python ignores SIGPIPE, which a component must not inherit; nothing stays blocked either."""
    child = start(tmp_path / "log", "grep", "-E", "^Sig(Blk|Ign)", "/proc/self/status")
    said = child.communicate()[0].decode().split()
    # whoever started the tests may have ignored more (nohup; real-time signals of the C library's)
    ours = Path("/proc/self/status").read_text().partition("SigIgn:")[2].split()[0]
    python = sum(1 << (number - 1) for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGINT))
    blocked, ignored = (int(mask, 16) & ~(1 << (signal.SIGINT - 1)) for mask in said[1::2])
    assert (blocked, ignored) == (0, int(ours, 16) & ~python)


def test_rotation_keeps_the_newest(tmp_path: Path) -> None:
    log = RotatedFile(str(tmp_path / "log"), largest=20, kept=3)
    for number in range(12):
        log.write(b"line %03d\n" % number)
    assert (tmp_path / "log").read_text() == "line 010\nline 011\n"
    assert (tmp_path / "log.1").read_text() == "line 008\nline 009\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1", "log.2", "log.3"]
    assert (tmp_path / "log.3").read_text() == "line 004\nline 005\n"


def test_costs_no_more_than_a_bare_interpreter(tmp_path: Path) -> None:
    with start(tmp_path / "log", "sh", "-c", "echo up; sleep 30") as child:
        assert child.stdout
        child.stdout.readline()
        status = Path(f"/proc/{child.pid}/status").read_text()
        child.terminate()
        assert child.wait(10) == -signal.SIGTERM
    resident = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    assert resident < 16_000
