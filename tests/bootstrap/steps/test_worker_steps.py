"""The steps of a worker that ask its head, with an HTTP server in its place."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bootstrap.airflow.executor import EDGE_WORKER
from bootstrap.base.console import Console
from bootstrap.change import worker as changes
from bootstrap.change.restore import NothingToRollBack
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.installation import Installation
from bootstrap.state import cluster, marker, receipt
from bootstrap.state.cluster import JoinFileRefused
from bootstrap.state.home import Home
from bootstrap.state.receipt import NO_DATABASE, WORKER
from bootstrap.steps import worker
from bootstrap.steps.worker import (
    DagLinkStep,
    HeadStep,
    HeadUnusable,
    JoinStep,
    PinnedDagStep,
    RegisterStep,
)
from tests.support import receipts
from tests.support.clusters import join


@dataclass
class Head:
    """A head that runs a version, and answers workers with a status."""

    url: str = ""
    version: str = "3.3.2"
    status: int = 404


@pytest.fixture
def head() -> Iterator[Head]:
    known = Head()

    class Handler(BaseHTTPRequestHandler):
        def do_PATCH(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.answer(known.status, {"detail": "Forbidden. error_id=17"})

        def do_GET(self) -> None:
            assert self.path == "/api/v2/version"
            self.answer(200, {"version": known.version})

        def answer(self, status: int, body: object) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    known.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield known
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    home = Home(tmp_path)
    for folder in (home.secrets, home.etc, home.run, home.dags, home.path / "releases" / "r"):
        folder.mkdir(parents=True)
    sample = receipts.sample(tmp_path, "r")
    database = replace(sample.database, kind=NO_DATABASE)
    return Installation(replace(sample, role=WORKER, executor=EDGE_WORKER.name, database=database))


def test_a_new_join_file_has_the_worker_proved_again(installation: Installation) -> None:
    proved = marker.path(installation.home, marker.PROVED, "r")
    proved.parent.mkdir(parents=True, exist_ok=True)
    JoinStep(installation, join()).apply()
    proved.write_text("")
    assert JoinStep(installation, join()).done()
    assert JoinStep(installation, None).done()
    again = JoinStep(installation, join(secrets={"jwt-secret": "n" * 64}))
    assert not again.done()
    again.apply()
    assert not proved.exists()
    assert cluster.joined(installation.home).secrets == {"jwt-secret": "n" * 64}


def test_what_an_interrupted_join_has_not_done_is_done_again(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new join file counts as kept only when airflow.cfg is going to have its keys."""
    JoinStep(installation, join()).apply()
    step = JoinStep(installation, join(secrets={"jwt-secret": "n" * 64}))

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(ManagedSettings, "forget", killed)
        with pytest.raises(KeyboardInterrupt):
            step.apply()
    assert not step.done()
    step.apply()
    assert step.done()


def test_a_new_join_file_takes_the_certificates_of_the_one_before_along(installation: Installation) -> None:
    JoinStep(installation, join(broker_authorities="pem", authorities="pem")).apply()
    paths = [cluster.broker_authorities_file(installation.home), cluster.authorities_file(installation.home)]
    assert all(path.read_text() == "pem" for path in paths)
    JoinStep(installation, join()).apply()
    assert not any(path.exists() for path in paths)


def test_a_head_that_can_be_used(installation: Installation, head: Head) -> None:
    cluster.keep_join(installation.home, join(base=head.url))
    HeadStep(installation).apply()


def test_a_worker_never_runs_ahead_of_its_head(installation: Installation, head: Head) -> None:
    cluster.keep_join(installation.home, join(base=head.url))
    head.version = "3.3.1"
    with pytest.raises(HeadUnusable, match="another Airflow") as caught:
        HeadStep(installation).apply()
    assert "Airflow 3.3.1 there, 3.3.2 here" in caught.value.found
    assert "Upgrade the head first" in caught.value.hint


def test_a_head_that_refuses_the_key_is_quoted(installation: Installation, head: Head) -> None:
    cluster.keep_join(installation.home, join(base=head.url))
    head.status = 403
    with pytest.raises(HeadUnusable, match="error_id=17") as caught:
        HeadStep(installation).apply()
    assert "workers invite w1" in caught.value.hint


def test_a_head_that_does_not_answer(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "PATIENCE_SECONDS", 0.0)
    cluster.keep_join(installation.home, join(base="http://127.0.0.1:1"))
    with pytest.raises(HeadUnusable, match="does not answer") as caught:
        worker.start(installation)
    assert "firewall" in caught.value.hint


def test_dag_files_lie_behind_a_link_and_what_is_there_stays(installation: Installation) -> None:
    cluster.keep_join(installation.home, join())
    (installation.home.dags / "own.py").write_text("own")
    for step in (DagLinkStep(installation), PinnedDagStep(installation)):
        assert not step.done()
        step.apply()
        assert step.done()
    assert installation.home.dags.is_symlink()
    assert (installation.home.dags / "own.py").read_text() == "own"
    assert (installation.home.dags / "airferry" / "airferry_workers.py").exists()
    assert (installation.home.path / "config" / "airferry_sysinfo.py").exists()


def test_a_refused_upgrade_of_a_worker_changes_nothing(installation: Installation, head: Head) -> None:
    home, before = installation.home, replace(installation.receipt, removed="")
    cluster.keep_join(home, join(base=head.url))
    receipt.save(home.receipt, before)
    chosen = replace(before, airflow="3.3.3", bundle_id="3.3.3-cp311-0a1b2c3d4e")
    assert changes.earlier(home, before) is None
    assert changes.earlier(home, chosen) == before
    with pytest.raises(HeadUnusable, match="another Airflow") as caught:
        changes.begin(before, chosen, None)
    assert "Upgrade the head first" in caught.value.hint
    assert receipt.load(home.receipt) == before
    with pytest.raises(NothingToRollBack):
        changes.rollback(installation, Console(quiet=True))


def test_a_worker_goes_back_only_after_its_head(installation: Installation, head: Head) -> None:
    home, before = installation.home, replace(installation.receipt, removed="", airflow="3.3.1")
    cluster.keep_join(home, join(base=head.url))
    home.release(before.bundle_id).complete.touch()
    now = replace(before, airflow="3.3.2", bundle_id="3.3.2-cp311-0a1b2c3d4e")
    changes.begin(before, now, None)
    receipt.save(home.receipt, now)
    with pytest.raises(HeadUnusable, match="another Airflow") as caught:
        changes.rollback(Installation(now), Console(quiet=True))
    assert "begin on the head: bin/airferry rollback" in caught.value.hint
    assert receipt.load(home.receipt) == now


def test_a_worker_without_a_token_for_its_proof_is_told_before_anything_changes(
    installation: Installation, head: Head
) -> None:
    """Celery's on Airflow 3: its token was used up, in an upgrade as on the way back."""
    home, before = installation.home, replace(installation.receipt, removed="")
    keys = {"broker-url": "redis://site/0", "database-password": "d"}
    cluster.keep_join(home, join(base=head.url, engine="celery", secrets=keys))
    receipt.save(home.receipt, before)
    chosen = replace(before, bundle_id="3.3.2-cp311-0a1b2c3d4e", bundle_file="new.run")
    with pytest.raises(JoinFileRefused, match="needs a new join file of head") as caught:
        changes.begin(before, chosen, None)
    assert "sh new.run install --join FILE" in caught.value.hint
    assert receipt.load(home.receipt) == before
    assert not (home.run / "before.json").exists()
    # with the token of a new one it goes on
    changes.begin(before, chosen, join(base=head.url, secrets={**keys, "proof-token": "t"}))
    home.release(before.bundle_id).complete.touch()
    receipt.save(home.receipt, chosen)
    with pytest.raises(JoinFileRefused) as caught:
        changes.rollback(Installation(chosen), Console(quiet=True))
    assert f"sh {before.bundle_file} install --join FILE" in caught.value.hint
    assert receipt.load(home.receipt) == chosen


def test_a_worker_that_was_not_proved_under_this_bundle_is_started_anew(installation: Installation) -> None:
    assert not RegisterStep(installation).done()
    assert not worker.proved(installation)
