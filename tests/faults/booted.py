"""A closed host that boots: systemd, root's installation as system units, the whole of it on one disk."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.faults.machine import DISK, HOME, Machine, Ran
from tests.support import machines
from tests.support.disks import Disk

_ROOT = DISK / "root"
_ACCOUNT = "airflow"


class BootedMachine(Machine):
    """The same as :class:`Machine`, seen from outside; commands run as root."""

    def __init__(self, shared: Sequence[Path]) -> None:
        self.disk = Disk(DISK, "7g")
        self._shared = shared
        self._host: machines.Machine | None = None

    def clear(self) -> None:
        """A new machine with an empty home."""
        self.off()
        self.disk.make()
        HOME.mkdir()
        self.power_on()

    def lay(self, snapshot: Path) -> None:
        """The machine as it was when `snapshot` was taken, booted; what is installed there comes up."""
        self.off()
        self.disk.lay(snapshot)
        self.power_on()

    def keep(self, snapshot: Path) -> None:
        """Take a copy of the machine."""
        os.sync()
        self.off()
        self.disk.keep(snapshot)
        self.disk.mount()
        self.power_on()

    def off(self) -> None:
        """Nothing runs, and the disk is not mounted."""
        if self._host:
            self._host.switch_off()
            self._host = None
        self.disk.unmount()

    def power_on(self) -> None:
        """Boot, if it does not run; whatever starts at boot does."""
        if not self.disk.mounted:
            self.disk.mount()
        if not self._host:
            self._host = machines.Machine(f"airferry-fault-{os.getpid()}", _ROOT, self._shared, [HOME])
            os.sync()  # a root that was only just copied is there after a cut of the first seconds, too
            self._host.boot()

    def start(self, *command: str | Path) -> subprocess.Popen[str]:
        """Start a command as root, in a session of its own."""
        return self._start(self.host.inside(*command))

    def as_account(self, *command: str | Path) -> Ran:
        """Run a command as the account of the installation."""
        return self.finish(self._start(self.host.inside(*command, account=_ACCOUNT)))

    def processes(self) -> list[tuple[int, str]]:
        """Everything that runs there as the account of the installation."""
        listed = self.host.run("ps", "-u", _ACCOUNT, "-o", "pid=,args=").stdout.splitlines()
        return [(int(pid), line) for pid, _, line in (item.strip().partition(" ") for item in listed)]

    @property
    def host(self) -> machines.Machine:
        """The machine, which must run."""
        assert self._host, "the machine is switched off"
        return self._host

    @staticmethod
    def _start(command: list[str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, env=machines.ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
