"""The seam for executors: another one is a row, and everything that depends on it follows the row."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from bootstrap.airflow import config, executor
from bootstrap.airflow.differences import UnsupportedAirflow, Version
from bootstrap.airflow.executor import LOCAL, Component, Local, LogServer, Need, executor_of
from bootstrap.airflow.managed_options import managed_options
from bootstrap.doctor.needs import needs_of
from bootstrap.examination import sharing
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.installation import Installation
from bootstrap.services import units
from bootstrap.services.manager import SUPERVISOR, SYSTEMD, stop_seconds
from bootstrap.services.supervisor import Supervisor
from bootstrap.state.receipt import HEAD
from bootstrap.steps.configuration import ConfigurationStep
from bootstrap.steps.secrets import FoldersStep
from tests.support import receipts
from wheelhouse.reader import Bundle

WORKER = "worker"


@dataclass(frozen=True)
class Remote(Local):
    """Tasks run in a component of their own, which another role has alone."""

    name: str = "RemoteExecutor"
    roles: tuple[str, ...] = (HEAD, WORKER)
    task_component: str = "worker"
    log_servers: tuple[LogServer, LogServer] = (
        LogServer("task logs", "worker", 9793),
        LogServer("trigger logs", "triggerer", 8794),
    )

    def components(self, version: Version, role: str) -> tuple[Component, ...]:
        worker = Component("worker", ("remote", "worker"))
        return (worker,) if role == WORKER else (*LOCAL.components(version, HEAD), worker)

    def memory(self, parallelism: int) -> Need:
        return Need(5_000_000_000, 4_000_000_000)


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    monkeypatch.setitem(executor.EXECUTORS, "RemoteExecutor", Remote())
    receipt = replace(receipts.sample(tmp_path / "home"), executor="RemoteExecutor")
    return Installation(receipt)


def test_everything_follows_the_row(installation: Installation) -> None:
    head = ["api-server", "scheduler", "dag-processor", "triggerer", "worker"]
    assert installation.components == head
    assert Installation(replace(installation.receipt, role=WORKER)).components == ["worker"]
    programs = {program.name: program.command[1:] for program in installation.programs()}
    assert programs["worker"] == ("remote", "worker")
    holders = sharing.collect(installation, {}).holders
    assert (holders["task logs"], holders["web server"]) == ("worker", "api-server")
    assert "RemoteExecutor" in ConfigurationStep(installation).describe()
    FoldersStep(installation.home, None, None, private_logs=False).apply()
    written = config.edit("", ManagedSettings(installation).settings())
    assert config.get(written, "core", "executor") == "RemoteExecutor"
    instead = managed_options(installation.version, installation.executor)[("core", "executor")]
    assert "RemoteExecutor" in instead


def test_a_stop_waits_for_the_component_that_runs_tasks(installation: Installation) -> None:
    found = [stop_seconds(name, installation.executor) for name in ("postgres", "worker", "scheduler")]
    # of the tasks' component: their minute, and what they need to report that it is over
    assert found == [120, 75, 30]
    texts = {name: units._service(installation.layout_of(SYSTEMD), name) for name in installation.components}
    assert [name for name, text in texts.items() if "TimeoutStopSec=75" in text] == ["worker"]
    # only what does not run tasks has a /tmp of its own
    assert [name for name, text in texts.items() if "PrivateTmp=yes" not in text] == ["worker"]
    supervisor = installation.services_of(SUPERVISOR)
    assert isinstance(supervisor, Supervisor)
    supervisor.configuration.parent.mkdir(parents=True)
    supervisor.configure(installation.programs())
    sections = supervisor.configuration.read_text(encoding="utf-8").split("[program:")[1:]
    waiting = [text.partition("]")[0] for text in sections if "stopwaitsecs = 86410" in text]
    assert waiting == ["worker"]


def test_doctor_asks_for_what_the_executor_needs(tiny_bundle: Path) -> None:
    with Bundle.open(tiny_bundle) as bundle:
        needs = needs_of(bundle.manifest, home="/opt/airflow", executor=Remote())
    assert (needs.memory, needs.memory_least) == (5_000_000_000, 4_000_000_000)


def test_executor_that_cannot_be_installed(tmp_path: Path) -> None:
    receipt = replace(receipts.sample(tmp_path), executor="KubernetesExecutor")
    with pytest.raises(UnsupportedAirflow, match="KubernetesExecutor") as caught:
        Installation(receipt).components  # noqa: B018
    assert "LocalExecutor,EdgeExecutor" in caught.value.needed
    assert executor_of("LocalExecutor") is LOCAL
