"""``python -m bench.stopping HOME``: how long an idle stop takes, and what stops under load lose.

Run as the account of an installation that may be stopped and started at will, for example::

    PYTHONPATH=. python3 -m bench.stopping /opt/airflow --idle 20 --loaded 50

Idle: start, a run of the example pipeline to its end, stop; each stop is timed. Loaded: tasks of one to eight
seconds run all the time, and Airflow is stopped at random moments and started again; in the end every task
must have succeeded at its first try, and every line that a task writes as its last must be there once.
"""

from __future__ import annotations

import argparse
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path

from bench.measuring import load
from bootstrap.airflow import differences, metadata
from bootstrap.installed.installation import Installation
from bootstrap.state import receipt
from bootstrap.state.home import Home
from bootstrap.steps import airflow

DAG = "airferry_bench_stopping"
TASKS = 40
AIM = 5.0
_TEXT = """
from datetime import datetime
{import_line}
try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:
    from airflow.operators.bash import BashOperator

with DAG("{dag}", start_date=datetime(2026, 1, 1), {schedule}=None, catchup=False, max_active_runs=1) as dag:
    for number in range({tasks}):
        BashOperator(
            task_id=f"t{{number}}",
            retries=0,
            bash_command=f"sleep {{1 + number % 8}}; echo {{{{{{{{ run_id }}}}}}}}/{{number}} >> {done}",
        )
"""


class Stopping:
    """One installation, stopped and started again and again."""

    def __init__(self, home: Path) -> None:
        self.installation = Installation(receipt.load(Home(home).receipt))
        self.home = self.installation.home
        self.done = self.home.path / "run" / "bench-stopping"
        self.file = self.home.dags / "airferry_bench_stopping.py"

    def idle(self, cycles: int) -> bool:
        """Print the seconds of each stop; whether all were short enough."""
        taken: list[float] = []
        for number in range(cycles):
            self._airferry("start")
            airflow.prove(self.installation)
            taken.append(self._airferry("stop"))
            print(f"idle {number + 1}: {taken[-1]:.1f} s; {load()}", flush=True)
        good = sum(1 for seconds in taken if seconds <= AIM)
        print(f"idle stops: median {statistics.median(taken):.1f} s, longest {max(taken):.1f} s,")
        print(f"  {good} of {cycles} within {AIM:.0f} s")
        return good == cycles

    def loaded(self, cycles: int) -> bool:
        """Print what each stop took and what is lost in the end; whether nothing is."""
        version = self.installation.version.numbers
        schedule = "schedule_interval" if version < (2, 4, 0) else "schedule"
        line = differences.DAG_IMPORT.at(version)
        text = _TEXT.format(dag=DAG, tasks=TASKS, done=self.done, import_line=line, schedule=schedule)
        self.file.write_text(text, encoding="utf-8")
        self.done.write_text("", encoding="utf-8")
        started: list[str] = []
        taken: list[float] = []
        interrupted = 0
        for number in range(cycles):
            self._airferry("start")
            self._keep_busy(started)
            self._until(self._running)
            time.sleep(random.uniform(0, 6))
            running = len(self._running())
            interrupted += running
            taken.append(self._airferry("stop"))
            print(f"loaded {number + 1}: {running} tasks ran, {taken[-1]:.1f} s; {load()}", flush=True)
        self._airferry("start")
        self._until(lambda: all(self._state(run) in ("success", "failed") for run in started), 1800)
        rows = self.installation.database.query(
            f"SELECT state, try_number, count(*) FROM task_instance WHERE dag_id = '{DAG}' GROUP BY 1, 2"
        )
        states = {tuple(row.split("\t")[:2]): int(row.split("\t")[2]) for row in rows.splitlines()}
        lines = Counter(self.done.read_text(encoding="utf-8").split())
        wanted = {f"{run}/{number}" for run in started for number in range(TASKS)}
        lost = [name for name in wanted if not lines[name]]
        twice = [name for name, count in lines.items() if count > 1]
        print(f"loaded stops: {cycles}, {interrupted} tasks ran at these moments, median of a stop")
        print(f"  {statistics.median(taken):.1f} s, longest {max(taken):.1f} s; {len(wanted)} tasks in all:")
        print(f"  {states}; {len(lost)} lost, {len(twice)} done twice")
        self._airferry("stop")
        self.file.unlink()
        return not lost and not twice and set(states) == {("success", "1")}

    def _keep_busy(self, started: list[str]) -> None:
        self._until(lambda: metadata.dag_is_known(self.installation.database.query, DAG), 180)
        waiting = [run for run in started if self._state(run) not in ("success", "failed")]
        if len(waiting) < 2:
            now = datetime.now(timezone.utc)
            run = f"bench_{now.strftime('%Y%m%dT%H%M%S')}"
            date = now - timedelta(days=1)
            self.installation.airflow.unpause_and_trigger(DAG, run, date)
            started.append(run)

    def _state(self, run: str) -> str:
        return metadata.run_state(self.installation.database.query, DAG, run)

    def _running(self) -> list[str]:
        return metadata.running_tasks(self.installation.database.query)

    def _airferry(self, verb: str) -> float:
        begun = time.monotonic()
        subprocess.run(
            [self.home.bin / "airferry", verb],
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return time.monotonic() - begun

    def _until(self, condition: object, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while not condition():  # type: ignore[operator]
            if time.monotonic() > deadline:
                raise TimeoutError("Airflow did not get there")
            time.sleep(0.3)


def main() -> int:
    """Measure what was asked for; 1 when an aim was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.stopping", description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("--idle", type=int, default=20, metavar="N", help="idle stops (default: 20)")
    parser.add_argument("--loaded", type=int, default=50, metavar="N", help="stops under load (default: 50)")
    options = parser.parse_args()
    stopping = Stopping(options.home)
    stopping._airferry("stop")
    good = [stopping.idle(options.idle)] if options.idle else []
    good += [stopping.loaded(options.loaded)] if options.loaded else []
    return 0 if all(good) else 1


if __name__ == "__main__":
    sys.exit(main())
