"""Celery: a head, two workers and a broker of the site's, each in a network namespace with no route out.

Only with AIRFERRY_FULL=1: each release takes five minutes and more. AIRFERRY_CELERY names releases (3.3.2).
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

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(
        not os.environ.get("AIRFERRY_FULL"), reason="installs of their own take minutes: AIRFERRY_FULL=1"
    ),
]
ROOT = Path(__file__).resolve().parents[2]
PYTHONS = {"3.3.2": "3.11", "2.11.2": "3.11", "2.2.2": "3.8"}
RELEASES = os.environ.get("AIRFERRY_CELERY", ",".join(PYTHONS)).split(",")
PASSWORD = "s:e/c@r%t"
# A on one worker, B on the other, C where tasks go that name nothing; MANY to any worker.
DAGS = """
import socket
import time
from datetime import datetime, timedelta
from pathlib import Path

import airflow
try:
    from airflow.sdk import DAG, task
except ImportError:
    from airflow import DAG
    from airflow.decorators import task

RELEASE = tuple(int(part) for part in airflow.__version__.split(".")[:2])
CELERY = {"executor": "CeleryExecutor"} if RELEASE >= (2, 10) else {}
COMMON = {"start_date": datetime(2021, 1, 1), "catchup": False, "is_paused_upon_creation": False,
          "schedule" if RELEASE >= (2, 4) else "schedule_interval": None}

def note(context):
    path = Path("/var/tmp") / f"celery-{context['run_id']}"
    with path.open("a") as stream:
        stream.write(f"{context['ti'].task_id} {socket.gethostname()} {context['ti'].try_number}\\n")

with DAG("relay", **COMMON):
    @task(queue="w1", retries=1, retry_delay=timedelta(seconds=2), **CELERY)
    def a(**context):
        note(context)
        time.sleep((context["dag_run"].conf or {}).get("seconds", 0))
        return "a:" + socket.gethostname()

    @task(queue="w2", **CELERY)
    def b(before):
        return before + " b:" + socket.gethostname()

    @task
    def c(before):
        print("came here:", before)

    c(b(a()))

with DAG("many", **COMMON):
    def one(**context):
        note(context)

    for number in range(40):
        task(task_id=f"t{number}", **CELERY)(one)()
"""


@dataclass
class Site:
    """Head, workers and the broker's host, with what is asked of them."""

    network: Network
    members: dict[str, Member]
    folder: Path

    def home(self, name: str) -> Path:
        return self.members[name].folder / "airflow"

    def airferry(self, name: str, *words: str | Path, status: int = 0) -> Any:
        """A command of the installation on that host: its result."""
        return self.members[name].json(self.home(name) / "bin" / "airferry", *words, "--json", status=status)

    def workers(self) -> dict[str, Any]:
        """All that the head tells of its workers; the command ends with 33 where something is wrong."""
        ran = self.members["head"].run(self.home("head") / "bin" / "airferry", "workers", "list", "--json")
        assert ran.returncode in (0, 33), ran.stdout + ran.stderr
        return dict(json.loads(ran.stdout)["result"])

    def worker(self, name: str) -> Any:
        return next(item for item in self.workers()["workers"] if item["name"] == name)

    def sql(self, statement: str) -> list[str]:
        return query(self.members["head"], self.home("head"), statement)

    def trigger(self, dag: str, run: str, **conf: object) -> None:
        program = self.home("head") / "bin" / "airflow"
        ran = self.members["head"].run(program, "dags", "trigger", dag, "-r", run, "-c", json.dumps(conf))
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def ended(self, run: str) -> bool:
        return self.sql(f"SELECT state FROM dag_run WHERE run_id = '{run}'") in (["success"], ["failed"])

    def states(self, run: str) -> set[str]:
        return set(self.sql(f"SELECT coalesce(state, '-') FROM task_instance WHERE run_id = '{run}'"))

    def began(self, run: str) -> list[str]:
        """Each start of a task: its name, the host, the number of the try."""
        path = Path("/var/tmp") / f"celery-{run}"
        return path.read_text().splitlines() if path.exists() else []

    def ids(self, name: str) -> set[str]:
        ran = self.members[name].run(self.home(name) / "bin" / "airferry", "doctor", "--json")
        return {item["id"] for item in json.loads(ran.stdout)["result"]["findings"]}

    def start_broker(self) -> None:
        ran = self.members["site"].run("redis-server", self.folder / "redis.conf", "--daemonize", "yes")
        assert ran.returncode == 0, ran.stdout + ran.stderr

    def push(self) -> None:
        """Carry the head's DAG files to every worker."""
        place = self.members["head"].folder / "dags.tar.gz"
        self.airferry("head", "dags", "push", "--out", place)
        for name in ("w1", "w2"):
            self.airferry(name, "dags", "receive", self.carried("head", name, place.name))

    def carried(self, source: str, target: str, name: str) -> Path:
        """Copy a file from one host's folder to another's."""
        place = self.members[target].folder / name
        shutil.copy2(self.members[source].folder / name, place)
        os.chown(place, self.members[target].uid, self.members[target].gid)
        return place


@pytest.fixture(scope="module", params=RELEASES)
def site(request: pytest.FixtureRequest, scratch: Path) -> Iterator[Site]:
    problem = index_problem() or ("" if shutil.which("redis-server") else "no redis-server here")
    if problem:
        pytest.skip(problem)
    network = Network("head", "w1", "w2", "site")
    if network.problem:
        pytest.skip(f"no network of namespaces here: {network.problem}")
    try:
        yield _installed(network, scratch, request.param)
    finally:
        network.close()
        for path in Path("/var/tmp").glob("celery-*"):
            path.unlink()


def _installed(network: Network, scratch: Path, release: str) -> Site:
    folder = scratch / f"celery-{release}"
    folder.mkdir()
    folder.chmod(0o755)
    try:
        python, environment = interpreter(PYTHONS[release], scratch)
    except Unavailable as error:
        pytest.skip(str(error))
    command = [sys.executable, "-m", "bundler", "bundle", "--airflow", release, "--python", PYTHONS[release]]
    command += ["--workers", "celery", "--output", str(folder), "--json"]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stdout + made.stderr
    bundle = Path(json.loads(made.stdout)["result"]["file"])
    site = Site(network, members(network, python, folder, environment), folder)
    head, own = site.members["head"], ("--service", "supervisor", "--python", python, "--json")
    (folder / "redis.conf").write_text(
        f"bind 0.0.0.0\nrequirepass {PASSWORD}\nappendonly yes\nmaxmemory-policy noeviction\n"
        f"dir {site.members['site'].folder}\n"
    )
    site.start_broker()
    head.json("sh", bundle, "install", "--home", site.home("head"), *own)
    word = head.folder / "word"
    word.write_text("wrong\n")
    os.chown(word, head.uid, head.gid)
    enable = ["workers", "enable", "celery", "--address", "head", "--broker", "redis://site:6379/0"]
    enable += ["--broker-password-file", str(word), *(["--spread"] if release == "2.2.2" else [])]
    refused = site.airferry("head", *enable, status=141)
    assert "invalid username-password" in refused["error"]["message"]
    assert not (site.home("head") / "secrets" / "cluster.json").exists()
    word.write_text(PASSWORD + "\n")
    site.airferry("head", *enable)
    (site.home("head") / "dags" / "relay.py").write_text(DAGS)
    for name in ("w1", "w2"):
        site.airferry("head", "workers", "invite", name, "--out", head.folder / f"{name}.join")
        join = site.carried("head", name, f"{name}.join")
        site.members[name].json(
            "sh", bundle, "install", "--home", site.home(name), "--join", join, "--concurrency", "2", *own
        )
    site.push()
    wait_until(
        "the DAGs are read",
        lambda: site.sql("SELECT count(*) FROM serialized_dag WHERE dag_id IN ('relay', 'many')") == ["2"],
        120,
    )
    return site


def test_each_task_on_another_host(site: Site) -> None:
    site.trigger("relay", "first")
    wait_until("the relay has run", lambda: site.ended("first"), 240)
    assert site.states("first") == {"success"}
    assert site.began("first") == ["a w1 1"]
    found = site.workers()
    assert found["broker_problem"] == ""
    assert all(item["alive"] and not item["logs"] for item in found["workers"])
    for name in ("head", "w1"):
        assert not site.ids(name) & {"broker-silent", "head-database", "worker-logs", "component-down"}


def test_a_worker_has_the_keys_of_its_engine_alone(site: Site) -> None:
    kept = json.loads((site.home("w1") / "secrets" / "join.json").read_text())
    third = not kept["airflow"].startswith("2.")
    expected = {"broker-url", "database-password", "secret-key", *(() if third else ("fernet-key",))}
    assert set(kept["secrets"]) == expected  # the token of the proof was used, and is gone
    assert kept["database"]["role"] == ("airflow_worker" if third else "airflow")


def test_a_drained_worker_takes_nothing(site: Site) -> None:
    site.airferry("head", "workers", "drain", "w1")
    assert site.worker("w1")["state"] == "maintenance mode"
    site.trigger("relay", "drained")
    time.sleep(15)
    assert site.began("drained") == []
    site.airferry("head", "workers", "drain", "w1", "--undo")
    wait_until("the relay has run", lambda: site.ended("drained"), 120)
    assert site.began("drained") == ["a w1 1"]


def test_a_stop_waits_for_the_task(site: Site) -> None:
    site.trigger("relay", "stopped", seconds=20)
    wait_until("it has begun", lambda: site.began("stopped") != [], 90)
    site.airferry("w1", "stop")
    assert site.worker("w1")["state"] == "offline"
    site.airferry("w1", "start")
    wait_until("the relay has run", lambda: site.ended("stopped"), 120)
    assert site.states("stopped") == {"success"}
    assert site.began("stopped") == ["a w1 1"]


def test_a_broker_that_is_away_loses_no_task_and_repeats_none(site: Site) -> None:
    site.trigger("many", "broker")
    wait_until("some have run", lambda: len(site.began("broker")) >= 4, 120)
    site.network.kill("site")
    assert "does not answer" in site.workers()["broker_problem"]
    assert "broker-silent" in site.ids("head")
    assert "broker-silent" in site.ids("w1")
    time.sleep(15)
    site.start_broker()
    wait_until("all have run", lambda: site.ended("broker"), 400)
    if site.airferry("head", "status")["airflow"].startswith("2."):
        pytest.xfail("Airflow 2 fails some tasks that are sent meanwhile")
    assert site.states("broker") == {"success"}
    assert len(site.began("broker")) == len({line.split()[0] for line in site.began("broker")}) == 40


def test_a_worker_that_is_cut_off_for_a_minute_loses_no_task(site: Site) -> None:
    site.trigger("relay", "cut", seconds=120)
    wait_until("it has begun", lambda: site.began("cut") != [], 90)
    site.network.cut("w1")
    try:
        wait_until("lost", lambda: site.worker("w1")["state"] == "lost", 90)
        assert "worker-lost" in site.ids("head")
        time.sleep(20)
    finally:
        site.network.heal("w1")
    wait_until("the relay has run", lambda: site.ended("cut"), 300)
    assert site.states("cut") == {"success"}
    assert site.began("cut") == ["a w1 1"]


def test_another_password_is_told_before_anything_starts(site: Site) -> None:
    site.airferry("w2", "stop")
    path = site.home("w2") / "secrets" / "join.json"
    text = path.read_text()
    for key, word in (("broker-url", "invalid username-password"), ("database-password", "authentication")):
        found = json.loads(text)
        value = found["secrets"][key]
        found["secrets"][key] = value.replace("s%3Ae%2Fc%40r%25t", "wrong") if "redis" in value else "wrong"
        try:
            path.write_text(json.dumps(found))
            assert word in site.airferry("w2", "start", status=124)["error"]["message"]
        finally:
            path.write_text(text)
    site.airferry("w2", "start")


def test_a_worker_that_dies_is_told_and_its_task_tried_again(site: Site) -> None:
    site.trigger("relay", "dead", seconds=45)
    wait_until("it has begun", lambda: site.began("dead") != [], 90)
    site.network.kill("w1")
    wait_until("lost", lambda: site.worker("w1")["state"] == "lost", 90)
    running = "SELECT state FROM task_instance WHERE run_id = 'dead' AND task_id = 'a'"
    wait_until("noticed", lambda: site.sql(running) != ["running"], 400)
    site.airferry("w1", "start")
    wait_until("the relay has run", lambda: site.ended("dead"), 240)
    assert site.states("dead") == {"success"}
    assert site.began("dead") == ["a w1 1", "a w1 2"]
