"""A closed host on this machine: a network namespace without a route, as one account sees it."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_CLONE_NEWUSER = 0x10000000
_NETWORK = {"net": 0x40000000}
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Namespace:
    """A network namespace that lasts until it is closed, held by a process that waits in it.

    A `holder` of another kind makes its own namespaces, of the given `kinds`, and then says ``up``.
    """

    def __init__(self, holder: Sequence[str] = (), kinds: Mapping[str, int] = _NETWORK) -> None:
        code = "import sys; print('up', flush=True); sys.stdin.read()"
        self._kinds = dict(kinds)
        self._holder = subprocess.Popen(
            holder or [sys.executable, "-m", "bundler.base.isolation", sys.executable, "-c", code],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).resolve().parents[2],
        )
        assert self._holder.stdout is not None
        self.problem = ""
        if self._holder.stdout.readline() != "up\n":
            self.problem = self._holder.communicate()[1]

    def enter(self) -> None:
        """Move the calling process into it: setns(2)."""
        libc = ctypes.CDLL(None, use_errno=True)
        user = {"user": _CLONE_NEWUSER} if os.geteuid() != 0 else {}
        for name, kind in {**user, **self._kinds}.items():
            descriptor = os.open(f"/proc/{self._holder.pid}/ns/{name}", os.O_RDONLY)
            if libc.setns(descriptor, kind) != 0:
                raise OSError(ctypes.get_errno(), f"setns {name}")
            os.close(descriptor)

    def close(self) -> None:
        """Let the holder go."""
        self._holder.communicate()


@dataclass
class Host:
    """A closed host: this machine as seen by one account, with nothing but a loopback interface."""

    folder: Path
    python: str
    uid: int
    gid: int
    namespace: Namespace
    environment: dict[str, str] = field(default_factory=dict)
    umask: int = 0o022

    def command(self, arguments: Sequence[str]) -> subprocess.Popen[str]:
        """Start a command there."""
        env = {
            "PATH": _PATH,
            "HOME": str(self.folder),
        }
        return subprocess.Popen(
            [str(argument) for argument in arguments],
            env={**env, **self.environment},
            cwd=self.folder,
            preexec_fn=self._enter,  # noqa: PLW1509 - no threads here
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str | Path, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a command there to its end."""
        child = self.command([str(argument) for argument in arguments])
        try:
            out, err = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            out, err = child.communicate()
            raise AssertionError(f"still running after {timeout} s\n{out}\n{err}") from None
        return subprocess.CompletedProcess(arguments, child.returncode, out, err)

    def json(self, *arguments: str | Path, status: int = 0) -> Any:
        """Run a command there: its result, or the whole envelope of an error."""
        ran = self.run(*arguments)
        assert ran.returncode == status, f"{ran.returncode}\n{ran.stdout}\n{ran.stderr}"
        said = json.loads(ran.stdout)
        return said.get("result", said)

    def processes(self, home: Path) -> list[str]:
        """The command lines of everything that still runs from a home, or in it: titles name no folder."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if entry.name.isdigit():
                    command = (entry / "cmdline").read_bytes()
                    if os.fsencode(home) in command or str(home) in str((entry / "cwd").readlink()):
                        found.append(command.decode("utf-8", "replace").replace("\0", " "))
        return found

    def _enter(self) -> None:
        self.namespace.enter()
        os.chdir(self.folder)  # a mount namespace begins at its root
        os.umask(self.umask)
        if os.geteuid() != self.uid:
            os.setgroups([])
            os.setgid(self.gid)
            os.setuid(self.uid)


def hostile(**more: str) -> Mapping[str, str]:
    """Settings of a host that would break an install that let them in."""
    return {
        "LANG": "C",
        "http_proxy": "http://192.0.2.1:3128",
        "HTTPS_PROXY": "http://192.0.2.1:3128",
        "PIP_INDEX_URL": "http://192.0.2.1/simple",
        "PIP_REQUIRE_VIRTUALENV": "1",
        "UV_INDEX_URL": "http://192.0.2.1/simple",
        "UV_SYSTEM_PYTHON": "1",
        "PYTHONPATH": "/nonexistent",
        "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "sqlite:////tmp/other.db",
        **more,
    }


def wait_until(what: str, condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for a condition."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.2)
