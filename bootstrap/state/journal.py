"""The journal of a home: what happened, when, by whom, how it ended. JSON, an object a line; no secrets."""

from __future__ import annotations

import contextlib
import json
import os
import re
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

from bootstrap.base import account, channel, smallfile
from bootstrap.state.home import Home
from wheelhouse import codec, timestamp
from wheelhouse.errors import AirferryError

SCHEMA = 1
INTERRUPTED = 130

_ENDS = ("done", "failed", "interrupted")
# what every event has; the rest is particular to the command
_COMMON = ("schema", "time", "event", "run", "process", "by", "account", "seconds", "exit", "error")


@dataclass(frozen=True)
class Journal:
    """The file at `path`; lines are only ever appended."""

    path: Path

    def write(self, event: str, **details: object) -> None:
        """Append one event with the time (RFC 3339, UTC); where the journal is root's, root's process does.

        What the account does without root goes to a file of its own (`Home.own_journal`).
        """
        now = timestamp.now()
        line = json.dumps({"schema": SCHEMA, "time": now, "event": event, **details}, ensure_ascii=False)
        home = Home(self.path.parent)
        if os.geteuid() == 0 or not home.is_roots:
            append(self.path, line)
        elif channel.available():
            channel.ask("journal", line=line)
        else:
            append(home.own_journal, line)

    @contextlib.contextmanager
    def recorded(self, command: str, **details: object) -> Iterator[Dict[str, object]]:
        """Write that `command` starts, and how it ended: ``done``, ``failed`` or ``interrupted``, in seconds.

        What is put into the value is written with the end. A journal that cannot be written stops nothing;
        of an error only its kind is written, because its message may quote what a program said.
        """
        started = time.monotonic()
        run = f"{int(time.time())}-{os.getpid()}"
        who = {"by": account.caller(), "account": account.current().name, "process": os.getpid()}
        more: Dict[str, object] = {}

        def end(outcome: str, status: int, **why: object) -> None:
            seconds = round(time.monotonic() - started, 2)
            self._try(f"{command}-{outcome}", run=run, seconds=seconds, exit=status, **why, **more)

        self._try(f"{command}-started", run=run, **who, **details)
        try:
            yield more
        except KeyboardInterrupt:
            end("interrupted", INTERRUPTED)
            raise
        except AirferryError as error:
            end("failed", error.exit_code, error=error.reference)
            raise
        except BaseException as error:
            end("failed", 1, error=type(error).__name__)
            raise
        end("done", 0)

    def _try(self, event: str, **details: object) -> None:
        with contextlib.suppress(OSError, channel.RootFailed):
            self.write(event, **details)


def append(path: Path, line: str) -> None:
    """Append a line to a journal; no link is followed. Raises OSError."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(str(path), flags, 0o640), "rb+", buffering=0) as stream:
        if stream.seek(0, os.SEEK_END):
            stream.seek(-1, os.SEEK_END)
            if stream.read(1) != b"\n":  # a writer that was killed, or a full disk, left half a line
                line = "\n" + line
        # what is no UTF-8 in a path becomes \udcNN, which is how JSON writes it too
        stream.write(f"{line}\n".encode("utf-8", "backslashreplace"))


@dataclass(frozen=True)
class JournalStep:
    """A part of a command: `state` is done, failed, unfinished or noted."""

    name: str
    state: str
    seconds: Optional[float] = None


@dataclass(frozen=True)
class JournalEntry:
    """A command that was run here, as it ended.

    `outcome` is done, failed, interrupted, running, or killed: it never came to its end. `by` is who asked
    for it, `account` what it ran as, `details` whatever is particular to the command.
    """

    time: str
    command: str
    outcome: str
    seconds: Optional[float] = None
    exit: Optional[int] = None
    error: str = ""
    by: str = ""
    account: str = ""
    details: Dict[str, Any] = field(default_factory=dict)
    steps: Tuple[JournalStep, ...] = ()


@dataclass(frozen=True)
class History:
    """Every command, oldest first; `unreadable` counts the lines that are no events."""

    entries: Tuple[JournalEntry, ...]
    unreadable: int = 0


@dataclass(frozen=True)
class _Open:
    """A command whose end has not been read yet; `index` is that of its entry."""

    command: str
    run: object
    process: object
    index: int


def read(path: Path) -> History:
    """The history of a home; an absent journal is an empty one.

    Where the journal is root's, what the account did without root is among it.
    """
    text = ""
    with contextlib.suppress(FileNotFoundError):
        text = smallfile.text(path)
    found, home = _history(text), Home(path.parent)
    if home.is_roots:
        with contextlib.suppress(OSError):
            own = smallfile.read(home.own_journal, home.owner_of_data())
            more = _history(own.decode("utf-8", "replace"))
            entries = sorted((*found.entries, *more.entries), key=lambda entry: entry.time)
            return History(tuple(entries), found.unreadable + more.unreadable)
    return found


def _history(text: str) -> History:
    entries: List[JournalEntry] = []
    waiting: List[_Open] = []
    unreadable = 0
    for raw in text.split("\n"):
        if not raw.strip("\0 \r\t"):  # after a power cut a file may end in zeros
            continue
        line = _parsed(raw)
        if line is None:
            unreadable += 1
            continue
        _take(line, entries, waiting)
    for item in waiting:
        alive = _alive(item.process, entries[item.index].time)
        entries[item.index] = replace(entries[item.index], outcome="running" if alive else "killed")
    return History(tuple(entries), unreadable)


def _take(line: Dict[str, Any], entries: List[JournalEntry], waiting: List[_Open]) -> None:
    name, _, end = line["event"].rpartition("-")
    if name == "step":
        _take_step(line, end, entries, waiting)
    elif end == "started":
        waiting.append(_Open(name, line.get("run"), line.get("process"), len(entries)))
        entries.append(_entry(name, "", line))
    elif end in _ENDS:
        same = [item for item in waiting if item.command == name and item.run == line.get("run")]
        if not same:
            entries.append(_entry(name, end, line))
            return
        waiting.remove(same[-1])
        found, last = entries[same[-1].index], _entry(name, end, line)
        entries[same[-1].index] = replace(
            found,
            outcome=end,
            seconds=last.seconds,
            exit=last.exit,
            error=last.error,
            details={**found.details, **last.details},
        )
    elif waiting:
        _add(entries, waiting[-1].index, JournalStep(line["event"], "noted"))
    else:
        entries.append(_entry(line["event"], "noted", line))


def _take_step(line: Dict[str, Any], end: str, entries: List[JournalEntry], waiting: List[_Open]) -> None:
    if not waiting:
        return
    index, name = waiting[-1].index, str(line.get("step", ""))
    steps = entries[index].steps
    if end == "started":
        _add(entries, index, JournalStep(name, "unfinished"))
    elif steps and steps[-1].name == name:
        ended = JournalStep(name, end, _number(line.get("seconds")))
        entries[index] = replace(entries[index], steps=(*steps[:-1], ended))


def _add(entries: List[JournalEntry], index: int, step: JournalStep) -> None:
    entries[index] = replace(entries[index], steps=(*entries[index].steps, step))


def _entry(command: str, outcome: str, line: Dict[str, Any]) -> JournalEntry:
    status = line.get("exit")
    return JournalEntry(
        time=str(line.get("time", "")),
        command=command,
        outcome=outcome,
        seconds=_number(line.get("seconds")),
        exit=status if isinstance(status, int) else None,
        error=str(line.get("error", "")),
        by=str(line.get("by", "")),
        account=str(line.get("account", "")),
        details={key: value for key, value in line.items() if key not in _COMMON},
    )


def _parsed(raw: str) -> Optional[Dict[str, Any]]:
    try:
        line = codec.parse(raw)
    except codec.Malformed:
        return None
    if not isinstance(line, dict) or not isinstance(line.get("event"), str):
        return None
    return line


def _number(value: object) -> Optional[float]:
    return float(value) if isinstance(value, (int, float)) else None


def _alive(process: object, moment: str) -> bool:
    """Whether the process that wrote at `moment` still runs; its number may be another's by now."""
    if not isinstance(process, int):
        return False
    try:
        began = timestamp.parse(moment).timestamp()
        # btime, and field 22 of stat after the name, which may hold blanks (proc(5))
        boot = re.search(r"^btime (\d+)", Path("/proc/stat").read_text(encoding="ascii"), re.MULTILINE)
        stat = Path(f"/proc/{process}/stat").read_text(encoding="utf-8", errors="replace")
        ticks = int(stat.rpartition(")")[2].split()[19])
    except (OSError, ValueError, IndexError):
        return False
    return boot is not None and int(boot[1]) + ticks / os.sysconf("SC_CLK_TCK") <= began + 2
