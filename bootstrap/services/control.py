"""systemctl on the units of one installation, and on no others (systemctl(1))."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
from pathlib import Path
from typing import Dict, Iterator, List, Protocol, Sequence, Tuple

from bootstrap.base import process, smallfile
from bootstrap.services import units
from bootstrap.services.manager import ServiceError
from bootstrap.services.units import Layout

SYSTEM_UNITS = Path("/etc/systemd/system")
_OTHERWISE = "Choose another folder, or --service supervisor."
# PostgreSQL may take minutes to recover or to write its last checkpoint.
_PATIENCE = 900
_PROPERTIES = (
    "Id", "LoadState", "ActiveState", "SubState", "MainPID", "Result", "ActiveEnterTimestamp",
    "TimeoutStopUSec",
)  # fmt: skip


def user_units() -> Path:
    """The folder of this account's own units (systemd.unit(5)), as its manager sees it: not by our $HOME."""
    return Path(pwd.getpwuid(os.geteuid()).pw_dir, ".config", "systemd", "user")


class Control(Protocol):
    """What may be done to the units; names are those of components."""

    @property
    def layout(self) -> Layout:
        """What they depend on."""

    def installed(self) -> bool:
        """Whether any unit file of this installation is there."""

    def current(self) -> bool:
        """Whether the unit files are there as they should be."""

    def configure(self) -> None:
        """Write the unit files, remove those that are no longer wanted, and enable them."""

    def start(self, names: Sequence[str], wait: bool) -> None:
        """Start components; with `wait` until systemd calls them started."""

    def stop(self, names: Sequence[str]) -> None:
        """Stop components, and wait."""

    def show(self) -> List[Dict[str, str]]:
        """The state of every component's unit, as ``systemctl show`` has it; empty without systemd."""

    def remove(self) -> None:
        """Stop everything and remove the unit files."""


class Systemctl:
    """Control by this very process; `user` means the account's own manager instead of the system's."""

    def __init__(self, layout: Layout, folder: Path, *, user: bool) -> None:
        self.layout = layout
        self.folder = folder
        self.user = user

    def present(self) -> List[str]:
        """The unit files of this installation that are there."""
        found = [
            self.folder / self.layout.target,
            *self.folder.glob(f"airferry-{self.layout.name}-*.service"),
        ]
        return sorted(path.name for path in found if self._is_ours(path))

    def installed(self) -> bool:
        """Whether any unit file of this installation is there."""
        return bool(self.present())

    def current(self) -> bool:
        """Whether the unit files are there as they should be."""
        wanted = units.render(self.layout)
        return set(self.present()) == set(wanted) and all(
            _read(self.folder / name) == text for name, text in wanted.items()
        )

    def configure(self) -> None:
        """Write the unit files, remove those that are no longer wanted, and enable them."""
        trouble = units.problem(self.layout)
        if trouble:
            raise ServiceError(f"This installation cannot run under systemd: {trouble}.", hint=_OTHERWISE)
        if self.current():
            return
        wanted = units.render(self.layout)
        taken = [name for name in wanted if (self.folder / name).exists() and name not in self.present()]
        if taken:
            raise ServiceError(
                f"{self.folder / taken[0]} belongs to another installation.",
                found=_read(self.folder / taken[0]).partition("\n")[0],
                hint="Choose another name: --name",
            )
        with self._as_root():
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in set(self.present()) - set(wanted):
                self._run("disable", "--now", name)
                (self.folder / name).unlink()
            for name, text in wanted.items():
                # an empty one, after a power cut, would mask the unit
                smallfile.write(self.folder / name, text, 0o644)
        self._run("daemon-reload")
        self._run("enable", *wanted)

    def start(self, names: Sequence[str], wait: bool) -> None:
        """Start components; with `wait` until systemd calls them started."""
        options = [] if wait else ["--no-block"]
        self._run("start", *options, *(self.layout.unit(name) for name in names))
        states = self.show()
        if states and all(state["ActiveState"] in ("active", "activating") for state in states):
            # from now on it can be stopped as a whole
            self._run("start", "--no-block", self.layout.target)

    def stop(self, names: Sequence[str]) -> None:
        """Stop components, and wait."""
        present = self.present()
        wanted = [self.layout.unit(name) for name in names if self.layout.unit(name) in present]
        if not wanted:
            return
        if set(names) >= set(self.layout.names):
            wanted.insert(0, self.layout.target)
        self._run("stop", *wanted)
        # one that had to be killed in the end would be called failed for ever
        self._run("reset-failed", *wanted, ok=(0, 1))

    def show(self) -> List[Dict[str, str]]:
        """The state of every component's unit, as ``systemctl show`` has it; empty without systemd."""
        names = [self.layout.unit(name) for name in self.layout.names]
        try:
            said = self._run("show", f"--property={','.join(_PROPERTIES)}", *names).stdout
        except (process.CommandFailed, ServiceError):
            return []
        found = [dict(line.split("=", 1) for line in part.splitlines()) for part in said.split("\n\n")]
        return [state for state in found if state.get("LoadState") == "loaded"]

    def remove(self) -> None:
        """Stop everything and remove the unit files."""
        present = self.present()
        if not present:
            return
        self._run("disable", "--now", *present)
        with self._as_root():
            for name in present:
                (self.folder / name).unlink()
                for drop_ins in (f"{name}.d", f"{name}.wants"):
                    shutil.rmtree(str(self.folder / drop_ins), ignore_errors=True)
        self._run("daemon-reload")
        self._run("reset-failed", *present, ok=(0, 1))

    def _is_ours(self, path: Path) -> bool:
        return _read(path).partition("\n")[0] == units.mark(self.layout.home)

    def _run(self, verb: str, *arguments: str, ok: Tuple[int, ...] = (0,)) -> process.Completed:
        manager = ["--user"] if self.user else []
        see = " ".join(["systemctl", *manager, "status", *arguments[-1:]])
        environment = process.environment()
        environment.setdefault("XDG_RUNTIME_DIR", f"/run/user/{os.geteuid()}")
        try:
            return process.run(
                ["systemctl", *manager, "--no-ask-password", "--no-pager", "--quiet", verb, *arguments],
                what=f"systemctl {verb} {' '.join(arguments)}".strip(),
                env={**environment, "SYSTEMD_COLORS": "0"},
                timeout=_PATIENCE,
                ok=ok,
                hint=f"See {see}.",
            )
        except process.CommandFailed as error:
            if not self.user and os.geteuid() != 0 and verb != "show":
                raise self._refused(error.found) from error
            raise

    @contextlib.contextmanager
    def _as_root(self) -> Iterator[None]:
        try:
            yield
        except PermissionError as error:
            raise self._refused(str(error)) from error

    def _refused(self, found: str) -> ServiceError:
        return ServiceError(
            "These are units of the system: only root may change, start or stop them.",
            found=found,
            hint=f"As root: systemctl start {self.layout.target} (stop, restart), or this command again.",
        )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
