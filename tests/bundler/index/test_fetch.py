from __future__ import annotations

import hashlib
import multiprocessing
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.base.errors import DownloadFailed, HashMismatch, OutputFailed
from bundler.index.cache import Cache
from bundler.index.fetch import Fetcher, Stopped
from bundler.index.transport import Session
from bundler.lock.lockfile import Artifact
from tests.bundler.server import Faults, LocalIndex

SIZE = 1_000_000


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


@pytest.fixture
def session() -> Iterator[Session]:
    with Session() as session:
        yield session


@pytest.fixture
def item(index: LocalIndex, files: Path) -> Artifact:
    """A file of a megabyte at the index."""
    return put(index, files, "big-1.0.tar.gz", SIZE)


def put(index: LocalIndex, folder: Path, name: str, size: int) -> Artifact:
    content = hashlib.shake_128(name.encode()).digest(size)
    (folder / name).write_bytes(content)
    index.add(folder / name)
    return Artifact(name, f"{index.base}/files/{name}", hashlib.sha256(content).hexdigest(), size)


def test_many_files_land_in_the_cache_by_content(
    index: LocalIndex, files: Path, cache: Cache, session: Session
) -> None:
    items = [put(index, files, f"file{number}-1.0.tar.gz", 1000 + number) for number in range(60)]
    seen: list[int] = []
    found = Fetcher(session, cache).fetch(items, seen.append)
    assert {sha256: path.name for sha256, path in found.items()} == {
        item.sha256: item.sha256 for item in items
    }
    assert sum(seen) == sum(item.size for item in items)
    assert len(list(cache.files.iterdir())) == 60
    requests_made = sum(index.requests.values())
    Fetcher(session, cache, offline=True).fetch(items)
    assert sum(index.requests.values()) == requests_made


def test_a_transfer_that_breaks_off_goes_on_where_it_was(
    index: LocalIndex, item: Artifact, cache: Cache, session: Session
) -> None:
    index.faults[item.filename] = Faults(break_after=400_000, breaks=2)
    seen: list[int] = []
    found = Fetcher(session, cache).fetch([item], seen.append)
    assert hashlib.sha256(found[item.sha256].read_bytes()).hexdigest() == item.sha256
    # It is written in pieces of 256 KiB; what came of the next one is fetched again.
    assert index.ranges == ["bytes=262144-", "bytes=524288-"]
    assert sum(seen) == SIZE


def test_a_piece_from_an_earlier_run_is_used(
    index: LocalIndex, item: Artifact, files: Path, cache: Cache, session: Session
) -> None:
    (cache.files / f"{item.sha256}.part").write_bytes((files / item.filename).read_bytes()[:123_456])
    Fetcher(session, cache).fetch([item])
    assert index.ranges == ["bytes=123456-"]
    assert [path.name for path in cache.files.iterdir()] == [item.sha256]


@pytest.mark.parametrize("length", [123_456, SIZE, SIZE + 10])
def test_a_piece_that_is_wrong_costs_a_second_transfer_and_nothing_else(
    item: Artifact, cache: Cache, session: Session, length: int
) -> None:
    (cache.files / f"{item.sha256}.part").write_bytes(b"?" * length)
    found = Fetcher(session, cache).fetch([item])
    assert found[item.sha256].stat().st_size == SIZE


def test_a_server_that_is_busy_is_asked_again(
    index: LocalIndex, item: Artifact, cache: Cache, session: Session
) -> None:
    index.faults[item.filename] = Faults(busy=2)
    assert Fetcher(session, cache).fetch([item])
    assert index.requests[f"/files/{item.filename}"] == 3


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_final(
    index: LocalIndex, item: Artifact, cache: Cache, session: Session, status: int
) -> None:
    index.faults[item.filename] = Faults(status=status)
    with pytest.raises(DownloadFailed, match=r"big-1\.0\.tar\.gz cannot be fetched") as caught:
        Fetcher(session, cache).fetch([item])
    assert f"HTTP {status}" in caught.value.found
    assert index.requests[f"/files/{item.filename}"] == 1


def test_a_wrong_hash_names_file_found_and_needed_and_removes_the_copy(
    index: LocalIndex, item: Artifact, cache: Cache, session: Session
) -> None:
    index.faults[item.filename] = Faults(lie=True)
    with pytest.raises(HashMismatch, match=r"big-1\.0\.tar\.gz") as caught:
        Fetcher(session, cache).fetch([item])
    assert item.sha256 in caught.value.needed
    assert item.sha256 not in caught.value.found
    assert caught.value.exit_code == 23
    assert list(cache.files.iterdir()) == []


def test_a_damaged_file_in_the_cache_is_fetched_anew(item: Artifact, cache: Cache, session: Session) -> None:
    path = Fetcher(session, cache).fetch([item])[item.sha256]
    path.write_bytes(b"damaged")
    assert Fetcher(session, cache).fetch([item])[item.sha256].stat().st_size == SIZE
    path.write_bytes(b"damaged")
    with pytest.raises(DownloadFailed, match="not in the cache"):
        Fetcher(session, cache, offline=True).fetch([item])


def test_a_slow_server_does_not_hold_up_the_others(
    index: LocalIndex, files: Path, item: Artifact, cache: Cache, session: Session
) -> None:
    index.faults[item.filename] = Faults(delay=0.05)
    others = [put(index, files, f"small{number}-1.0.tar.gz", 5000) for number in range(20)]
    started = time.monotonic()
    Fetcher(session, cache).fetch([item, *others])
    assert time.monotonic() - started < 3


def test_one_failure_stops_the_rest(
    index: LocalIndex, files: Path, item: Artifact, cache: Cache, session: Session
) -> None:
    index.faults[item.filename] = Faults(delay=1)
    bad = put(index, files, "bad-1.0.tar.gz", 10)
    index.faults[bad.filename] = Faults(status=404)
    started = time.monotonic()
    with pytest.raises(DownloadFailed):
        Fetcher(session, cache).fetch([item, bad])
    assert time.monotonic() - started < 3


def test_abandoned_from_another_thread_it_returns_at_once(
    index: LocalIndex, item: Artifact, cache: Cache, session: Session
) -> None:
    index.faults[item.filename] = Faults(delay=1)
    fetcher = Fetcher(session, cache)
    threading.Timer(0.3, fetcher.abandon).start()
    started = time.monotonic()
    with pytest.raises(Stopped):
        fetcher.fetch([item])
    assert time.monotonic() - started < 1.5


def test_a_local_file_is_checked_and_not_copied(files: Path, cache: Cache, session: Session) -> None:
    path = files / "local.whl"
    path.write_bytes(b"content")
    item = Artifact("local.whl", "", hashlib.sha256(b"content").hexdigest(), 7, path=path)
    assert Fetcher(session, cache).fetch([item]) == {item.sha256: path}
    path.write_bytes(b"changed")
    with pytest.raises(HashMismatch, match="changed while"):
        Fetcher(session, cache).fetch([item])


def test_a_full_cache_is_told(
    item: Artifact, cache: Cache, session: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, target: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OutputFailed, match="No space left") as caught:
        Fetcher(session, cache).fetch([item])
    assert "XDG_CACHE_HOME" in caught.value.hint


def _fetch(root: Path, item: Artifact, results: multiprocessing.SimpleQueue[int]) -> None:
    with Session() as session:
        found = Fetcher(session, Cache(root)).fetch([item])
    results.put(found[item.sha256].stat().st_size)


def test_two_processes_share_a_cache(index: LocalIndex, item: Artifact, cache: Cache) -> None:
    index.faults[item.filename] = Faults(delay=0.02)
    context = multiprocessing.get_context("spawn")
    results: multiprocessing.SimpleQueue[int] = context.SimpleQueue()
    children = [context.Process(target=_fetch, args=(cache.root, item, results)) for _ in range(3)]
    for child in children:
        child.start()
    for child in children:
        child.join(30)
    assert [results.get() for _ in children] == [SIZE] * 3
    assert index.requests[f"/files/{item.filename}"] == 1
    assert [path.name for path in cache.files.iterdir()] == [item.sha256]


def test_interrupted_it_returns_at_once_and_keeps_what_arrived(
    index: LocalIndex,
    item: Artifact,
    cache: Cache,
    session: Session,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    index.faults[item.filename] = Faults(delay=0.1)
    arrived = threading.Event()

    def join(self: threading.Thread, timeout: float | None = None) -> None:
        assert arrived.wait(5)
        raise KeyboardInterrupt

    monkeypatch.setattr(threading.Thread, "join", join)
    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        Fetcher(session, cache).fetch([item], lambda amount: arrived.set() if amount else None)
    assert time.monotonic() - started < 3
    monkeypatch.undo()
    monkeypatch.setenv("NO_PROXY", "*")
    time.sleep(1)
    index.faults.clear()
    Fetcher(session, cache).fetch([item])
    assert len(index.ranges) == 1


def test_what_an_index_calls_a_sha256_leads_to_no_other_folder(
    item: Artifact, cache: Cache, session: Session, tmp_path: Path
) -> None:
    with pytest.raises(DownloadFailed, match="no sha256"):
        Fetcher(session, cache).fetch([replace(item, sha256="../../owned")])
    assert list(tmp_path.rglob("*owned*")) == []
