"""Components as systemd units: of the system (written by root), or of the account's own manager."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Sequence

from bootstrap.services.control import Control
from bootstrap.services.ending import TASK_SECONDS, Patience, below, send
from bootstrap.services.launcher import Launcher
from bootstrap.services.manager import GRACE_SECONDS, Program, ServiceError, State, stop_order
from bootstrap.services.relay import PATIENCE

# As supervisor does it: a component that has stayed up for a second counts as started.
_SETTLE = 1.0
# How systemctl shows a time (systemd.time(7)).
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1, "min": 60, "h": 3600, "d": 86_400, "w": 604_800}
_UNITS.update({"month": 2_629_800, "y": 31_557_600})
_STATES = {
    "active": "RUNNING",
    "activating": "STARTING",
    "reloading": "RUNNING",
    "deactivating": "STOPPING",
    "failed": "FATAL",
    "inactive": "STOPPED",
}


class Systemd:
    """The units of one installation; `control` may change them, and `launcher` is what they name."""

    def __init__(self, control: Control, launcher: Launcher, env: Mapping[str, str]) -> None:
        self.layout = control.layout
        self.control = control
        self.launcher = launcher
        self.env = env

    def configure(self, programs: Sequence[Program]) -> None:
        """Write the units, and the script that they name with what they run."""
        strange = {program.name for program in programs} ^ set(self.layout.names)
        if strange:
            raise ServiceError(f"No unit is known for {', '.join(sorted(strange))}.")
        if not self.launcher.current(programs):
            self.launcher.write(programs)
        self.control.configure()

    def launch(self) -> None:
        """Nothing to do: systemd runs."""

    def running(self) -> bool:
        """Whether systemd answers and knows the units."""
        return bool(self.control.show())

    def start(self, names: Sequence[str], *, settle: bool = True) -> None:
        """Start components together, and see that each stays up a second unless `settle` is false.

        Raises :class:`ServiceError` for one that does not stay up.
        """
        self.control.start(list(names), settle)
        if not settle:
            return
        before = self.states()
        deadline = time.monotonic() + _SETTLE
        while True:
            states = self.states()
            for name in names:
                state, earlier = states.get(name), before.get(name)
                if state is None or state.state in ("BACKOFF", "FATAL", "STOPPED"):
                    raise self._failed(name, state.note if state else "systemd does not know its unit")
                if earlier and earlier.pid and state.pid != earlier.pid:
                    raise self._failed(name, "it was started again")
            if time.monotonic() > deadline:
                return
            time.sleep(0.2)

    def stop(self, names: Sequence[str], seconds: Optional[float] = None) -> None:
        """Stop components in their order, and wait until each is down; one that does not run is fine.

        For `seconds` see :meth:`Services.stop <bootstrap.services.manager.Services.stop>`.
        """
        task_component = self.layout.runs_tasks.task_component
        for group in stop_order(names):
            with contextlib.ExitStack() as stack:
                if task_component in group:
                    stack.callback(self._forget_patience)
                    self._drain(task_component, seconds)
                self.control.stop(group)

    @property
    def _patience(self) -> Path:
        return self.launcher.home.path / PATIENCE

    def _forget_patience(self) -> None:
        with contextlib.suppress(OSError):
            self._patience.unlink()

    def _drain(self, name: str, seconds: Optional[float]) -> None:
        """Tell the component's relay how long its tasks have; wait here where systemd would not.

        That needs no right but the account's own: the relay runs as the same account.
        """
        found = {state["Id"]: state for state in self.control.show()}.get(self.layout.unit(name), {})
        allowed = timespan(found.get("TimeoutStopUSec", ""))
        limit = allowed - GRACE_SECONDS if seconds is None else seconds
        longer = limit + TASK_SECONDS > allowed
        relay = int(found.get("MainPID") or 0)
        try:
            Patience(limit, os.getpid() if longer else 0).write(self._patience)
            ours = longer and Path(f"/proc/{relay}").stat().st_uid == os.geteuid()
        except OSError:
            return
        if not ours:
            return
        send(relay, signal.SIGTERM)
        deadline = time.monotonic() + limit + TASK_SECONDS + GRACE_SECONDS
        while below(relay) and time.monotonic() < deadline:
            time.sleep(0.1)

    def shut_down(self) -> None:
        """Stop every component and the target."""
        self.stop(self.layout.names)
        self.control.stop(self.layout.names)

    def states(self) -> Dict[str, State]:
        """All components by name; empty when systemd does not answer or does not know the units."""
        by_unit = {state["Id"]: state for state in self.control.show()}
        units = {name: by_unit.get(self.layout.unit(name)) for name in self.layout.names}
        return {name: _state(name, found) for name, found in units.items() if found is not None}

    def installed(self) -> bool:
        """Whether any of its units is on the host."""
        return self.control.installed()

    def remove(self) -> None:
        """Stop everything and take the units off the host."""
        self.control.remove()

    def journal(
        self, names: Sequence[str], *, lines: Optional[int] = None, follow: bool = False
    ) -> List[str]:
        """The command that shows what these components wrote to the journal; all without names."""
        option = "--unit" if self.layout.account else "--user-unit"
        command = ["journalctl", "--no-pager"]
        command += [f"{option}={self.layout.unit(name)}" for name in names or self.layout.names]
        if lines is not None:
            command.append(f"--lines={lines}")
        return [*command, "--follow"] if follow else command

    def _failed(self, name: str, note: str) -> ServiceError:
        log = self.launcher.home.own_logs / f"{name}.log"
        try:
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-10:])
        except OSError:
            tail = ""
        return ServiceError(
            f"The component {name} does not stay up.",
            found=f"{note}\n{tail}",
            hint=f"Its log is {log}; also: {' '.join(self.journal([name]))}",
        )


def timespan(text: str) -> float:
    """The seconds of a time as systemctl shows it (``1min 30s``); infinite for ``infinity``."""
    parts = re.findall(r"([0-9.]+)(us|ms|s|min|h|d|w|month|y)\b", text)
    return sum(float(number) * _UNITS[unit] for number, unit in parts) if parts else float("inf")


def _state(name: str, found: Mapping[str, str]) -> State:
    pid = int(found.get("MainPID") or 0)
    word = _STATES.get(found.get("ActiveState", ""), "UNKNOWN")
    if found.get("SubState") == "auto-restart":
        word = "BACKOFF"
    if word == "RUNNING":
        note = f"pid {pid}, since {found.get('ActiveEnterTimestamp', '')}"
    elif found.get("Result") not in ("success", None):
        note = f"last ended with: {found['Result']}"
    else:
        note = ""
    return State(name, word, pid, note)
