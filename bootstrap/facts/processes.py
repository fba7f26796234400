"""Processes of others that matter to an installation, as /proc shows them to this account."""

from __future__ import annotations

import contextlib
import os
import pwd
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Tuple

from bootstrap.base.mounts import same_place

COMPONENTS = (
    "webserver", "scheduler", "triggerer", "api[-_]server", "dag[-_]processor", "standalone",
    "celery +worker", "kerberos",
)  # fmt: skip
_COMPONENT = re.compile(r"(?:^|[/\s])airflow\s+(" + "|".join(COMPONENTS) + r")\b")


@dataclass(frozen=True)
class Process:
    """A process: `kind` is airflow, postgres or firewalld.

    `what` is Airflow's component or PostgreSQL's data folder, `home` the AIRFLOW_HOME of an Airflow; both
    are empty where they cannot be seen, or name another place than here (a container's). `user` is the
    name of its account.
    """

    kind: str
    pid: int
    user: str
    what: str = ""
    home: str = ""


def collect(proc: Path = Path("/proc")) -> Tuple[Process, ...]:
    """Look at every process once; what goes away meanwhile, or may not be seen, is left out."""
    found: List[Process] = []
    for folder in _folders(proc):
        with contextlib.suppress(OSError):
            arguments = [os.fsdecode(part) for part in (folder / "cmdline").read_bytes().split(b"\0")]
            kind, what = _known(folder, arguments)
            if kind:
                home = _variable(folder, "AIRFLOW_HOME") if kind == "airflow" else ""
                home = home if same_place(folder, home) else ""
                if kind == "postgres" and not same_place(folder, what):
                    what = ""
                found.append(Process(kind, int(folder.name), user_of(folder.stat().st_uid), what, home))
    return tuple(found)


def user_of(uid: int) -> str:
    """The name of an account, or its number when it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def environment_of(pid: int, proc: Path = Path("/proc")) -> List[str]:
    """What a process was started with, ``NAME=value`` each; raises OSError when that is hidden."""
    return [os.fsdecode(part) for part in (proc / str(pid) / "environ").read_bytes().split(b"\0") if part]


def parent_of(pid: int) -> int:
    """The process that started it; 0 when it has gone."""
    return _stat(pid, 1)


def started_at(pid: int) -> float:
    """When a process was started, in seconds since 1970; 0 when unknown. proc(5) counts from the boot."""
    with contextlib.suppress(OSError, ValueError, StopIteration):
        lines = Path("/proc/stat").read_text(encoding="ascii").splitlines()
        booted = next(float(line.split()[1]) for line in lines if line.startswith("btime "))
        ticks = _stat(pid, 19)
        return booted + ticks / os.sysconf("SC_CLK_TCK") if ticks else 0.0
    return 0.0


def _stat(pid: int, index: int) -> int:
    """A number of /proc/PID/stat, counted from the state behind the name; 0 when the process has gone."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        text = Path("/proc", str(pid), "stat").read_text(encoding="utf-8", errors="replace")
        fields: List[str] = text.rpartition(")")[2].split()
        return int(fields[index])
    return 0


def _folders(proc: Path) -> Iterator[Path]:
    for name in os.listdir(proc):  # noqa: PTH208  (names only)
        if name.isdigit() and int(name) != os.getpid():
            yield proc / name


def _known(folder: Path, arguments: List[str]) -> Tuple[str, str]:
    if not arguments or not arguments[0]:
        return "", ""  # a kernel thread
    program = Path(arguments[0]).name
    if program in ("postgres", "postmaster"):
        # its children write themselves a title: "postgres: checkpointer"
        at = arguments.index("-D") + 1 if "-D" in arguments else 0
        return "postgres", arguments[at] if 0 < at < len(arguments) else ""
    match = _COMPONENT.search(" ".join(arguments))
    if match:
        return "airflow", match.group(1).replace("_", "-")
    if "firewalld" in (program, *(Path(argument).name for argument in arguments[1:4])):
        return "firewalld", ""
    return "", ""


def _variable(folder: Path, name: str) -> str:
    with contextlib.suppress(OSError):
        for line in environment_of(int(folder.name), folder.parent):
            if line.startswith(name + "="):
                return line.partition("=")[2]
    return ""
