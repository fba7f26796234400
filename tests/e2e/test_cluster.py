"""A head and its workers, each in a network namespace of its own with no route out: real Airflow, real tasks.

CI runs a head and one worker. With AIRFERRY_FULL=1 there are two, and the faults of a cluster are made.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hosts import wait_until
from tests.e2e.matrix import Unavailable, interpreter, query
from tests.e2e.network import Member, Network, members
from tests.support.index import index_problem

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[2]
FULL = bool(os.environ.get("AIRFERRY_FULL"))
WORKERS = ("w1", "w2") if FULL else ("w1",)
RELEASE = "3.3.2"
# A on one host, B on another, C on the head; each writes a line to a file of its host.
RELAY = """
import socket
from datetime import timedelta
from pathlib import Path

from airflow.sdk import DAG, task

with DAG("relay", schedule=None, catchup=False, is_paused_upon_creation=False) as dag:
    @task(queue="w1", executor="EdgeExecutor", retries=1, retry_delay=timedelta(seconds=2))
    def a(seconds=0, **context):
        import time
        seconds = (context["dag_run"].conf or {}).get("seconds", 0)
        where = Path.home() if False else Path("/var/tmp") / f"{context['run_id']}.{context['ti'].task_id}"
        with where.open("a") as stream:
            stream.write(f"{socket.gethostname()} {context['ti'].try_number}\\n")
        print("began on", socket.gethostname(), flush=True)
        time.sleep(seconds)
        return "a:" + socket.gethostname()

    @task(queue="SECOND", executor="EdgeExecutor")
    def b(before):
        return before + " b:" + socket.gethostname()

    @task
    def c(before):
        print("came here:", before + " c:" + socket.gethostname())

    c(b(a()))
"""


@dataclass
class Hosts:
    """The hosts by name, and the home that each has."""

    network: Network
    members: dict[str, Member]
    bundle: Path

    @property
    def head(self) -> Member:
        return self.members["head"]

    def home(self, name: str) -> Path:
        return self.members[name].folder / "airflow"

    def airferry(self, name: str, *words: str, status: int = 0) -> Any:
        """A command of the installation on that host: its result."""
        return self.members[name].json(self.home(name) / "bin" / "airferry", *words, "--json", status=status)

    def workers(self) -> dict[str, Any]:
        """The workers as the head lists them; the command ends with 33 while one is lost."""
        ran = self.head.run(self.home("head") / "bin" / "airferry", "workers", "list", "--json")
        assert ran.returncode in (0, 33), ran.stdout + ran.stderr
        return {item["name"]: item for item in json.loads(ran.stdout)["result"]["workers"]}

    def sql(self, statement: str) -> list[str]:
        """Rows of the head's database, a word a column."""
        return query(self.head, self.home("head"), statement)

    def trigger(self, run: str, **conf: object) -> None:
        """Start a run of the relay."""
        ran = self.head.run(
            self.home("head") / "bin" / "airflow", "dags", "trigger", "relay", "-r", run,
            "-l", time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()), "-c", json.dumps(conf),
        )  # fmt: skip
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def states(self, run: str) -> dict[str, str]:
        """The state of each task of a run."""
        rows = self.sql(
            f"SELECT task_id || '=' || coalesce(state, '-') FROM task_instance WHERE run_id = '{run}'"
        )
        return dict(row.split("=", 1) for row in rows)

    def ended(self, run: str) -> bool:
        """Whether a run has ended."""
        return self.sql(f"SELECT state FROM dag_run WHERE run_id = '{run}'") in (["success"], ["failed"])

    def log(self, run: str, task: str, attempt: int = 1) -> str:
        """The log of a task as it lies on the head."""
        folder = self.home("head") / "logs" / "dag_id=relay" / f"run_id={run}" / f"task_id={task}"
        return (folder / f"attempt={attempt}.log").read_text()

    def began(self, run: str, task: str = "a") -> list[str]:
        """Each start of a task: host and number of the try."""
        path = Path("/var/tmp") / f"{run}.{task}"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture(scope="module")
def hosts(scratch: Path) -> Iterator[Hosts]:
    problem = index_problem()
    if problem:
        pytest.skip(problem)
    network = Network("head", *WORKERS)
    if network.problem:
        pytest.skip(f"no network of namespaces here: {network.problem}")
    try:
        yield from _installed(network, scratch)
    finally:
        network.close()
        for path in Path("/var/tmp").glob("cluster-*.a"):
            path.unlink()


def _installed(network: Network, scratch: Path) -> Iterator[Hosts]:
    folder = scratch / "cluster"
    folder.mkdir()
    folder.chmod(0o755)
    try:
        python, environment = interpreter("3.11", scratch)
    except Unavailable as error:
        pytest.skip(str(error))
    command = [sys.executable, "-m", "bundler", "bundle", "--airflow", RELEASE, "--python", "3.11"]
    command += ["--workers", "edge", "--output", str(folder), "--json"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    bundle = Path(json.loads(made.stdout)["result"]["file"])
    found = Hosts(network, members(network, python, folder, environment), bundle)
    options = ("--service", "supervisor", "--json")
    found.head.json("sh", bundle, "install", "--home", found.home("head"), *options)
    enabled = found.airferry("head", "workers", "enable", "edge", "--address", "head")
    assert enabled["base"].startswith("http://head:")
    for name in WORKERS:
        place = found.head.folder / f"{name}.join"
        found.airferry("head", "workers", "invite", name, "--out", str(place))
        assert place.stat().st_mode & 0o077 == 0
        shutil.copy2(place, found.members[name].folder)
        os.chown(found.members[name].folder / place.name, found.head.uid, found.head.gid)
        found.members[name].json(
            "sh", bundle, "install", "--home", found.home(name), "--join",
            found.members[name].folder / place.name, "--concurrency", "2", *options,
        )  # fmt: skip
    source = RELAY.replace("SECOND", WORKERS[-1])
    (found.home("head") / "dags" / "relay.py").write_text(source)
    _push(found)
    wait_until(
        "the relay is read",
        lambda: found.sql("SELECT dag_id FROM serialized_dag WHERE dag_id = 'relay'") != [],
        90,
    )
    try:
        yield found
    finally:
        for name in (*WORKERS, "head"):
            found.members[name].run("sh", found.home(name) / "bin" / "airferry", "stop")


def _push(hosts: Hosts) -> None:
    """Carry the head's DAG files to every worker."""
    place = hosts.head.folder / "dags.tar.gz"
    pushed = hosts.airferry("head", "dags", "push", "--out", str(place))
    for name in WORKERS:
        target = hosts.members[name].folder / place.name
        shutil.copy2(place, target)
        os.chown(target, hosts.head.uid, hosts.head.gid)
        assert hosts.airferry(name, "dags", "receive", str(target))["digest"] == pushed["digest"]


def test_each_task_on_another_host_and_its_log_on_the_head(hosts: Hosts) -> None:
    hosts.trigger("cluster-first")
    wait_until("the relay has run", lambda: hosts.ended("cluster-first"), 180)
    assert set(hosts.states("cluster-first").values()) == {"success"}
    assert hosts.began("cluster-first") == ["w1 1"]
    assert "began on" in hosts.log("cluster-first", "a")
    assert f"a:w1 b:{WORKERS[-1]} c:head" in hosts.log("cluster-first", "c")


def test_head_and_workers_say_that_all_is_well(hosts: Hosts) -> None:
    wait_until("same DAG files", lambda: not any(item["drifting"] for item in hosts.workers().values()), 60)
    listed = hosts.workers()
    assert set(listed) == set(WORKERS)
    for name, item in listed.items():
        assert item["alive"]
        assert item["airflow"] == RELEASE
        assert item["queues"] == [name, "default"]
        assert hosts.airferry(name, "status")["components"][0]["health"] == "healthy"
        assert not [
            found for found in hosts.airferry(name, "doctor")["findings"] if found["severity"] == "blocker"
        ]
    assert hosts.airferry("head", "status")["workers"] != []


def test_a_worker_has_no_word_of_the_database_and_no_port(hosts: Hosts) -> None:
    text = (hosts.home("w1") / "airflow.cfg").read_text()
    receipt = json.loads((hosts.home("head") / "receipt.json").read_text())
    assert str(receipt["database"]["port"]) not in text
    listening = subprocess.run(
        ["ip", "netns", "exec", hosts.network.space("w1"), "cat", "/proc/net/tcp", "/proc/net/tcp6"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert [line for line in listening.splitlines() if line.split()[3] == "0A"] == []
    keys = "\n".join(path.read_text() for path in sorted((hosts.home("w1") / "secrets").iterdir()))
    assert (hosts.home("head") / "secrets" / "fernet-key").read_text().strip() not in keys
    assert (hosts.home("head") / "secrets" / "postgres-password").read_text().strip() not in keys


def test_another_dag_file_on_the_head_is_told(hosts: Hosts) -> None:
    extra = hosts.home("head") / "dags" / "extra.py"
    extra.write_text("# not a DAG\n")
    assert hosts.workers()["w1"]["drifting"] == ["DAG files"]
    _push(hosts)
    wait_until("same again", lambda: not hosts.workers()["w1"]["drifting"], 60)


# faults, each made for real; minutes each, so only with AIRFERRY_FULL=1

full = pytest.mark.skipif(not FULL, reason="a fault of a cluster takes minutes: AIRFERRY_FULL=1")


def _began(hosts: Hosts, run: str, starts: int = 1) -> None:
    wait_until(f"task a of {run} has begun", lambda: len(hosts.began(run)) >= starts, 120)


def _running(hosts: Hosts, run: str) -> None:
    _began(hosts, run)
    wait_until("it runs", lambda: hosts.states(run).get("a") == "running", 30)


def _ids(hosts: Hosts, name: str) -> set[str]:
    return {item["id"] for item in hosts.airferry(name, "doctor", status=_any(hosts, name))["findings"]}


def _any(hosts: Hosts, name: str) -> int:
    """The status that doctor ends with just now."""
    return hosts.members[name].run(hosts.home(name) / "bin" / "airferry", "doctor").returncode


@full
def test_a_head_that_restarts_loses_no_task(hosts: Hosts) -> None:
    hosts.trigger("cluster-restart", seconds=60)
    _running(hosts, "cluster-restart")
    hosts.airferry("head", "restart")
    wait_until("the run has ended", lambda: hosts.ended("cluster-restart"), 240)
    assert set(hosts.states("cluster-restart").values()) == {"success"}
    assert hosts.began("cluster-restart") == ["w1 1"]


@full
def test_a_short_cut_loses_no_task(hosts: Hosts) -> None:
    hosts.trigger("cluster-cut", seconds=120)
    _running(hosts, "cluster-cut")
    hosts.network.cut("w1")
    try:
        wait_until("lost", lambda: hosts.workers()["w1"]["state"] == "lost", 90)
        assert "worker-lost" in _ids(hosts, "head")
        assert "head-silent" in _ids(hosts, "w1")
        time.sleep(20)
    finally:
        hosts.network.heal("w1")
    wait_until("the run has ended", lambda: hosts.ended("cluster-cut"), 240)
    assert set(hosts.states("cluster-cut").values()) == {"success"}
    assert hosts.began("cluster-cut") == ["w1 1"]
    wait_until("back", lambda: hosts.workers()["w1"]["alive"], 60)


@full
@pytest.mark.timeout(1200)
def test_a_task_that_is_cut_off_for_long_has_ended_when_it_is_tried_again(hosts: Hosts) -> None:
    hosts.trigger("cluster-long", seconds=900)
    _running(hosts, "cluster-long")
    hosts.network.cut("w1")
    began = time.monotonic()
    try:
        wait_until("its process has ended", lambda: not _task_processes(hosts, "w1"), 300)
        ended = time.monotonic() - began
        wait_until(
            "the head has given it up", lambda: hosts.states("cluster-long").get("a") != "running", 240
        )
        assert ended < time.monotonic() - began
    finally:
        hosts.network.heal("w1")
    _began(hosts, "cluster-long", starts=2)
    assert hosts.began("cluster-long") == ["w1 1", "w1 2"]
    hosts.head.run(hosts.home("head") / "bin" / "airflow", "dags", "delete", "-y", "relay")


@full
@pytest.mark.timeout(1200)
def test_a_worker_that_dies_is_told_and_its_task_tried_again(hosts: Hosts) -> None:
    hosts.trigger("cluster-dead", seconds=45)
    _running(hosts, "cluster-dead")
    hosts.network.kill("w1")
    wait_until("lost", lambda: hosts.workers()["w1"]["state"] == "lost", 90)
    wait_until("noticed", lambda: hosts.states("cluster-dead").get("a") != "running", 400)
    hosts.airferry("w1", "start")
    wait_until("the run has ended", lambda: hosts.ended("cluster-dead"), 240)
    assert set(hosts.states("cluster-dead").values()) == {"success"}
    assert hosts.began("cluster-dead") == ["w1 1", "w1 2"]


@full
def test_another_key_is_told_before_anything_starts(hosts: Hosts) -> None:
    hosts.airferry("w2", "stop")
    path = hosts.home("w2") / "secrets" / "join.json"
    text = path.read_text()
    key = json.loads(text)["secrets"]["jwt-secret"]
    try:
        path.write_text(text.replace(key, "x" * len(key)))
        said = hosts.airferry("w2", "start", status=124)
        assert "refuses the key" in said["error"]["message"]
        assert "head-refuses" in _ids(hosts, "w2")
    finally:
        path.write_text(text)
    hosts.airferry("w2", "start")


@full
def test_a_dag_file_that_is_missing_is_told(hosts: Hosts) -> None:
    tree = (hosts.home("w1") / "dags").resolve()
    (tree / "relay.py").rename(tree / "relay.away")
    try:
        wait_until("told", lambda: hosts.workers()["w1"]["drifting"] == ["DAG files"], 60)
        assert "worker-drifts" in _ids(hosts, "head")
    finally:
        (tree / "relay.away").rename(tree / "relay.py")
    wait_until("mended", lambda: not hosts.workers()["w1"]["drifting"], 60)


def _task_processes(hosts: Hosts, name: str) -> list[str]:
    """The processes of tasks on a host, by their titles."""
    asked = ["ip", "netns", "pids", hosts.network.space(name)]
    pids = subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()
    titles = []
    for pid in pids:
        path = Path("/proc", pid, "cmdline")
        if path.exists():
            titles.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"))
    return [title for title in titles if "task runner" in title or "airflow worker -- " in title]
