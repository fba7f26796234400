"""A closed host for one fault at a time: network, mounts, processes and a disk of its own.

The path of the home is the same in each of them, so that a copy of an installation can be laid where it was
made: environments do not move. Whatever still runs there besides us is a process of the installation.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.disks import Disk

# not below /tmp or /var/tmp, which system units have to themselves
DISK = Path("/srv/airferry-faults")
HOME = DISK / "home"
ACCOUNT = "nobody"
_SIZE = "6g"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Ran:
    """A command that has ended: its exit status and what it said."""

    status: int
    out: str
    err: str
    seconds: float

    @property
    def clean(self) -> bool:
        """Whether it ended as a program of ours should, well or not: no traceback, no bug."""
        said = self.out + self.err
        return "Traceback" not in said and "bug in airferry" not in said


class Machine:
    """The inside of the namespaces, as root; commands run as an ordinary account."""

    def __init__(self) -> None:
        self.account = pwd.getpwnam(ACCOUNT)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        self.disk = Disk(DISK, _SIZE)

    def clear(self) -> None:
        """An empty home."""
        self.off()
        self.disk.make()
        HOME.mkdir()
        os.chown(HOME, self.account.pw_uid, self.account.pw_gid)

    def lay(self, snapshot: Path) -> None:
        """The home as it was when `snapshot` was taken."""
        self.off()
        self.disk.lay(snapshot)

    def keep(self, snapshot: Path) -> None:
        """Take a copy of the home; nothing may run in it."""
        self.disk.unmount()
        self.disk.keep(snapshot)
        self.disk.mount()

    def off(self) -> None:
        """Nothing runs, and the disk is not mounted."""
        self.kill_all()
        self.disk.unmount()

    def cut_power(self) -> None:
        """Everything ends at once, and what was not written through is lost."""
        self.disk.cut()
        self.off()

    def power_on(self) -> None:
        """The disk is there again after a power cut; nothing runs."""
        if not self.disk.mounted:
            self.disk.mount()

    def start(self, *command: str | Path) -> subprocess.Popen[str]:
        """Start a command as the account, in a session of its own."""
        return subprocess.Popen(
            [str(word) for word in command],
            env={"PATH": _PATH, "HOME": str(DISK)},
            cwd="/",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            user=self.account.pw_uid,
            group=self.account.pw_gid,
            extra_groups=[],
        )

    def finish(self, child: subprocess.Popen[str], seconds: float = 900) -> Ran:
        """Wait for a command; one that hangs is killed and counts as such."""
        started = time.monotonic()
        try:
            out, err = child.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.communicate(timeout=5)
            return Ran(-999, "", f"still running after {seconds:.0f} s", seconds)
        return Ran(child.returncode, out, err, time.monotonic() - started)

    def run(self, *command: str | Path, seconds: float = 900) -> Ran:
        """Run a command as the account to its end."""
        return self.finish(self.start(*command), seconds)

    def as_account(self, *command: str | Path) -> Ran:
        """Run a command as the account of the installation."""
        return self.run(*command)

    def json(self, *command: str | Path) -> Any:
        """The result of a command, whatever its exit status; None when it prints none."""
        try:
            return json.loads(self.run(*command, seconds=300).out).get("result")
        except ValueError:
            return None

    def processes(self) -> list[tuple[int, str]]:
        """Everything that runs here besides us, with its command line."""
        return [
            (pid, (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip())
            for pid, entry in self._others()
        ]

    def kill_all(self) -> None:
        """SIGKILL for everything but us, until it is gone."""
        deadline = time.monotonic() + 20
        while found := list(self._others()):
            for pid, _ in found:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise AssertionError(f"cannot be killed: {found}")
            time.sleep(0.02)

    @staticmethod
    def locked() -> bool:
        """Whether a process holds the home's lock."""
        try:
            descriptor = os.open(HOME / ".airferry.lock", os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
        return False

    @staticmethod
    def _others() -> Iterator[tuple[int, Path]]:
        ours = {1, os.getpid()}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and int(entry.name) not in ours:
                    state = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()[0]
                    if state not in "ZX":
                        yield int(entry.name), entry
