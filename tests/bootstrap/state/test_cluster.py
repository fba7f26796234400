from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from bootstrap.state import cluster
from bootstrap.state.cluster import HeadRecord, Invited, JoinFileRefused, NoCluster
from bootstrap.state.home import Home
from tests.support.clusters import KEY, join
from wheelhouse import codec


@pytest.fixture
def home(tmp_path: Path) -> Home:
    (tmp_path / "secrets").mkdir()
    return Home(tmp_path)


def test_both_records_come_back_and_are_for_the_account_alone(home: Home) -> None:
    head = HeadRecord(
        1, "0a1b2c3d4e5f", "edge", "head", 8080, workers=(Invited("w1", ("w1",), "2026-11-29T12:00:00Z"),)
    )
    cluster.save(home, head)
    cluster.keep_join(home, join())
    assert cluster.load(home) == head
    assert cluster.joined(home) == join()
    for path in (cluster.head_file(home), cluster.worker_file(home)):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_join_shows_no_key() -> None:
    assert KEY not in repr(join())
    assert KEY not in str(join().key("jwt-secret"))


def test_a_host_without_workers(home: Home) -> None:
    assert cluster.find(home) is None
    with pytest.raises(NoCluster, match="no workers"):
        cluster.load(home)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"schema": 2}, "newer airferry"),
        ({"name": "w1'; --"}, "no worker or queue"),
        ({"queues": ["a b"]}, "no worker or queue"),
        ({"more": 1}, "not a join file"),
    ],
)
def test_what_is_no_join_file(change: dict[str, object], words: str) -> None:
    text = json.dumps({**codec.encode(join()), **change})
    with pytest.raises(JoinFileRefused, match=words):
        cluster.parse_join(text, "w1.join")


def test_a_file_that_was_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "w1.join"
    path.write_text(codec.dumps(join())[:300])
    with pytest.raises(JoinFileRefused, match="not a join file"):
        cluster.read_join(path)
    with pytest.raises(JoinFileRefused, match="cannot be read"):
        cluster.read_join(tmp_path / "other.join")
