"""The broker of a head: what is asked and kept, and what a worker is told of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bootstrap.airflow import moves
from bootstrap.airflow.executor import CELERY, LOCAL
from bootstrap.base.console import Console
from bootstrap.base.secret import Secret
from bootstrap.change.upgrade_steps import KeysStep
from bootstrap.cluster import celery, dags
from bootstrap.cluster.broker import BrokerUnusable
from bootstrap.commands import workers as commands
from bootstrap.doctor.checks import cluster as checks
from bootstrap.examination.cluster import ClusterFacts
from bootstrap.examination.installed import Installed
from bootstrap.installed import crew, meeting
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.crew import Crew, WorkerStatus
from bootstrap.installed.installation import Installation
from bootstrap.installed.options import InvalidOption
from bootstrap.state import cluster, plan, receipt
from bootstrap.state.cluster import HeadRecord
from bootstrap.state.home import Home
from bootstrap.state.plan import Done, Step
from bootstrap.upkeep import head as heads
from bootstrap.upkeep import meetings, workers
from bootstrap.upkeep.meetings import NO_BROKER, BrokerAsked
from tests.support import receipts
from tests.support.clusters import KEY
from tests.support.plans import Watcher

RECORD = HeadRecord(1, "0a1b2c3d4e5f", "celery", "head.example", 8080)
URL = "redis://site:6379/0"


@dataclass
class Database:
    """Answers as a head's database would."""

    def query(self, sql: str) -> str:
        return "7\n" if "ab_user" in sql else ""


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of brokers; the last entry is what they answer."""
    asked: list[str] = [""]

    def ping(installation: Installation, url: Secret, authorities: Path | None = None) -> str:
        asked.insert(0, url.reveal())
        return asked[-1]

    monkeypatch.setattr(meeting, "ping", ping)
    monkeypatch.setattr(Installation, "database", Database())
    packages = {"apache-airflow": "3.3.2", celery.CELERY.package: "3.24.0"}
    monkeypatch.setattr(crew, "packages", lambda installation: packages)
    return asked


@pytest.fixture
def head(tmp_path: Path) -> Installation:
    home = Home(tmp_path)
    for folder in (home.secrets, home.dags, home.etc):
        folder.mkdir()
    home.airflow_cfg.write_text("")
    for name in ("jwt-secret", "secret-key", "fernet-key", "postgres-password"):
        (home.secrets / name).write_text((KEY if name == "jwt-secret" else name) + "\n")
    return Installation(replace(receipts.sample(tmp_path), executor=CELERY.name, removed="", added=()))


def old(head: Installation) -> Installation:
    """The same head with Airflow 2."""
    return Installation(replace(head.receipt, airflow="2.11.2"))


def test_celery_without_a_broker(head: Installation, said: list[str]) -> None:
    with pytest.raises(BrokerUnusable, match="needs a broker") as caught:
        meetings.settle(head, RECORD, NO_BROKER, Watcher())
    assert "redis-server" in caught.value.hint


def test_a_broker_is_asked_before_anything_is_kept(head: Installation, said: list[str]) -> None:
    said[-1] = "the broker at site port 6379 refuses: invalid username-password pair"
    with pytest.raises(BrokerUnusable, match="invalid username-password"):
        meetings.settle(head, RECORD, BrokerAsked(URL, Secret("pw")), Watcher())
    assert not cluster.broker_file(head.home).exists()
    assert said[0] == "redis://:pw@site:6379/0"


def test_what_is_kept_of_a_broker(head: Installation, said: list[str]) -> None:
    found = meetings.settle(head, RECORD, BrokerAsked(URL, Secret("p/w"), "pem"), Watcher())
    assert (found.broker, found.networks) == (URL, ("samenet",))
    path = cluster.broker_file(head.home)
    assert path.read_text().strip() == "redis://:p%2Fw@site:6379/0"
    assert path.stat().st_mode & 0o077 == 0
    assert cluster.broker_authorities_file(head.home).read_text() == "pem"
    assert len((head.home.secrets / celery.ROLE_PASSWORD).read_text().strip()) == 32
    # the same again, without its password
    again = meetings.settle(head, found, replace(NO_BROKER, networks=("192.0.2.0/24",)), Watcher())
    assert path.read_text().strip() == "redis://:p%2Fw@site:6379/0"
    assert again.networks == ("192.0.2.0/24",)


def test_another_broker_is_written_anew(head: Installation, said: list[str]) -> None:
    """What is recorded of a secret value does not tell it from another."""
    known = ManagedSettings(head)
    found = meetings.settle(head, RECORD, BrokerAsked(URL), Watcher())
    known.record.write_text('{"[celery] broker_url": "***", "[core] executor": "x"}')
    meetings.settle(head, found, NO_BROKER, Watcher())
    assert "[celery] broker_url" in ManagedSettings(head).known()
    meetings.settle(head, found, BrokerAsked("redis://other:6379/0"), Watcher())
    assert ManagedSettings(head).known() == {"[core] executor": "x"}


def test_a_broker_that_refuses_leaves_the_one_in_use_as_it_is(head: Installation, said: list[str]) -> None:
    found = meetings.settle(head, RECORD, BrokerAsked(URL, Secret("pw"), "pem"), Watcher())
    before = {path.name: path.read_text() for path in head.home.secrets.iterdir()}
    said[-1] = "the broker at site port 6379 refuses: certificate verify failed"
    with pytest.raises(BrokerUnusable, match="certificate"):
        meetings.settle(head, found, BrokerAsked(URL, Secret("new"), "another"), Watcher())
    assert {path.name: path.read_text() for path in head.home.secrets.iterdir()} == before


def test_another_password_is_kept_only_when_airflow_cfg_is_going_to_have_it(
    head: Installation, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = meetings.settle(head, RECORD, BrokerAsked(URL, Secret("pw")), Watcher())

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ManagedSettings, "forget", killed)
    with pytest.raises(KeyboardInterrupt):
        meetings.settle(head, found, BrokerAsked(URL, Secret("new")), Watcher())
    assert cluster.broker_file(head.home).read_text().strip() == "redis://:pw@site:6379/0"


def test_airflow_3_meets_its_workers_as_another_role(
    head: Installation, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an upgrade from 2.x the URL of results is another one, which its record does not show."""
    cluster.save(head.home, meetings.settle(head, RECORD, BrokerAsked(URL, Secret("pw")), Watcher()))
    managed = ManagedSettings(head)
    managed.remember_all()
    monkeypatch.setattr(moves, "fit", lambda text, *_: moves.Fitted(text))
    KeysStep(old(head), head).apply()
    changed = {item.option: item.value for item in managed.changed()}
    word = (head.home.secrets / celery.ROLE_PASSWORD).read_text().strip()
    port = head.receipt.database.port
    assert changed == {"result_backend": f"db+postgresql://{celery.ROLE}:{word}@127.0.0.1:{port}/airflow"}


def test_networks_are_kept_as_postgresql_reads_them() -> None:
    """Without the number of bits, or with a mask in its place, its server would not start any more."""
    given = ["192.0.2.7", "198.51.100.0/255.255.255.0", "2001:db8::/32"]
    found = commands._broker("celery", "", None, None, given)
    assert found.networks == ("192.0.2.7/32", "198.51.100.0/24", "2001:db8::/32")
    with pytest.raises(InvalidOption, match="is no network"):
        commands._broker("celery", "", None, None, ["192.0.2.7/24"])


def test_the_database_as_the_broker_is_for_airflow_2(head: Installation, said: list[str]) -> None:
    with pytest.raises(BrokerUnusable, match="cannot be the broker"):
        meetings.settle(head, RECORD, BrokerAsked("database"), Watcher())
    found = meetings.settle(old(head), RECORD, BrokerAsked("database"), Watcher())
    urls = meeting.of_head(old(head), found)
    port = head.receipt.database.port
    assert urls.broker.reveal() == f"sqla+postgresql://airflow:postgres-password@127.0.0.1:{port}/airflow"
    assert said == [""]


def test_a_worker_of_airflow_3_gets_no_key_of_the_head(head: Installation, said: list[str]) -> None:
    cluster.save(head.home, meetings.settle(head, RECORD, BrokerAsked(URL, Secret("pw")), Watcher()))
    join, told = workers.invite(head, "w1", seconds=3600)
    assert set(join.secrets) == {"broker-url", "database-password", "secret-key", "proof-token"}
    assert KEY not in str(join.secrets)
    assert "fernet-key" not in str(join.secrets)
    assert "postgres-password" not in str(join.secrets)
    assert join.database["host"] == "head.example"  # 127.0.0.1 is the head's own
    assert join.database["role"] == celery.ROLE
    assert join.log_port == head.receipt.log_port
    assert "broker" in told.worth
    assert meeting.access(head) == (("samenet",), celery.ROLE)


def test_a_worker_of_airflow_2_gets_the_database(head: Installation, said: list[str]) -> None:
    second = old(head)
    cluster.save(second.home, meetings.settle(second, RECORD, BrokerAsked(URL), Watcher()))
    join, told = workers.invite(second, "w1")
    assert set(join.secrets) == {"broker-url", "database-password", "secret-key", "fernet-key"}
    assert (join.database["role"], join.secrets["database-password"]) == ("airflow", "postgres-password")
    assert "everything" in told.worth
    assert meeting.access(second)[1] == "airflow"


def test_a_restored_database_gets_the_table_of_workers_again(
    head: Installation, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Backups leave it out."""
    asked: list[str] = []

    class Empty:
        def query(self, sql: str) -> str:
            asked.append(sql)
            return ""

    second = old(head)
    monkeypatch.setattr(Installation, "database", Empty())
    meeting.ensure(second)
    assert asked == []  # no workers, no table
    cluster.save(second.home, meetings.settle(second, RECORD, BrokerAsked(URL), Watcher()))
    meeting.ensure(second)
    assert celery.TABLE in asked
    assert (second.home.path / "config" / "airferry_celery.py").is_file()


def test_celery_that_is_disabled_leaves_no_way_in(
    head: Installation, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server listens on this host alone again before the record of the networks goes."""
    cluster.save(head.home, meetings.settle(head, RECORD, BrokerAsked(URL, Secret("pw"), "pem"), Watcher()))
    head.home.airflow_cfg.write_text("[celery]\nbroker_url = redis://:pw@site:6379/0\nours = 1\n")
    dags.write_pinned(head.folders.pipelines, ["w1"], celery.CELERY.executor)
    seen: list[object] = []

    def execute(steps: list[Step], *_: object) -> list[Done]:
        seen.append(
            ([step.name for step in steps], meeting.access(head)[0], head.home.airflow_cfg.read_text())
        )
        return []

    monkeypatch.setattr(plan, "execute", execute)
    found = heads.disable(head, Console(quiet=True))
    assert found.executors == receipt.load(head.home.receipt).executor == LOCAL.name
    names = ["services", "cluster", "database", "configuration", "start"]
    assert seen == [(names, (), "[celery]\nours = 1\n")]
    left = {path.name for path in head.home.secrets.iterdir()}
    assert not left & {"cluster.json", "broker-url", "broker-ca.pem"}
    assert not list(dags.pinned_folder(head.folders.pipelines).iterdir())


def findings(found: Crew) -> list[str]:
    installed = Installed("/opt/airflow", "3.3.2", "airflow.run", True, cluster=ClusterFacts(head=found))
    return [finding.id for finding in checks.check(installed)]


def test_what_doctor_says_of_broker_and_logs() -> None:
    worker = WorkerStatus("w1", "idle", True, 3.0, ("w1",), 0, 4)
    assert findings(Crew("celery", (worker,), (), broker="rediss://site/0")) == ["workers-ok"]
    assert findings(Crew("celery", (worker,), (), broker=URL)) == ["broker-clear", "workers-ok"]
    away = Crew("celery", (worker,), (), broker=URL, broker_problem="does not answer")
    assert findings(away) == ["broker-silent", "workers-ok"]
    closed = replace(worker, logs="w1 port 8793: Connection refused")
    assert findings(Crew("celery", (closed,), (), broker="database")) == ["worker-logs", "workers-ok"]
