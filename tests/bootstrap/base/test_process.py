"""The one door to other programs, with real programs: time limits, groups, masks, environment."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from bootstrap.base import process
from bootstrap.base.process import CommandFailed
from bootstrap.base.secret import Secret
from tests.support.processes import wait_until_gone

PASSWORD = Secret("Tops3cret")


def test_output_and_status() -> None:
    result = process.run(["sh", "-c", "echo out; echo 오류 >&2; exit 3"], what="try", ok=(3,))
    assert (result.status, result.stdout, result.stderr) == (3, "out\n", "오류\n")
    assert 0 < result.seconds < 5


def test_unexpected_status_is_an_error_with_the_end_of_the_output(tmp_path: Path) -> None:
    log = tmp_path / "install.log"
    with pytest.raises(CommandFailed) as caught:
        process.run(["sh", "-c", "seq 100 >&2; exit 7"], what="count", log=log)
    error = caught.value
    assert error.message == "Could not count: sh ended with exit status 7."
    assert error.found.splitlines() == [str(number) for number in range(86, 101)]
    assert str(log) in error.hint
    assert error.exit_code == 30
    assert log.read_text().splitlines()[1:101] == [str(number) for number in range(1, 101)]


@pytest.mark.parametrize(
    ("number", "name"), [(signal.SIGKILL, "SIGKILL"), (signal.SIGSEGV, "SIGSEGV"), (40, "real-time")]
)
def test_end_by_a_signal_is_named(number: int, name: str) -> None:
    with pytest.raises(CommandFailed, match=rf"was ended by signal {int(number)}") as caught:
        process.run(["sh", "-c", f"kill -{int(number)} $$"], what="die")
    assert name in caught.value.message


@pytest.mark.parametrize("program", ["/nonexistent/program", "/etc/passwd", "/tmp"])
def test_program_that_does_not_start(program: str) -> None:
    with pytest.raises(CommandFailed, match=f"Could not try: {program} did not start") as caught:
        process.run([program], what="try")
    assert caught.value.hint


def test_program_of_another_architecture(tmp_path: Path) -> None:
    program = tmp_path / "uv"
    program.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(100))
    program.chmod(0o755)
    with pytest.raises(CommandFailed, match="did not start"):
        process.run([program], what="try")


def test_output_that_is_not_utf8() -> None:
    assert process.run(["printf", "\\377x"], what="try").stdout == "\ufffdx"


def test_time_limit_kills_the_whole_group(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/parent; echo so far; wait"
    started = time.monotonic()
    with pytest.raises(CommandFailed, match="still running after 1 seconds") as caught:
        process.run(["sh", "-c", script], what="wait", timeout=0.6, log=tmp_path / "log")
    assert time.monotonic() - started < 5
    assert caught.value.found == "so far"
    assert "so far" in (tmp_path / "log").read_text()
    for name in ("child", "parent"):
        assert wait_until_gone(int((tmp_path / name).read_text()))


def test_time_limit_holds_although_a_stranger_keeps_the_pipe(tmp_path: Path) -> None:
    """A daemon that left the group still holds our end of its output."""
    script = f"setsid sh -c 'echo $$ > {tmp_path}/stranger; exec sleep 30' & sleep 30"
    started = time.monotonic()
    with pytest.raises(CommandFailed, match="still running"):
        process.run(["sh", "-c", script], what="wait", timeout=0.5)
    elapsed = time.monotonic() - started
    os.kill(int((tmp_path / "stranger").read_text()), signal.SIGKILL)
    assert elapsed < 10


def test_interrupt_kills_the_group(tmp_path: Path) -> None:
    script = f"sleep 60 & echo $! > {tmp_path}/child; wait"
    timer = threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        process.run(["sh", "-c", script], what="wait", log=tmp_path / "log")
    timer.join()
    assert wait_until_gone(int((tmp_path / "child").read_text()))


def test_interrupt_while_a_program_is_being_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between fork and the first look at it, nobody else could end it."""
    real = subprocess.Popen

    def start(*arguments: Any, **named: Any) -> Any:
        child = real(*arguments, **named)
        (tmp_path / "pid").write_text(str(child.pid))
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        return child

    monkeypatch.setattr(subprocess, "Popen", start)
    with pytest.raises(KeyboardInterrupt):
        process.run(["sleep", "60"], what="wait")
    assert wait_until_gone(int((tmp_path / "pid").read_text()))
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_programs_run_in_threads_too() -> None:
    """Doctor collects facts side by side."""
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda word: process.run(["echo", word], what="try"), "abcd"))
    assert [result.stdout for result in results] == ["a\n", "b\n", "c\n", "d\n"]


def test_program_has_no_terminal_and_no_input() -> None:
    script = "import os, sys; print(repr(sys.stdin.read())); print(os.getsid(0) == os.getpid())"
    assert process.run([sys.executable, "-c", script], what="try").stdout == "''\nTrue\n"


def test_input_may_be_a_secret() -> None:
    assert process.run(["cat"], what="try", stdin=PASSWORD).stdout == PASSWORD.reveal()


def test_program_that_does_not_read_its_input() -> None:
    assert process.run(["true"], what="try", stdin="x" * 1_000_000).status == 0


def test_secrets_are_masked_everywhere(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f"echo login as {PASSWORD.reveal()}; echo pass={PASSWORD.reveal()} >&2; exit 1"
    with pytest.raises(CommandFailed) as caught:
        process.run(["sh", "-c", script], what="log in", log=log, secrets=[PASSWORD, Secret("")])
    assert PASSWORD.reveal() not in log.read_text() + repr(caught.value.as_dict()) + str(caught.value)
    assert caught.value.found == "pass=***"
    assert "login as ***" in log.read_text()


def test_secrets_are_masked_when_time_is_up(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f"echo {PASSWORD.reveal()}; sleep 30"
    with pytest.raises(CommandFailed) as caught:
        process.run(["sh", "-c", script], what="log in", log=log, secrets=[PASSWORD], timeout=0.5)
    assert PASSWORD.reveal() not in log.read_text() + repr(caught.value.as_dict())
    assert "***" in log.read_text()


def test_log_is_appended_to_and_private(tmp_path: Path) -> None:
    log = tmp_path / "log"
    for word in ("one", "two"):
        process.run(["echo", word], what="try", log=log)
    lines = log.read_text().splitlines()
    assert [line for line in lines if line.startswith("$ ")] == ["$ echo one", "$ echo two"]
    assert lines[2].startswith("# ended with exit status 0 in ")
    assert stat.S_IMODE(log.stat().st_mode) & 0o007 == 0o004  # the folder it lies in is private


def test_path_that_is_not_utf8(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/" + "한글".encode("euc-kr"))
    Path(name).mkdir()
    log = tmp_path / "log"
    result = process.run(["ls", "-d", name], what="look", log=log, cwd=Path(name))
    assert result.status == 0
    assert "$ ls -d" in log.read_text()
    with pytest.raises(CommandFailed):
        process.run([f"{name}/program"], what="look", log=log)


# the environment


def test_settings_of_the_host_stay_out(monkeypatch: pytest.MonkeyPatch) -> None:
    leaks = {
        "PIP_INDEX_URL": "http://x",
        "UV_CONFIG_FILE": "/x",
        "PYTHONPATH": "/x",
        "PYTHONHOME": "/x",
        "AIRFLOW__CORE__EXECUTOR": "x",
        "AIRFLOW_HOME": "/x",
        "http_proxy": "http://x",
        "HTTPS_PROXY": "http://x",
        "LANG": "ko_KR.EUC-KR",
        "LC_MESSAGES": "ko_KR",
        "PGHOST": "x",
        "VIRTUAL_ENV": "/x",
        "LD_PRELOAD": "",
        "SECRET_TOKEN": "x",
    }
    for name, value in leaks.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TZ", "Asia/Seoul")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/opt/python/lib")
    shown = process.run(["env"], what="look").stdout
    seen = dict(line.split("=", 1) for line in shown.splitlines())
    assert not set(leaks) & set(seen)
    assert seen["TZ"] == "Asia/Seoul"
    assert seen["LD_LIBRARY_PATH"] == "/opt/python/lib"
    assert seen["LC_ALL"] == "C.UTF-8"
    assert seen["PYTHONUTF8"] == "1"
    assert set(seen) <= {*process.INHERITED, "LC_ALL", "PYTHONUTF8", "PWD", "SHLVL", "_"}


def test_extra_wins_and_an_empty_value_removes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    env = process.environment({"AIRFLOW_HOME": "/home/사용자", "TERM": ""})
    assert env["AIRFLOW_HOME"] == "/home/사용자"
    assert "TERM" not in env
    assert process.run(["printenv", "AIRFLOW_HOME"], what="look", env=env).stdout == "/home/사용자\n"


def test_what_a_program_died_of_is_told_before_a_long_statement() -> None:
    said = ["a", "KeyError: 1", "sqlalchemy.exc.ProgrammingError: (x) exists", *"123" * 9]
    script = f"import sys; sys.exit('\\n'.join({said}))"
    with pytest.raises(process.CommandFailed) as caught:
        process.run([sys.executable, "-c", script], what="try")
    lines = caught.value.found.splitlines()
    assert lines[0] == "sqlalchemy.exc.ProgrammingError: (x) exists"
    assert lines[1:] == list("123" * 5)


def test_programs_are_found_without_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PATH")
    assert process.environment()["PATH"] == os.defpath
    assert process.run(["true"], what="try").status == 0
