"""The error boundary of both command lines: what a user may meet is a sentence, a bug is a log."""

from __future__ import annotations

import contextlib
import errno
import os
import platform
import signal
import sys
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Callable, Optional

from bootstrap.base.console import Console
from bootstrap.base.result import failure
from bootstrap.base.secret import masked, masked_command
from bootstrap.base.spelling import did_you_mean
from wheelhouse import __version__, timestamp
from wheelhouse.errors import AirferryError

INTERRUPTED = 130
BUG = 1


def guard(run: Callable[[], int], console: Console, *, command: str = "", json: bool) -> int:
    """Run a command and return its exit status; expected failures are shown, bugs are logged.

    With `json` every failure is also the JSON of `command` on stdout. A lost connection (SIGHUP) or a plain
    ``kill`` (SIGTERM) interrupts as Ctrl-C does, so that no program that was started goes on alone.
    """
    _interrupt_on_signals()
    try:
        return run()
    except UsageError as error:
        failed: AirferryError = error
        error.show()
    except AirferryError as error:
        failed = error
        console.error(failed)
    except KeyboardInterrupt:
        failed = Interrupted("Interrupted. No work is lost: run the same command again to continue.")
        console.warning(failed.message)
    except OSError as error:
        # A full disk or a missing right: not ours to have foreseen in every place, and no bug either.
        failed = _from_os(error)
        console.error(failed)
    except Exception as error:  # noqa: BLE001 - the boundary
        failed = _bug(error)
        console.error(failed)
    if json:
        console.json(failure(command, failed))
    return failed.exit_code


class UsageError(AirferryError):
    """The command line was used wrongly."""

    reference = "usage"
    exit_code = 2

    def __init__(self, message: str, show: Callable[[], object]) -> None:
        super().__init__(message)
        self.show = show


class Interrupted(AirferryError):
    """Ctrl-C, a lost connection or kill; the same command again goes on."""

    reference = "interrupted"
    exit_code = INTERRUPTED


class Bug(AirferryError):
    """A bug in airferry; the message names the log to send."""

    reference = "bug"
    exit_code = BUG


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which only this process may have got; Ctrl-C reaches its children as well."""


class HostError(AirferryError):
    """The operating system refused a file operation: no space, no right, read-only."""

    reference = "host-refused"
    exit_code = 41


class NoSuchFile(AirferryError):
    """A file that the command line names is not there, is none, or cannot be read."""

    reference = "no-such-file"
    exit_code = 2


_AGAIN = "then run the same command again: it continues from here."
# what helps by the kind of refusal
_HINTS = {
    errno.ENOSPC: f"Free up space (df -h, df -i), {_AGAIN}",
    errno.EDQUOT: f"Free up space (df -h, quota), {_AGAIN}",
    errno.EROFS: f"It is mounted read-only (findmnt): mount it for writing, {_AGAIN}",
    errno.EACCES: f"Grant the permission (ls -ld shows who has it), {_AGAIN}",
    errno.EPERM: f"Grant the permission (ls -ld shows who has it), {_AGAIN}",
}


def _from_os(error: OSError) -> AirferryError:
    named = os.fspath(error.filename) if isinstance(error.filename, (str, os.PathLike)) else ""
    why = error.strerror or str(error)
    missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
    if named and (missing or error.errno in (errno.EISDIR, errno.EACCES)) and _is_argument(Path(named)):
        return NoSuchFile(
            f"{named}: {'no such file' if missing else why[:1].lower() + why[1:]}.",
            hint=_near(Path(named)) if missing else "",
        )
    return HostError(
        f"The operating system refused an operation: {why}.",
        found=str(error),
        hint=_HINTS.get(error.errno or 0, f"Repair this, {_AGAIN}"),
    )


def _is_argument(path: Path) -> bool:
    """Whether a word of the command line names this path."""
    words = (word.rpartition("=")[2] for word in sys.argv[1:])
    return any(Path(word).expanduser().absolute() == path.absolute() for word in words if word)


def _near(path: Path) -> str:
    """What may be meant: another name in that folder."""
    folder = path.absolute().parent
    try:
        return did_you_mean(path.name, [entry.name for entry in folder.iterdir()])
    except OSError:
        return f"There is no folder {folder}." if not folder.exists() else ""


def _interrupt_on_signals() -> None:
    def interrupt(number: int, frame: object) -> None:
        for other in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(other, signal.SIG_IGN)  # once is enough
        raise Terminated

    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup ignores SIGHUP, and means it
            signal.signal(number, interrupt)


def _bug(error: Exception) -> Bug:
    place = traceback.extract_tb(error.__traceback__)[-1]
    log = _log(error)
    details = f"Send {log}" if log else "Send these lines"
    return Bug(
        f"This is a bug in airferry: {type(error).__name__}: {masked(str(error))}",
        found=f"{place.filename}:{place.lineno} in {place.name}, airferry {__version__}",
        hint=f"{details} to the person who supports airferry at your site; they contain no passwords. Running"
        " the same command again may continue.",
    )


def _log(error: Exception) -> Optional[Path]:
    text = [
        f"airferry {__version__}, Python {sys.version.split()[0]} at {sys.executable}\n",
        f"{platform.platform()}, {timestamp.now()}\n",
        f"command: {masked_command(sys.argv)}\n\n",
        *map(masked, traceback.format_exception(type(error), error, error.__traceback__)),
    ]
    for folder in (os.environ.get("XDG_STATE_HOME"), None):  # None: the temporary folder
        with contextlib.suppress(OSError):
            descriptor, name = tempfile.mkstemp(prefix="airferry-bug-", suffix=".log", dir=folder)
            with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:
                stream.writelines(text)
            return Path(name)
    return None
