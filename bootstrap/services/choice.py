"""Which service manager an installation gets: as asked for, else the earlier one, else what the host has."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Optional

from bootstrap.airflow.executor import executor_of
from bootstrap.airflow.release import release_for
from bootstrap.base import channel, process
from bootstrap.facts.account import SYSTEM_PATH
from bootstrap.services import units
from bootstrap.services.manager import NONE, SUPERVISOR, SYSTEMD, SYSTEMD_USER
from bootstrap.services.units import Layout
from bootstrap.state.receipt import PRIVATE, Receipt
from wheelhouse.errors import AirferryError

AUTO = "auto"
# What an admin may ask for; `systemd` is the system's for root and the account's own for anybody else.
ASKED = (AUTO, SYSTEMD, SUPERVISOR, NONE)

_BOOTED = Path("/run/systemd/system")
_LINGER = Path("/var/lib/systemd/linger")
_SET_LINGER = "org.freedesktop.login1.set-self-linger"


class ServicesUnavailable(AirferryError):
    """The service manager that was asked for is not available on this host."""

    reference = "services-unavailable"
    exit_code = 70


def choose(asked: Optional[str], earlier: str, layout: Layout) -> str:
    """The kind for the receipt; raises :class:`ServicesUnavailable` for one that is not available.

    `asked` is None when nobody asked. Nothing is changed.
    """
    if asked is None and earlier:
        return earlier
    if asked in (SUPERVISOR, NONE):
        return str(asked)
    trouble = _trouble(layout, patient=asked == SYSTEMD)
    if not trouble:
        return SYSTEMD if _for_the_system() else SYSTEMD_USER
    if asked == SYSTEMD:
        raise ServicesUnavailable(
            "systemd cannot run this installation.",
            found=trouble,
            needed="systemd as process 1; for an ordinary account its own manager as well",
            hint="Leave out --service: supervisor is used instead (after a reboot: HOME/bin/airferry start).",
        )
    return SUPERVISOR


def layout_of(chosen: Receipt) -> Layout:
    """What the units depend on, before there is an installation."""
    components = executor_of(chosen.executor).components(release_for(chosen.airflow).numbers, chosen.role)
    return Layout(
        chosen.name,
        chosen.home,
        chosen.account,
        tuple(component.name for component in components),
        chosen.database.kind == PRIVATE,
        chosen.executor,
    )


def lingers(account: str) -> bool:
    """Whether the manager of that account runs without a login (loginctl(1))."""
    return (_LINGER / account).exists()


def enable_linger(account: str) -> None:
    """Have this account's manager run from boot on; raises :class:`ServicesUnavailable`."""
    if lingers(account):
        return
    with contextlib.suppress(process.CommandFailed):
        process.run(["loginctl", "--no-ask-password", "enable-linger"], what="enable linger", timeout=60)
    if not lingers(account):
        raise ServicesUnavailable(
            f"The services of {account} would end when its last session ends.",
            found="linger is off, and this account may not turn it on",
            needed="linger",
            hint=f"As root: loginctl enable-linger {account}. Or choose --service supervisor.",
        )


def _for_the_system() -> bool:
    return os.geteuid() == 0 or channel.available()


def _trouble(layout: Layout, *, patient: bool) -> str:
    """Why systemd cannot run it; `patient` counts on an admin who turns linger on."""
    if not _BOOTED.is_dir() or not shutil.which("systemctl", path=SYSTEM_PATH):
        return "systemd does not run this host"
    trouble = units.problem(layout)
    if not trouble and not _shares_network():
        trouble = "systemd runs outside of this network namespace, and so would the services"
    if trouble or _for_the_system():
        return trouble
    if not _has_manager():
        return "this account has no manager of its own (systemctl --user)"
    if not (patient or lingers(layout.account) or _may_linger()):
        return "linger is off, and this account may not turn it on"
    return ""


def _shares_network(proc: Path = Path("/proc")) -> bool:
    """Whether what the manager starts would live in our network; a rehearsal, for one, has its own."""
    ours = os.readlink(str(proc / "self/ns/net"))
    for entry in proc.iterdir():
        with contextlib.suppress(OSError):
            # of others' processes only root may see it
            if entry.name.isdigit() and _is_manager(entry) and os.readlink(str(entry / "ns/net")) != ours:
                return False
    return True


def _is_manager(entry: Path) -> bool:
    """Whether the process is systemd, of the system or of this account; not one inside a container."""
    if entry.name == "1":
        return True
    if entry.stat().st_uid != os.geteuid() or os.geteuid() == 0:
        return False
    name, _, rest = (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(") ")
    return name.endswith("(systemd") and rest.split()[1] == "1"  # its parent (proc(5))


def _has_manager() -> bool:
    return Path(f"/run/user/{os.geteuid()}/systemd/private").exists()


def _may_linger() -> bool:
    if not shutil.which("pkcheck"):
        return False
    try:
        process.run(
            ["pkcheck", "--action-id", _SET_LINGER, "--process", str(os.getpid())],
            what="ask polkit about linger",
            timeout=30,
        )
    except process.CommandFailed:
        return False
    return True
