"""A host that becomes a worker: what it chooses, and which join files it refuses."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.airflow.executor import EDGE_WORKER
from bootstrap.installed import joining
from bootstrap.installed import options as choosing
from bootstrap.installed.installation import Installation
from bootstrap.installed.options import InvalidOption, Options
from bootstrap.state import cluster, receipt
from bootstrap.state.cluster import Join, JoinFileRefused, OnTheHead
from bootstrap.state.home import Home
from bootstrap.state.receipt import NO_DATABASE, WORKER, Receipt
from tests.support import receipts
from tests.support.clusters import join
from wheelhouse.manifest import Manifest
from wheelhouse.reader import Bundle


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "airflow")


@pytest.fixture
def manifest(tiny_bundle: Path) -> Manifest:
    with Bundle.open(tiny_bundle) as bundle:
        return bundle.manifest


def fitting(manifest: Manifest) -> Join:
    """A join file of a head that runs what this bundle holds."""
    first = manifest.packages[0]
    return join(airflow=manifest.airflow, packages={first.name: first.version})


def choose(options: Options, tiny_bundle: Path) -> Receipt:
    with Bundle.open(tiny_bundle) as bundle:
        return choosing.choose(options, bundle)


def test_a_worker_has_no_database_and_no_ports(home: Home, tiny_bundle: Path, manifest: Manifest) -> None:
    chosen = choose(Options(home, join=fitting(manifest), parallelism=6, service="supervisor"), tiny_bundle)
    assert (chosen.role, chosen.executor, chosen.parallelism) == (WORKER, EDGE_WORKER.name, 6)
    assert chosen.database.kind == NO_DATABASE
    assert chosen.is_roots == (os.geteuid() == 0)
    assert (chosen.web_port, chosen.log_port, chosen.trigger_log_port) == (0, 0, 0)
    assert Installation(chosen).components == ["worker"]
    assert Installation(chosen).servers == []
    assert Installation(chosen).helpers == []


def test_what_a_worker_runs_stands_in_no_command_line(
    home: Home, tiny_bundle: Path, manifest: Manifest
) -> None:
    told = fitting(manifest)
    chosen = choose(Options(home, join=told, service="supervisor"), tiny_bundle)
    [program] = Installation(chosen).programs()
    line = " ".join(program.command)
    assert program.name == "worker"
    assert str(home.path) in line
    assert told.secrets["jwt-secret"] not in line


def test_it_stays_a_worker(home: Home, tiny_bundle: Path, manifest: Manifest) -> None:
    """The same command without the join file, from a newer bundle: its upgrade."""
    first = choose(Options(home, join=fitting(manifest), parallelism=6, service="supervisor"), tiny_bundle)
    home.path.mkdir()
    before = replace(first, bundle_id="3.3.1-cp311-0a1b2c3d4e", completed="2026-11-28T12:00:00Z")
    receipt.save(home.receipt, before)
    again = choose(Options(home), tiny_bundle)
    assert (again.role, again.parallelism, again.completed) == (WORKER, 6, "")
    assert again.previous == before.bundle_id


def test_a_head_does_not_become_a_worker(home: Home, tiny_bundle: Path, manifest: Manifest) -> None:
    home.path.mkdir()
    receipt.save(home.receipt, replace(receipts.sample(home.path), removed=""))
    with pytest.raises(InvalidOption, match="whole Airflow"):
        choose(Options(home, join=fitting(manifest)), tiny_bundle)


@pytest.mark.parametrize(
    "option", [{"port": 8081}, {"postgres": "host"}, {"auth": "simple"}, {"host": "::1"}]
)
def test_options_of_a_head(
    home: Home, tiny_bundle: Path, manifest: Manifest, option: dict[str, object]
) -> None:
    with pytest.raises(InvalidOption, match="A worker has no"):
        choose(Options(home, join=fitting(manifest), **option), tiny_bundle)  # type: ignore[arg-type]


def test_a_command_for_the_head_says_which_that_is(home: Home, tiny_bundle: Path, manifest: Manifest) -> None:
    chosen = choose(Options(home, join=fitting(manifest), service="supervisor"), tiny_bundle)
    home.secrets.mkdir(parents=True)
    cluster.keep_join(home, fitting(manifest))
    with pytest.raises(OnTheHead) as caught:
        Installation(chosen).database  # noqa: B018
    assert "head" in caught.value.hint


def test_a_join_file_that_fits(home: Home, manifest: Manifest) -> None:
    joining.check(Options(home, join=fitting(manifest)), manifest)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"until": "2026-01-01T00:00:00Z"}, "has ended"),
        ({"airflow": "3.3.1"}, "not what head runs"),
        ({"packages": {"apache-airflow-providers-edge3": "0.1"}}, "not what head runs"),
    ],
)
def test_a_join_file_that_does_not(
    home: Home, manifest: Manifest, change: dict[str, object], words: str
) -> None:
    with pytest.raises(JoinFileRefused, match=words) as caught:
        joining.check(Options(home, join=replace(fitting(manifest), **change)), manifest)  # type: ignore[arg-type]
    assert caught.value.hint


def test_queues_without_a_join_file(home: Home, manifest: Manifest) -> None:
    with pytest.raises(InvalidOption, match="--queue"):
        joining.check(Options(home, queues=("gpu",)), manifest)
