"""Closed hosts that boot: a Debian of their own with a real systemd, in a container without a network.

The root folder is made once and kept; each machine gets a copy, or goes on with the one that it has.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from tests.support import roots

_PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "polkitd", "iproute2", "procps",
    "python3", "passwd",
)  # fmt: skip
_TOOLS = ("systemd-nspawn", "nsenter", "mount")
_CGROUPS = Path("/sys/fs/cgroup")
# with cgroup v1, systemd's own hierarchy and those that limit what its units may use
_HIERARCHIES = ("systemd", "unified", "memory")
_BOOT_SECONDS = 60
# of every command that runs in a machine
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}


def problem() -> str:
    """Why no machine can be booted here; empty when one can, as far as that shows before it is tried."""
    if os.geteuid() != 0:
        return "booting a machine needs root"
    missing = [tool for tool in _TOOLS if not shutil.which(tool)]
    return f"booting a machine needs {', '.join(missing)}" if missing else ""


class Machine:
    """A booted machine; `folder` is its root, or becomes it.

    `shared` are folders and files of this machine that it can read, `writable` those that it can write to.
    """

    def __init__(
        self, name: str, folder: Path, shared: Sequence[Path] = (), writable: Sequence[Path] = ()
    ) -> None:
        self.name = name
        self.folder = folder
        self.binds = [f"--bind-ro={path}" for path in shared] + [f"--bind={path}" for path in writable]
        self.leader = 0
        self._container: subprocess.Popen[bytes] | None = None
        if folder.exists():
            return
        root = roots.base(_os_release("VERSION_CODENAME"), *_PACKAGES)
        subprocess.run(["cp", "-a", "--reflink=auto", root, folder], check=True)
        (folder / "etc" / "hostname").write_text(f"{name}\n")
        (folder / "etc" / "hosts").write_text(f"127.0.0.1 localhost {name}\n::1 localhost\n")

    def boot(self) -> None:
        """Boot it and wait until systemd has started everything; raises AssertionError with the console."""
        console = self.folder.with_name(f"{self.folder.name}.console")
        with console.open("wb") as output:
            self._container = subprocess.Popen(
                [
                    "systemd-nspawn", "--directory", self.folder, "--machine", self.name, "--private-network",
                    "--register=no", "--keep-unit", "--console=read-only", *self.binds, "--boot",
                ],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
                preexec_fn=self._enter_cgroup,  # noqa: PLW1509 - no threads here
            )  # fmt: skip
        deadline = time.monotonic() + _BOOT_SECONDS
        while not self._is_up():
            assert time.monotonic() < deadline, console.read_text(errors="replace")[-3000:]
            assert self._container.poll() is None, console.read_text(errors="replace")[-3000:]
            time.sleep(0.1)
        if (_CGROUPS / "memory").is_dir():
            # without it MemoryMax and the like mean nothing; systemd looks for it when it starts
            remount = ["mount", "-o", "remount,rw,bind", "/sys/fs/cgroup/memory"]
            subprocess.run(["nsenter", "-t", str(self.leader), "-m", "-p", "-C", *remount], check=True)
            self.check("systemctl", "daemon-reexec")

    def run(
        self, *command: str | Path, account: str = "", timeout: float = 600
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it, as root or as `account` with a login shell's surroundings."""
        return subprocess.run(
            self.inside(*command, account=account), check=False, capture_output=True, text=True,
            timeout=timeout, env=ENVIRONMENT,
        )  # fmt: skip

    def inside(self, *command: str | Path, account: str = "") -> list[str]:
        """The command that runs a command in it, with :data:`ENVIRONMENT`."""
        words = [str(word) for word in command]
        if account:
            login = ["setpriv", "--reuid", account, "--regid", account, "--init-groups", "--reset-env"]
            words = [*login, *words]
        return ["nsenter", "-t", str(self.leader), "-a", "sh", "-c", 'cd / && exec "$@"', "sh", *words]

    def check(self, *command: str | Path, account: str = "") -> str:
        """Run a command that must succeed, and return what it said."""
        ran = self.run(*command, account=account)
        assert ran.returncode == 0, f"{command}: {ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout.strip()

    def cut_power(self) -> None:
        """End every process in it at once."""
        if self.leader:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.leader, signal.SIGKILL)
        if self._container:
            self._container.wait(30)
        self.leader, self._container = 0, None

    def remove(self) -> None:
        """Cut the power and delete it."""
        self.switch_off()
        shutil.rmtree(self.folder, ignore_errors=True)

    def switch_off(self) -> None:
        """Cut the power and leave nothing of it but its folder."""
        self.cut_power()
        for group in self._cgroups():
            for inner in sorted(group.rglob("*/"), reverse=True):
                with contextlib.suppress(OSError):
                    inner.rmdir()
            with contextlib.suppress(OSError):
                group.rmdir()

    def _is_up(self) -> bool:
        if not self.leader:
            self.leader = self._find_leader()
        if not self.leader:
            return False
        said = self.run("systemctl", "is-system-running").stdout.strip()
        return said in ("running", "degraded")

    def _find_leader(self) -> int:
        assert self._container
        with contextlib.suppress(OSError):
            children = Path(f"/proc/{self._container.pid}/task/{self._container.pid}/children").read_text()
            for child in children.split():
                if Path(f"/proc/{child}/comm").read_text() == "systemd\n":
                    return int(child)
        return 0

    def _cgroups(self) -> list[Path]:
        places = [_CGROUPS / name for name in _HIERARCHIES if (_CGROUPS / name).is_dir()] or [_CGROUPS]
        return [place / f"airferry-{self.name}" for place in places]

    def _enter_cgroup(self) -> None:
        # two containers in one cgroup would take each other's services for their own
        for group in self._cgroups():
            group.mkdir(exist_ok=True)
            (group / "cgroup.procs").write_text(str(os.getpid()))


def _os_release(key: str) -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        name, _, value = line.partition("=")
        if name == key:
            return value.strip('"')
    return ""
