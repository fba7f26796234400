"""How a component that was asked to end is helped along: its tasks get their time, what hangs does not.

Airflow's LocalExecutor waits for its worker processes without a limit (apache/airflow#67870): one that
misses its call to leave keeps the scheduler for ever. A worker says in its title what it runs, and what it
runs is its child process, so that one without a task can be told and ended. And a component that has
closed its last connection has done all its work: what Python does then, freeing one object after the
other, takes seconds on a busy host and changes nothing.

Standard library only: the relay imports this, too.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, List, Optional, Tuple

# What LocalExecutor calls its workers; from 3.0 on an idle one has the second part as well.
WORKER = "airflow worker -- LocalExecutor"
_IDLE = "<idle>"
# Seconds without any task after which idle workers are ended, and after which the component itself is.
IDLE_SECONDS = 1.0
STUCK_SECONDS = 4.0
# Seconds in which a task that was asked to end may clean up and report.
TASK_SECONDS = 10.0
# Seconds after which a worker whose task's process has gone counts as idle: it may still store the log
# elsewhere, but Airflow also waits a minute for what the process left open.
CHILDLESS_SECONDS = 10.0
# Seconds after which a component that does not see the end of its last child is done: Airflow's triggerer
# often waits for ten, in a sleep that nothing but an exception ends. The server of its logs is no such child:
# it is ended after the others.
UNSEEN_SECONDS = 0.5
_LOG_SERVER = "airflow serve-logs"
# Seconds after its last connection was closed in which a component may still write its last lines.
LAST_SECONDS = 0.25
# Seconds after which a dag-processor that reads no file is ended: it has nothing to finish.
READER_SECONDS = 1.0
_READER = "dag-processor"
# Where a kernel has this it lists the children of every process.
_LISTS = "thread-self/children"
# Between two looks.
INTERVAL = 0.2


@dataclass(frozen=True)
class Descendant:
    """A process: its parent, its process group, and how it shows in a list."""

    pid: int
    parent: int
    group: int
    title: str


@dataclass(frozen=True)
class Patience:
    """How long tasks may run on: `seconds` from the request on, None without a limit of ours.

    With `holder` the relay stays when its component has ended, as long as the process of that id lives, until
    it is asked to end once more: a service manager that did not ask would start the component again.
    """

    seconds: Optional[float] = None
    holder: int = 0

    def write(self, path: Path) -> None:
        """Leave it for relays; the file holds no secret."""
        path.write_text(f"{self.seconds} {self.holder}\n", encoding="ascii")

    @classmethod
    def read(cls, path: Path) -> Patience:
        """What was left there; nothing in particular when nothing was."""
        try:
            seconds, holder = path.read_text(encoding="ascii").split()
            return cls(float(seconds), int(holder))
        except (OSError, ValueError):
            return cls()


def below(pid: int, proc: Path = Path("/proc")) -> List[Descendant]:
    """Every process that `pid` has started, and what these have started, parents first."""
    children = _table(proc)
    found: List[Descendant] = []
    waiting = [pid]
    while waiting:
        parent_id = waiting.pop(0)
        for child in children(parent_id):
            with contextlib.suppress(OSError, ValueError):
                state, _, group = _stat(proc / str(child))
                if state not in "ZX":
                    found.append(Descendant(child, parent_id, int(group), _title(proc / str(child))))
                    waiting.append(child)
    return found


def _table(proc: Path) -> Callable[[int], List[int]]:
    """What gives the children of a process, those that have ended as well.

    Most kernels list them, task by task (proc(5)); without that every process of the host is looked at.
    """
    if (proc / _LISTS).exists():
        return lambda pid: _listed(proc / str(pid) / "task")
    children: Dict[int, List[int]] = {}
    for entry in proc.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError, ValueError):
                children.setdefault(int(_stat(entry)[1]), []).append(int(entry.name))
    return lambda pid: children.get(pid, [])


def _listed(tasks: Path) -> List[int]:
    found: List[int] = []
    with contextlib.suppress(OSError, ValueError):
        for task in tasks.iterdir():
            found += map(int, (task / "children").read_text(encoding="ascii").split())
    return found


def _stat(entry: Path) -> List[str]:
    # state, parent, group; the name before may hold blanks and parentheses (proc(5))
    return (entry / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:3]


def _title(entry: Path) -> str:
    with contextlib.suppress(OSError):
        return (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
    return ""


def workers(found: List[Descendant]) -> Tuple[List[Descendant], List[Descendant], List[Descendant]]:
    """The executor's workers among these processes: idle ones, busy ones, and the tasks that these run."""
    idle, busy, tasks = [], [], []
    running = {process.pid for process in found if process.title.startswith(WORKER)}
    for process in found:
        if process.pid not in running or process.parent in running:
            continue  # a task that has just been forked still has its worker's title
        children = [child for child in found if child.parent == process.pid]
        rest = process.title[len(WORKER) :]
        if children or not (rest.endswith(_IDLE) or not rest):
            busy.append(process)
            tasks += children
        else:
            idle.append(process)
    return idle, busy, tasks


def _but_logs(found: List[Descendant]) -> List[Descendant]:
    """These processes without the one that serves a component's logs, and what it has started."""
    servers = {process.pid for process in found if process.title.startswith(_LOG_SERVER)}
    rest = []
    for process in found:  # parents come first
        if process.parent in servers:
            servers.add(process.pid)
        elif process.pid not in servers:
            rest.append(process)
    return rest


def zombies(pid: int, proc: Path = Path("/proc")) -> List[int]:
    """The children of `pid` that have ended, and whose end it has not seen yet."""
    found = []
    for child in _table(proc)(pid):
        with contextlib.suppress(OSError, ValueError):
            if _stat(proc / str(child))[0] == "Z":
                found.append(child)
    return found


def connected(pid: int, proc: Path = Path("/proc")) -> bool:
    """Whether a process has any socket open; True for one that may not be looked at."""
    try:
        files = [os.readlink(str(entry)) for entry in (proc / str(pid) / "fd").iterdir()]
    except OSError:  # one was closed just now, too
        return True
    return any(name.startswith("socket:") for name in files)


class Ending:
    """The end of the component `pid`, which has just been asked for it; call :meth:`look` every now and then.

    Nothing else happens to a component that has no executor's workers. `done` says that it was killed when
    all its work was done.
    """

    def __init__(
        self, pid: int, seconds: Optional[float] = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.pid = pid
        self.seconds = seconds
        self._clock = clock
        self._started = clock()
        self._idle_since: Optional[float] = None
        self._asked: Optional[float] = None
        self._looked = self._started - INTERVAL
        self._has_workers = False
        self._was_connected = connected(pid)
        self._reads = _READER in _title(Path("/proc", str(pid)))
        self._last: Optional[float] = None
        self._childless: Dict[int, float] = {}
        self._unseen: Optional[float] = None
        self._children = {process.pid for process in _but_logs(below(pid))}
        self.done = False

    def has_tasks(self) -> bool:
        """Whether a task runs in it."""
        return bool(workers(below(self.pid))[1])

    def look(self) -> None:
        """End what waits for nothing, and tasks whose time is up."""
        now = self._clock()
        if now - self._looked < INTERVAL:
            return
        self._looked = now
        found = below(self.pid)
        if self._finished(now, found) or (
            self._reads and not found and now - self._started >= READER_SECONDS
        ):
            self.done = True
            self.kill()
            return
        idle, busy, tasks = self._workers(now, found)
        self._has_workers = self._has_workers or bool(idle or busy)
        if busy:
            self._idle_since = None
            if self.seconds is not None and now - self._started >= self.seconds:
                self._time_is_up(now, busy, tasks)
            return
        if not self._has_workers:
            if self._blind(now, found):
                self.done = True
                self.kill()
            return
        if self._idle_since is None:
            self._idle_since = now
        if now - self._idle_since >= STUCK_SECONDS:
            self.kill()
        elif now - self._idle_since >= IDLE_SECONDS:
            for process in idle:
                send(process.pid, signal.SIGKILL)

    def _workers(
        self, now: float, found: List[Descendant]
    ) -> Tuple[List[Descendant], List[Descendant], List[Descendant]]:
        idle, busy, tasks = workers(found)
        parents = {process.parent for process in tasks}
        childless = {process.pid for process in busy if process.pid not in parents}
        self._childless = {pid: self._childless.get(pid, now) for pid in childless}
        late = [
            process for process in busy if now - self._childless.get(process.pid, now) >= CHILDLESS_SECONDS
        ]
        return [*idle, *late], [process for process in busy if process not in late], tasks

    def _blind(self, now: float, found: List[Descendant]) -> bool:
        """Whether it waits for a child that has ended since it was asked, and has no other."""
        if _but_logs(found) or not self._children.intersection(zombies(self.pid)):
            self._unseen = None
            return False
        if self._unseen is None:
            self._unseen = now
        return now - self._unseen >= UNSEEN_SECONDS

    def _finished(self, now: float, found: List[Descendant]) -> bool:
        """Whether nothing of it is left but a Python that ends."""
        if found or not self._was_connected or connected(self.pid):
            self._last = None
            return False
        if self._last is None:
            self._last = now
        return now - self._last >= LAST_SECONDS

    def _time_is_up(self, now: float, busy: List[Descendant], tasks: List[Descendant]) -> None:
        if self._asked is None:
            self._asked = now
            # a task that is asked can report that it failed, and is tried again at once
            for process in tasks:
                send(process.pid, signal.SIGTERM)
        elif now - self._asked >= TASK_SECONDS:
            for process in busy:
                send(process.pid, signal.SIGKILL)
            self.kill()

    def kill(self) -> None:
        """Kill the component and everything below it."""
        found = below(self.pid)
        send(self.pid, signal.SIGKILL)
        for process in found:
            send(process.pid, signal.SIGKILL)


def send(pid: int, number: signal.Signals) -> None:
    """Send a signal; a process that has gone, or is another's, is fine."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, number)
