from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from bundler.approval import papers, release_list
from bundler.approval.release_list import PartsDiffer, ReleaseListInvalid
from bundler.base.errors import InvalidRequest

HEX = "0a" * 32


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "airflow 3.run"
    path.write_bytes(b"#!/bin/sh\nbundle")
    return path


def test_list_is_what_the_hosts_own_programs_check(file: Path) -> None:
    papers.write(file, {papers.SPDX: b"{}", papers.CYCLONEDX: b"{ }"})
    papers.beside(file, ".001").write_bytes(b"#!/bin/sh\n")
    papers.beside(file, ".002").write_bytes(b"bundle")
    papers.beside(file, ".sha256").write_text("not listed")
    found = release_list.update(file)
    endings = [name.removeprefix(file.name) for name in found.digests]
    assert endings == ["", ".001", ".002", ".cdx.json", ".spdx.json"]
    assert release_list.read(found.path).digests == found.digests
    programs = [["sha256sum"], *([["busybox", "sha256sum"]] if shutil.which("busybox") else [])]
    for program in programs:
        command = [*program, "-c", found.path.name]
        assert subprocess.run(command, cwd=file.parent, check=False, capture_output=True).returncode == 0
    papers.beside(file, ".002").write_bytes(b"Bundle")
    done = subprocess.run(["sha256sum", "-c", found.path.name], cwd=file.parent, check=False)
    assert done.returncode == 1


def test_parts_are_in_the_order_of_their_numbers(file: Path) -> None:
    content = bytes(1001)
    file.write_bytes(content)
    for number in range(1001):
        papers.beside(file, f".{number + 1:03}").write_bytes(content[number : number + 1])
    names = list(release_list.compose(file).digests)
    assert names[999].endswith(".999") and names[1000].endswith(".1000")


def test_parts_of_another_file_are_named(file: Path) -> None:
    papers.beside(file, ".001").write_bytes(b"an earlier bundle")
    with pytest.raises(PartsDiffer) as error:
        release_list.update(file)
    assert f"{file.name}.001" in error.value.found
    assert not release_list.path_of(file).exists()


def test_true_list_stays_and_a_changed_one_names_its_signatures(file: Path) -> None:
    path = release_list.update(file).path
    before = path.stat().st_mtime_ns
    for name in (".builder.sig", ".approver.asc", ".txt"):
        Path(f"{path}{name}").write_text("signed")
    assert release_list.update(file).outdated == ()
    assert path.stat().st_mtime_ns == before
    papers.write(file, {papers.SPDX: b"{}"})
    assert release_list.update(file).outdated == (f"{path.name}.approver.asc", f"{path.name}.builder.sig")


def test_nothing_but_lines_of_sha256sum_is_a_list() -> None:
    good = f"{HEX}  a.run\n"
    assert release_list.parse(good) == {"a.run": HEX}
    wrong = {
        "": "empty",
        f"{HEX}  a.run": "no end",
        f"# by kim\n{good}": "line 1",
        f"{good}\n": "line 2",
        f"{HEX} *a.run\n": "line 1",
        f"{HEX}  ../a.run\n": "line 1",
        f"{HEX}  ..\n": "line 1",
        f"\\{HEX}  a\\nb\n": "line 1",
        f"{HEX}  a.run\r\n": "line 1",
        f"{HEX.upper()}  a.run\n": "line 1",
        f"{HEX[:-1]}  a.run\n": "line 1",
        f"{HEX}  a.run \n": "line 1",
        good + good: "second time",
    }
    said = {}
    for text in wrong:
        with pytest.raises(ReleaseListInvalid) as error:
            release_list.parse(text)
        said[text] = error.value.found
    assert {text: found for text, found in said.items() if wrong[text] not in found} == {}


def test_list_that_is_no_text_or_too_long_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.release"
    for content in (b"\xff\xfe", b"0" * (1 << 21)):
        path.write_bytes(content)
        with pytest.raises(ReleaseListInvalid):
            release_list.read(path)


@pytest.mark.parametrize("name", ["a\nb.run", "a\\b.run", " a.run", "a\u202eb.run"])
def test_name_that_no_list_can_hold_is_refused(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(b"x")
    with pytest.raises(InvalidRequest):
        release_list.update(file)


def test_name_with_signs_of_a_pattern_is_only_a_name(tmp_path: Path) -> None:
    file, other = tmp_path / "a[1]*.run", tmp_path / "a1.run"
    for path in (file, other):
        path.write_bytes(b"x")
        Path(f"{path}.release.builder.sig").write_text("signed")
    assert release_list.update(file).outdated == ("a[1]*.run.release.builder.sig",)
