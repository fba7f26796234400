"""Components that outlived their service manager: it was killed, they hold the ports, nobody watches them.

They are known by the session that they were started in, and by a mark in their environment. Either alone
would miss some: a task may begin a session of its own, and a process that writes itself a title (gunicorn,
Airflow's workers and log server) writes it over its environment.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import List

from bootstrap.base.mounts import same_place

# In the environment of every process that a service manager of ours started, and of all below it (proc(5)).
MARK = "AIRFERRY_SERVICE"


def remember(home: Path, leader: int) -> None:
    """Note the session whose leader is the service manager (setsid(2)), with the boot that it belongs to."""
    (home / "run" / "session").write_text(f"{leader} {_boot()}\n", encoding="ascii")


def find(home: Path, proc: Path = Path("/proc")) -> List[int]:
    """The process ids of this account's services of that home."""
    mark = os.fsencode(f"{MARK}={home}")
    session = _session(home)
    found = []
    for entry in proc.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if entry.stat().st_uid != os.geteuid() or _stat(entry)[0] in "ZX":
                continue
            if int(_stat(entry)[3]) == session or (
                mark in (entry / "environ").read_bytes().split(b"\0") and same_place(entry, str(home))
            ):
                found.append(int(entry.name))
    return sorted(found)


def kill_users(
    folder: Path, seconds: float = 10, proc: Path = Path("/proc"), *, programs_only: bool = False
) -> None:
    """Kill every process of ours whose program or arguments lie below `folder`, and see it gone.

    They were started by something that was killed itself, and would go on writing there. With `programs_only`
    an argument does not count: a user's editor with a file of that folder stays.
    """
    deadline = time.monotonic() + seconds
    found = _users(folder, proc, programs_only=programs_only)
    while found and time.monotonic() < deadline:
        for number in found:
            _signal(number, signal.SIGKILL)
        time.sleep(0.02)
        found = _users(folder, proc, programs_only=programs_only)


def _users(folder: Path, proc: Path, *, programs_only: bool) -> List[int]:
    below = os.fsencode(f"{folder}/")
    found = []
    for entry in proc.iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            if entry.stat().st_uid != os.geteuid() or _stat(entry)[0] in "ZX":
                continue
            command = (entry / "cmdline").read_bytes()
            named = command.partition(b"\0")[0] if programs_only else command
            ours = below in named or below in os.readlink(os.fsencode(entry / "exe"))
            if ours and same_place(entry, str(folder)):
                found.append(int(entry.name))
    return found


def _session(home: Path) -> int:
    with contextlib.suppress(OSError, ValueError):
        leader, boot = (home / "run" / "session").read_text(encoding="ascii").split()
        # after a restart of the host the same number may be anybody's
        if boot == _boot():
            return int(leader)
    return -1


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()


def _stat(entry: Path) -> List[str]:
    # state, parent, group, session, ...; the name before may hold blanks and parentheses (proc(5))
    return (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()


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
