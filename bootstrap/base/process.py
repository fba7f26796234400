"""The one door through which this project runs other programs."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess  # the only import of it outside the tests; a lint test keeps it so
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

from bootstrap.base import trust
from bootstrap.base.secret import Secret
from wheelhouse.errors import AirferryError

# What a child may inherit. Everything else (PIP_*, UV_*, PYTHON*, AIRFLOW*, *_proxy, locale) would let the
# host's settings leak into an installation that must come out the same everywhere.
# LD_LIBRARY_PATH stays: interpreters compiled by hand often start only with it.
INHERITED = ("PATH", "HOME", "USER", "LOGNAME", "TZ", "TERM", "TMPDIR", "LD_LIBRARY_PATH", "XDG_RUNTIME_DIR")

_EXCEPTION = re.compile(r"([A-Za-z_]\w*\.)*[A-Z]\w*(Error|Exception)\b.*:")

Argument = Union[str, Path]

_BACKGROUND: List[subprocess.Popen[bytes]] = []


class CommandFailed(AirferryError):
    """A program that we ran ended with an unexpected exit status, or not in time."""

    reference = "command-failed"
    exit_code = 30


@dataclass(frozen=True)
class Completed:
    """What a finished program left: its exit status and its whole output, decoded as UTF-8."""

    status: int
    stdout: str
    stderr: str
    seconds: float


def environment(extra: Optional[Mapping[str, str]] = None) -> dict[str, str]:
    """The environment of a child: the inherited few, UTF-8, and `extra` on top."""
    kept = {name: os.environ[name] for name in INHERITED if name in os.environ}
    kept.setdefault("PATH", os.defpath)
    kept.update({"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"})
    kept.update(extra or {})
    return {name: value for name, value in kept.items() if value}


def run(
    arguments: Sequence[Argument],
    *,
    what: str,
    env: Optional[Mapping[str, str]] = None,
    cwd: Optional[Path] = None,
    stdin: Union[str, Secret, None] = None,
    timeout: float = 600.0,
    ok: Iterable[int] = (0,),
    log: Optional[Path] = None,
    secrets: Iterable[Secret] = (),
    hint: str = "",
) -> Completed:
    """Run a program to its end and return what it said.

    `what` names the work for the error message ("create the database cluster"); `env` is the whole
    environment (default: :func:`environment`); output goes to `log` as well, appended, with every text of
    `secrets` masked. The program gets its own process group, which is killed when `timeout` seconds
    have passed or the caller is interrupted.

    Raises :class:`CommandFailed` when the exit status is not in `ok`, the program cannot be started, or
    time is up.
    """
    command = [str(argument) for argument in arguments]
    _refuse_untrusted(command[0], what, env)
    hidden = [secret.reveal() for secret in secrets]
    text = stdin.reveal() if isinstance(stdin, Secret) else stdin
    started = time.monotonic()
    child: Optional[subprocess.Popen[bytes]] = None
    try:
        with _interrupts_held():
            child = _start(command, what, env, cwd, piped=text is not None, hint=hint)
        out, err = child.communicate(None if text is None else text.encode(), timeout=timeout)
    except BaseException as error:
        if child is None:
            raise
        kill_group(child.pid)
        out, err = _last_words(child)
        result = _result(child.returncode, out, err, started, hidden)
        _append(log, command, result, hidden)
        if isinstance(error, subprocess.TimeoutExpired):
            raise CommandFailed(
                f"Could not {what}: {command[0]} was still running after {timeout:.0f} seconds.",
                found=_tail(result),
                hint=hint or _see(log),
            ) from None
        raise
    result = _result(child.returncode, out, err, started, hidden)
    _append(log, command, result, hidden)
    if result.status not in tuple(ok):
        raise CommandFailed(
            f"Could not {what}: {Path(command[0]).name} {_ended(result.status)}.",
            found=_tail(result),
            hint=_full_disk(result) or hint or _see(log),
        )
    return result


class Background:
    """A program that runs beside this one; whoever has started it waits for it, or ends it."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child

    def wait(self) -> int:
        """Its exit status, when it has ended."""
        return self._child.wait()

    def end(self) -> None:
        """Kill it and what it has started; one that has ended is fine."""
        if self._child.poll() is None:
            kill_group(self._child.pid)
        self._child.wait()


def background(arguments: Sequence[Argument], *, what: str, env: Mapping[str, str]) -> Background:
    """Start a program whose output nobody needs.

    Raises :class:`CommandFailed` when it cannot be started.
    """
    command = [str(argument) for argument in arguments]
    _refuse_untrusted(command[0], what, env)
    try:
        null = subprocess.DEVNULL
        child = subprocess.Popen(
            command, stdin=null, stdout=null, stderr=null, env=dict(env), start_new_session=True
        )
    except OSError as error:
        raise CommandFailed(
            f"Could not {what}: {command[0]} did not start: {error.strerror}.", found=str(error)
        ) from error
    _BACKGROUND.append(child)  # forgotten while it runs, it would be complained of
    return Background(child)


def distrust() -> None:
    """From now on refuse a program that others than root could exchange, as long as this process is root's.

    For the closed side: there the service account has folders in which root looks for programs.
    """
    _distrusting.append(True)


_distrusting: List[bool] = []


def _refuse_untrusted(program: str, what: str, env: Optional[Mapping[str, str]]) -> None:
    if not _distrusting:
        return
    path = program
    if "/" not in program:
        path = shutil.which(program, path=(environment() if env is None else env).get("PATH")) or program
    found = trust.untrusted(path)
    if found:
        raise CommandFailed(f"Could not {what}: root does not run {path}.", found=found)


def _full_disk(result: Completed) -> str:
    said = (result.stderr + result.stdout).lower()
    if "no space left on device" in said or "disk quota exceeded" in said:
        return (
            "The disk is full: make room (df -h, df -i) and run the same command again; it"
            " continues from here."
        )
    return ""


def _start(
    command: Sequence[str],
    what: str,
    env: Optional[Mapping[str, str]],
    cwd: Optional[Path],
    *,
    piped: bool,
    hint: str,
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environment() if env is None else env),
            cwd=None if cwd is None else str(cwd),
            start_new_session=True,
        )
    except OSError as error:
        raise CommandFailed(
            f"Could not {what}: {command[0]} did not start: {error.strerror}.",
            found=str(error),
            hint=hint or "Check that the file exists, is executable, and is not on a noexec filesystem.",
        ) from error


@contextlib.contextmanager
def _interrupts_held() -> Iterator[None]:
    """Hold Ctrl-C and the like back while a program is being started: not yet in our hands, it would stay."""
    handlers: Dict[int, Any] = {}
    held: List[Tuple[int, Any]] = []
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if callable(signal.getsignal(number)):
                handlers[number] = signal.signal(number, lambda *call: held.append(call))
    try:
        yield
    finally:
        for caught, handler in handlers.items():
            signal.signal(caught, handler)
        for caught, frame in held[:1]:
            handlers[caught](caught, frame)


def kill_group(pid: int) -> None:
    """Kill the process group that `pid` leads; one that has gone is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _last_words(child: subprocess.Popen[bytes]) -> Tuple[bytes, bytes]:
    """What a killed program has left in its pipes; a stranger that it started may keep them open for ever."""
    try:
        return child.communicate(timeout=2)
    except subprocess.TimeoutExpired as error:
        for stream in (child.stdout, child.stderr):
            if stream:
                stream.close()
        child.wait()
        return error.stdout or b"", error.stderr or b""


def _result(status: int, out: bytes, err: bytes, started: float, hidden: Sequence[str]) -> Completed:
    seconds = time.monotonic() - started
    stdout, stderr = (_mask(part.decode("utf-8", "replace"), hidden) for part in (out, err))
    return Completed(status, stdout, stderr, seconds)


def _mask(text: str, hidden: Sequence[str]) -> str:
    for secret in hidden:
        if secret:
            text = text.replace(secret, "***")
    return text


def _append(log: Optional[Path], command: Sequence[str], result: Completed, hidden: Sequence[str]) -> None:
    if log is None:
        return
    # a path may hold bytes that are no UTF-8
    with log.open("a", encoding="utf-8", errors="backslashreplace") as stream:
        stream.write(f"$ {_mask(' '.join(command), hidden)}\n{result.stdout}{result.stderr}")
        stream.write(f"# {_ended(result.status)} in {result.seconds:.1f} s\n")


def _ended(status: int) -> str:
    if status < 0:
        names = {item.value: item.name for item in signal.Signals}  # real-time signals have none
        return f"was ended by signal {-status} ({names.get(-status, 'real-time')})"
    return f"ended with exit status {status}"


def _tail(result: Completed, lines: int = 15) -> str:
    text = (result.stderr.strip() or result.stdout.strip()).splitlines()
    last = text[-lines:]
    if not any(_EXCEPTION.match(line) for line in last):
        # what a Python program died of may stand before the long statement that it was busy with
        last = [*[line for line in text[:-lines] if _EXCEPTION.match(line)][-1:], *last]
    return "\n".join(last)


def _see(log: Optional[Path]) -> str:
    return f"The full output is in {log}." if log else ""
