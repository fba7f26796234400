"""What can happen to a command: signals, a power cut, a full disk, lost rights; and how it is made good."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults.machine import DISK, HOME, Machine

_FILLER = DISK / "filler"
_FOLDERS = (
    ".", "releases", "run", "etc", "secrets", "logs", "logs/airferry", "bin", "postgres", "dags", "backups",
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """A fault: how it is made for a running command, and how it goes away; `kills` ends the command."""

    name: str
    strike: Callable[[Machine, subprocess.Popen[str]], None]
    heal: Callable[[Machine], None] = lambda machine: None
    kills: bool = False


def _kill_group(machine: Machine, child: subprocess.Popen[str]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _kill_alone(machine: Machine, child: subprocess.Popen[str]) -> None:
    child.kill()


def _terminate(machine: Machine, child: subprocess.Popen[str]) -> None:
    child.terminate()


def _cut(machine: Machine, child: subprocess.Popen[str]) -> None:
    machine.cut_power()


def _power(machine: Machine) -> None:
    machine.power_on()


def _fill(machine: Machine, child: subprocess.Popen[str]) -> None:
    room = os.statvfs(DISK)
    with _FILLER.open("wb", buffering=0) as stream, contextlib.suppress(OSError):
        os.posix_fallocate(stream.fileno(), 0, room.f_bfree * room.f_frsize)
    with _FILLER.open("ab", buffering=0) as stream, contextlib.suppress(OSError):
        while stream.write(b"\0" * 4096):
            pass


def _empty(machine: Machine) -> None:
    _FILLER.unlink(missing_ok=True)


def _folders() -> list[Path]:
    return [HOME / name for name in _FOLDERS if (HOME / name).is_dir()]


def _close(machine: Machine, child: subprocess.Popen[str]) -> None:
    for folder in _folders():
        os.chown(folder, 0, 0)


def _open(machine: Machine) -> None:
    for folder in _folders():
        os.chown(folder, machine.account.pw_uid, machine.account.pw_gid)


KINDS = (
    Kind("kill -9", _kill_group, kills=True),
    Kind("kill -9, its children live on", _kill_alone, kills=True),
    Kind("SIGTERM", _terminate),
    Kind("power cut", _cut, _power, kills=True),
    Kind("disk full (ENOSPC)", _fill, _empty),
    Kind("rights lost (EACCES)", _close, _open),
)
# a machine that boots has its own harness of faults: systemd, and the units that start by themselves
BOOTED = (Kind("power cut, and boot", _cut, _power, kills=True),)
BY_NAME = {kind.name: kind for kind in (*KINDS, *BOOTED)}
