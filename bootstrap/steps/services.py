"""The service manager: another one's leftovers go, the chosen one learns what to run."""

from __future__ import annotations

from typing import List

from bootstrap.installed.installation import Installation
from bootstrap.services import choice
from bootstrap.services.manager import KINDS, NONE, SUPERVISOR, SYSTEMD, SYSTEMD_USER, Services


class ServicesStep:
    """Write the units, or hand over to supervisor; nothing is started."""

    name = "services"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.kind = installation.receipt.services

    def describe(self) -> str:
        """One line for the admin."""
        if self.kind in (SYSTEMD, SYSTEMD_USER):
            control = self.installation.control_of(self.kind)
            return f"Write the units of {control.layout.target} to {control.folder}, started at boot"
        if self.kind == NONE:
            return "Start nothing after the install (--service none)"
        return "Run the components under supervisor, started by bin/airferry start, not at boot"

    def done(self) -> bool:
        """Whether the chosen manager knows everything and no other knows anything."""
        if any(other.installed() for other in self._others()):
            return False
        if self.kind == SYSTEMD_USER and not choice.lingers(self.installation.receipt.account):
            return False
        if self.kind in (SYSTEMD, SYSTEMD_USER) and not self.installation.control_of(self.kind).current():
            return False
        return self.installation.launcher.current(self.installation.programs())

    def apply(self) -> None:
        """Stop and remove what is another manager's, then configure the chosen one."""
        for other in self._others():
            if other.installed():
                other.remove()
        if self.kind == SYSTEMD_USER:
            choice.enable_linger(self.installation.receipt.account)
        programs = self.installation.programs()
        self.installation.launcher.write(programs)
        self.installation.services.configure(programs)

    def _others(self) -> List[Services]:
        # supervisor serves `none` too: for the install itself
        own = SUPERVISOR if self.kind == NONE else self.kind
        return [self.installation.services_of(kind) for kind in KINDS if kind not in (own, NONE)]


class RestStep:
    """Stop everything again: the admin runs the components by other means."""

    name = "rest"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def describe(self) -> str:
        """One line for the admin."""
        return "Stop everything again (--service none)"

    def done(self) -> bool:
        """Whether nothing runs."""
        return not self.installation.services.running()

    def apply(self) -> None:
        """Stop."""
        self.installation.services.shut_down()
