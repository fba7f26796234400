"""Reading and verifying: every kind of damage is one of two errors, and nothing is written."""

from __future__ import annotations

import io
import random
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from tests.support import bundles
from wheelhouse import header, layout
from wheelhouse.errors import AirferryError, BundleDamaged, BundleUnsupported
from wheelhouse.reader import Bundle
from wheelhouse.verify import verify
from wheelhouse.writer import Member

WHEEL = "wheels/example-1.0-py3-none-any.whl"


def problem(content: bytes) -> AirferryError | None:
    """What open and verify say about these bytes; any other exception fails the test."""
    try:
        with Bundle(io.BytesIO(content), Path("b.run")) as bundle:
            verify(bundle)
    except (BundleDamaged, BundleUnsupported) as error:
        return error
    return None


def regions(content: bytes) -> dict[str, range]:
    """Where the parts of the file lie: header, member data, central directory, end record."""
    end = content.rindex(b"PK\x05\x06")
    directory = int.from_bytes(content[end + 16 : end + 20], "little")
    start = content.index(b"PK\x03\x04")
    return {
        "header": range(start),
        "members": range(start, directory),
        "directory": range(directory, end),
        "end record": range(end, len(content)),
    }


@pytest.mark.parametrize("region", ["header", "members", "directory", "end record"])
def test_one_changed_byte_anywhere(tiny_bundle: Path, region: str) -> None:
    content = tiny_bundle.read_bytes()
    positions = regions(content)[region]
    source = random.Random(20261001)
    chosen = source.sample(positions, min(150, len(positions)))
    for position in chosen:
        for mask in (1 << source.randrange(8), 0xFF):
            changed = bytearray(content)
            changed[position] ^= mask
            found = problem(bytes(changed))
            assert found is not None, (position, mask)
            assert found.message


def test_local_headers_and_stored_flags_are_covered(tiny_bundle: Path) -> None:
    """Every byte of one member's local header and directory entry: flags, method, version, sizes, CRC."""
    content = tiny_bundle.read_bytes()
    with zipfile.ZipFile(tiny_bundle) as archive:
        local = archive.getinfo(WHEEL).header_offset
    entry = content.index(WHEEL.encode(), regions(content)["directory"].start) - 46
    for start, length in ((local, 30), (entry, 46)):
        for position in range(start, start + length):
            for mask in (0x01, 0x08, 0xFF):
                changed = bytearray(content)
                changed[position] ^= mask
                assert problem(bytes(changed)), (position - start, mask)


def test_truncated_at_any_length(tiny_bundle: Path) -> None:
    content = tiny_bundle.read_bytes()
    for length in [*range(0, len(content), 41), *range(len(content) - 60, len(content))]:
        found = problem(content[:length])
        assert found, length
        assert isinstance(found, (BundleDamaged, BundleUnsupported))


@pytest.mark.parametrize("tail", [b"\0", b"\n", b"PK\x05\x06" + bytes(18), b"x" * 70000])
def test_bytes_behind_the_end(tiny_bundle: Path, tail: bytes) -> None:
    found = problem(tiny_bundle.read_bytes() + tail)
    assert isinstance(found, BundleDamaged)
    assert "wrong size" in found.message


@pytest.mark.parametrize(
    "content",
    [b"", b"#!/bin/sh\n", b"PK\x03\x04", b"\x7fELF" + bytes(1000), "한글".encode() * 100, bytes(200_000)],
)
def test_what_is_no_bundle(content: bytes) -> None:
    assert isinstance(problem(content), BundleUnsupported)


def test_whole_bundle_is_accepted(tiny_bundle: Path) -> None:
    assert problem(tiny_bundle.read_bytes()) is None


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_member_added_with_zipfile(tmp_path: Path, compression: int) -> None:
    path = bundles.write(tmp_path / "b.run")
    with zipfile.ZipFile(path, "a", compression) as archive:
        archive.writestr("runtime/evil.py", "print(1)")
    with pytest.raises(BundleDamaged, match="wrong size"):
        Bundle.open(path)
    bundles.reseal(path)
    with Bundle.open(path) as bundle, pytest.raises(BundleDamaged) as caught:
        verify(bundle)
    assert caught.value.found == "runtime/evil.py: not listed in the manifest"


def rewrite(source: Path, target: Path, change: dict[str, bytes | None]) -> Path:
    """Copy a bundle with members replaced or left out (None), and seal it."""
    with zipfile.ZipFile(source) as archive, target.open("w+b") as stream:
        stream.write(source.read_bytes()[: regions(source.read_bytes())["header"].stop])
        with zipfile.ZipFile(stream, "a") as copy:
            for info in archive.infolist():
                content = change.get(info.filename, archive.read(info))
                if content is not None:
                    copy.writestr(info, content)
        header.seal(stream)
    return target


def test_unchanged_rewrite_verifies(tmp_path: Path, tiny_bundle: Path) -> None:
    """So that the next tests fail for the right reason."""
    assert problem(rewrite(tiny_bundle, tmp_path / "b.run", {}).read_bytes()) is None


def test_member_removed(tmp_path: Path, tiny_bundle: Path) -> None:
    found = problem(rewrite(tiny_bundle, tmp_path / "b.run", {WHEEL: None}).read_bytes())
    assert found
    assert found.found == f"{WHEEL}: missing"


def test_member_replaced(tmp_path: Path, tiny_bundle: Path) -> None:
    same_size = bundles.noise(500, 99)
    found = problem(rewrite(tiny_bundle, tmp_path / "b.run", {WHEEL: same_size}).read_bytes())
    assert found
    assert f"{WHEEL} in b.run was changed." in found.found


def test_manifest_removed(tmp_path: Path, tiny_bundle: Path) -> None:
    found = problem(rewrite(tiny_bundle, tmp_path / "b.run", {layout.MANIFEST: None}).read_bytes())
    assert isinstance(found, BundleDamaged)


def test_all_damaged_members_are_named_together(tmp_path: Path, tiny_bundle: Path) -> None:
    same_size = bundles.noise(500, 99)
    other_dag = b"print('a -> c -> b')\n"
    change: dict[str, bytes | None] = {WHEEL: same_size, "dags/pipeline.py": other_dag, layout.LOCK: None}
    found = problem(rewrite(tiny_bundle, tmp_path / "b.run", change).read_bytes())
    assert found
    assert [line.split(" ")[0] for line in found.found.splitlines()] == [
        "pylock.toml:",
        "dags/pipeline.py",
        WHEEL,
    ]


def test_damaged_member_is_named_without_a_new_seal(tiny_bundle: Path) -> None:
    content = bytearray(tiny_bundle.read_bytes())
    content[content.index(bundles.noise(500, 4)) + 250] ^= 1
    found = problem(bytes(content))
    assert found
    assert f"{WHEEL} in b.run is damaged" in found.found


def test_change_in_the_header_is_said_to_be_there(tiny_bundle: Path) -> None:
    content = bytearray(tiny_bundle.read_bytes())
    content[content.index(b"judges this host")] ^= 1
    found = problem(bytes(content))
    assert found
    assert "the header is not the one" in found.found


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_two_members_of_one_name(tmp_path: Path) -> None:
    path = bundles.write(tmp_path / "b.run")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(WHEEL, bundles.noise(500, 4))
    bundles.reseal(path)
    found = problem(path.read_bytes())
    assert found
    assert found.found == f"{WHEEL}: duplicate"


@pytest.mark.parametrize("name", ["../evil", "/tmp/evil", "runtime/../../evil", "runtime/a\nb", "runtime\\x"])
def test_unsafe_names_are_refused_even_when_listed(tmp_path: Path, name: str) -> None:
    contents = [(layout.STAGE0, b"pass\n"), (name, b"x")]
    path = bundles.forge(tmp_path / "b.run", contents, dict(contents))
    found = problem(path.read_bytes())
    assert found
    assert f"manifest.files[1].path: {'unsafe' if name.isprintable() else 'not plain text'}" in found.found


def test_unsafe_name_is_never_unpacked(tmp_path: Path) -> None:
    contents = [(layout.STAGE0, b"pass\n"), ("runtime/../../evil", b"x")]
    path = bundles.forge(tmp_path / "b.run", contents, dict(contents))
    inner = tmp_path / "a" / "b"
    inner.mkdir(parents=True)
    with pytest.raises(BundleDamaged, match="manifest cannot be read"), Bundle.open(path) as bundle:
        bundle.extract_folder(layout.RUNTIME, inner)
    assert not list(tmp_path.rglob("evil"))


def test_extract_folder(tmp_path: Path, tiny_bundle: Path) -> None:
    with Bundle.open(tiny_bundle) as bundle:
        bundle.extract_folder(layout.RUNTIME, tmp_path)
    files = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {"bootstrap/__init__.py", "bootstrap/cli.py", "한글.txt"}


def test_extract_of_a_damaged_member_leaves_no_file(tmp_path: Path, tiny_bundle: Path) -> None:
    content = bytearray(tiny_bundle.read_bytes())
    content[content.index(bundles.noise(500, 4)) + 250] ^= 1
    with Bundle(io.BytesIO(bytes(content)), tiny_bundle) as bundle, pytest.raises(BundleDamaged):
        bundle.extract(WHEEL, tmp_path / "x.whl")
    assert list(tmp_path.iterdir()) == []


def test_full_disk_is_not_called_a_damaged_bundle(tmp_path: Path, tiny_bundle: Path) -> None:
    full = tmp_path / "x.whl"
    full.symlink_to("/dev/full")
    with Bundle.open(tiny_bundle) as bundle, pytest.raises(OSError, match="No space left"):
        bundle.extract(WHEEL, full)
    assert list(tmp_path.iterdir()) == []


def test_missing_member(tiny_bundle: Path) -> None:
    with Bundle.open(tiny_bundle) as bundle, pytest.raises(BundleDamaged, match=r"no member wheels/x\.whl"):
        bundle.read("wheels/x.whl")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Bundle.open(tmp_path / "no.run")


def test_verify_holds_no_member_in_memory(tmp_path: Path) -> None:
    size = 24 << 20
    big = tmp_path / "big.whl"
    with big.open("wb") as stream:
        stream.truncate(size)
    path = bundles.write(tmp_path / "b.run", extra=[Member("wheels/big-1-py3-none-any.whl", big)])
    seen: list[int] = []
    tracemalloc.start()
    try:
        with Bundle.open(path) as bundle:
            verify(bundle, seen.append)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < size / 4
    assert size < sum(seen) <= path.stat().st_size
