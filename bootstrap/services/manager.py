"""What keeps the components running: one small interface, and the values that cross it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Protocol, Sequence, Tuple

from bootstrap.airflow.executor import SERVING, Executor
from bootstrap.base.spelling import did_you_mean
from wheelhouse.errors import AirferryError

# What a receipt may name; `none` leaves nothing running.
SYSTEMD, SYSTEMD_USER, SUPERVISOR, NONE = KINDS = ("systemd", "systemd-user", "supervisor", "none")

POSTGRES = "postgres"
# Ours: restarts what hangs.
WATCHDOG = "watchdog"
# Airflow's renewer of tickets, where a keytab is set.
KERBEROS = "kerberos"
_STOP_SECONDS_POSTGRES = 120


# Beyond the time for tasks: one that is asked to end then has ten seconds to report that.
GRACE_SECONDS = 15


def stop_seconds(name: str, executor: Executor) -> int:
    """How long that component may take to end; then everything that it started is killed."""
    if name == POSTGRES:
        return _STOP_SECONDS_POSTGRES
    seconds = executor.stop_seconds(name)
    return seconds + GRACE_SECONDS if name == executor.task_component else seconds


def stop_order(names: Sequence[str]) -> List[List[str]]:
    """The components in groups that end one after the other.

    A task that ends meanwhile reports to the web server, and that writes into the database.
    """
    others = (WATCHDOG, *SERVING, POSTGRES)
    groups = [
        [name for name in names if name == WATCHDOG],
        [name for name in names if name not in others],
        [name for name in names if name in SERVING],
        [name for name in names if name == POSTGRES],
    ]
    return [group for group in groups if group]


class ServiceError(AirferryError):
    """A component cannot be started or stopped."""

    reference = "service-error"
    exit_code = 38


class UnknownComponent(AirferryError):
    """There is no component of that name."""

    reference = "unknown-component"
    exit_code = 2


def check_components(names: Sequence[str], known: Sequence[str], hint: str = "") -> None:
    """Raise :class:`UnknownComponent` for a name that is not among `known`."""
    unknown = [name for name in names if name not in known]
    if unknown:
        meant = did_you_mean(unknown[0], known)
        raise UnknownComponent(
            f"There is no component {', '.join(unknown)}.",
            needed="one of " + ", ".join(known),
            hint=" ".join(filter(None, (meant, hint))),
        )


@dataclass(frozen=True)
class Program:
    """A component to keep running: `command` in the foreground, its output goes to `log`.

    The stop signal goes to the program alone, the kill that may follow to its whole group. `ready` is a
    command that succeeds when others may use the program; empty for one that is ready when it runs.
    """

    name: str
    command: Tuple[str, ...]
    log: Path
    stop_signal: str = "TERM"
    ready: Tuple[str, ...] = ()


@dataclass(frozen=True)
class State:
    """A component's state in supervisor's words (RUNNING, STOPPED, STARTING, BACKOFF, FATAL, EXITED)."""

    name: str
    state: str
    pid: int
    note: str


class Services(Protocol):
    """A service manager as the steps and the commands for daily use see it; all raise ServiceError."""

    @property
    def env(self) -> Mapping[str, str]:
        """The environment that it gives to what it starts."""

    def configure(self, programs: Sequence[Program]) -> None:
        """Make it know `programs`, in the order in which they start; nothing is started."""

    def launch(self) -> None:
        """Bring the manager itself up, or have it read a changed configuration."""

    def running(self) -> bool:
        """Whether the manager is there and knows this installation."""

    def start(self, names: Sequence[str], *, settle: bool = True) -> None:
        """Start components together; wait until each has stayed up a second unless `settle` is false."""

    def stop(self, names: Sequence[str], seconds: Optional[float] = None) -> None:
        """Stop components in their order, and wait until each is down; one that does not run is fine.

        Tasks may run on for `seconds` (None: as long as the manager gives them). Then they are asked to end,
        so that they can report it, and what is left after ten more is killed. A component that hangs although
        no task runs is not waited for.
        """

    def shut_down(self) -> None:
        """Stop every component, and the manager itself where it is ours; no process stays."""

    def states(self) -> Dict[str, State]:
        """All components by name; empty when the manager does not run."""

    def installed(self) -> bool:
        """Whether anything of this manager's is left on the host for this installation."""

    def remove(self) -> None:
        """Stop everything and take what :meth:`configure` wrote off the host."""
