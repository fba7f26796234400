"""The writer: the same bytes anywhere, nothing half-made, nothing that an old Python cannot run."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.support import bundles
from wheelhouse import header, layout, writer
from wheelhouse.manifest import Manifest
from wheelhouse.reader import Bundle
from wheelhouse.verify import verify
from wheelhouse.writer import BundleTooLarge, Member


def test_same_members_give_the_same_bytes(tmp_path: Path) -> None:
    sources = []
    for folder, mask in (("one", 0o022), ("두 번째", 0o077)):
        place = tmp_path / folder
        place.mkdir()
        wheel = place / "x.whl"
        before = os.umask(mask)
        try:
            wheel.write_bytes(b"wheel")
            os.utime(wheel, (mask, mask))
            members = [*bundles.members(), Member("wheels/x-1-py3-none-any.whl", wheel)]
            if mask == 0o077:
                members.reverse()
            writer.write(place / "b.run", bundles.manifest(), members, timestamp=bundles.STAMP)
        finally:
            os.umask(before)
        sources.append(place / "b.run")
    assert sources[0].read_bytes() == sources[1].read_bytes()
    assert [stat.S_IMODE(path.stat().st_mode) for path in sources] == [0o755, 0o700]


def test_seal_stands_in_for_the_whole_file(tiny_bundle: Path) -> None:
    content = tiny_bundle.read_bytes()
    with tiny_bundle.open("rb") as stream:
        seal = header.read_seal(stream)
    assert seal
    assert seal.size == len(content)
    assert content[seal.offset : seal.offset + 64].decode() == seal.sha256
    zeroed = content[: seal.offset] + b"0" * 64 + content[seal.offset + 64 :]
    assert hashlib.sha256(zeroed).hexdigest() == seal.sha256


def test_members_and_their_order(tiny_bundle: Path) -> None:
    with zipfile.ZipFile(tiny_bundle) as archive:
        assert archive.testzip() is None
        infos = archive.infolist()
        assert [info.filename for info in infos[:3]] == [layout.STAGE0, layout.MANIFEST, layout.LOCK]
        sections = [info.filename.split("/")[0] + "/" for info in infos[3:]]
        assert sections == sorted(sections, key=layout.SECTIONS.index)
        listed = {file.path: file for file in Manifest.loads(archive.read(layout.MANIFEST).decode()).files}
        assert set(listed) | {layout.MANIFEST} == set(archive.namelist())
        for info in infos:
            assert info.date_time == bundles.STAMP
            assert info.external_attr >> 16 == 0o100644
            packed = info.filename.startswith(layout.RUNTIME) or info.filename.endswith((".json", ".toml"))
            assert info.compress_type == (zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED)
            if info.filename != layout.MANIFEST:
                content = archive.read(info)
                assert listed[info.filename].size == len(content)
                assert listed[info.filename].sha256 == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("program", ["unzip -tq", "bsdtar -tf", "7z t", "zip -T"])
def test_other_programs_read_it(program: str, tiny_bundle: Path) -> None:
    command = program.split()
    if not shutil.which(command[0]):
        pytest.skip(f"no {command[0]} on this machine")
    subprocess.run([*command, str(tiny_bundle)], check=True, capture_output=True)


def test_wheels_come_out_as_they_went_in(tmp_path: Path, tiny_bundle: Path) -> None:
    with Bundle.open(tiny_bundle) as bundle:
        bundle.extract("wheels/example-1.0-py3-none-any.whl", tmp_path / "x.whl")
    assert (tmp_path / "x.whl").read_bytes() == bundles.noise(500, 4)


def sparse(path: Path, size: int) -> Path:
    with path.open("wb") as stream:
        stream.truncate(size)
    return path


@pytest.mark.parametrize("sizes", [(2**31,), (2**30, 2**30), (2**32,)])
def test_what_would_need_zip64_is_refused_before_a_byte_is_written(
    tmp_path: Path, sizes: tuple[int, ...]
) -> None:
    members = bundles.members()
    for number, size in enumerate(sizes):
        wheel = sparse(tmp_path / f"{number}.whl", size)
        members.append(Member(f"wheels/big{number}-1-py3-none-any.whl", wheel))
    with pytest.raises(BundleTooLarge, match="larger") as caught:
        writer.write(tmp_path / "b.run", bundles.manifest(), members, timestamp=bundles.STAMP)
    assert caught.value.exit_code == 29
    assert f"{layout.MAX_BYTES:,}" in caught.value.needed
    assert not list(tmp_path.glob("b.run*"))


def test_too_many_members_are_refused(tmp_path: Path) -> None:
    members = [*bundles.members(), *[Member(f"dags/{number}", b"") for number in range(layout.MAX_MEMBERS)]]
    with pytest.raises(BundleTooLarge):
        writer.write(tmp_path / "b.run", bundles.manifest(), members, timestamp=bundles.STAMP)


def test_the_limit_is_where_zipfile_starts_zip64() -> None:
    assert layout.MAX_BYTES == zipfile.ZIP64_LIMIT
    assert layout.MAX_MEMBERS < zipfile.ZIP_FILECOUNT_LIMIT


class Growing(Member):
    """A file that grows between the look at its size and its copy."""

    @property
    def size(self) -> int:
        assert isinstance(self.content, Path)
        size = self.content.stat().st_size
        sparse(self.content, 10_000)
        return size


def test_growth_past_the_limit_while_writing_is_the_same_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(layout, "MAX_BYTES", 20_000)
    wheel = sparse(tmp_path / "x.whl", 10)
    members = [*bundles.members(), Growing("wheels/x-1-py3-none-any.whl", wheel)]
    folder = tmp_path / "dist"
    folder.mkdir()
    with pytest.raises(BundleTooLarge):
        writer.write(folder / "b.run", bundles.manifest(), members, timestamp=bundles.STAMP)
    assert list(folder.iterdir()) == []


def test_a_file_that_changes_while_it_is_copied_is_noticed(tmp_path: Path) -> None:
    wheel = sparse(tmp_path / "x.whl", 10)
    members = [*bundles.members(), Member("wheels/x-1-py3-none-any.whl", wheel)]
    folder = tmp_path / "dist"
    folder.mkdir()
    with pytest.raises(OSError, match="changed while it was copied"):
        writer.write(
            folder / "b.run",
            bundles.manifest(),
            members,
            timestamp=bundles.STAMP,
            progress=lambda _: os.truncate(wheel, 0),
        )
    assert list(folder.iterdir()) == []


def test_it_is_the_file_that_zipfile_writes(tmp_path: Path) -> None:
    """Byte for byte: what any program makes of it is then what it makes of every ZIP of Python's."""
    ours = bundles.write(tmp_path / "b.run")
    theirs = tmp_path / "c.run"
    with zipfile.ZipFile(ours) as archive, theirs.open("w+b") as stream:
        start = archive.infolist()[0].header_offset
        stream.write(ours.read_bytes()[:start])
        with zipfile.ZipFile(stream, "a") as copy:
            for info in archive.infolist():
                fresh = zipfile.ZipInfo(info.filename, bundles.STAMP)
                fresh.compress_type, fresh.create_system = info.compress_type, 3
                fresh.external_attr = 0o100644 << 16
                with copy.open(fresh, "w") as member:
                    member.write(archive.read(info))
    assert ours.read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize(
    "names",
    [("dags/../x",), ("wheels/a", "wheels/a"), (layout.MANIFEST,), ("dags//x",), ("elsewhere/x",)],
)
def test_names_that_cannot_be_written(tmp_path: Path, names: tuple[str, ...]) -> None:
    members = [*bundles.members(), *[Member(name, b"x") for name in names]]
    with pytest.raises(ValueError, match=r"members that cannot be written|no place for"):
        writer.write(tmp_path / "b.run", bundles.manifest(), members, timestamp=bundles.STAMP)
    assert list(tmp_path.iterdir()) == []


def test_failure_leaves_nothing_and_the_earlier_file_stays(tmp_path: Path) -> None:
    target = bundles.write(tmp_path / "b.run")
    before = target.read_bytes()

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        writer.write(
            target, bundles.manifest(), bundles.members(), timestamp=(1999, 1, 1, 0, 0, 0), progress=stop
        )
    assert target.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == ["b.run"]


def test_progress_counts_every_byte(tmp_path: Path) -> None:
    seen: list[int] = []
    written = writer.write(
        tmp_path / "b.run",
        bundles.manifest(),
        bundles.members(),
        timestamp=bundles.STAMP,
        progress=seen.append,
    )
    complete = written.manifest
    assert sum(seen) == sum(file.size for file in complete.files) + len(complete.dumps().encode())
    content = (tmp_path / "b.run").read_bytes()
    assert (written.size, written.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_what_is_packed_already_goes_in_as_it_is(tmp_path: Path) -> None:
    writer.write(tmp_path / "a.run", bundles.manifest(), bundles.members(), timestamp=bundles.STAMP)
    prepared = [
        writer.prepare(member) if member.name.startswith(layout.RUNTIME) else member
        for member in bundles.members()
    ]
    writer.write(tmp_path / "b.run", bundles.manifest(), prepared, timestamp=bundles.STAMP)
    assert (tmp_path / "a.run").read_bytes() == (tmp_path / "b.run").read_bytes()


def test_what_was_written_verifies(tmp_path: Path) -> None:
    with Bundle.open(bundles.write(tmp_path / "b.run")) as bundle:
        verify(bundle)
        assert bundle.manifest.airflow == "3.3.2"
