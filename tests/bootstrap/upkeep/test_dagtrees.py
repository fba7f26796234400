"""DAG files from a head to a worker: taken over as a whole, in one step, and only by a worker of its own."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.airflow.executor import EDGE_WORKER
from bootstrap.cluster import dags
from bootstrap.installed.installation import Installation
from bootstrap.state import cluster
from bootstrap.state.home import Home
from bootstrap.state.receipt import NO_DATABASE, WORKER
from bootstrap.upkeep import dagtrees
from bootstrap.upkeep.workers import WorkerRefused
from tests.support import receipts
from tests.support.clusters import join


@pytest.fixture
def worker(tmp_path: Path) -> Installation:
    home = Home(tmp_path / "worker")
    for folder in (home.secrets, home.dags, home.run):
        folder.mkdir(parents=True)
    (home.dags / "before.py").write_text("before")
    home.airflow_cfg.write_text("")
    cluster.keep_join(home, join())
    found = receipts.sample(home.path)
    database = replace(found.database, kind=NO_DATABASE)
    return Installation(replace(found, role=WORKER, executor=EDGE_WORKER.name, database=database))


def packed(folder: Path, text: str, plugin: str = "") -> io.BytesIO:
    for name, content in (("dags", text), ("plugins", plugin)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "one.py").write_text(content)
    dags.write_pinned(folder / "dags", ["w1", "w2"], "EdgeExecutor")
    stream = io.BytesIO()
    dags.pack(folder / "dags", stream, folder / "plugins" if plugin else None)
    stream.seek(0)
    return stream


def test_what_is_received_is_all_that_is_in_use(worker: Installation, tmp_path: Path) -> None:
    found = dagtrees.receive(worker, packed(tmp_path / "head", "one", "plugin"))
    home = worker.home
    assert {path.name for path in home.dags.iterdir()} == {"one.py", "airferry"}
    assert (home.path / "plugins" / "one.py").read_text() == "plugin"
    assert (found.files, found.plugins) == (3, True)
    again = dagtrees.receive(worker, packed(tmp_path / "head", "two", "plugin"))
    assert (again.before, again.plugins) == (found.digest, False)
    assert (home.dags / "one.py").read_text() == "two"


def test_a_tree_in_use_is_not_written_over(
    worker: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two within a second: a task may still read in the first."""
    monkeypatch.setattr(time, "strftime", lambda *_: "20261128T120000Z")
    dagtrees.receive(worker, packed(tmp_path / "head", "one"))
    first = worker.home.dags.resolve()
    with pytest.raises(dags.DagTreeRefused):
        dagtrees.receive(worker, io.BytesIO(b"no archive"))
    assert worker.home.dags.resolve() == first
    assert (first / "one.py").read_text() == "one"
    dagtrees.receive(worker, packed(tmp_path / "head", "two"))
    assert (first / "one.py").read_text() == "one"


def test_who_takes_no_dag_files_of_a_head(worker: Installation, tmp_path: Path) -> None:
    stream = packed(tmp_path / "head", "one")
    worker.home.airflow_cfg.write_text("[core]\ndags_folder = /mnt/dags\n")
    with pytest.raises(WorkerRefused, match="/mnt/dags") as caught:
        dagtrees.receive(worker, stream)
    assert "shared folder" in caught.value.hint
    with pytest.raises(WorkerRefused, match="no worker"):
        dagtrees.receive(Installation(receipts.sample(worker.home.path)), stream)
    assert (worker.home.dags / "before.py").read_text() == "before"
