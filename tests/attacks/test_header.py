"""``sh FILE`` on a file that was cut, sent as text, or changed in one bit: it fails and writes nothing."""

from __future__ import annotations

import io
import os
import random
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from wheelhouse.errors import BundleDamaged
from wheelhouse.reader import Bundle

SHELLS = [
    command
    for command in (["dash"], ["bash", "--posix"], ["busybox", "sh"])
    if shutil.which(command[0])
]  # fmt: skip
MARK = b"# airferry-sha256: "


def start(shell: list[str], file: Path, folder: Path) -> subprocess.CompletedProcess[bytes]:
    command = [*shell, str(file), "anything"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    return subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, timeout=60)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_file_that_was_cut_fails(tiny_bundle: Path, tmp_path: Path, shell: list[str]) -> None:
    content = tiny_bundle.read_bytes()
    file = tmp_path / "b.run"
    # the first line is a comment to sh: of a file that ends within it nothing is left that could fail
    for length in [
        *range(len(b"#!/bin/sh\n") + 1, 18),
        *range(18, 240, 5),
        1000,
        5000,
        len(content) // 2,
        len(content) - 1,
    ]:
        file.write_bytes(content[:length])
        assert start(shell, file, tmp_path).returncode != 0, length
    assert list(tmp_path.iterdir()) == [file]


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_transfer_as_text_is_named(tiny_bundle: Path, tmp_path: Path, shell: list[str]) -> None:
    file = tmp_path / "b.run"
    file.write_bytes(tiny_bundle.read_bytes().replace(b"\n", b"\r\n"))
    ran = start(shell, file, tmp_path)
    assert (ran.returncode, b"transferred as text" in ran.stdout + ran.stderr) == (10, True), ran
    with pytest.raises(BundleDamaged, match="transferred as text"):
        Bundle.open(file)


def check_flips(content: bytes, flips: list[tuple[int, int]], shell: list[str], folder: Path) -> None:
    """Start the file with each of these bits flipped, and look at what is left."""
    file, work = folder / "b.run", folder / "work"
    work.mkdir()
    for position, bit in flips:
        changed = bytearray(content)
        changed[position] ^= 1 << bit
        file.write_bytes(changed)
        ran = start(shell, file, work)
        left = [str(path) for path in (*work.rglob("*"), *folder.glob("[!bw]*"))]
        assert left == [], (position, bit, content[position - 20 : position + 20], ran)
        assert file.read_bytes() == changed, (position, bit, content[position - 20 : position + 20])
        assert b'"argv"' not in ran.stdout, (position, bit)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_one_flipped_bit_leaves_nothing_behind(tiny_bundle: Path, tmp_path: Path, shell: list[str]) -> None:
    content = tiny_bundle.read_bytes()
    source = random.Random(20261128)
    before = content.index(b"set +C")
    end = content.index(b"PK\3\4")
    flips = [(source.randrange(before), source.randrange(8)) for _ in range(20)]
    flips += [(source.randrange(before, end), source.randrange(8)) for _ in range(5)]
    # what becomes a redirection, or another one
    flips += [
        (place, bit) for place in range(end) if content[place - 1 : place + 1] == b"\n#" for bit in (0, 4)
    ]
    for written in (b">&2", b'<"$file"', b"2>&-"):
        flips += [(content.index(written) + place, bit) for place in range(2) for bit in range(8)]
    check_flips(content, flips, shell, tmp_path)


def test_an_archive_behind_the_end_is_not_run_by_sh(tiny_bundle: Path, tmp_path: Path) -> None:
    """Python runs the last archive of a file: ``sh FILE`` can be kept from it, ``python3 FILE`` not."""
    evil = io.BytesIO()
    with zipfile.ZipFile(evil, "w") as archive:
        archive.writestr("__main__.py", "open('ran', 'w').close()")
    file = tmp_path / "b.run"
    file.write_bytes(tiny_bundle.read_bytes() + evil.getvalue())
    assert start(["sh"], file, tmp_path).returncode == 10
    with pytest.raises(BundleDamaged, match="has the wrong size"):
        Bundle.open(file)
    assert list(tmp_path.iterdir()) == [file]
    # what a second bundle behind the first one runs is stage 0, and that refuses
    file.write_bytes(tiny_bundle.read_bytes() * 2)
    ran = start([sys.executable], file, tmp_path)
    assert (ran.returncode, b"bundle-damaged" in ran.stderr) == (10, True), ran
