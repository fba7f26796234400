"""Workers as their head manages them, with a database that answers from a list."""

from __future__ import annotations

import contextlib
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bootstrap import daily
from bootstrap.airflow.executor import EDGE, EDGE_WORKER, LOCAL
from bootstrap.airflow.webaddress import WebAddress
from bootstrap.base.console import Console
from bootstrap.change import cluster_rules
from bootstrap.change.upgrade_rules import UpgradeRefused
from bootstrap.cluster import dags
from bootstrap.cluster.celery import CELERY
from bootstrap.cluster.engine import EDGE as ENGINE
from bootstrap.cluster.engine import EngineUnusable
from bootstrap.cluster.link import HeadAnswer
from bootstrap.commands import workers as commands
from bootstrap.doctor.checks import cluster as checks
from bootstrap.examination.cluster import ClusterFacts, OfWorker
from bootstrap.examination.installed import Installed
from bootstrap.installed import crew
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.dagimports import DagProblem
from bootstrap.installed.installation import Installation
from bootstrap.site import certificates
from bootstrap.state import cluster, receipt
from bootstrap.state.cluster import HeadRecord, Invited, NoCluster
from bootstrap.state.home import Home
from bootstrap.state.receipt import WORKER
from bootstrap.upkeep import head as heads
from bootstrap.upkeep import workers
from bootstrap.upkeep.workers import WorkerRefused
from tests.support import bundles, receipts
from tests.support.clusters import KEY

EDGE3 = "apache-airflow-providers-edge3"


@dataclass
class Database:
    """Answers as the tables of a head would."""

    rows: str = ""
    waiting: str = ""
    asked: str = ""

    def query(self, sql: str) -> str:
        self.asked += sql + "\n"
        if "to_regclass" in sql:
            return "there\n"
        if "ab_user" in sql:
            return "7\n"
        if sql.startswith("DELETE"):
            self.rows = ""
            return ""
        return self.waiting if "edge_job" in sql else self.rows


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    found = Database()
    monkeypatch.setattr(Installation, "database", found)
    monkeypatch.setattr(crew, "packages", lambda installation: {"apache-airflow": "3.3.2", EDGE3: "4.3.2"})
    return found


@pytest.fixture
def head(tmp_path: Path, database: Database) -> Installation:
    """A head that has been enabled."""
    home = Home(tmp_path)
    for folder in (home.secrets, home.dags, home.etc):
        folder.mkdir()
    home.airflow_cfg.write_text("[api_auth]\njwt_audience = ours\n")
    (home.secrets / "jwt-secret").write_text(KEY + "\n")
    (home.secrets / "fernet-key").write_text("fernet\n")
    cluster.save(home, HeadRecord(1, "0a1b2c3d4e5f", "edge", "head.example", 8080))
    return Installation(replace(receipts.sample(tmp_path), executor=EDGE.name, removed="", added=()))


def row(name: str, state: str = "idle", age: float = 3, queues: str = "", version: str = "3.3.2") -> str:
    listed = queues or f"['{name}', 'default']"
    return f"{name}\t{age}\t{listed}\t1\t4\t{version}\t4.3.2\t\t\t\t{state}\n"


def test_an_invitation_holds_what_the_engine_needs_and_no_more(head: Installation) -> None:
    join, said = workers.invite(head, "w1", ("gpu",), seconds=3600)
    assert join.secrets == {"jwt-secret": KEY}
    assert (join.base, join.executors) == ("http://head.example:8080", EDGE.name)
    assert join.queues == said.queues == ("w1", "gpu")
    assert join.claims == {"aud": "ours", "sub": "7"}
    assert join.packages == {"apache-airflow": "3.3.2", EDGE3: "4.3.2"}
    assert 3500 < cluster_seconds(join.until) <= 3600
    assert "administrator" in said.worth
    listed = json.loads((dags.pinned_folder(head.folders.pipelines) / "airferry_workers.json").read_text())
    assert [item["name"] for item in listed["workers"]] == ["w1"]


def cluster_seconds(until: str) -> float:
    from wheelhouse import timestamp

    return timestamp.parse(until).timestamp() - time.time()


def test_a_second_invitation_replaces_the_first(head: Installation) -> None:
    workers.invite(head, "w1")
    workers.invite(head, "w2")
    workers.invite(head, "w1", ("gpu",))
    known = cluster.load(head.home).workers
    assert sorted((item.name, item.queues) for item in known) == [
        ("w1", ("w1", "gpu")),
        ("w2", ("w2", "default")),
    ]


@pytest.mark.parametrize("name", ["default", "a b", "w1;DROP", "", "-x"])
def test_names_that_no_worker_can_have(head: Installation, name: str) -> None:
    with pytest.raises(WorkerRefused, match="cannot be the name"):
        workers.invite(head, name)


def test_a_host_of_its_own_invites_nobody(head: Installation) -> None:
    cluster.head_file(head.home).unlink()
    with pytest.raises(NoCluster) as caught:
        workers.invite(head, "w1")
    assert "workers enable edge" in caught.value.hint


def test_a_web_server_on_this_host_alone_cannot_be_a_head(head: Installation) -> None:
    cluster.head_file(head.home).unlink()
    here = Installation(replace(head.receipt, web_host="127.0.0.1"))
    with pytest.raises(WorkerRefused, match="this host alone") as caught:
        heads.enable(here, "edge", None)  # type: ignore[arg-type]
    assert "--host" in caught.value.hint


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("http://head", "no name"),
        ("head:8080", "no name"),
        ("head..example", "no name"),
        ("h" * 64, "no name"),
        ("localhost", "the worker itself"),
        ("127.0.1.1", "the worker itself"),
    ],
)
def test_an_address_that_no_worker_could_use_changes_nothing(
    head: Installation, address: str, found: str
) -> None:
    before = cluster.load(head.home)
    with pytest.raises(WorkerRefused, match="cannot reach this host") as caught:
        heads.enable(head, "edge", Console(quiet=True), address=address)
    assert found in caught.value.found
    assert cluster.load(head.home) == before


def test_a_shared_folder_that_cannot_be_written(head: Installation, tmp_path: Path) -> None:
    with pytest.raises(WorkerRefused, match="cannot be the folder of DAG files") as caught:
        heads.enable(head, "edge", Console(quiet=True), address="head", shared=tmp_path / "mnt")
    assert caught.value.found == "no such folder"


def test_a_certificate_for_another_name_is_told_before_anything_restarts(
    head: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Installation, "web", WebAddress("127.0.0.1", 8080, "", "cert.pem"))
    monkeypatch.setattr(certificates, "names", lambda path: ("other.example", "localhost"))
    with pytest.raises(WorkerRefused, match=r"is not for head\.example") as caught:
        heads.enable(head, "edge", Console(quiet=True), address="head.example")
    assert caught.value.found == "it is for other.example, localhost"
    # the same where the address is the one that was given before
    with pytest.raises(WorkerRefused, match=r"is not for head\.example"):
        heads.enable(head, "edge", Console(quiet=True))


def test_a_worker_is_told_of_a_shared_folder(head: Installation) -> None:
    cluster.save(head.home, replace(cluster.load(head.home), dags="/mnt/dags"))
    join, _ = workers.invite(head, "w1")
    assert join.dags == "/mnt/dags"
    cluster.keep_join(head.home, join)
    worker = Installation(replace(head.receipt, role=WORKER, executor=EDGE_WORKER.name))
    settings = {(item.section, item.option): item.value for item in ManagedSettings(worker).settings()}
    assert settings["core", "dags_folder"] == "/mnt/dags"


def test_an_add_on_that_a_worker_lacks_is_a_drift(head: Installation, database: Database) -> None:
    (head.home.path / "current").symlink_to("releases/3.3.2-a")
    head.home.receipt.write_text('{"added": [{"bundle_id": "3.3.2-b"}]}')
    database.rows = row("w1").replace("\t\t\t\tidle", "\t3.3.2-a\t\t\tidle")
    assert crew.look(head).workers[0].drifting == ("bundle",)
    database.rows = row("w1").replace("\t\t\t\tidle", "\t3.3.2-a+3.3.2-b\t\t\tidle")
    assert crew.look(head).workers[0].drifting == ()


def test_states_as_they_are_told(head: Installation, database: Database) -> None:
    for name in ("w1", "w2", "w3"):
        workers.invite(head, name)
    workers.invite(head, "late", seconds=-5)
    database.rows = row("w1") + row("w2", "running", 400) + row("w4", version="3.3.1")
    found = {item.name: item for item in crew.look(head).workers}
    assert {name: item.state for name, item in found.items()} == {
        "w1": "idle", "w2": "lost", "w3": "invited", "late": "invitation ended", "w4": "idle",
    }  # fmt: skip
    assert [name for name, item in found.items() if not item.good] == ["w2", "w4"]
    assert found["w4"].differing == ("apache-airflow 3.3.1",)


@pytest.mark.parametrize(
    ("rows", "starves"),
    [
        (row("w1", queues="['w1', 'gpu']"), False),
        (row("w1"), True),
        (row("w1", age=400, queues="['gpu']"), True),
        (row("w1", state="maintenance mode", queues="['gpu']"), True),
    ],
    ids=["served", "another queue", "lost", "drained"],
)
def test_tasks_that_no_live_worker_takes(
    head: Installation, database: Database, rows: str, starves: bool
) -> None:
    database.rows, database.waiting = rows, "gpu\t2\t90\n"
    assert [item.queue for item in crew.look(head).starving] == (["gpu"] if starves else [])
    database.waiting = "gpu\t2\t20\n"
    assert crew.look(head).starving == ()


def test_a_worker_is_removed_only_when_it_has_gone(head: Installation, database: Database) -> None:
    workers.invite(head, "w1")
    database.rows = row("w1")
    with pytest.raises(WorkerRefused, match="still runs"):
        workers.remove(head, "w1")
    database.rows = row("w1", "offline")
    gone = workers.remove(head, "w1")
    assert gone.keys == (str(head.home.secrets / "jwt-secret"),)
    assert "DELETE FROM edge_worker WHERE worker_name = 'w1'" in database.asked
    assert cluster.load(head.home).workers == ()
    with pytest.raises(WorkerRefused, match="no worker w1"):
        workers.remove(head, "w1")


def test_which_workers_are_not_at_rest(head: Installation, database: Database) -> None:
    rows = [row("w1"), row("w2", "maintenance pending"), row("w3", "maintenance mode", age=400)]
    database.rows = "".join(rows) + row("w4", "maintenance mode").replace("\t1\t4\t", "\t0\t4\t")
    assert [item.name for item in crew.busy(crew.look(head))] == ["w1", "w2"]
    assert workers.to_drain(head) == ["w1"]
    assert workers.to_drain(head, undo=True) == ["w2", "w4"]


def test_a_head_changes_only_when_its_workers_are_drained(
    head: Installation, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster_rules, "database_running", contextlib.nullcontext)
    database.rows = row("w1", "running")
    with pytest.raises(UpgradeRefused, match="must be drained before the upgrade") as caught:
        cluster_rules.check_drained(head, "the upgrade of their head")
    assert caught.value.found == "w1 (running, 1 tasks)"
    assert "workers drain --all" in caught.value.hint
    database.rows = row("w1", "running", age=400)
    cluster_rules.check_drained(head, "the upgrade of their head")
    cluster.head_file(head.home).unlink()
    database.rows = row("w1", "running")
    cluster_rules.check_drained(head, "the upgrade of their head")


def test_one_engine_is_taken_back_before_another_begins(head: Installation) -> None:
    """Else the record of Celery's broker would go into the join files of Edge."""
    celery = HeadRecord(1, "0a1b2c3d4e5f", "celery", "head.example", 8080, broker="redis://site:6379/0")
    cluster.save(head.home, celery)
    with pytest.raises(WorkerRefused, match="run with celery") as caught:
        heads.enable(head, "edge", Console(quiet=True), address="head.example")
    assert (caught.value.found, "workers disable" in caught.value.hint) == ("no worker", True)
    assert cluster.load(head.home) == celery


def test_new_keys_are_not_made_before_they_are_going_to_be_written(
    head: Installation, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ManagedSettings, "forget", killed)
    with pytest.raises(KeyboardInterrupt):
        heads.rotate_keys(head, Console(quiet=True))
    assert (head.home.secrets / "jwt-secret").read_text().strip() == KEY


def test_the_database_is_no_broker_of_airflow_3(head: Installation) -> None:
    manifest = bundles.manifest(packages=(bundles.package(CELERY.package, "packages/celery.whl", b"c"),))
    second = replace(head.receipt, airflow="2.11.2")
    cluster.save(head.home, HeadRecord(1, "0a1b2c3d4e5f", "celery", "head", 8080, broker="database"))
    cluster_rules.check_engine(second, replace(second, airflow="2.11.3"), manifest)
    with pytest.raises(UpgradeRefused, match="cannot be the broker") as caught:
        cluster_rules.check_engine(second, replace(second, airflow="3.3.2"), manifest)
    assert "enable celery --broker URL" in caught.value.hint


@pytest.mark.parametrize(("engine", "command"), [("edge", "rotate-keys"), ("celery", "enable celery")])
def test_what_to_do_about_the_keys_of_a_worker_that_left(
    head: Installation,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    engine: str,
    command: str,
) -> None:
    """With Celery rotate-keys is refused."""
    monkeypatch.setattr(daily, "enter_as_account", lambda home: head)
    known = HeadRecord(1, "0a1b2c3d4e5f", engine, "head", 8080, workers=(Invited("w1", ("w1",), ""),))
    cluster.save(head.home, known)
    commands.remove("w1", head.home.path, False).show(Console(), "workers", json=False)
    said = capsys.readouterr()
    assert command in said.out + said.err
    assert ("rotate-keys" in said.out + said.err) is (engine == "edge")


def test_a_bundle_without_the_engine_is_refused_where_there_are_workers(head: Installation) -> None:
    with pytest.raises(EngineUnusable, match="does not hold"):
        cluster_rules.check_engine(head.receipt, replace(head.receipt, airflow="3.3.2"), bundles.manifest())


def findings(facts: ClusterFacts) -> list[str]:
    installed = Installed("/opt/airflow", "3.3.2", "airflow.run", True, cluster=facts)
    return [finding.id for finding in checks.check(installed)]


def test_what_doctor_says_on_the_head(head: Installation, database: Database) -> None:
    database.rows = row("w1")
    assert findings(ClusterFacts(head=crew.look(head))) == ["workers-ok"]
    database.rows, database.waiting = row("w1", age=99) + row("w2", version="3.3.1"), "gpu\t1\t99\n"
    assert findings(ClusterFacts(head=crew.look(head))) == ["worker-lost", "worker-differs", "queue-starves"]


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (HeadAnswer(("192.0.2.11",), "", 404, "", 0.4), "head-ok"),
        (HeadAnswer((), "head is not known here"), "head-unknown"),
        (HeadAnswer(("192.0.2.11",), "refused"), "head-silent"),
        (HeadAnswer(("192.0.2.11",), "", 403, "error_id=1", 0.4), "head-refuses"),
        (HeadAnswer(("192.0.2.11",), "", 403, "error_id=1", -600.0), "head-clock"),
        (HeadAnswer(("192.0.2.11",), "", 404, "", 0.4, "3.3.2", "3.3.2"), "head-ok"),
    ],
)
def test_what_doctor_says_on_a_worker(answer: HeadAnswer, expected: str) -> None:
    facts = OfWorker("w1", "head", "http://head:8080", answer, ())
    assert findings(ClusterFacts(worker=facts)) == [expected]
    differing = replace(facts, differing=("apache-airflow: 3.3.2 there, 3.3.1 here",))
    assert findings(ClusterFacts(worker=differing)) == [expected, "head-differs"]


def test_an_old_worker_under_a_new_head_is_told_by_both_versions() -> None:
    answer = HeadAnswer(("192.0.2.11",), "", 404, "", 0.4, "3.3.2", "3.3.1")
    assert answer.problem == "the head runs Airflow 3.3.2, and this worker 3.3.1"
    assert not replace(answer, version="").problem


def test_dag_files_that_only_the_head_can_import() -> None:
    link = HeadAnswer(("192.0.2.11",), "", 404)
    facts = ClusterFacts(OfWorker("w1", "head", "http://head", link, (), "/dags", ("HTTP_PROXY",)))
    installed = Installed("/opt/airflow", "3.3.2", "airflow.run", True, cluster=facts)
    broken = replace(installed, dag_imports=(DagProblem("/dags/a.py", 3, "No module named 'duckdb'"),))
    assert [item.id for item in checks.check(broken)] == ["head-ok", "worker-dags-broken"]
    first, second = checks.check(broken)
    assert "past the proxy of HTTP_PROXY" in first.found
    assert second.found == "/dags/a.py:3: No module named 'duckdb'"
    whole = replace(installed, dag_imports=())
    assert [item.id for item in checks.check(whole)] == ["head-ok", "worker-dags-ok"]


def test_what_must_be_open_is_told_on_both_sides() -> None:
    ways = ENGINE.ways(8443)
    for facts in (ClusterFacts(head=crew.Crew("edge", (), ()), ways=ways), ClusterFacts(ways=ways)):
        installed = Installed("/opt/airflow", "3.3.2", "airflow.run", True, cluster=facts)
        first = next(iter(checks.check(installed)))
        assert first.id == "cluster-ports"
        assert first.found == "each worker to head, port 8443: tasks, their state, their logs"


@pytest.mark.parametrize(("kind", "words"), [("private", "cannot reach"), ("external", "on 127.0.0.1")])
def test_a_standby_head_is_refused_with_why(head: Installation, kind: str, words: str) -> None:
    found = replace(head.receipt, database=replace(head.receipt.database, kind=kind))
    receipt.save(head.home.receipt, replace(found, owner="account"))
    with pytest.raises(WorkerRefused, match="role standby") as caught:
        workers.refuse_role("standby", head.home)
    assert words in caught.value.found


def test_a_head_whose_tasks_all_go_to_the_workers_is_not_upgraded(head: Installation) -> None:
    cluster_rules.check_spread(head.receipt)
    cluster.save(head.home, replace(cluster.load(head.home), spread=True))
    with pytest.raises(UpgradeRefused, match="could not end") as caught:
        cluster_rules.check_spread(head.receipt)
    assert "workers enable edge (without --spread)" in caught.value.hint


def test_a_head_that_is_closed_still_has_its_executor_to_write(head: Installation) -> None:
    head.home.airflow_cfg.write_text("[edge]\napi_enabled = True\n[core]\nexecutor = EdgeExecutor\n")
    here = replace(head, receipt=replace(head.receipt, executor=LOCAL.name))
    heads._close(here)
    text = head.home.airflow_cfg.read_text()
    assert "api_enabled" not in text
    assert "executor = EdgeExecutor" in text
    assert ManagedSettings(here).known() == {}, "nothing counts as written that is not"
