"""Celery as a row: settings on both sides, keys, broker URLs, and workers as their table has them."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path

import pytest

from bootstrap.airflow import executor
from bootstrap.airflow.executor import executor_of
from bootstrap.airflow.release import release_for
from bootstrap.base.secret import Secret
from bootstrap.cluster import broker, celery, engine
from bootstrap.cluster.broker import BrokerUnusable
from bootstrap.cluster.celery import CELERY
from bootstrap.cluster.engine import EngineUnusable
from bootstrap.state.cluster import HeadRecord, Join
from bootstrap.state.receipt import WORKER
from tests.support.clusters import join

HEAD = HeadRecord(1, "0a1b2c3d4e5f", "celery", "head", 8080, broker="redis://site:6379/0")


def told(airflow: str = "3.3.2", **changed: object) -> Join:
    """A join file of Celery's."""
    keys = {"broker-url": "redis://:b%3Apw@site:6379/0", "database-password": "d/pw", "secret-key": "s"}
    if airflow.startswith("2."):
        keys["fernet-key"] = "f"
    values: dict[str, object] = {
        "engine": "celery",
        "airflow": airflow,
        "executors": "LocalExecutor,CeleryExecutor",
        "secrets": keys,
        "log_port": 8799,
        "database": {"host": "head", "port": "25432", "name": "airflow", "role": "airflow_worker"},
    }
    return join(**{**values, **changed})


def settings(airflow: str, found: Join | None = None) -> dict[str, str]:
    listed = CELERY.worker_settings(release_for(airflow), found or told(airflow), 3)
    return {f"{item.section}.{item.option}": item.value for item in listed}


def test_the_lists_of_executors_by_release() -> None:
    """From 2.10 on one scheduler has several."""
    names = {
        (version, spread): engine.row(CELERY, release_for(version), spread=spread)
        for version in ("2.10.5", "3.3.2")
        for spread in (False, True)
    }
    assert set(names.values()) == {executor.CELERY.name, executor.CELERY_SPREAD.name}
    assert names["2.10.5", False] == "LocalExecutor,CeleryExecutor"
    assert engine.row(CELERY, release_for("2.9.3"), spread=True) == executor.CELERY_ALONE.name
    with pytest.raises(EngineUnusable, match="one executor at a time") as caught:
        engine.row(CELERY, release_for("2.2.2"), spread=False)
    assert "--spread" in caught.value.hint
    assert executor_of("LocalExecutor,CeleryExecutor").settings(4)[0].value == "LocalExecutor,CeleryExecutor"


def test_a_worker_host_has_one_component_and_more_memory_than_edges() -> None:
    row = executor_of(executor.CELERY_WORKER.name)
    assert [item.name for item in row.components((3, 3, 2), WORKER)] == ["worker"]
    assert row.memory(4).enough > executor.EDGE_WORKER.memory(4).enough


def test_a_worker_of_airflow_3_has_no_key_of_the_head_and_no_database_of_airflows() -> None:
    found = settings("3.3.2")
    assert found["core.execution_api_server_url"] == "http://head:8080/execution/"
    assert found["celery.broker_url"] == "redis://:b%3Apw@site:6379/0"
    assert found["celery.result_backend"] == "db+postgresql://airflow_worker:d%2Fpw@head:25432/airflow"
    assert found["logging.worker_log_server_port"] == "8799"
    assert found["api.secret_key"] == "s"
    assert not {key for key in found if "sql_alchemy" in key or "fernet" in key or "jwt" in key}
    assert found["workers.max_failed_heartbeats"] == "1"


@pytest.mark.parametrize(
    ("airflow", "section", "secret"),
    [("2.11.2", "database", "webserver.secret_key"), ("2.2.2", "core", "webserver.secret_key")],
)
def test_a_worker_of_airflow_2_has_the_database_and_the_fernet_key(
    airflow: str, section: str, secret: str
) -> None:
    found = settings(airflow)
    url = "postgresql+psycopg2://airflow_worker:d%2Fpw@head:25432/airflow"
    assert found[f"{section}.sql_alchemy_conn"] == url
    assert found["core.fernet_key"] == "f"
    assert found[secret] == "s"
    assert "core.execution_api_server_url" not in found


def test_head_and_worker_agree() -> None:
    place = celery.connection(told())
    results = celery.results_url(place, Secret("d/pw"))
    head = CELERY.head_settings("", HEAD, Secret("redis://:b%3Apw@site:6379/0"), results)
    there = settings("3.3.2")
    assert head == [item for item in head if there[f"{item.section}.{item.option}"] == item.value]
    assert {item.option for item in head if item.secret} == {"broker_url", "result_backend"}


def test_the_keys_that_a_worker_gets() -> None:
    """Of the head's own PostgreSQL a role that sees results alone, where that is enough."""
    third = CELERY.keys((3, 3, 2), own_server=True)
    assert third == {"secret-key": "secret-key", "database-password": celery.ROLE_PASSWORD}
    assert CELERY.keys((3, 3, 2), own_server=False)["database-password"] == "postgres-password"
    second = CELERY.keys((2, 11, 2), own_server=True)
    assert (second["database-password"], second["fernet-key"]) == ("postgres-password", "fernet-key")
    assert "everything" in CELERY.worth((2, 11, 2), own_server=True)
    assert "administrator" in CELERY.worth((3, 3, 2), own_server=True)
    # of a server of the site's every worker has what the head has
    assert "metadata database" not in CELERY.worth((3, 3, 2), own_server=True)
    assert "metadata database" in CELERY.worth((3, 3, 2), own_server=False)


def test_a_worker_serves_its_own_queue() -> None:
    assert CELERY.worker_command(told(queues=("w1", "gpu")), 4) == (
        "celery",
        "worker",
        "-q",
        "w1,gpu",
        "-c",
        "4",
    )
    assert json.loads(CELERY.variables(told(queues=("w1",)))["AIRFERRY_QUEUES"]) == ["w1"]


@pytest.mark.parametrize(
    ("typed", "told_to_celery", "clear"),
    [
        ("redis://h:6379/0", "redis://h:6379/0", True),
        ("valkey://h/0", "redis://h/0", True),
        ("valkeys://h/0", "rediss://h/0", False),
        ("rediss://user@h/0", "rediss://user@h/0", False),
        ("amqp://user@h:5672/vh", "amqp://user@h:5672/vh", True),
        ("amqps://user@[2001:db8::1]/vh", "amqps://user@[2001:db8::1]/vh", False),
        ("database", "database", False),
    ],
)
def test_brokers_that_can_be_named(typed: str, told_to_celery: str, clear: bool) -> None:
    found = broker.parse(typed)
    assert found == told_to_celery
    assert broker.is_clear(found) is clear


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("redis://:hunter2@h/0", "password must not be in the URL"),
        ("redis://localhost/0", "for each host"),
        ("redis://127.0.0.2/0", "for each host"),
        ("http://h/0", "not the URL of a broker"),
        ("redis://h:99999/0", "cannot be read"),
        ("redis:///0", "not the URL of a broker"),
        ("h", "not the URL of a broker"),
    ],
)
def test_brokers_that_cannot(typed: str, words: str) -> None:
    with pytest.raises(BrokerUnusable, match=words) as caught:
        broker.parse(typed)
    assert "hunter2" not in f"{caught.value.message}{caught.value.found}{caught.value.hint}"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://h:6379/0", "redis://:a%2Fb%40@h:6379/0"),
        ("rediss://me@h/0", "rediss://me:a%2Fb%40@h/0"),
        ("amqp://me@[2001:db8::1]:5672/v", "amqp://me:a%2Fb%40@[2001:db8::1]:5672/v"),
    ],
)
def test_a_password_is_quoted_into_the_url(url: str, expected: str) -> None:
    assert celery.with_password(url, Secret("a/b@")).reveal() == expected
    assert celery.with_password(url, Secret("")).reveal() == url


def test_the_database_as_the_broker() -> None:
    place = celery.connection(told())
    found = celery.broker_url(Secret("database"), place, Secret("pw")).reveal()
    assert found == "sqla+postgresql://airflow_worker:pw@head:25432/airflow"


def test_a_broker_that_nobody_serves(tmp_path: Path) -> None:
    said = broker.ping(Secret("redis://:pw@127.0.0.1:1/0"), tmp_path / "python", {}, tmp_path / "ca")
    assert said == "the broker at 127.0.0.1 port 1 does not answer: Connection refused"


def test_a_broker_whose_name_can_be_no_host(tmp_path: Path) -> None:
    for name in ("site..example", "s" * 64):
        said = broker.ping(Secret(f"redis://{name}:1/0"), tmp_path / "python", {}, tmp_path / "ca")
        assert said.startswith(f"the broker at {name} port 1 does not answer: ")


def test_an_authority_makes_no_clear_broker_one_with_tls(tmp_path: Path) -> None:
    """It may lie there from the broker before."""
    (tmp_path / "kombu.py").write_text(
        "class Connection:\n    def __init__(self, url, **options): raise ValueError(sorted(options))\n"
    )
    (tmp_path / "ca").write_text("pem")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path} exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for scheme, encrypted in (("redis", False), ("amqp", False), ("rediss", True), ("amqps", True)):
            said = broker.ping(Secret(f"{scheme}://127.0.0.1:{port}/0"), python, {}, tmp_path / "ca")
            assert "refuses: ['connect_timeout'" in said
            assert ("'ssl'" in said) is encrypted


def row(name: str, state: str = "idle", age: float = 3, silent: float = 0, wanted: str = "") -> str:
    versions = json.dumps({"apache-airflow": "3.3.2", CELERY.package: "3.24.0"})
    busy = 1 if state == "running" else 0
    queues, host = json.dumps([name]), f"host-{name}"
    cells = (name, age, queues, busy, 4, versions, "b1", "d1", silent, wanted, "", host, state)
    return "\t".join(map(str, cells)) + "\n"


def test_workers_as_their_table_has_them() -> None:
    rows = (
        row("w1") + row("w2", "running", 60) + row("w3", "offline") + row("w4", silent=80)
        + row("w5", "idle", wanted="drain") + row("w6", "drained", wanted="drain") + row("w7", "drained")
    )  # fmt: skip
    found = {item.name: item for item in CELERY.seen(lambda sql: "there\n" if "to_regclass" in sql else rows)}
    assert {name: item.alive for name, item in found.items()} == {
        "w1": True, "w2": False, "w3": False, "w4": False, "w5": True, "w6": True, "w7": True,
    }  # fmt: skip
    assert found["w4"].note == "it has had no word with the broker for 80 s"
    # what was asked for is done only once the worker says so
    assert [found[name].state for name in ("w5", "w6", "w7")] == [
        "maintenance pending",
        "maintenance mode",
        "idle",
    ]
    first = found["w1"]
    assert (first.queues, first.slots, first.host, first.bundle, first.dags) == (
        ("w1",),
        4,
        "host-w1",
        "b1",
        "d1",
    )
    assert CELERY.seen(lambda sql: "\n") == []


def test_tasks_of_the_default_executor_wait_for_workers_only_where_it_is_celery() -> None:
    asked: list[str] = []

    def query(sql: str) -> str:
        asked.append(sql)
        return "gpu\t3\t75.5\n"

    assert CELERY.waiting(query, spread=False) == [engine.Waiting("gpu", 3, 75.5)]
    CELERY.waiting(query, spread=True)
    assert "= '')" not in asked[0]
    assert "= '')" in asked[1]


def test_a_drain_is_a_wish_in_the_workers_row() -> None:
    asked: list[str] = []

    def query(sql: str) -> str:
        asked.append(sql)
        return ""

    assert CELERY.drain(query, "w1", "by o'brien") == ()
    assert "wanted = 'drain'" in asked[0]
    assert "o''brien" in asked[0]
    assert CELERY.undrain(query, "w1") == ()
    assert "wanted = ''" in asked[1]


def test_what_a_firewall_must_let_through() -> None:
    """Between all hosts, in this direction."""
    found = CELERY.ways(8080, "redis://***@site/0", 25432, 8793)
    assert [(way.source, way.target, way.port) for way in found] == [
        ("each worker", "head", 8080),
        ("head", "site", 6379),
        ("each worker", "site", 6379),
        ("each worker", "head", 25432),
        ("head", "each worker", 8793),
    ]
    assert [way.target for way in CELERY.ways(8080, "database", 25432, 8793)] == [
        "head",
        "head",
        "each worker",
    ]
