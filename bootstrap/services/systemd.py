"""Components as systemd units: of the system (written by root), or of the account's own manager."""

from __future__ import annotations

import time
from typing import Dict, List, Mapping, Optional, Sequence

from bootstrap.services.control import Control
from bootstrap.services.launcher import Launcher
from bootstrap.services.manager import Program, ServiceError, State

# As supervisor does it: a component that has stayed up for a second counts as started.
_SETTLE = 1.0
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

    def stop(self, names: Sequence[str]) -> None:
        """Stop components together, and wait until each is down; one that does not run is fine."""
        self.control.stop(list(names))

    def shut_down(self) -> None:
        """Stop every component and the target."""
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
