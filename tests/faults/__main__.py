"""``make faults``: strike install, upgrade and rollback at every step and at random moments; print the table.

Every case is one line: what was struck, how, when; the exit status of the struck command and of the same
command again; which installation was there in the end, and whether it was whole. The choice of the moments
follows from ``--seed``; ``--write`` puts the table into docs/reference/reliability.md.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from itertools import zip_longest
from pathlib import Path
from typing import Any

from tests.e2e.matrix import make_bundle
from tests.faults.case import Case
from tests.faults.kinds import BOOTED, KINDS, Kind
from tests.faults.page import BOOTS, PLAIN, Row, render, write
from tests.support import machines
from tests.support.index import index_problem
from tests.support.pythons import readable_python

ROOT = Path(__file__).resolve().parents[2]
OLD, NEW = "3.3.1", "3.3.2"
NAMES = ("install", "upgrade", "rollback")
# how often the installation runs when its upgrade or rollback begins
_RUNNING = 0.3


class Worker:
    """A process that works on one case at a time: in namespaces of its own, or with a machine that boots.

    Such a machine can read the files of `shared`.
    """

    def __init__(self, shared: Sequence[Path] = ()) -> None:
        apart = [] if shared else ["--net", "--pid", "--mount-proc"]
        command = ["unshare", "--mount", *apart, "--fork", "--kill-child"]
        self._process = subprocess.Popen(
            [*command, sys.executable, "-m", "tests.faults.worker", *map(str, shared)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def ask(self, **order: Any) -> Any:
        """Give an order and wait for the answer."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the worker has ended")
        return json.loads(line)

    def close(self) -> None:
        """Let it go, and everything in it."""
        self._process.communicate()


def main() -> int:
    """Run the cases; the exit status is 1 when one of them lost something."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--count", type=int, default=60, help="how many cases without booting")
    parser.add_argument("--cuts", type=int, default=40, help="how many power cuts of booted machines")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default=",".join(NAMES), help="operations, separated by commas")
    parser.add_argument("--write", action="store_true", help="write docs/reference/reliability.md")
    options = parser.parse_args()
    problem = unavailable()
    if problem:
        print(f"skipped: {problem}")
        return 0
    with scratch() as folder:
        plan = Plan(folder, options.only.split(","), options.seed, options.workers)
        booted = plan.cut(options.cuts)
        plain = plan.strike(options.count)
    rows = [*plain, *booted]
    print(render(rows), flush=True)
    if options.write:
        asked = f"make faults SEED={options.seed} COUNT={options.count} CUTS={options.cuts}"
        write({PLAIN: plain, BOOTS: booted}, asked)
    return int(any(row.problems for row in rows))


def unavailable() -> str:
    """Why this machine cannot run the cases; empty when it can."""
    if os.geteuid() != 0:
        return "not root: no file system of a given size can be mounted"
    if not shutil.which("unshare"):
        return "no unshare on this machine"
    return index_problem()


class Plan:
    """Cases for the operations named; the files for them lie in `folder`."""

    def __init__(self, folder: Path, names: list[str], seed: int, workers: int) -> None:
        self.folder = folder
        self.names = names
        self.source = random.Random(seed)
        self.workers = workers
        self.python = readable_python()
        asked = [self.python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        minor = subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip()
        self.bundles = [make_bundle(version, minor, folder) for version in (OLD, NEW)]

    def strike(self, count: int) -> list[Row]:
        """Cases of every kind, on hosts that do not boot."""
        return self._run([Worker() for _ in range(self.workers)], count, KINDS) if count else []

    def cut(self, count: int) -> list[Row]:
        """Power cuts of booted machines; none, and a word on it, where no machine boots."""
        problem = machines.problem()
        if problem:
            print(f"skipped: {problem}")
        if problem or not count:
            return []
        return self._run([Worker(self.bundles) for _ in range(self.workers)], count, BOOTED)

    def _run(self, team: list[Worker], count: int, kinds: Sequence[Kind]) -> list[Row]:
        """Build what is needed, choose the cases, and run them on the workers."""
        old, new = map(str, self.bundles)
        order = {"order": "build", "old": old, "new": new, "python": self.python, "names": self.names}
        built = team[0].ask(**order, snapshots=str(self.folder / kinds[0].name.replace(" ", "-")))
        for item in built:
            steps = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in item["steps"])
            print(f"# {item['operation']['name']}: {item['seconds']} s ({steps})", flush=True)
        waiting = choose(built, count, kinds, self.source)
        rows: list[Row] = []
        lock = threading.Lock()

        def work(worker: Worker) -> None:
            while True:
                with lock:
                    if not waiting:
                        return
                    operation, case = waiting.pop(0)
                row = Row.of(worker.ask(order="run", operation=operation, case=asdict(case)))
                with lock:
                    rows.append(row)
                    print(row.line(), flush=True)

        threads = [threading.Thread(target=work, args=(worker,)) for worker in team]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for worker in team:
            worker.close()
        return sorted(rows, key=lambda row: row.order(NAMES))


def choose(
    built: list[dict[str, Any]], count: int, kinds: Sequence[Kind], source: random.Random
) -> list[tuple[Any, Case]]:
    """Each step of each operation once, kinds in turn; random moments; then more of the grid."""

    def case(item: dict[str, Any], kind: Kind, step: str, longest: float) -> tuple[Any, Case]:
        delay = round(source.uniform(0, longest), 2)
        return item["operation"], Case(
            item["operation"]["name"], kind.name, step, delay, source.random() < _RUNNING
        )

    steps = [(item, name, max(0.05, 0.9 * seconds)) for item in built for name, seconds in item["steps"]]
    turns: dict[str, list[tuple[Any, Case]]] = {item["operation"]["name"]: [] for item in built}
    rest: list[tuple[Any, Case]] = []
    for number, (item, name, longest) in enumerate(steps):
        turn = turns[item["operation"]["name"]]
        for place, kind in enumerate(kinds):
            chosen = turn if place == number % len(kinds) else rest
            chosen.append(case(item, kind, name, longest))
    source.shuffle(rest)
    moments = [
        case(built[number % len(built)], source.choice(kinds), "", built[number % len(built)]["seconds"])
        for number in range(count // 4)
    ]
    # the operations in turn, so that a few cases are of all of them
    first = [one for several in zip_longest(*turns.values()) for one in several if one]
    return [*first, *moments, *rest][:count]


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder that every account can enter, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="airferry-fault-files-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    raise SystemExit(main())
