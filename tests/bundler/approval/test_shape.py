"""The same content as a folder, a tar or a zip: it makes the bundle again, and plain pip takes its wheels."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from bundler.approval import shape
from bundler.approval.kinds import Shape
from bundler.base.errors import InvalidRequest
from tests.bundler.runner import Make
from tests.support import bundles
from wheelhouse import layout
from wheelhouse.writer import Member

SHELLS = [
    command for command in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(command[0])
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "나가는 것"
    folder.mkdir()
    extra = [Member(layout.DAGS + "noise 소음.bin", bundles.noise(30_000, 7))]
    return bundles.write(folder / "a b.run", f"{sys.version_info[0]}.{sys.version_info[1]}", extra)


def unpack(path: Path, into: Path) -> Path:
    into.mkdir()
    if path.suffix == ".tar":
        subprocess.run(["tar", "-xf", path, "-C", into], check=True)
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            archive.extractall(into)
    else:
        shutil.copytree(path, into / path.name)
    return into / shape.FOLDER


def start(shell: list[str], folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*shell, str(folder / "install.sh"), *words],
        cwd=folder.parent, env={"PATH": os.environ["PATH"], "HOME": str(folder)}, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("form", list(Shape), ids=lambda form: form.value)
def test_every_shape_makes_the_bundle_and_runs_it(file: Path, form: Shape, tmp_path: Path) -> None:
    made = shape.make(file, form)
    assert [path.name for path in file.parent.iterdir() if path.name.startswith(".")] == []
    for number, shell in enumerate(SHELLS):
        folder = unpack(made, tmp_path / f"안 {number}")
        checked = subprocess.run(
            ["sha256sum", "-c", "SHA256SUMS"], cwd=folder, check=False, capture_output=True
        )
        assert checked.returncode == 0, checked
        ran = start(shell, folder, "--home", "x y")
        assert json.loads(ran.stdout)["argv"] == ["install", "--home", "x y"], ran
        assert (folder.parent / file.name).read_bytes() == file.read_bytes()
        again = start(shell, folder, "doctor")
        assert json.loads(again.stdout)["argv"] == ["doctor"], again
        listed = (folder / "SHA256SUMS").read_text().splitlines()
        names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
        assert names == sorted([*(line.split("  ", 1)[1] for line in listed), "SHA256SUMS"])


def test_archives_are_the_same_each_time(file: Path) -> None:
    for form in (Shape.TAR, Shape.ZIP):
        first = shape.make(file, form).read_bytes()
        assert shape.make(file, form).read_bytes() == first
    with tarfile.open(shape.path_of(file, Shape.TAR)) as archive:
        assert {(item.uid, item.mode, item.mtime) for item in archive} == {(0, 0o644, 315532800)}


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_what_is_damaged_is_named_and_nothing_is_left(file: Path, shell: list[str], tmp_path: Path) -> None:
    folder = unpack(shape.make(file, Shape.FOLDER), tmp_path / "in")
    noise = folder / "dags/noise 소음.bin"
    good = noise.read_bytes()
    for content in (good[:-1], good[:-1] + b"?", None):
        noise.unlink()
        if content is not None:
            noise.write_bytes(content)
        ran = start(shell, folder)
        assert (ran.returncode, ran.stdout, "noise" in ran.stderr) == (10, "", True), ran
        assert [path.name for path in folder.parent.iterdir()] == [shape.FOLDER]
        noise.write_bytes(good)
    (folder.parent / file.name).write_bytes(b"mine")
    ran = start(shell, folder)
    assert (ran.returncode, "is not what this folder makes" in ran.stderr) == (10, True), ran
    assert (folder.parent / file.name).read_bytes() == b"mine"
    whole = (folder / "install.sh").read_bytes()
    for length in (len(whole) - 3, len(whole) // 2, 200):
        (folder / "install.sh").write_bytes(whole[:length])
        assert start(shell, folder, "--join-to", str(tmp_path)).returncode != 0, length
    assert not (tmp_path / file.name).exists()


def test_a_folder_of_another_kind_stays(file: Path) -> None:
    there = file.parent / shape.FOLDER
    there.mkdir()
    (there / "mine").write_text("x")
    with pytest.raises(InvalidRequest, match="no folder of a bundle"):
        shape.make(file, Shape.FOLDER)
    assert (there / "mine").read_text() == "x"


@pytest.mark.skipif(os.geteuid() != 0, reason="what root does not write to needs root")
def test_root_puts_it_together_only_where_others_cannot_write(file: Path, tmp_path: Path) -> None:
    folder = unpack(shape.make(file, Shape.FOLDER), tmp_path / "in")
    folder.parent.chmod(0o777)
    ran = start(["sh"], folder, "doctor")
    assert (ran.returncode, "--join-to DIR" in ran.stderr) == (10, True), ran


def test_plain_pip_installs_it(make: Make, tmp_path: Path) -> None:
    folder = shape.make(make().path, Shape.FOLDER)
    pip = [sys.executable, "-m", "pip", "--isolated", "install", "--no-index", "--no-deps"]
    words = [
        "--find-links",
        str(folder / "wheels"),
        "--require-hashes",
        "-r",
        str(folder / "requirements.txt"),
    ]
    ran = subprocess.run(
        [*pip, *words, "--target", str(tmp_path / "site")], check=False, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran
    assert list((tmp_path / "site").glob("apache_airflow-*.dist-info"))
