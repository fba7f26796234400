"""Stand-ins for a scheduler with LocalExecutor: processes that look and wait as its own do."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

# `hangs`: it has workers that never leave. A task that is asked to end writes that down.
_WORKER = "airflow worker -- LocalExecutor"
_SCRIPT = r"""
mkfifo "$0.fifo"
# a title stands for all arguments: cat needs none
worker() { (exec -a "$1" cat <> "$0.fifo") & }
works='trap "echo asked >> $0; exit 1" TERM; echo up >> $0; while :; do sleep 0.05; done'
task() { bash -c 'exec -a "$0" bash -c "$1" "$2" "$3"' "$1" 'bash -c "$1" "$0" & wait; :' "$0" "$works" & }
trap 'stopping=1' TERM
%s
echo ready >> "$0"
while [ -z "$stopping" ]; do sleep 0.05; done
# as the executor does it: join every worker, without a limit
%s
"""


def start(
    note: Path, *titles: str, task: str | None = None, after: str = "wait", relay: tuple[str | Path, ...] = ()
) -> subprocess.Popen[bytes]:
    """A scheduler with a worker for each of `titles`, behind that worker title; `task` is one that works.

    When it is asked to end it runs `after`. `note` gets ``ready``, and of a task ``up`` and ``asked``.
    """
    lines = [f"worker '{_WORKER}{title}'" for title in titles]
    if task is not None:
        lines.append(f"task '{_WORKER}{task}'")
    script = _SCRIPT % ("\n".join(lines), after)
    started = subprocess.Popen([*relay, "bash", "-c", script, note], stdout=subprocess.DEVNULL)
    wanted = ["ready", *(["up"] if task is not None else [])]
    wait_for(lambda: note.exists() and set(wanted) <= set(note.read_text().split()))
    return started


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until it holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
