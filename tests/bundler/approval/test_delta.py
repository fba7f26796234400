"""``NEW.delta.run``: the bundle that it makes is NEW, byte for byte, and no other base is taken."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.approval import delta
from bundler.approval.delta import Delta
from bundler.base.errors import InvalidRequest
from bundler.inspection import whole
from tests.bundler.runner import AIRFLOW, Make, Run
from tests.support import bundles
from wheelhouse import layout
from wheelhouse.errors import BundleDamaged
from wheelhouse.reader import Bundle
from wheelhouse.verify import verify
from wheelhouse.writer import Member

SHELLS = [
    command for command in (["dash"], ["bash", "--posix"], ["busybox", "sh"]) if shutil.which(command[0])
]
PYTHON = f"{sys.version_info[0]}.{sys.version_info[1]}"


def write(path: Path, seeds: list[tuple[int, int]]) -> Path:
    """A bundle with a file of each size and seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    extra = [Member(f"{layout.DAGS}{size} 가-{seed}.bin", bundles.noise(size, seed)) for size, seed in seeds]
    return bundles.write(path, PYTHON, extra)


def made_of(old: Path, new: Path) -> Delta:
    """The delta between two files."""
    with whole.opened(old) as older:
        return delta.make(older, new)


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """An older and a newer bundle, in folders with blanks and Korean letters."""
    old = write(tmp_path / "옛 것" / "a b.run", [(60_000, 1), (40_000, 2), (9_000, 3)])
    new = write(tmp_path / "새 것" / "n'ew.run", [(60_000, 1), (40_000, 4), (9_000, 3), (100, 5)])
    return old, new


def join(
    shell: list[str], file: Path, *words: str, cwd: Path, path: str = ""
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": path or os.environ["PATH"], "HOME": str(cwd)}
    return subprocess.run(
        [*shell, str(file), *words],
        cwd=cwd, env=environment, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_both_make_the_new_one(pair: tuple[Path, Path], shell: list[str], tmp_path: Path) -> None:
    old, new = pair
    made = made_of(old, new)
    assert made.size < new.stat().st_size - 60_000
    content, sha256 = new.read_bytes(), hashlib.sha256(new.read_bytes()).hexdigest()
    new.unlink()
    ran = join(shell, made.path, "join", str(old), cwd=tmp_path)
    there = old.with_name(new.name)
    assert (ran.returncode, there.read_bytes() == content) == (0, True), ran
    assert sha256 in ran.stdout
    again = join(shell, made.path, "join", old.name, cwd=old.parent)
    assert (again.returncode, "is there already" in again.stderr) == (10, True), again
    assert sorted(path.name for path in old.parent.iterdir()) == sorted((old.name, new.name))


def test_ten_deltas_are_whole_and_take_no_other_base(tmp_path: Path) -> None:
    source = random.Random(20261128)
    files = [(source.randrange(100, 50_000), source.randrange(1000)) for _ in range(8)]
    row = [write(tmp_path / "0" / "b.run", files)]
    for number in range(1, 11):
        files = [item for item in files if source.random() < 0.8]
        files.append((source.randrange(100, 50_000), 1000 + number))
        row.append(write(tmp_path / str(number) / "b.run", files))
    for number, (old, new) in enumerate(itertools.pairwise(row), 1):
        made = made_of(old, new)
        to = tmp_path / f"to {number}"
        to.mkdir()
        others = [path for path in row if path != old]
        wrong = source.choice(others)
        refused = join(["sh"], made.path, "join", str(wrong), "--join-to", str(to), cwd=tmp_path)
        assert (refused.returncode, "delta-base-differs" in refused.stderr) == (10, True), refused
        assert all(hashlib.sha256(path.read_bytes()).hexdigest() in refused.stderr for path in (old, wrong))
        assert list(to.iterdir()) == []
        ran = join(["sh"], made.path, str(old), "--join-to", str(to), cwd=tmp_path)
        assert (to / "b.run").read_bytes() == new.read_bytes(), ran


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_a_delta_that_is_not_whole_makes_nothing(
    pair: tuple[Path, Path], shell: list[str], tmp_path: Path
) -> None:
    made = made_of(*pair)
    content = made.path.read_bytes()
    to = tmp_path / "to"
    to.mkdir()
    for length in (len(content) - 1, len(content) // 2, 3000, 500, 40):
        made.path.write_bytes(content[:length])
        ran = join(shell, made.path, "join", str(pair[0]), "--join-to", str(to), cwd=to)
        assert ran.returncode != 0, length
    for position in (len(content) - 2000, content.index(b"\nold ") + 6):
        made.path.write_bytes(content[:position] + b"7" + content[position + 1 :])
        ran = join(shell, made.path, "join", str(pair[0]), "--join-to", str(to), cwd=to)
        assert (ran.returncode, ran.stdout) == (10, ""), (position, ran)
    assert list(to.iterdir()) == []


def test_what_cannot_be_joined_is_said(pair: tuple[Path, Path], tmp_path: Path) -> None:
    old, new = pair
    made = made_of(old, new)
    assert join(["sh"], made.path, cwd=tmp_path).returncode == 2
    asked = join(["sh"], made.path, "--help", cwd=tmp_path)
    assert (asked.returncode, old.name in asked.stdout) == (0, True), asked
    gone = join(["sh"], made.path, "join", "nowhere.run", cwd=tmp_path)
    assert (gone.returncode, old.name in gone.stderr) == (10, True), gone
    with pytest.raises(InvalidRequest, match="no difference"):
        made_of(old, Path(shutil.copy(old, tmp_path)))
    old.write_bytes(old.read_bytes()[:-1])
    with pytest.raises(BundleDamaged):
        made_of(old, new)


def test_the_bundle_command_makes_a_delta(
    make: Make, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(bundle: Bundle, progress: Callable[[int], None] | None = None) -> tuple[str, ...]:
        read.append(bundle.path.name)
        return verify(bundle, progress)

    monkeypatch.setattr(whole, "verify", counted)
    older = Path(shutil.move(make().path, tmp_path / "older.run"))
    common = ("bundle", "--airflow", AIRFLOW, "--python", "3.11", "--platform", "manylinux_2_28_x86_64")
    bad = tmp_path / "bad.run"
    bad.write_bytes(older.read_bytes()[:-1])
    status, _, said = run(*common, "--from", str(bad))
    assert (status, "wrong size" in said) == (BundleDamaged.exit_code, True), said
    status, said, _ = run(
        *common, "--constraints", "release-date", "--no-default-extras", "--from", str(older), "--json"
    )
    assert status == 0, said
    result = json.loads(said)["result"]
    assert read.count(older.name) == 1
    made = Path(result["delta"])
    assert (made.stat().st_size, made.name[-10:]) == (result["delta_size"], ".delta.run")
    listed = made.with_name(made.name + ".sha256").read_text().split()
    assert listed == [hashlib.sha256(made.read_bytes()).hexdigest(), made.name]
    ran = join(["sh"], made, "join", str(older), cwd=tmp_path)
    assert (tmp_path / Path(result["file"]).name).read_bytes() == Path(result["file"]).read_bytes(), ran
