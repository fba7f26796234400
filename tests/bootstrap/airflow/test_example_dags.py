"""The example DAGs on real Airflows, from the package index, on SQLite: the oldest, 2.11 and the newest."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import shutil
import signal
import sqlite3
import struct
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from getpass import getuser
from pathlib import Path

import pytest

from bootstrap.airflow import config, health, metadata
from bootstrap.airflow.command import Airflow
from bootstrap.airflow.config import Setting
from bootstrap.airflow.executor import LOCAL, Component
from bootstrap.airflow.release import release_for
from bootstrap.airflow.webaddress import WebAddress
from bootstrap.base.process import CommandFailed
from bootstrap.installed import carried
from bootstrap.installed.dagimports import CheckedDags
from bootstrap.installed.installation import Installation
from bootstrap.state.receipt import HEAD
from bootstrap.upkeep import dagfiles
from bootstrap.upkeep.dagfiles import DagsBroken, Incoming
from tests.support import pythons
from tests.support.index import index_problem
from tests.support.receipts import sample

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


CASES = [
    Case("2.2.2", "3.8", "2021-11-16"),
    Case("2.11.2", "3.11", "2026-04-01"),
    Case("3.3.2", "3.11", "2026-09-18"),
]


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
    if airflow.release.login == "basic":
        # the end of a task is seen at its next heartbeat: every five seconds
        wanted.append(Setting("scheduler", "job_heartbeat_sec", "1"))
    else:
        wanted += [
            Setting("api", "port", str(PORT)),
            Setting("core", "execution_api_server_url", f"http://127.0.0.1:{PORT}/execution/"),
        ]
    config.write(path, config.edit(config.read(path), wanted))
    airflow.run(*airflow.release.initialise, what="make the tables")


def load(airflow: Airflow, name: str, script: str) -> str:
    """Import an example in Airflow's own Python, every warning that it causes an error, then run `script`.

    `name` is that of a file among the examples, or has the folder of a copy of them before it.
    """
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
    path = airflow.home / "dags" / (name if "/" in name else f"examples/{name}")
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
    assert "backfill__2026-11-02T00:00:00+00:00, in Airflow 2 backfill__2026-11-01T00:00:00+00:00" in about


def settle(path: Path, **settings: str) -> None:
    """Write other values into the part of an example that is meant for it."""
    text = path.read_text()
    for name, value in settings.items():
        text, count = re.subn(rf"^{name} = .*", f"{name} = {value!r}", text, flags=re.MULTILINE)
        assert count == 1, name
    path.write_text(text)


@pytest.mark.parametrize("name", ["airferry_pipeline.py", "airferry_scripts.py"])
def test_the_day_is_that_of_the_time_zone_of_airflow(airflow: Airflow, name: str) -> None:
    path = airflow.write_config()
    config.write(path, config.edit(config.read(path), [Setting("core", "default_timezone", "Asia/Seoul")]))
    script = """
        from datetime import datetime, timezone
        from types import SimpleNamespace as Run
        evening = datetime(2026, 11, 19, 15, tzinfo=timezone.utc)
        by_hand = [Run(logical_date=evening), Run(logical_date=None, run_after=evening)]
        for run in by_hand:
            run.run_type = "manual"
        by_itself = [Run(run_type=kind, data_interval_end=evening) for kind in ("scheduled", "backfill")]
        told = "--from-date 2026-11-01T00:00+09:00" in example.dag.doc_md
        print(json.dumps([*(example.day(run) for run in by_hand + by_itself), told]))
    """
    assert json.loads(load(airflow, name, script)) == ["2026-11-20"] * 2 + ["2026-11-19"] * 2 + [True]


def test_a_word_that_is_no_day_is_refused(airflow: Airflow) -> None:
    settle(airflow.home / "dags" / "examples" / "airferry_pipeline.py", WORKS_ON="tomorrow")
    with pytest.raises(AssertionError, match="WORKS_ON is 'tomorrow'; it can be"):
        load(airflow, "airferry_pipeline.py", "print()")


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


NIGHTLY = b"""\
import pendulum
from airflow import DAG
try:
    from airflow.providers.standard.operators.bash import BashOperator
except ImportError:
    from airflow.operators.bash import BashOperator

with DAG("nightly", start_date=pendulum.datetime(2026, 1, 1)) as dag:
    BashOperator(task_id="one", bash_command="date")
"""


def test_dag_files_are_checked_and_brought_in(case: Case, airflow: Airflow, venv: Path) -> None:
    """The command of an installation, on each of these Airflows."""
    installation = Installation(
        replace(sample(airflow.home), airflow=case.version, library_path="", ca_file="", account=getuser())
    )
    installation.release.path.mkdir(parents=True)
    installation.release.venv.symlink_to(venv)
    for folder in (installation.home.run, installation.home.own_logs):
        folder.mkdir(parents=True, exist_ok=True)
    (airflow.home / "dags" / "examples").rename(airflow.home / "dags" / carried.EXAMPLES)
    path = airflow.write_config()
    config.write(path, config.edit(config.read(path), [Setting("core", "load_examples", "False")]))
    assert dagfiles.check(installation) == CheckedDags(("airferry_pipeline", "airferry_scripts"), ())

    assert dagfiles.add(installation, [Incoming("nightly.py", NIGHTLY)]).dags == ("nightly",)
    scripts = [Incoming(f"{name}.sh", b"echo $1\n") for name in ("one", "two", "three")]
    assert dagfiles.add(installation, scripts, name="shells").dags == ("shells",)
    with pytest.raises(DagsBroken) as refused:
        dagfiles.add(installation, [Incoming("bad.py", b"import airflow  # DAG\nimport nowhere\n")])
    assert refused.value.found == "bad.py:2: ModuleNotFoundError: No module named 'nowhere'"
    broken = airflow.home / "dags" / "broken.py"
    broken.write_text("import airflow  # DAG\n\nimport nowhere\n")
    found = dagfiles.check(installation)
    assert found.dags == ("airferry_pipeline", "airferry_scripts", "nightly", "shells")
    assert [item.text for item in found.problems] == [
        f"{broken}:3: ModuleNotFoundError: No module named 'nowhere'"
    ]


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
        while [ "$(date +%F)" = "{today}" ]; do sleep 0.2; done
    """,
    "b": 'echo "B $1 $(date +%F)" >>"$(dirname "$0")/said"',
    "c": 'echo "C $1 $(date +%F)" >>"$(dirname "$0")/said"',
    # as it stood in cron: right only when it starts on the day that was thought of
    "control": 'echo "control $(date -d {cron} +%F) $(date +%F)" >>"$(dirname "$0")/said"',
}


def variant(airflow: Airflow, dag_id: str, scripts: dict[str, str], table: str, **settings: str) -> Path:
    """A copy of the example of that name, with settings and scripts of its own; where its scripts lie."""
    folder = airflow.home / "dags" / dag_id
    shutil.copytree(EXAMPLES, folder, ignore=shutil.ignore_patterns("__pycache__", "airferry_pipeline.py"))
    settle(folder / "airferry_scripts.py", DAG_ID=dag_id, **settings)
    (folder / "scripts.csv").write_text(table)
    for name, script in scripts.items():
        (folder / "scripts" / f"{name}.sh").write_text(textwrap.dedent(script))
    return folder


def limit(folder: Path, start: str, end: str) -> None:
    """Let only the dates between two moments have runs."""
    path = folder / "airferry_scripts.py"
    text = path.read_text().replace("pendulum.datetime(2024, 1, 1, tz=ZONE)", f'pendulum.parse("{start}Z")')
    path.write_text(text.replace('"catchup":', f'"end_date": pendulum.parse("{end}Z"), "catchup":'))


def until(running: Running, seconds: float, true: Callable[[], object]) -> None:
    """Wait for something; the logs are told when it never comes."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, running.logs()
        time.sleep(0.3)


def patiently(airflow: Airflow, words: list[str]) -> None:
    """Run a command; one that finds SQLite locked, by a scheduler beside it, is tried again."""
    for left in (2, 1, 0):
        try:
            airflow.run(*words, what=f"run airflow {words[0]}")
        except CommandFailed as error:
            assert left, f"{words}: {error.found}"
            assert "locked" in error.found, f"{words}: {error.found}"
        else:
            return


def succeeded(running: Running, dag_id: str) -> bool:
    """Whether the one run of that DAG has succeeded."""
    run_id = running.query(f"SELECT run_id FROM dag_run WHERE dag_id = '{dag_id}' LIMIT 1")
    state = metadata.run_state(running.query, dag_id, run_id) if run_id else ""
    assert state != "failed", running.logs()
    return state == "success"


@dataclass(frozen=True)
class Again:
    """A copy in Seoul whose days are run again with the commands of its own text."""

    airflow: Airflow
    works_on: str

    @property
    def dag_id(self) -> str:
        return f"again_{self.works_on}"

    @property
    def said(self) -> list[str]:
        path = self.airflow.home / "dags" / self.dag_id / "scripts" / "said"
        return sorted(path.read_text().splitlines()) if path.exists() else []

    def write(self) -> None:
        say = {"say": 'echo "$1" >>"$(dirname "$0")/said"'}
        settings = {"STARTS": "30 18 * * *", "WORKS_ON": self.works_on, "TIMEZONE": "Asia/Seoul"}
        folder = variant(self.airflow, self.dag_id, say, "say,scripts/say.sh,\n", **settings)
        limit(folder, "2024-01-01T00:00", "2026-11-20T00:00")  # no run of today's

    def told(self) -> tuple[list[str], list[str], str]:
        """The commands for several days and for one, and the name of a run."""
        name = f"{self.dag_id}/airferry_scripts.py"
        text = json.loads(load(self.airflow, name, "print(json.dumps(example.dag.doc_md))"))
        newer = self.airflow.release.login == "token"
        several = "airflow backfill create" if newer else "airflow dags backfill"
        option = "--logical-date" if newer else "--exec-date"
        command = re.search(rf"{several} .*\\\n.*", text)
        day = re.search(rf"`(airflow dags trigger .*{option} .*)`", text)
        names = re.search(r"called (\S+), in Airflow 2 (\S+)\.", text)
        assert command and day and names
        return (
            shlex.split(command[0].replace("\\\n", ""))[1:],
            shlex.split(day[1].replace("11-01", "11-05"))[1:],
            names[1 if newer else 2],
        )


def test_over_midnight_and_again_all_get_the_day_of_the_run(airflow: Airflow, tmp_path: Path) -> None:
    initialise(airflow)
    clock = Clock(tmp_path)
    midnight = (int(time.time()) // 86400 + 1) * 86400
    yesterday, today, tomorrow = (
        time.strftime("%Y-%m-%d", time.gmtime(midnight + days * 86400)) for days in (-2, -1, 0)
    )

    def scripts(cron: str) -> dict[str, str]:
        return {name: script.format(today=today, cron=cron) for name, script in SCRIPTS.items()}

    # one began last night for the day before, and is late; one begins in the evening, for the same day
    late = variant(airflow, "late", scripts("yesterday"), TABLE)
    limit(late, "2024-01-01T00:00", f"{yesterday}T12:00")
    evening = variant(airflow, "evening", scripts("today"), TABLE, STARTS="59 23 * * *", WORKS_ON="today")
    # 2.2.2 does not move the first run from there to the next time at which it is due
    limit(evening, f"{yesterday}T23:59", f"{today}T12:00")
    again = [Again(airflow, works_on) for works_on in ("yesterday", "today")]
    for one in again:
        one.write()
    told = [one.told() for one in again]
    shutil.rmtree(airflow.home / "dags" / "examples")
    clock.set(midnight - 600)
    running = Running(airflow, clock)
    try:
        until(running, 230, (late / "scripts" / "said").exists)
        clock.set(midnight - 2)
        for dag_id in ("late", "evening"):
            until(running, 300, lambda dag_id=dag_id: succeeded(running, dag_id))  # type: ignore[misc]
        # by the same clock: a task that beats by an older one is taken for dead
        command = Airflow(airflow.release, airflow.venv, airflow.home, airflow.log, clock.env)
        for several, day, _ in told:
            patiently(command, several)
            patiently(command, day)
        for one in again:
            until(running, 200, lambda one=one: len(one.said) > 3)  # type: ignore[misc]
        runs = running.query("SELECT dag_id, run_id FROM dag_run").splitlines()
    finally:
        running.stop()
    assert (late / "scripts" / "said").read_text().splitlines() == [
        f"A {yesterday} {today}",
        f"B {yesterday} {tomorrow}",
        f"C {yesterday} {tomorrow}",
        # the failure that this cures: asked of the clock, the last job works on another day than the first
        f"control {today} {tomorrow}",
    ]
    said = [line.split() for line in (evening / "scripts" / "said").read_text().splitlines()]
    # in Airflow 2, on SQLite, one task at a time: A may begin before or after midnight
    assert said[0][:2] == ["A", today]
    assert said[1:] == [["B", today, tomorrow], ["C", today, tomorrow], ["control", tomorrow, tomorrow]]
    for one, (_, _, name) in zip(again, told, strict=True):
        assert one.said == ["2026-11-01", "2026-11-02", "2026-11-03", "2026-11-05"], one.works_on
        assert f"{one.dag_id}\t{name}" in runs
