"""``python -m bench.engines HOME``: what trivial tasks cost on each executor of a head, as ratios.

Run on a head with workers, as its account. Without ``--write`` each DAG is run to its end, one after another;
with it the DAG files are written and no more, for ``dags push`` to carry them to the workers. Seconds count
from the first start of a task to the last end. With ``--account`` the processor time of these accounts'
processes stands beside it: of head and worker, where both are on one machine.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import subprocess
import sys
import time
from pathlib import Path

from bench.measuring import load
from bootstrap.installed.installation import Installation
from bootstrap.state import receipt
from bootstrap.state.home import Home

# A mapped task may have 1,024 instances at most ([core] max_map_length).
_PART = 500
_DAG = '''"""Trivial tasks, to be counted and timed. Written by bench.engines."""

from airflow.sdk import DAG, task

with DAG("{name}", schedule=None, catchup=False, max_active_tasks=10000, is_paused_upon_creation=False):
    for part, size in enumerate({sizes}):

        @task(task_id=f"part{{part}}", executor="{executor}", retries=0)
        def nothing(number):
            return None

        nothing.expand(number=list(range(size)))
'''


def name_of(executor: str) -> str:
    """The DAG for that executor."""
    return f"bench_{executor.lower()}"


def sizes(tasks: int) -> list[int]:
    """The parts of so many tasks."""
    whole, rest = divmod(tasks, _PART)
    return [_PART] * whole + ([rest] if rest else [])


def write(folder: Path, executors: list[str], tasks: int) -> None:
    """Write a DAG file for each executor."""
    for executor in executors:
        text = _DAG.format(name=name_of(executor), sizes=sizes(tasks), executor=executor)
        (folder / f"{name_of(executor)}.py").write_text(text, encoding="utf-8")


def processor_seconds(account: str) -> float:
    """What the processes of an account, and what they have started and waited for, have used so far."""
    uid, found = pwd.getpwnam(account).pw_uid, 0
    for path in Path("/proc").glob("[0-9]*"):
        try:
            if path.stat().st_uid == uid:
                found += sum(map(int, (path / "stat").read_text().rpartition(")")[2].split()[11:15]))
        except OSError:
            continue
    return found / os.sysconf("SC_CLK_TCK")


def measure(installation: Installation, executor: str, tasks: int, limit: float) -> float:
    """Run its DAG once; the seconds, or AssertionError when not all tasks succeed within the `limit`."""
    run, query = f"bench_{time.time():.0f}", installation.database.query
    subprocess.run(
        [installation.home.bin / "airflow", "dags", "trigger", name_of(executor), "-r", run],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    until = time.monotonic() + limit
    state = ""
    while state not in ("success", "failed"):
        assert time.monotonic() < until, f"{executor}: {state} after {limit:.0f} s"
        time.sleep(1)
        state = query(f"SELECT state FROM dag_run WHERE run_id = '{run}'").strip()
    answer = query(
        "SELECT count(*), extract(epoch FROM max(end_date) - min(start_date)) FROM task_instance"
        f" WHERE run_id = '{run}' AND state = 'success'"
    ).split()
    assert int(answer[0]) == tasks, f"{executor}: {answer[0]} of {tasks} tasks succeeded"
    return float(answer[1])


def main() -> int:
    """Write the DAG files, or run them and print a row for each executor."""
    parser = argparse.ArgumentParser(prog="python -m bench.engines", description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument(
        "--executor", action="append", help="repeatable (default: LocalExecutor, EdgeExecutor)"
    )
    parser.add_argument(
        "--account", action="append", default=[], help="repeatable: whose processes are counted"
    )
    parser.add_argument("--limit", type=float, default=3600, help="seconds for each")
    parser.add_argument("--write", action="store_true", help="write the DAG files, and no more")
    options = parser.parse_args()
    executors = options.executor or ["LocalExecutor", "EdgeExecutor"]
    installation = Installation(receipt.load(Home(options.home).receipt))
    if options.write:
        write(installation.folders.pipelines, executors, options.tasks)
        return 0
    first, rows = 0.0, []
    print(f"{options.tasks} tasks; {load()}", flush=True)
    for executor in executors:
        before = [processor_seconds(account) for account in options.account]
        seconds = measure(installation, executor, options.tasks, options.limit)
        used = [processor_seconds(name) - old for name, old in zip(options.account, before, strict=True)]
        first = first or seconds
        told = "".join(f"  {name} {value:.1f} s" for name, value in zip(options.account, used, strict=True))
        print(f"{executor:16} {seconds:7.1f} s  ratio {seconds / first:.2f}  {told}", flush=True)
        rows.append({"executor": executor, "seconds": seconds, "processor": used})
    print(json.dumps({"tasks": options.tasks, "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
