"""The example DAGs on real Airflows: the oldest and the newest, from the package index, on SQLite."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from bootstrap.airflow import config, health, metadata
from bootstrap.airflow.command import Airflow
from bootstrap.airflow.config import Setting
from bootstrap.airflow.executor import LOCAL, Component
from bootstrap.airflow.release import release_for
from bootstrap.airflow.webaddress import WebAddress
from bootstrap.state.receipt import HEAD
from tests.support import pythons
from tests.support.index import index_problem

pytestmark = [pytest.mark.e2e, pytest.mark.network, pytest.mark.timeout(900)]

EXAMPLES = Path(__file__).resolve().parents[3] / "dags_example"
PORT = 18099  # of the API server of 3.x
WALLCLOCK = Path(__file__).parent / "data" / "wallclock.c"


@dataclass(frozen=True)
class Case:
    """A release, the Python to run it on, and the day as of which its dependencies resolve."""

    version: str
    python: str
    day: str

    def __str__(self) -> str:
        return f"{self.version}/{self.python}"


CASES = [Case("2.2.2", "3.8", "2021-11-16"), Case("3.3.2", "3.11", "2026-09-18")]


@pytest.fixture(scope="module", params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    if found.python not in {python.minor for python in pythons.found()}:
        pytest.skip(f"no Python {found.python} on this machine")
    return found


@pytest.fixture(scope="module")
def venv(case: Case, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A venv with that Airflow."""
    uv = pytest.importorskip("uv").find_uv_bin()
    if index_problem():
        pytest.skip(index_problem())
    path = tmp_path_factory.mktemp("venv") / case.version
    python = next(found.path for found in pythons.found() if found.minor == case.python)
    quiet = ("--quiet", "--no-config")
    subprocess.run([uv, "venv", *quiet, "--python", python, path], check=True)
    named = [f"apache-airflow=={case.version}", *release_for(case.version).drivers]
    if case.version.startswith("2."):
        named.append("setuptools")  # it imports pkg_resources
    limits = ("--exclude-newer", f"{case.day}T23:59:59Z", "--python", path / "bin" / "python")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "UV_"))}
    subprocess.run([uv, "pip", "install", *quiet, *limits, *named], check=True, env=env)
    return path


@pytest.fixture
def airflow(case: Case, venv: Path, tmp_path: Path) -> Airflow:
    """A home with the examples in its DAG folder."""
    home = tmp_path / "air flow"
    shutil.copytree(EXAMPLES, home / "dags" / "examples", ignore=shutil.ignore_patterns("__pycache__"))
    return Airflow(release_for(case.version), venv, home, home / "test.log")


def initialise(airflow: Airflow) -> None:
    """Give it a database: SQLite, whose clock is that of the process."""
    path = airflow.write_config()
    executor = "SequentialExecutor" if airflow.release.login == "basic" else "LocalExecutor"
    wanted = [
        Setting("core", "executor", executor),
        Setting("core", "load_examples", "False"),
        Setting("core", "parallelism", "2"),
        Setting("core", "dags_are_paused_at_creation", "False"),
    ]
    if airflow.release.login == "token":
        wanted += [
            Setting("api", "port", str(PORT)),
            Setting("core", "execution_api_server_url", f"http://127.0.0.1:{PORT}/execution/"),
        ]
    config.write(path, config.edit(config.read(path), wanted))
    airflow.run(*airflow.release.initialise, what="make the tables")


def load(airflow: Airflow, name: str, script: str) -> str:
    """Import an example in Airflow's own Python, every warning that it causes an error, then run `script`."""
    # Airflow itself warns while it is imported, so it is imported before
    code = """
        import importlib.util, json, sys, warnings
        import airflow.models.dag, airflow.timetables.interval
        try:
            import airflow.sdk, airflow.providers.standard.operators.bash
        except ImportError:
            import airflow.operators.bash
        spec = importlib.util.spec_from_file_location("example", sys.argv[1])
        example = importlib.util.module_from_spec(spec)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            spec.loader.exec_module(example)
    """
    path = airflow.home / "dags" / "examples" / name
    done = subprocess.run(
        [airflow.venv / "bin" / "python", "-c", textwrap.dedent(code) + textwrap.dedent(script), path],
        env=airflow.environment(), check=False, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


@pytest.mark.parametrize("name", ["airferry_pipeline.py", "airferry_scripts.py"])
def test_an_example_is_read_without_a_warning(airflow: Airflow, name: str) -> None:
    script = "dag = example.dag\nprint(json.dumps([dag.dag_id, len(dag.tasks), dag.catchup, dag.doc_md]))"
    dag_id, tasks, catchup, about = json.loads(load(airflow, name, script))
    assert (dag_id, catchup) == (name[: -len(".py")], False)
    assert tasks == {"airferry_pipeline": 3, "airferry_scripts": 4}[dag_id]
    assert "--from-date 2026-11-01T00:00+00:00" in about


def test_the_day_is_that_of_the_time_zone(airflow: Airflow) -> None:
    path = airflow.home / "dags" / "examples" / "airferry_pipeline.py"
    path.write_text(path.read_text().replace('TIMEZONE = "UTC"', 'TIMEZONE = "Asia/Seoul"'))
    script = """
        from datetime import datetime, timezone
        from types import SimpleNamespace as Run
        evening = datetime(2026, 11, 19, 15, tzinfo=timezone.utc)
        runs = [Run(logical_date=evening), Run(logical_date=None, run_after=evening), Run(run_after=evening)]
        told = "--from-date 2026-11-01T00:00+09:00" in example.dag.doc_md
        print(json.dumps([*(example.day(run) for run in runs), told]))
    """
    assert json.loads(load(airflow, "airferry_pipeline.py", script)) == ["2026-11-20"] * 3 + [True]


MISTAKES = """\
\ufeffname,script,after

# a comment, with a comma
ok,scripts/collect.sh
two words,scripts/collect.sh,
ok,scripts/collect.sh,
gone,scripts/gone.sh,later
later,,
"""


def test_every_mistake_in_the_table_is_told(airflow: Airflow) -> None:
    table = airflow.home / "dags" / "examples" / "mistakes.csv"
    table.write_text(MISTAKES, encoding="utf-8")
    script = """
        try:
            example.read_table(example.TABLE.with_name("mistakes.csv"))
        except ValueError as error:
            print(json.dumps(str(error).split("; ")))
    """
    problems = json.loads(load(airflow, "airferry_scripts.py", script))
    assert [problem.replace(f"{table}: ", "").split(":")[0] for problem in problems] == [
        *("line 5", "line 6", "line 7", "line 7", "line 8"),
    ]
    assert "'gone' comes after 'later', which is no name above it" in problems[3]


class Clock:
    """A wall clock that can be moved while processes run by it."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None or sys.platform != "linux":
            pytest.skip("moving the wall clock of a process takes a C compiler, on Linux")
        self.library, self.file = folder / "wallclock.so", folder / "wallclock"
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", self.library, WALLCLOCK], check=True)
        self.file.write_bytes(struct.pack("l", 0))
        self.env = {"LD_PRELOAD": str(self.library), "WALLCLOCK": str(self.file)}

    def set(self, moment: float) -> None:
        """Let it be `moment` (seconds since 1970) now."""
        with self.file.open("r+b") as stream:
            stream.write(struct.pack("l", int(moment - time.time())))


class Running:
    """Airflow's components."""

    def __init__(self, airflow: Airflow, clock: Clock) -> None:
        self.airflow = airflow
        self.children: list[subprocess.Popen[bytes]] = []
        try:
            for component in LOCAL.components(airflow.release.numbers, HEAD):
                # Nothing here needs these, and gunicorn compares the clock with that of the kernel's files.
                if component.name not in ("webserver", "triggerer"):
                    self._start(component, clock)
        except BaseException:
            self.stop()
            raise

    def _start(self, component: Component, clock: Clock) -> None:
        env = {**self.airflow.environment(), **clock.env}
        command = [str(self.airflow.venv / "bin" / "python"), "-m", "airflow", *component.arguments]
        if component.name == "scheduler":
            command.append("--skip-serve-logs")  # gunicorn again
        with (self.airflow.home / f"{component.name}.log").open("wb") as log:
            child = subprocess.Popen(command, env=env, stdout=log, stderr=log, start_new_session=True)
        self.children.append(child)
        # tasks of 3.x talk to the API server, so it has to be there before the scheduler starts one
        deadline = time.monotonic() + 120
        while component.name == "api-server" and time.monotonic() < deadline:
            if health.fetch(self.airflow.release, WebAddress("127.0.0.1", PORT)).raw is not None:
                return
            time.sleep(0.5)

    def query(self, sql: str) -> str:
        """As PostgreSQL would answer, but from the SQLite file."""
        connection = sqlite3.connect(f"file:{self.airflow.home}/airflow.db?mode=ro", uri=True, timeout=30)
        try:
            rows = connection.execute(sql).fetchall()
        finally:
            connection.close()
        return "\n".join("\t".join("" if cell is None else str(cell) for cell in row) for row in rows)

    def stop(self) -> None:
        """End them all, and what they started."""
        for child in self.children:
            child.send_signal(signal.SIGTERM)
        for child in self.children:
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(15)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()

    def logs(self) -> str:
        """The end of every log."""
        return "\n".join(f"== {path}\n{path.read_text()[-3000:]}" for path in self.airflow.home.glob("*.log"))


TABLE = """\
name,script,after
A,scripts/a.sh,
B,scripts/b.sh,A
C,scripts/c.sh,B
control,scripts/control.sh,C
"""
# Each says: its name, the day that it works on, the day on the clock.
SCRIPTS = {
    "a": """
        echo "A $1 $(date +%F)" >>"$(dirname "$0")/said"
        today=$(date +%F)
        while [ "$(date +%F)" = "$today" ]; do sleep 0.2; done
    """,
    "b": 'echo "B $1 $(date +%F)" >>"$(dirname "$0")/said"',
    "c": 'echo "C $1 $(date +%F)" >>"$(dirname "$0")/said"',
    # as it stood in cron: right only when it starts on the day after the day of A
    "control": 'day=$(date -d yesterday +%F); echo "control $day $(date +%F)" >>"$(dirname "$0")/said"',
}


def test_over_midnight_all_get_the_day_of_the_run(airflow: Airflow, tmp_path: Path) -> None:
    folder = airflow.home / "dags" / "examples"
    (folder / "airferry_pipeline.py").unlink()
    (folder / "scripts.csv").write_text(TABLE)
    for name, script in SCRIPTS.items():
        (folder / "scripts" / f"{name}.sh").write_text(textwrap.dedent(script))
    said = folder / "scripts" / "said"

    initialise(airflow)
    clock = Clock(tmp_path)
    midnight = (int(time.time()) // 86400 + 1) * 86400
    yesterday, today, tomorrow = (
        time.strftime("%Y-%m-%d", time.gmtime(midnight + days * 86400)) for days in (-2, -1, 0)
    )
    example = folder / "airferry_scripts.py"
    only = f'"catchup": False, "end_date": pendulum.parse("{yesterday}T12:00:00Z"),'
    example.write_text(example.read_text().replace('"catchup": False,', only))
    clock.set(midnight - 240)
    running = Running(airflow, clock)
    state = ""
    try:
        started = time.monotonic() + 230
        while not said.exists():
            assert time.monotonic() < started, running.logs()
            time.sleep(0.2)
        clock.set(midnight - 2)
        run_id = running.query("SELECT run_id FROM dag_run WHERE dag_id = 'airferry_scripts' LIMIT 1")
        ended = time.monotonic() + 300
        while state not in ("success", "failed") and time.monotonic() < ended:
            time.sleep(0.5)
            state = metadata.run_state(running.query, "airferry_scripts", run_id)
    finally:
        running.stop()
    assert state == "success", running.logs()
    assert said.read_text().splitlines() == [
        f"A {yesterday} {today}",
        f"B {yesterday} {tomorrow}",
        f"C {yesterday} {tomorrow}",
        # the failure that this cures: asked of the clock, the last job works on another day than the first
        f"control {today} {tomorrow}",
    ]
