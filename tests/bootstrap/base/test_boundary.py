"""The error boundary: a sentence for what may happen, a log for a bug, and no program left running."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import signal
import stat
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from bootstrap.base.boundary import BUG, INTERRUPTED, HostError, guard
from bootstrap.base.console import Console
from bootstrap.base.lock import HomeBusy
from tests.support.processes import wait_until_gone
from wheelhouse.errors import AirferryError

ROOT = Path(__file__).parents[3]


class Shown:
    """What a command that raises shows, and its exit status."""

    def __init__(self, error: BaseException | None, *, as_json: bool = False) -> None:
        out, err = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))

        def run() -> int:
            if error:
                raise error
            return 7

        self.status = guard(run, Console(err, out), json=as_json)
        self.out, self.err = (self._text(stream) for stream in (out, err))

    @staticmethod
    def _text(stream: io.TextIOWrapper) -> str:
        stream.flush()
        assert isinstance(stream.buffer, io.BytesIO)
        return stream.buffer.getvalue().decode()


def test_status_of_a_command_is_passed_on() -> None:
    assert Shown(None).status == 7


def test_expected_failure_is_shown() -> None:
    shown = Shown(HomeBusy("The home is busy.", found="process 1", needed="nobody", hint="Wait."))
    assert shown.status == 35
    assert shown.out == ""
    for text in ("The home is busy.", "home-busy", "process 1", "nobody", "Wait."):
        assert text in shown.err
    assert "Traceback" not in shown.err


def test_json_of_a_failure() -> None:
    shown = Shown(HomeBusy("Busy.", hint="Wait."), as_json=True)
    data = json.loads(shown.out)
    assert (data["schema"], data["ok"]) == (1, False)
    assert data["error"]["reference"] == "home-busy"
    assert data["error"]["exit_code"] == shown.status == 35


@pytest.mark.parametrize(
    ("error", "reference"),
    [
        (KeyboardInterrupt(), "interrupted"),
        (OSError(errno.ENOSPC, "No space"), "host-refused"),
        (ZeroDivisionError("x"), "bug"),
    ],
)
def test_every_failure_is_json_as_well(error: BaseException, reference: str, bug_folder: Path) -> None:
    shown = Shown(error, as_json=True)
    data = json.loads(shown.out)
    assert (data["ok"], data["error"]["reference"]) == (False, reference)
    assert data["error"]["exit_code"] == shown.status


def test_ctrl_c() -> None:
    shown = Shown(KeyboardInterrupt())
    assert shown.status == INTERRUPTED == 130
    assert "No work is lost" in shown.err


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EDQUOT, errno.EIO])
def test_refusal_of_the_operating_system_is_no_bug(code: int) -> None:
    shown = Shown(OSError(code, os.strerror(code), "/opt/airflow/x"))
    assert shown.status == HostError.exit_code == 41
    assert os.strerror(code) in shown.err
    assert "/opt/airflow/x" in shown.err
    assert "bug" not in shown.err


def test_a_file_of_the_command_line_that_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No advice about the disk: the name is wrong."""
    (tmp_path / "airflow.run").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["airferry", "verify", "airflow.rum", "--value-file=none", "gone/x"])
    cases = [
        ("airflow.rum", "airflow.rum: no such file. [no-such-file]\n  hint:   Did you mean airflow.run?"),
        (str(tmp_path / "none"), "none: no such file. [no-such-file]\n"),
        ("gone/x", f"There is no folder {tmp_path}/gone."),
    ]
    for name, said in cases:
        shown = Shown(FileNotFoundError(errno.ENOENT, "No such file or directory", name))
        assert (shown.status, said in shown.err) == (2, True), shown.err
    shown = Shown(IsADirectoryError(errno.EISDIR, "Is a directory", "airflow.rum"))
    assert (shown.status, "airflow.rum: is a directory." in shown.err) == (2, True)
    # a file of ours that is gone is nothing that was typed wrongly
    shown = Shown(FileNotFoundError(errno.ENOENT, "No such file or directory", "/opt/airflow/x"))
    assert (shown.status, "df -h" in shown.err) == (41, False)


@pytest.fixture
def bug_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "state"
    folder.mkdir()
    monkeypatch.setenv("XDG_STATE_HOME", str(folder))
    return folder


def test_bug_is_logged_and_said_to_be_one(bug_folder: Path) -> None:
    shown = Shown(ZeroDivisionError("x"))
    assert shown.status == BUG == 1
    assert "This is a bug in airferry: ZeroDivisionError: x" in shown.err
    assert "Traceback" not in shown.err
    assert re.search(r"test_boundary\.py:\d+ in run", shown.err)
    (log,) = bug_folder.iterdir()
    assert str(log) in shown.err.replace("\n", "").replace(" " * 10, "") or log.name in shown.err
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    text = log.read_text(encoding="utf-8")
    assert "Traceback (most recent call last)" in text
    assert "ZeroDivisionError: x" in text
    assert sys.executable in text


def test_bug_log_and_message_hold_no_credentials(bug_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["--index-url", "https://kim:pa/s@s1@index.example/simple", "--token", "s2", "--api-key=s3"]
    words += ["--postgres", "postgresql://air@db.example/airflow?sslpassword=s4&sslmode=require"]
    monkeypatch.setattr(sys, "argv", ["airferry", "bundle", *words, "--admin-password-file", "/root/admin"])
    shown = Shown(ValueError("no answer from https://kim:s5@index.example/simple (password='s6 s7')"))
    (log,) = bug_folder.iterdir()
    text = log.read_text(encoding="utf-8")
    for told in (text, shown.err):
        assert not re.search(r"kim|pa/s|@s1|\bs[2-7]\b", told), told
        assert "https://***@index.example/simple" in told
    assert "--token *** --api-key=***" in text
    assert "postgresql://***@db.example/airflow?sslpassword=***&sslmode=require" in text
    assert "--admin-password-file /root/admin" in text


def test_bug_where_no_log_can_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    shown = Shown(ZeroDivisionError("x"))
    assert shown.status == BUG
    assert "Send these lines" in shown.err


def test_bug_with_a_state_folder_that_is_not_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nowhere"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    Shown(ZeroDivisionError("x"))
    assert [path.suffix for path in tmp_path.iterdir()] == [".log"]


def test_bug_with_a_path_that_is_not_utf8(bug_folder: Path) -> None:
    shown = Shown(ValueError(os.fsdecode(b"/\xc7\xd1")))
    assert shown.status == BUG
    assert len(list(bug_folder.iterdir())) == 1


COMMAND = """
import sys
from pathlib import Path
from bootstrap.base import process
from bootstrap.base.boundary import guard
from bootstrap.base.console import Console

def run():
    try:
        process.run(["sh", "-c", "echo $$ > %s/pid; exec sleep 60"], what="wait")
    finally:
        Path("%s/cleaned").touch()

raise SystemExit(guard(run, Console(), json=False))
"""


# who insists on Ctrl-C gets it
@pytest.mark.parametrize(
    ("number", "times"), [(signal.SIGTERM, 1), (signal.SIGTERM, 3), (signal.SIGHUP, 3), (signal.SIGINT, 1)]
)
def test_no_program_is_left_after_a_signal(tmp_path: Path, number: signal.Signals, times: int) -> None:
    """A lost ssh connection is SIGHUP, and what it was installing must not go on alone."""
    child = start(tmp_path)
    for _ in range(times):
        child.send_signal(number)
        time.sleep(0.01)
    _, err = child.communicate(timeout=30)
    assert child.returncode == INTERRUPTED
    assert "No work is lost" in err
    assert (tmp_path / "cleaned").exists()
    assert wait_until_gone(int((tmp_path / "pid").read_text()))


def test_nohup_is_obeyed(tmp_path: Path) -> None:
    child = start(tmp_path, "nohup")
    child.send_signal(signal.SIGHUP)
    time.sleep(0.3)
    assert child.poll() is None
    child.send_signal(signal.SIGTERM)
    child.communicate(timeout=10)
    assert child.returncode == INTERRUPTED


def start(folder: Path, *before: str) -> subprocess.Popen[str]:
    """Start a command that waits for another program."""
    script = textwrap.dedent(COMMAND % (folder, folder))
    child = subprocess.Popen(
        [*before, sys.executable, "-c", script],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    deadline = time.monotonic() + 10
    while not (folder / "pid").exists() or not (folder / "pid").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return child


def test_pipe_that_was_closed_is_no_error() -> None:
    script = """
    import sys
    from bootstrap.base.boundary import guard
    from bootstrap.base.console import Console
    def run():
        console = Console()
        for number in range(20000):
            console.print(f"line {number}")
        return 0
    raise SystemExit(guard(run, Console(), json=False))
    """
    command = f"{sys.executable} -c '{textwrap.dedent(script)}' | head -1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], check=False, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.splitlines() == ["line 0", "0"]
    assert done.stderr == ""


def test_every_error_has_its_own_words() -> None:
    """A reference and an exit status of its own kind; the root's status is that of a bug."""
    assert AirferryError.exit_code == BUG
    assert AirferryError("m", found="f", needed="n", hint="h").as_dict() == {
        "reference": "airferry-error",
        "exit_code": 1,
        "message": "m",
        "found": "f",
        "needed": "n",
        "hint": "h",
    }
