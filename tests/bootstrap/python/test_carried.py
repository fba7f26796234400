"""The interpreter below HOME/python: unpacked whole or not at all, compared, shared, removed, chosen."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tarfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.python import carried, choice
from bootstrap.python.carried import Carried, InterpreterFailed
from bootstrap.python.choice import NoCarriedPython, PythonChoice
from bootstrap.state.home import Home
from tests.support import bundles, receipts, relocatable
from wheelhouse.errors import BundleDamaged
from wheelhouse.manifest import CarriedPython
from wheelhouse.reader import Bundle
from wheelhouse.writer import Member


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle that carries an interpreter of this machine, whole."""
    described, member = relocatable.carried(relocatable.archive())
    folder = tmp_path_factory.mktemp("bundle")
    return bundles.write(folder / "b.run", described.version.rpartition(".")[0], [member], described)


@pytest.fixture
def bundle(file: Path) -> Iterator[Bundle]:
    """That bundle, open."""
    with Bundle.open(file) as opened:
        yield opened


def of(bundle: Bundle, home: Path) -> Carried:
    assert bundle.manifest.python
    return Carried(Home(home), bundle.manifest.python)


def test_unpacked_it_runs_and_is_compared(bundle: Bundle, tmp_path: Path) -> None:
    """From a path with anything in it, under any umask; what differs afterwards is named and mended."""
    found = of(bundle, tmp_path / "Air flow 한글")
    assert found.problems(bundle) == [f"{found.path} is not there"]
    before = os.umask(0o077)
    try:
        found.unpack(bundle)
    finally:
        os.umask(before)
    assert found.problems(bundle) == []
    assert [path.name for path in found.home.pythons.iterdir()] == [found.path.name]
    said = subprocess.run(
        [found.program, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True
    )
    assert said.stdout.strip() == str(found.path)
    assert all(path.is_symlink() or path.stat().st_mode & 0o044 for path in found.path.rglob("*"))
    # what Python itself writes there is nobody's damage
    library = next(found.path.glob("lib/python3*"))
    assert list(library.rglob("__pycache__"))
    assert found.problems(bundle) == []
    receipt = replace(receipts.sample(tmp_path), python=str(found.program), python_from="carried")
    assert not carried.damaged(receipt)
    (library / "this.py").write_text("changed")
    (library / "os.py").unlink()
    found.program.chmod(0o600)
    (found.path / "bin" / "python3").unlink()
    assert len(found.problems(bundle)) == 4
    lost, changed = carried.damaged(receipt)
    assert lost == f"{library}/os.py is missing"
    assert changed.startswith(f"{library}/this.py has 7 bytes, not ")
    assert carried.damaged(replace(receipt, python_from="host")) == []
    found.unpack(bundle)
    assert found.problems(bundle) == []


def forged(tmp_path: Path, *members: tarfile.TarInfo) -> Bundle:
    """A bundle with an archive that no bundler of ours makes."""
    archive = tmp_path / "cpython-3.11.9.tar.gz"
    with tarfile.open(archive, "w:gz") as made:
        for info in members:
            made.addfile(info, io.BytesIO(b"x" * info.size))
    described, member = relocatable.carried(archive)
    return Bundle.open(bundles.write(tmp_path / "b.run", "3.11", [member], described))


def member(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode = kind, link, 0o755
    return info


@pytest.mark.parametrize(
    "members",
    [
        (member("python/../../evil"),),
        (member("evil"),),
        (member("python/x", tarfile.SYMTYPE, "../../evil"),),
        (member("python/x", tarfile.LNKTYPE, "/etc/passwd"),),
        (member("python/x", tarfile.SYMTYPE, "y"), member("python/x/evil")),
        (member("python/x", tarfile.FIFOTYPE),),
    ],
)
def test_nothing_is_written_outside(members: tuple[tarfile.TarInfo, ...], tmp_path: Path) -> None:
    with forged(tmp_path, *members) as bundle, pytest.raises(BundleDamaged):
        of(bundle, tmp_path / "home").unpack(bundle)
    assert list((tmp_path / "home" / "python").iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_interpreter_that_does_not_start(tmp_path: Path) -> None:
    failing = pytest.raises(InterpreterFailed)
    with forged(tmp_path, member("python/bin/python3.11")) as bundle, failing as caught:
        of(bundle, tmp_path / "home").unpack(bundle)
    assert caught.value.exit_code == 67
    assert "--python host" in caught.value.hint


def test_unused_ones_are_removed(tmp_path: Path) -> None:
    home = Home(tmp_path)
    for name in ("3.11.1-a", "3.11.2-b", "3.12.1-c", ".unfinished-x"):
        (home.pythons / name / "bin").mkdir(parents=True)
    venv = tmp_path / "releases" / "old" / "venv"
    venv.mkdir(parents=True)
    (venv / "pyvenv.cfg").write_text(f"home = {home.pythons}/3.11.2-b/bin\nversion = 3.11.2\n")
    receipt = replace(receipts.sample(tmp_path), python=f"{home.pythons}/3.12.1-c/bin/python3.12")
    assert [path.name for path in carried.remove_unused(home, receipt)] == [".unfinished-x", "3.11.1-a"]
    assert sorted(path.name for path in home.pythons.iterdir()) == ["3.11.2-b", "3.12.1-c"]
    shutil.rmtree(venv)
    carried.remove_unused(home, replace(receipt, python="/usr/bin/python3"))
    assert not home.pythons.exists()
    assert carried.remove_unused(home, receipt) == []


def test_what_killed_runs_left_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what is young, and not what a process holds."""
    names = ("own", "old", "young", "held")
    own, old, young, held = (tmp_path / f"{carried.TEMPORARY}{name}" for name in names)
    for path in (own, old, young, held):
        path.mkdir()
    for path in (old, held):
        os.utime(path, (time.time() - 7200, time.time() - 7200))
    holder = subprocess.Popen(
        ["flock", "--shared", str(held), "sh", "-c", "echo; read x"], stdin=-1, stdout=-1
    )
    try:
        assert holder.stdout
        holder.stdout.readline()
        monkeypatch.setattr(carried, "temporary", lambda: own)
        carried.hold_temporary()
        assert sorted(tmp_path.iterdir()) == sorted((own, young, held))
    finally:
        holder.communicate()


def test_what_is_settled_before_the_host_is_looked_at(bundle: Bundle, tmp_path: Path) -> None:
    home = Home(tmp_path)
    program = str(of(bundle, tmp_path).program)
    this = replace(receipts.sample(), bundle_id=bundle.manifest.bundle_id, python="/x", python_from="host")
    other = replace(this, bundle_id="other")

    def settled(named: str | None, earlier: object = None) -> PythonChoice:
        return choice.settle(named, bundle, home, earlier)  # type: ignore[arg-type]

    assert settled(None) == choice.UNDECIDED
    assert settled("carried") == PythonChoice(program, "carried")
    assert settled("host", replace(this, python_from="carried")) == PythonChoice("", "host")
    assert settled("/opt/python") == PythonChoice("/opt/python", "named")
    assert settled("sh").path == shutil.which("sh")
    # the same bundle again changes nothing by itself; another one keeps a carried interpreter, its own
    assert settled(None, this) == PythonChoice("/x", "host")
    assert settled(None, other) == choice.UNDECIDED
    assert settled(None, replace(other, python_from="carried")) == PythonChoice(program, "carried")


def test_bundle_without_one(tiny_bundle: Path, tmp_path: Path) -> None:
    with Bundle.open(tiny_bundle) as bundle, pytest.raises(NoCarriedPython):
        choice.settle("carried", bundle, Home(tmp_path), None)
    with Bundle.open(tiny_bundle) as bundle:
        earlier = replace(receipts.sample(), bundle_id="other", python_from="carried")
        assert choice.settle(None, bundle, Home(tmp_path), earlier) == choice.UNDECIDED


def test_manifest_that_names_what_is_no_member(tmp_path: Path) -> None:
    described = CarriedPython("3.11.9", "python/x.tar.gz", 1, "0" * 64, "")
    with pytest.raises(ValueError, match=r"no stored member python/x\.tar\.gz"):
        bundles.write(tmp_path / "b.run", "3.11", [Member("python/y.tar.gz", b"")], described)
