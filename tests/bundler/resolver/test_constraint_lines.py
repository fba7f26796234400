"""Constraint files as pip, pip-compile and hands write them: in force as with pip, or refused by line."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from bundler.base.errors import ConstraintsUnavailable, HashMismatch
from bundler.resolver import constraint_lines
from tests.bundler.making import make_wheel
from tests.bundler.runner import Make
from tests.bundler.server import LocalIndex

HASH = "0" * 64


def test_every_line_that_cannot_be_used_is_named() -> None:
    text = (
        "# D:\\work\\\nalpha==1.0\nbeta=1.0=py311_0\n-r other.txt\n-e .\ngamma==${UNSET_HERE}\n"
        "--no-binary :all:\ndelta==1.0 --hash=md5:00\nPackage Version\n"
    )
    with pytest.raises(ConstraintsUnavailable) as caught:
        constraint_lines.read(text, "c.txt")
    found = caught.value.found.splitlines()
    assert [line.partition(": ")[0] for line in found] == [f"c.txt:{number}" for number in range(3, 10)]
    assert found[0].endswith("'beta=1.0=py311_0': write == for a version")
    assert "put its lines into this file" in found[1]


def test_what_pip_compile_writes_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MINOR", "5")
    text = (
        "--index-url https://corp.test/simple\n"
        f"Alpha_X==1.0 ; python_version > '3' \\\n    --hash=sha256:{HASH} \\\n"
        f"    --hash=SHA256:{'AB' * 32}\n"
        "    # via beta\nbeta==1.${MINOR}\n"
    )
    found = constraint_lines.read(text, "c.txt")
    assert found.text == "Alpha_X==1.0 ; python_version > '3'\nbeta==1.5\n"
    assert found.hashes == {"alpha-x": frozenset({HASH, "ab" * 32})}
    assert found.warnings == (
        "c.txt:1: --index-url is ignored: give it on the command line, or in a requirement file.",
    )


def test_what_is_ignored_names_no_option_that_is_not_there() -> None:
    found = constraint_lines.read("--pre\n--require-hashes\nalpha==1.0\n", "c.txt")
    assert [line.partition(" is ignored: ")[2] for line in found.warnings] == [
        "name the pre-release itself: package==1.0b1.",
        "every file is recorded and checked by its sha256, and lines with --hash must agree.",
    ]


def test_hashes_of_a_constraint_file_hold(make: Make, index: LocalIndex, files: Path, tmp_path: Path) -> None:
    wheel = make_wheel(files, "hashed", "1.0")
    index.add(wheel)
    sha256 = hashlib.sha256(wheel.read_bytes()).hexdigest()
    pins = "".join(f"{item.name}=={item.version}\n" for item in make().manifest.packages)
    path = tmp_path / "c.txt"
    path.write_text(f"{pins}hashed==1.0 --hash=sha256:{HASH} --hash=sha256:{sha256}\n")
    made = make(constraints=str(path), requirements=("hashed",)).manifest
    assert {item.sha256 for item in made.packages if item.name == "hashed"} == {sha256}
    path.write_text(f"{pins}hashed==1.0 --hash=sha256:{HASH}\n")
    with pytest.raises(HashMismatch, match="No file of hashed") as caught:
        make(constraints=str(path), requirements=("hashed",))
    assert sha256 in caught.value.found and HASH in caught.value.needed
