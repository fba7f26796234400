from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from bootstrap.airflow import executor
from bootstrap.airflow.executor import executor_of
from bootstrap.airflow.release import release_for
from bootstrap.base.secret import Secret
from bootstrap.cluster import engine
from bootstrap.cluster.engine import EDGE, EngineUnusable, queues_of
from bootstrap.state.cluster import HeadRecord
from bootstrap.state.receipt import HEAD, WORKER
from tests.support.clusters import join

RELEASE = release_for("3.3.2")
HEAD_RECORD = HeadRecord(1, "0a1b2c3d4e5f", "edge", "head", 8080)
NONE = Secret("")


def test_both_orders_are_executors_of_a_head() -> None:
    """The list is what a task without a word of its own goes by."""
    near, spread = (executor_of(engine.row(EDGE, RELEASE, spread=spread)) for spread in (False, True))
    path = "airflow.providers.edge3.executors.EdgeExecutor"
    values = {item.option: item.value for item in near.settings(4)}
    assert values == {"executor": f"LocalExecutor,{path}", "parallelism": "4"}
    assert spread.settings(4)[0].value == f"{path},LocalExecutor"
    assert near.components(RELEASE.numbers, HEAD) == executor.LOCAL.components(RELEASE.numbers, HEAD)


def test_a_worker_is_one_component_without_a_database() -> None:
    worker = executor.EDGE_WORKER
    assert [item.name for item in worker.components(RELEASE.numbers, WORKER)] == ["worker"]
    assert worker.components(RELEASE.numbers, HEAD) == ()
    assert worker.task_component == "worker"
    assert worker.connections(8).enough == 0
    assert worker.memory(4).enough < executor.LOCAL.memory(4).enough


def test_head_and_worker_agree() -> None:
    told = join(executors="LocalExecutor,EdgeExecutor")
    worker = {f"{item.section}.{item.option}": item for item in EDGE.worker_settings(RELEASE, told, 6)}
    head = {
        f"{item.section}.{item.option}": item.value
        for item in EDGE.head_settings(told.base, HEAD_RECORD, NONE, NONE)
    }
    assert worker["core.executor"].value == executor_of(told.executors).settings(4)[0].value
    assert worker["edge.api_url"].value == head["edge.api_url"] == f"{told.base}/edge_worker/v1/rpcapi"
    assert worker["edge.heartbeat_interval"].value == head["edge.heartbeat_interval"]
    assert worker["core.execution_api_server_url"].value == f"{told.base}/execution/"
    assert worker["api_auth.jwt_secret"].secret
    assert worker["edge.worker_concurrency"].value == "6"
    assert head["edge.api_enabled"] == "True"


def test_a_task_that_is_cut_off_ends_before_the_head_gives_it_away() -> None:
    """The tries of one heartbeat, each with Airflow's time limit of 5 s, last for less than 300 s."""
    values = {
        item.option: int(item.value)
        for item in EDGE.worker_settings(RELEASE, join(), 4)
        if item.section == "workers"
    }
    tries = values["execution_api_retries"]
    # tenacity waits between 1 and at most this many seconds, doubling: 5.5 on average
    mean = (1 + values["execution_api_retry_wait_max"]) / 2
    assert values["max_failed_heartbeats"] * (tries * 5 + (tries - 1) * mean) < 300
    # and a head that is restarted has more than a minute and a half
    assert (tries - 1) * mean > 90


def test_a_worker_serves_its_own_queue_and_no_other_workers() -> None:
    assert queues_of("w1", ()) == ("w1", "default")
    assert queues_of("w1", ("gpu",)) == ("w1", "gpu")
    command = EDGE.worker_command(join(queues=("w1", "gpu")), 4)
    assert command == ("edge", "worker", "-H", "w1", "-q", "w1,gpu", "-c", "4")


def test_workers_and_waiting_tasks_as_the_database_has_them() -> None:
    def query(sql: str) -> str:
        if "to_regclass" in sql:
            return "edge_worker\n"
        if "edge_job" in sql:
            return "gpu\t3\t75.5\n"
        return (
            "w1\t4.2\t['w1', 'default']\t0\t4\t3.3.2\t4.3.2\t3.3.2-a\t0a1b\t\tidle\n"
            "w2\t300.0\t['w2']\t2\t4\t3.3.2\t4.3.2\t\t\t\trunning\n"
            "w3\t9.0\t[]\t0\t4\t3.3.2\t4.3.2\t\t\tby hand\toffline\n"
        )

    first, second, third = EDGE.seen(query)
    assert (first.alive, first.queues, first.slots) == (True, ("w1", "default"), 4)
    assert (first.bundle, first.dags) == ("3.3.2-a", "0a1b")
    assert (second.alive, second.running) == (False, 2)
    assert (third.alive, third.note) == (False, "by hand")
    assert EDGE.waiting(query, spread=False) == [engine.Waiting("gpu", 3, 75.5)]


def test_a_database_that_has_never_had_workers() -> None:
    assert EDGE.seen(lambda sql: "\n") == []
    assert EDGE.waiting(lambda sql: "\n", spread=False) == []
    assert EDGE.running(lambda sql: "\n") == []


@pytest.mark.parametrize(
    ("name", "version", "packages", "words"),
    [
        ("edge", "2.11.2", {EDGE.package: "1.0.0"}, "2.11.2"),
        ("edge", "3.3.2", {}, "--workers edge"),
        ("nomad", "3.3.2", {}, "nomad"),
    ],
)
def test_what_cannot_have_workers(name: str, version: str, packages: dict[str, str], words: str) -> None:
    with pytest.raises(EngineUnusable) as caught:
        engine.usable(name, release_for(version), packages)
    assert words in f"{caught.value.message} {caught.value.needed}"


@pytest.mark.parametrize(
    ("name", "file"), [("edge", "airflow-edge-worker.pid"), ("celery", "airflow-celery-worker.pid")]
)
def test_a_worker_is_registered_once_its_own_file_is_new(tmp_path: Path, name: str, file: str) -> None:
    found, path, now = engine.engine_of(name), tmp_path / file, time.time()
    assert not found.registered(tmp_path, now)
    path.write_text(str(os.getpid()))
    assert found.registered(tmp_path, now)
    assert not found.registered(tmp_path, now + 60)
    path.write_text("cut o")
    assert not found.registered(tmp_path, now)
