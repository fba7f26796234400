"""Components that outlived their service manager: it was killed, they hold the ports, nobody watches them."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import List

# In the environment of every process that a service manager of ours started, and of all below it (proc(5)).
MARK = "AIRFERRY_SERVICE"


def find(home: Path, proc: Path = Path("/proc")) -> List[int]:
    """The process ids of this account's services of that home."""
    mark = os.fsencode(f"{MARK}={home}")
    found = []
    for entry in proc.iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            with contextlib.suppress(OSError):
                if mark in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
    return sorted(found)


def end(home: Path, seconds: float = 20) -> List[int]:
    """Ask them to end, kill what is left after `seconds`; returns the process ids that were found."""
    found = find(home)
    for number in found:
        _signal(number, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while find(home) and time.monotonic() < deadline + 10:  # one that hangs in the kernel cannot be killed
        if time.monotonic() > deadline:
            for number in find(home):
                _signal(number, signal.SIGKILL)
        time.sleep(0.1)
    return found


def _signal(number: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(number, what)
