"""What is kept between runs about files that cannot change: used when it is whole, made anew when not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bundler.assembly import payload, runtime
from bundler.assembly.payload import Payload
from bundler.index.cache import Cache
from bundler.lock import graph
from tests.bundler.runner import Make
from wheelhouse import writer
from wheelhouse.reader import Bundle
from wheelhouse.verify import verify


def packed(carried: Payload) -> list[writer.Prepared]:
    files = {item.artifact.sha256: Path(str(item.artifact.path)) for item in carried.runtime}
    return runtime.members(list(files), files, Cache.default())


def test_the_program_is_packed_once(carried: Payload, monkeypatch: pytest.MonkeyPatch) -> None:
    first = packed(carried)
    names = {item.name for item in first}
    assert {"__main__.py", "runtime/bootstrap/cli.py", "runtime/typer.py"} <= names
    (kept,) = Cache.default().packed.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(payload, "libraries", lambda wheels: pytest.fail("unpacked again"))
        again = packed(carried)
    assert [(item.file, item.entry, content(item)) for item in again] == [
        (item.file, item.entry, content(item)) for item in first
    ]
    # Half a file, and one with a flipped bit, are as none.
    whole = kept.read_bytes()
    flipped = bytearray(whole)
    flipped[-10] ^= 1
    for bad in (whole[: len(whole) // 2], bytes(flipped), b"", b"{}\n"):
        kept.write_bytes(bad)
        assert [item.file for item in packed(carried)] == [item.file for item in first]
        assert kept.read_bytes() == whole


def content(item: writer.Prepared) -> bytes:
    return b"".join(item.source.chunks())


def test_a_second_bundle_reads_no_wheel_again(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make()
    content = first.path.read_bytes()
    monkeypatch.setattr(graph, "read_metadata", lambda wheel: pytest.fail("read again"))
    assert make().path.read_bytes() == content


@pytest.mark.parametrize("text", ["", "{", "\udcff"])
def test_answers_that_were_cut_off_are_worked_out_again(make: Make, text: str) -> None:
    content = make().path.read_bytes()
    for answer in Cache.default().answers.iterdir():
        answer.write_bytes(text.encode(errors="surrogateescape"))
    assert make().path.read_bytes() == content
    for answer in Cache.default().answers.iterdir():
        json.loads(answer.read_bytes())


def test_a_cache_that_cannot_be_written_only_makes_it_slower(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = make().path.read_bytes()
    for folder in (Cache.default().answers, Cache.default().packed):
        for entry in folder.iterdir():
            entry.unlink()

    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    for module in ("index.cache", "assembly.runtime"):
        monkeypatch.setattr(f"bundler.{module}.replace", full)
    result = make()
    assert result.path.read_bytes() == content
    with Bundle.open(result.path) as bundle:
        verify(bundle)
