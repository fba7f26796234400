"""Archives of interpreters: a good one, and every way in which one may not be carried."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from bundler.base.errors import PythonUnfit
from bundler.python import standalone
from tests.support import relocatable
from wheelhouse.target import Target

NAME = "cpython-3.11.9+20240726-x86_64-unknown-linux-gnu-install_only.tar.gz"
TARGET = Target.parse("3.11", "manylinux_2_28_x86_64")


def entry(name: str, **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    """A member; `content` is its bytes."""
    info = tarfile.TarInfo(name)
    content = fields.pop("content", b"")
    assert isinstance(content, bytes)
    info.size, info.mode = len(content), 0o644
    for field, value in fields.items():
        setattr(info, field, value)
    return info, content


PROGRAM = entry("python/bin/python3.11", content=b"#!/bin/sh\n", mode=0o755)


def archive(path: Path, *members: tuple[tarfile.TarInfo, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as made:
        for info, content in members:
            made.addfile(info, io.BytesIO(content))
    return path


def problem(path: Path, name: str = NAME, target: Target = TARGET) -> PythonUnfit:
    with pytest.raises(PythonUnfit) as caught:
        standalone.inspect(path, name, target)
    assert caught.value.exit_code == 66
    return caught.value


def test_real_interpreter_says_what_it_needs() -> None:
    path = relocatable.archive(small=True)
    version = path.name.split("-")[1].split("+")[0]
    minor = version.rpartition(".")[0]
    machine = path.name.split("-")[2]
    found = standalone.inspect(path, path.name, Target.parse(minor, f"manylinux_2_99_{machine}"))
    assert found.version == version
    assert found.unpacked > path.stat().st_size
    kind, _, needed = found.floor.partition(" ")
    assert kind == "glibc"
    # one release older is too old, and the message names the option that would do
    lesser = f"2_{int(needed.partition('.')[2]) - 1}"
    unfit = problem(path, path.name, Target.parse(minor, f"manylinux_{lesser}_{machine}"))
    assert unfit.found == f"it needs {found.floor}"
    assert f"--glibc {needed}" in unfit.hint
    other = problem(path, path.name, Target.parse(minor, "musllinux_1_2_s390x"))
    assert f"it is made for {machine}" in other.found
    assert "it needs glibc" in other.found


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (entry("../evil"), "outside of python/"),
        (entry("/etc/passwd"), "outside of python/"),
        (entry("elsewhere/x"), "outside of python/"),
        (entry("python/a\nb"), "outside of python/"),
        (entry("python/x", type=tarfile.SYMTYPE, linkname="../../etc"), "a link to ../../etc"),
        (entry("python/x", type=tarfile.SYMTYPE, linkname="/etc/passwd"), "a link to /etc/passwd"),
        (entry("python/x", type=tarfile.LNKTYPE, linkname="../etc/passwd"), "a link to ../etc/passwd"),
        (entry("python/x", type=tarfile.CHRTYPE), "neither file, folder nor link"),
        (entry("python/x", type=tarfile.FIFOTYPE), "neither file, folder nor link"),
        (entry("python/x", mode=0o4755), "the rights of its owner"),
        (entry("python/bin/python3.11"), "duplicate"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_members_that_no_tar_may_meet(
    member: tuple[tarfile.TarInfo, bytes], said: str, tmp_path: Path
) -> None:
    assert said in problem(archive(tmp_path / "a.tar.gz", PROGRAM, member)).found


def test_member_behind_a_link(tmp_path: Path) -> None:
    link = entry("python/lib", type=tarfile.SYMTYPE, linkname="bin")
    behind = entry("python/lib/x")
    assert "below a link" in problem(archive(tmp_path / "a.tar.gz", PROGRAM, link, behind)).found


def test_archive_of_something_else(tmp_path: Path) -> None:
    other = archive(tmp_path / "a.tar.gz", entry("python/README"))
    assert "no file python/bin/python3.11" in problem(other).found
    (tmp_path / "b.tar.gz").write_bytes(b"no archive")
    assert "cannot be read" in problem(tmp_path / "b.tar.gz").message
    whole = archive(tmp_path / "c.tar.gz", PROGRAM, entry("python/x", content=b"x" * 5000)).read_bytes()
    (tmp_path / "c.tar.gz").write_bytes(whole[: len(whole) // 2])
    problem(tmp_path / "c.tar.gz")


def test_version_comes_from_the_header_file_before_the_name(tmp_path: Path) -> None:
    header = entry("python/include/python3.11/patchlevel.h", content=b'#define PY_VERSION "3.11.7"\n')
    assert standalone.inspect(archive(tmp_path / "a", PROGRAM, header), NAME, TARGET).version == "3.11.7"
    assert standalone.inspect(archive(tmp_path / "b", PROGRAM), NAME, TARGET).version == "3.11.9"
    assert "unknown version" in problem(archive(tmp_path / "c", PROGRAM), "python.tar.gz").found
    other = entry("python/include/python3.11/patchlevel.h", content=b'#define PY_VERSION "3.12.1"\n')
    assert "it is Python 3.12.1" in problem(archive(tmp_path / "d", PROGRAM, other)).found
