"""The error boundary of both command lines: what a user may meet is a sentence, a bug is a log."""

from __future__ import annotations

import contextlib
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
from bootstrap.base.secret import masked, masked_command
from wheelhouse import __version__, timestamp
from wheelhouse.errors import AirferryError

INTERRUPTED = 130
BUG = 1


def guard(run: Callable[[], int], console: Console, *, json: bool) -> int:
    """Run a command and return its exit status; expected failures are shown, bugs are logged.

    A lost connection (SIGHUP) or a plain ``kill`` (SIGTERM) interrupts as Ctrl-C does, so that no program
    that was started goes on alone.
    """
    _interrupt_on_signals()
    try:
        return run()
    except AirferryError as error:
        console.error(error)
        if json:
            console.json({"schema": 1, "ok": False, "error": error.as_dict()})
        return error.exit_code
    except KeyboardInterrupt:
        console.warning("Interrupted. Nothing is lost: the same command again goes on from here.")
        return INTERRUPTED
    except OSError as error:
        # A full disk or a missing right: not ours to have foreseen in every place, and no bug either.
        console.error(_from_os(error))
        return HostError.exit_code
    except Exception as error:  # noqa: BLE001 - the boundary
        console.error(_bug(error))
        return BUG


def invoke(app: Callable[..., object], name: str) -> int:
    """Run a typer application as the program `name`; usage errors show themselves.

    Raises KeyboardInterrupt for Ctrl-C, which typer would otherwise swallow.
    """
    try:
        result = app(prog_name=name, standalone_mode=False)
    except Exception as error:
        if type(error).__name__ == "Abort":
            raise KeyboardInterrupt from error
        # usage errors know how to show themselves, whichever click this typer stands on
        show, code = getattr(error, "show", None), getattr(error, "exit_code", None)
        if show is None or code is None:
            raise
        show()
        return int(code)
    if result == INTERRUPTED:
        raise KeyboardInterrupt
    return result if isinstance(result, int) else 0


class Terminated(KeyboardInterrupt):
    """SIGTERM or SIGHUP, which only this process may have got; Ctrl-C reaches its children as well."""


class HostError(AirferryError):
    """The operating system refused a file operation: no space, no right, read-only."""

    reference = "host-refused"
    exit_code = 41


def _from_os(error: OSError) -> HostError:
    return HostError(
        f"The operating system refused an operation: {error.strerror or error}.",
        found=str(error),
        hint="Make room or give the right (df -h, df -i, ls -ld), then run the same command again: it goes on"
        " from here.",
    )


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


def _bug(error: Exception) -> AirferryError:
    place = traceback.extract_tb(error.__traceback__)[-1]
    log = _log(error)
    details = f"Send {log}" if log else "Send these lines"
    return AirferryError(
        f"This is a bug in airferry: {type(error).__name__}: {masked(str(error))}",
        found=f"{place.filename}:{place.lineno} in {place.name}, airferry {__version__}",
        hint=f"{details} to whoever gave you airferry; no passwords are in there. The same command again may"
        " go on from here.",
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
