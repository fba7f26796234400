"""The error boundary of both command lines: what a user may meet is a sentence, a bug is a log."""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import Callable

from bootstrap.console import Console
from wheelhouse import __version__
from wheelhouse.errors import AirferryError

INTERRUPTED = 130
BUG = 1


def guard(run: Callable[[], int], console: Console, *, json: bool) -> int:
    """Run a command and return its exit status; expected failures are shown, bugs are logged."""
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
        log = _log(error)
        console.error(
            AirferryError(
                f"This is a bug in airferry: {type(error).__name__}: {error}",
                hint=f"Send {log} to whoever gave you airferry; it holds no passwords. The same command again"
                " may go on from here.",
            )
        )
        return BUG


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


def _log(error: BaseException) -> Path:
    text = [
        f"airferry {__version__}, Python {sys.version.split()[0]} at {sys.executable}\n",
        f"{platform.platform()}, {time.strftime('%Y-%m-%dT%H:%M:%S%z')}\n",
        f"command: {' '.join(sys.argv)}\n\n",
        *traceback.format_exception(type(error), error, error.__traceback__),
    ]
    folder = Path(os.environ.get("XDG_STATE_HOME") or tempfile.gettempdir())
    descriptor, name = tempfile.mkstemp(prefix="airferry-bug-", suffix=".log", dir=str(folder), text=True)
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        stream.writelines(text)
    return Path(name)
