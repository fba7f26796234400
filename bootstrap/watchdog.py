"""Restarts a component that is there but does nothing any more, and tells of components that go down.

A service manager restarts what has ended, not what hangs (apache/airflow#67870). Whether a component works
is in its own signs of life: the heartbeats in the metadata database, and the web server's answers. What
shows none for a while is killed; the service manager does the rest, so that this needs no right but the
account's own. Run by the service manager as ``python -I -S watchdog.py HOME``.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Deque, Dict, List, Mapping, Optional

if __name__ == "__main__":
    # an isolated Python does not look beside the script
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bootstrap.airflow import health, metadata
from bootstrap.airflow.differences import FILE_INTERVAL
from bootstrap.base import process
from bootstrap.base.lock import holder
from bootstrap.installed import in_force
from bootstrap.installed.installation import POSTGRES, Installation
from bootstrap.services.ending import TASK_SECONDS, Ending, below, send
from bootstrap.services.manager import WATCHDOG, State
from bootstrap.state import receipt
from bootstrap.state.home import Home
from bootstrap.state.journal import Journal
from wheelhouse.errors import AirferryError

# How long a component may show no sign of life; 0 switches the watchdog off. From etc/local.env.
LIMIT = "AIRFERRY_WATCHDOG_SECONDS"
USUAL_LIMIT = 300.0
# A component that has just been started has at least this long for its first sign.
STARTING = 600.0
# No component is restarted more often in an hour: a cause that stays is not cured by restarts.
RESTARTS = 3
HOUR = 3600.0
# Reads DAG files in 3.x; it may beat and read nothing. Each file has this many of its intervals.
PARSER = "dag-processor"
_PARSING = "dag-processor's files"
_ROUNDS = 5
_RELAY = "bootstrap/services/relay.py"
INTERVAL = 10.0
# Below the home, if it is there and executable: HOOK COMPONENT down|up|restarted|gave-up.
HOOK = "etc/on-component-change"
_HOOK_SECONDS = 30.0


@dataclass
class Pulse:
    """The last sign of life of one process: `sign` may be anything that changes; times are monotonic."""

    pid: int
    sign: object
    since: float
    well: bool = False


@dataclass
class Judge:
    """Which components hang, by their signs of life over time; knows no clock but the caller's."""

    limit: float
    pulses: Dict[str, Pulse] = field(default_factory=dict)
    restarts: Dict[str, Deque[float]] = field(default_factory=dict)

    def hangs(self, name: str, pid: int, sign: object, now: float, limit: float = 0) -> bool:
        """Whether this component has shown no new sign for too long; None is no sign at all.

        `limit` is one of its own, where it rests longer than the others.
        """
        limit = max(limit, self.limit)
        pulse = self.pulses.get(name)
        if pulse is None or pulse.pid != pid:
            self.pulses[name] = Pulse(pid, sign, now)
            return False
        if sign is not None and sign != pulse.sign:
            self.pulses[name] = Pulse(pid, sign, now, well=True)
            return False
        return now - pulse.since > (limit if pulse.well else max(limit, STARTING))

    def forget(self, *names: str) -> None:
        """Begin anew with these components: nothing can be said of them now."""
        for name in names:
            if name in self.pulses:
                del self.pulses[name]

    def may_restart(self, name: str, now: float) -> bool:
        """Whether one more restart is allowed now; counts it if so."""
        recent = self.restarts.setdefault(name, deque())
        while recent and now - recent[0] > HOUR:
            recent.popleft()
        if len(recent) >= RESTARTS:
            return False
        recent.append(now)
        return True


class Watchdog:
    """The watch over one installation."""

    def __init__(
        self, installation: Installation, limit: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.installation = installation
        self.judge = Judge(limit)
        self._clock = clock
        self._down: List[str] = []
        self._given_up: List[str] = []

    def look(self) -> None:
        """Look once at everything, and do what is to be done."""
        home = self.installation.home
        if holder(home.lock) or (home.run / "halted").exists():
            self.judge.forget(*self.judge.pulses)  # an airferry command is at work
            return
        states = self.installation.services.states()
        if not states:
            return
        self._tell(states)
        if self.judge.limit > 0:
            for name in self._hanging(states):
                self._restart(name, states[name].pid)

    def _hanging(self, states: Mapping[str, State]) -> List[str]:
        signs = self._signs()
        running = {
            name: state.pid for name, state in states.items() if state.state == "RUNNING" and state.pid
        }
        if signs is None:
            # without the database nobody else can show anything
            self.judge.forget(*(name for name in self.judge.pulses if name != POSTGRES))
            signs = {POSTGRES: None}
        now = self._clock()
        hanging = [
            name
            for name, sign in signs.items()
            if name in running and self.judge.hangs(name, running[name], sign, now)
        ]
        if (
            PARSER in running
            and PARSER not in hanging
            and PARSER in signs
            and self._parses_nothing(running, now)
        ):
            hanging.append(PARSER)
        return hanging

    def _parses_nothing(self, running: Mapping[str, int], now: float) -> bool:
        """Whether a dag-processor that beats has read no file for too long, although there are some."""
        try:
            last = metadata.last_parsing(self.installation.database.query)
        except (AirferryError, OSError):
            last = ""
        if not last:
            self.judge.forget(_PARSING)
            return False
        return self.judge.hangs(_PARSING, running[PARSER], last, now, _ROUNDS * self._file_interval())

    def _file_interval(self) -> float:
        """After how many seconds each file is to be read again."""
        home, numbers = self.installation.home, self.installation.version.numbers
        text, own = in_force.text_of(home.airflow_cfg), in_force.variables(home)
        with contextlib.suppress(ValueError):
            return float(in_force.value(FILE_INTERVAL, numbers, text, own) or 0)
        return 0.0

    def _signs(self) -> Optional[Dict[str, object]]:
        """The latest sign of life by component; None when the database does not answer."""
        installation = self.installation
        try:
            beats = metadata.heartbeats(installation.database.query, socket.gethostname())
        except (AirferryError, OSError):
            return None
        found: Dict[str, object] = {POSTGRES: self._clock(), **beats}
        answer = health.fetch(
            installation.version,
            installation.web,
            timeout=INTERVAL,
        )
        found[installation.version.web_component] = self._clock() if answer.raw is not None else None
        return found

    def _tell(self, states: Mapping[str, State]) -> None:
        wanted = [*self.installation.servers, *self.installation.components]
        for name in wanted:
            up = name in states and states[name].state in ("RUNNING", "STARTING")
            if up and name in self._down:
                self._down.remove(name)
                self._hook(name, "up")
            elif not up and name not in self._down:
                self._down.append(name)
                self._hook(name, "down")

    def _restart(self, name: str, pid: int) -> None:
        journal = Journal(self.installation.home.journal)
        if not self.judge.may_restart(name, self._clock()):
            if name not in self._given_up:
                self._given_up.append(name)
                journal.write("watchdog-gave-up", component=name, restarts=RESTARTS)
                self._hook(name, "gave-up")
            return
        if name in self._given_up:
            self._given_up.remove(name)
        because = f"no sign of life for {self.judge.limit:.0f} s"
        if name == PARSER and name in self.judge.pulses and _PARSING in self.judge.pulses:
            alive, reading = self.judge.pulses[name].since, self.judge.pulses[_PARSING].since
            if reading < alive:
                because = f"no DAG file read for {self._clock() - reading:.0f} s"
        _say(f"{name} (pid {pid}) shows {because}: it is ended, and started again.")
        with journal.recorded(WATCHDOG, component=name, because=because):
            end(pid, server=name == POSTGRES)
        self.judge.forget(name, *([_PARSING] if name == PARSER else []))
        self._hook(name, "restarted")

    def _hook(self, name: str, what: str) -> None:
        home = self.installation.home
        hook = home.path / HOOK
        if not os.access(str(hook), os.X_OK):
            return
        env = process.environment({"AIRFERRY_HOME": str(home.path)})
        try:
            process.run([hook, name, what], what=f"run {hook}", env=env, timeout=_HOOK_SECONDS)
        except AirferryError as error:
            _say(f"{error.message} {error.found}")


def end(pid: int, *, server: bool = False) -> None:
    """End what hangs: its tasks are asked first, so that they can report; a database server stops at once."""
    relayed = [child for child in below(pid) if child.parent == pid]
    if _RELAY in _command(pid) and relayed:
        pid = relayed[0].pid
    if server:
        send(pid, signal.SIGQUIT)  # immediate shutdown: it recovers from its log when it starts
        _wait(pid, TASK_SECONDS)
        Ending(pid).kill()
        return
    helper = Ending(pid, 0)
    if not helper.has_tasks():
        helper.kill()
        return
    deadline = time.monotonic() + TASK_SECONDS + 5
    while _alive(pid) and helper.has_tasks() and time.monotonic() < deadline:
        helper.look()
        time.sleep(0.1)
    helper.kill()


def _wait(pid: int, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while _alive(pid) and time.monotonic() < deadline:
        time.sleep(0.1)


def _alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return stat.rpartition(")")[2].split()[0] not in "ZX"
    return False


def _command(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    return ""


def _say(text: str) -> None:
    sys.stdout.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
    sys.stdout.flush()


def limit_of(environ: Mapping[str, str]) -> float:
    """The seconds that a component may be silent; what is no number is as if it were not there."""
    try:
        return max(0.0, float(environ.get(LIMIT, "") or USUAL_LIMIT))
    except ValueError:
        return USUAL_LIMIT


def main(home: Path) -> None:
    """Watch until the service manager ends this."""
    place = Home(home)
    watchdog = Watchdog(
        Installation(receipt.load(place.receipt)), limit_of({**os.environ, **in_force.variables(place)})
    )
    while True:
        try:
            watchdog.look()
        except (AirferryError, OSError) as error:
            _say(f"cannot look: {error}")
        time.sleep(min(INTERVAL, max(1.0, watchdog.judge.limit / 5)) if watchdog.judge.limit else INTERVAL)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
