"""``airferry split``, and ``sh FILE.001``: what is right is joined, what is not is named."""

from __future__ import annotations

import hashlib
import json
import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

import pytest

from bundler.approval import papers, release_list, slices
from bundler.approval.release_list import PartsDiffer
from bundler.base.errors import InvalidRequest, OutputFailed
from tests.bundler.runner import Run
from tests.support import bundles
from wheelhouse import header, layout
from wheelhouse.errors import BundleDamaged
from wheelhouse.writer import Member

SHELLS = [
    command for command in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(command[0])
]
SIZE = 96 << 10


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of some 250 kB, three parts of 96 KiB, in a folder with a blank and Korean letters."""
    path = tmp_path_factory.mktemp("made") / "반입 파일" / "b+[1].2.run"
    path.parent.mkdir()
    content = [Member(layout.DAGS + "noise.bin", bundles.noise(220 << 10, 7))]
    bundles.write(path, f"{sys.version_info[0]}.{sys.version_info[1]}", content)
    return path


@pytest.fixture
def file(original: Path, tmp_path: Path) -> Path:
    """A copy of it that the test may do with what it likes."""
    folder = tmp_path / "반입 파일"
    folder.mkdir()
    return Path(shutil.copy(original, folder))


@pytest.fixture
def first_part(file: Path, run: Run) -> Path:
    """The first of its parts; the bundle itself is not there."""
    assert run("split", str(file), "--size", "96k")[0] == 0
    file.unlink()
    return papers.beside(file, ".001")


def start(
    shell: list[str], first: Path, *words: str, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*shell, str(first), *words],
        cwd=cwd or first.parent,
        env={"PATH": os.environ["PATH"], "HOME": str(first.parent)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_parts_together_are_the_file(file: Path, run: Run) -> None:
    result = json.loads(run("split", str(file), "--size", "96k", "--json")[1])["result"]
    parts = [file.with_name(name) for name in result["parts"]]
    assert [path.name for path in parts] == [f"{file.name}.{number:03d}" for number in (1, 2, 3)]
    assert b"".join(path.read_bytes() for path in parts) == file.read_bytes()
    assert [path.stat().st_size for path in parts[:2]] == [SIZE, SIZE]
    for words in ([], ["busybox"]):
        checked = subprocess.run(
            [*words, "sha256sum", "-c", papers.beside(file, ".release")],
            cwd=file.parent,
            check=False,
            capture_output=True,
        )
        assert checked.returncode == 0, checked
    assert result["written"] == [path.name for path in parts]


def test_the_instructions_tell_right_from_wrong(file: Path, run: Run) -> None:
    run("split", str(file), "--size", "96k")
    text = papers.beside(file, papers.VERIFY).read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    commands = [line.strip() for line in text.splitlines() if "sha256sum -c" in line]

    def outputs() -> list[str]:
        return [
            subprocess.run(
                ["sh", "-c", line], cwd=file.parent, check=False, capture_output=True, text=True
            ).stdout.splitlines()[-1]
            for line in commands
        ]

    assert outputs() == ["ALL RIGHT", "ALL RIGHT"]
    whole = file.read_bytes()
    file.unlink()
    assert outputs() == ["WRONG", "ALL RIGHT"]
    file.write_bytes(whole)
    papers.beside(file, ".002").write_bytes(b"")
    assert outputs() == ["WRONG", "WRONG"]
    papers.beside(file, ".release").write_text("")
    assert outputs() == ["WRONG", "WRONG"]
    assert text.count("certutil -hashfile") == text.count("Get-FileHash") == 4


def test_only_one_part_is_made_again(file: Path, run: Run) -> None:
    run("split", str(file), "--size", "96k")
    first, second = papers.beside(file, ".001"), papers.beside(file, ".002")
    good = second.read_bytes()
    before = papers.beside(file, ".release").read_bytes()
    second.write_bytes(good[:-1])
    first.write_bytes(b"not looked at")
    code, _, said = run("split", str(file), "--size", "96k", "--only", "002")
    assert (code, second.read_bytes() == good) == (PartsDiffer.exit_code, True), said
    assert run("split", str(file), "--size", "96k", "--only", "1")[0] == 0
    assert papers.beside(file, ".release").read_bytes() == before
    assert run("split", str(file), "--size", "96k", "--only", "004")[0] == InvalidRequest.exit_code


def test_a_file_that_is_not_whole_is_not_split(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-5000] ^= 1
    file.write_bytes(content)
    with pytest.raises(BundleDamaged):
        slices.split(file, SIZE)
    file.write_bytes(b"no bundle" * 30000)
    with pytest.raises(BundleDamaged):
        slices.split(file, SIZE)
    assert list(file.parent.iterdir()) == [file]


def test_sha256_beside_a_file_saves_the_hash_of_its_seal(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    real = header.digest

    def counted(stream: BinaryIO, offset: int) -> str:
        asked.append(offset)
        return real(stream, offset)

    monkeypatch.setattr(header, "digest", counted)
    beside = papers.beside(file, ".sha256")
    content = file.read_bytes()
    good = hashlib.sha256(content).hexdigest()
    for text, times in ((f"{good}  {file.name}\n", 0), (f"{'0' * 64}  {file.name}\n", 1), ("no digest", 0)):
        asked.clear()
        beside.write_text(text)
        found = slices.split(file, SIZE)
        assert found is not None
        assert (found.sha256, len(asked)) == (good, times), text
        for name, sha256 in found.digests.items():
            assert hashlib.sha256(file.with_name(name).read_bytes()).hexdigest() == sha256
    beside.write_text(f"{good}  {file.name}\n")
    for wrong in (content[:-5000] + b"\1" + content[-4999:], content[:-1], content + b"\n"):
        file.write_bytes(wrong)
        with pytest.raises(BundleDamaged):
            slices.split(file, SIZE)
    beside.write_text(f"{hashlib.sha256(content[:-1]).hexdigest()}  {file.name}\n")
    file.write_bytes(content[:-1])
    with pytest.raises(BundleDamaged):  # its own size says so
        slices.split(file, SIZE)


def test_parts_that_were_just_written_are_not_read_again(
    file: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    real = release_list._parts

    def counted(path: Path, sha256: str) -> dict[str, str]:
        read.append(path)
        return real(path, sha256)

    monkeypatch.setattr(release_list, "_parts", counted)
    assert run("split", str(file), "--size", "96k")[0] == 0
    assert read == []
    before = papers.beside(file, ".release").read_bytes()
    assert run("split", str(file), "--size", "96k", "--only", "2")[0] == 0
    assert read == [file]
    assert papers.beside(file, ".release").read_bytes() == before


def test_what_is_there_stays_when_there_is_no_room(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slices.split(file, SIZE)
    before = {path.name: path.read_bytes() for path in file.parent.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputFailed, match="No space left"):
        slices.split(file, 65 << 10)
    assert {path.name: path.read_bytes() for path in file.parent.iterdir()} == before


def test_sizes(file: Path, run: Run) -> None:
    sizes = {"cd": 690 << 20, "DVD": 4400 << 20, "fat32": 4095 << 20, "2g": 2 << 30, "100M": 100 << 20}
    assert {text: slices.parse_size(text) for text in sizes} == sizes
    for wrong in ("", "0", "10k", "-1m", "1.5g", "1t", "cdrom"):
        with pytest.raises(InvalidRequest):
            slices.parse_size(wrong)
    code, said, _ = run("split", str(file), "--size", "cd")
    assert (code, "carry it as it is" in " ".join(said.split())) == (0, True)
    assert list(file.parent.iterdir()) == [file]


def test_parts_of_a_longer_row_are_named(file: Path) -> None:
    slices.split(file, 65 << 10)
    with pytest.raises(PartsDiffer, match="earlier, longer row"):
        slices.split(file, SIZE)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_the_first_part_joins_the_others_and_runs_the_file(
    original: Path, first_part: Path, tmp_path: Path, shell: list[str]
) -> None:
    for number in (2, 3):
        disc = tmp_path / f"disc {number}"
        disc.mkdir()
        part = first_part.with_suffix(f".{number:03d}")
        part.rename(disc / part.name)
    words = ("--parts", str(tmp_path / "disc 2"), str(tmp_path / "disc 3"), "install", "--home", "x y")
    ran = start(shell, first_part, *words)
    assert json.loads(ran.stdout)["argv"] == ["install", "--home", "x y"], ran
    assert first_part.with_suffix("").read_bytes() == original.read_bytes()
    again = start(shell, first_part, "doctor")
    assert json.loads(again.stdout)["argv"] == ["doctor"], again
    assert "is there" in again.stderr


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_every_kind_of_wrong_part_is_named(first_part: Path, shell: list[str]) -> None:
    second, third = first_part.with_suffix(".002"), first_part.with_suffix(".003")
    good = {path: path.read_bytes() for path in (first_part, second, third)}
    listed = papers.beside(first_part.with_suffix(""), ".release").read_text().splitlines()
    expected = {line.split("  ")[1]: line.split("  ")[0] for line in listed}
    flipped = good[second][:500] + b"?" + good[second][501:]
    cases: dict[str, tuple[dict[Path, bytes | None], list[str]]] = {
        "missing": ({third: None}, ["003 is missing", expected[third.name]]),
        "cut": ({third: good[third][:-7]}, [f"003 has {len(good[third]) - 7} bytes", str(len(good[third]))]),
        "empty": ({second: b""}, ["002 has 0 bytes"]),
        "changed": ({second: flipped}, ["002 is another one or was changed", expected[second.name]]),
        "swapped": ({second: good[third], third: good[second]}, ["002 has", "003 has"]),
        "two of them": ({second: None, third: b"x"}, ["002 is missing", "003 has 1 bytes"]),
        "first changed": ({first_part: good[first_part][:-1] + b"?"}, ["001 is another one or was changed"]),
    }
    for name, (change, said) in cases.items():
        for path, content in {**good, **change}.items():
            path.unlink(missing_ok=True)
            if content is not None:
                path.write_bytes(content)
        ran = start(shell, first_part, "install")
        assert ran.returncode == 10 and ran.stdout == "", (name, ran)
        assert all(word in ran.stderr for word in (*said, "parts-incomplete")), (name, ran.stderr)
        assert not first_part.with_suffix("").exists(), name
        first_part.with_name(first_part.with_suffix("").name + ".joining").unlink(missing_ok=True)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_without_the_list_the_seal_decides(first_part: Path, original: Path, shell: list[str]) -> None:
    papers.beside(first_part.with_suffix(""), ".release").unlink()
    second = first_part.with_suffix(".002")
    good = second.read_bytes()
    second.write_bytes(good[:-1] + b"?")
    ran = start(shell, first_part, "install")
    assert (ran.returncode, ran.stdout, "bundle-damaged" in ran.stderr) == (10, "", True), ran
    assert not [path for path in first_part.parent.iterdir() if path.name.endswith((".run", ".joining"))]
    second.write_bytes(good)
    first = first_part.read_bytes()
    first_part.write_bytes(first[:-100])
    ran = start(shell, first_part, "install")
    assert (ran.returncode, "b+[1].2.run.001 is cut" in ran.stderr) == (10, True), ran
    first_part.write_bytes(first)
    assert start(shell, first_part, "join").returncode == 0
    assert first_part.with_suffix("").read_bytes() == original.read_bytes()


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_join_that_was_broken_off_goes_on(first_part: Path, original: Path, shell: list[str]) -> None:
    whole = original.read_bytes()
    joining = first_part.with_name(first_part.with_suffix("").name + ".joining")
    joining.write_bytes(whole[: SIZE + 1000] + b"?" * 10)
    ran = start(shell, first_part, "join")
    assert (ran.returncode, "part 1 of" in ran.stderr, "part 2 of 3" in ran.stderr) == (0, False, True), ran
    assert first_part.with_suffix("").read_bytes() == whole
    joining.symlink_to(first_part.parent / "planted")
    first_part.with_suffix("").unlink()
    ran = start(shell, first_part, "join")
    assert (ran.returncode, "cannot be made" in ran.stderr) == (10, True), ran
    assert not (first_part.parent / "planted").exists()


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_file_of_that_name_is_not_replaced(first_part: Path, shell: list[str]) -> None:
    first_part.with_suffix("").write_bytes(b"what is mine")
    ran = start(shell, first_part, "install")
    assert (ran.returncode, "is not what these parts make" in ran.stderr) == (10, True), ran
    assert first_part.with_suffix("").read_bytes() == b"what is mine"
    ran = start(shell, first_part, "install", "--parts", "nowhere")
    assert (ran.returncode, "no such folder" in ran.stderr) == (10, True), ran


@pytest.mark.skipif(os.geteuid() != 0, reason="what root does not write to needs root")
def test_root_joins_only_where_others_cannot_write(first_part: Path, tmp_path: Path) -> None:
    first_part.parent.chmod(0o777)
    ran = start(["sh"], first_part, "join", cwd=first_part.parent)
    assert (ran.returncode, "--join-to DIR" in ran.stderr) == (10, True), ran
    ran = start(["sh"], first_part, "join", "--join-to", str(first_part.parent), cwd=Path("/"))
    assert (ran.returncode, "everybody can write to" in ran.stderr) == (10, True), ran
    assert not first_part.with_suffix("").exists()


def test_discs_are_asked_for_one_after_another(first_part: Path, original: Path, tmp_path: Path) -> None:
    drive = tmp_path / "drive"
    drive.mkdir()
    parts = [first_part.with_suffix(f".{number:03d}") for number in (2, 3)]
    for part in parts:
        part.rename(tmp_path / part.name)
    process, terminal = pty.fork()
    if process == 0:
        os.execvp("sh", ["sh", str(first_part), "join", "--parts", str(drive)])
    said, asked, until = "", 0, time.monotonic() + 60
    try:
        while time.monotonic() < until:
            if select.select([terminal], [], [], 1)[0]:
                try:
                    said += os.read(terminal, 4096).decode()
                except OSError:
                    break
            if said.count("press Enter") > asked:
                for there in drive.iterdir():
                    there.unlink()
                shutil.copy(tmp_path / parts[asked].name, drive)
                asked += 1
                os.write(terminal, b"\n")
    finally:
        os.close(terminal)
        status = os.waitpid(process, 0)[1]
    assert (status, asked) == (0, 2), said
    assert first_part.with_suffix("").read_bytes() == original.read_bytes()
