"""Add-ons: real wheels beside a real environment, in and out again, and never half."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.process import CommandFailed
from bootstrap.installed.installation import Installation
from bootstrap.state import receipt
from bootstrap.state.receipt import Added
from bootstrap.steps.packages import ReleaseStep
from bootstrap.steps.secrets import FoldersStep
from bootstrap.upkeep import addons
from bootstrap.upkeep.addons import Additions, AddOnRefused
from tests.support import bundles, receipts, wheels
from tests.support.plans import Watcher
from tests.support.releases import BASE, carried
from wheelhouse import writer
from wheelhouse.manifest import Manifest
from wheelhouse.reader import Bundle


@pytest.fixture(scope="module")
def release(bundle_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """An installation whose release is real; nothing runs."""
    with Bundle.open(bundle_path) as bundle:
        chosen = receipts.sample(tmp_path_factory.mktemp("made") / "it's 홈", bundle.manifest.bundle_id)
        database = replace(chosen.database, programs="")
        chosen = replace(chosen, python=BASE, library_path="", database=database, added=(), ca_file="")
        made = Installation(chosen)
        FoldersStep(made.home, None).apply()
        ReleaseStep(made, bundle).apply()
    return made


@pytest.fixture
def installation(release: Installation) -> Iterator[Installation]:
    """The same, without add-ons before and after."""
    receipt.save(release.home.receipt, release.receipt)
    yield release
    clean = Additions(release)
    clean.switch(())
    clean.sweep(())


def add_on(folder: Path, base: str, name: str = "extra", version: str = "1.0") -> Path:
    """A bundle file that adds a package with a program."""
    files = {f"{name}.py": f"def main():\n    print('{name} {version}')\n".encode()}
    wheel = wheels.build(folder, name, files, version=version, entry_points=f"{name} = {name}:main")
    package, member = carried(wheel, "wheels")
    value = replace(bundles.manifest(), packages=(package,), base=base, tools=(), services=(), postgres=None)
    members = [item for item in bundles.members() if not item.name.endswith(".whl")]
    writer.write(folder / f"{name}.run", value, [*members, member], timestamp=bundles.STAMP)
    return folder / f"{name}.run"


def added(installation: Installation, file: Path) -> Installation:
    with Bundle.open(file) as bundle:
        return Installation(addons.add(installation, bundle, Watcher()))


def says(installation: Installation, program: str) -> str:
    path = installation.release.venv / "bin" / program
    return subprocess.run([path], check=True, capture_output=True, text=True).stdout.strip()


def imports(installation: Installation, *names: str) -> bool:
    python = installation.release.venv / "bin" / "python"
    code = f"import package0, {', '.join(names)}"
    return subprocess.run([python, "-c", code], check=False, capture_output=True).returncode == 0


def test_in_and_out_again_without_a_trace(installation: Installation, tmp_path: Path) -> None:
    before = sorted(str(path) for path in installation.release.path.rglob("*") if path.suffix != ".pyc")
    file = add_on(tmp_path, installation.receipt.bundle_id)
    now = added(installation, file)
    assert imports(now, "extra")
    assert says(now, "extra") == "extra 1.0"
    (item,) = receipt.load(now.home.receipt).added
    assert (item.file, item.packages) == ("extra.run", ("extra 1.0",))
    assert item.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    assert added(now, file).receipt.added[0].bundle_id == item.bundle_id  # twice is once
    after = Installation(addons.remove(now, "extra.run", Watcher()))
    assert after.receipt.added == ()
    assert not imports(after, "extra")
    left = sorted(str(path) for path in installation.release.path.rglob("*") if path.suffix != ".pyc")
    extra = {path.rpartition("/")[2] for path in set(left) - set(before)} - {"__pycache__"}
    assert extra <= {"added", "airferry-added.pth"}
    assert not (installation.release.venv / "bin" / "extra").is_symlink()


def test_one_onto_another(installation: Installation, tmp_path: Path) -> None:
    first = added(installation, add_on(tmp_path, installation.receipt.bundle_id, "one"))
    second = added(first, add_on(tmp_path, first.receipt.added[0].bundle_id, "two"))
    assert imports(second, "one", "two")
    with pytest.raises(AddOnRefused) as caught:
        addons.remove(second, "one.run", Watcher())
    assert caught.value.found == "two.run"


def test_pip_where_uv_cannot_run(installation: Installation, tmp_path: Path) -> None:
    uv = installation.release.tools / "uv"
    uv.chmod(0o644)
    try:
        now = added(installation, add_on(tmp_path, installation.receipt.bundle_id))
        assert (imports(now, "extra"), says(now, "extra")) == (True, "extra 1.0")
    finally:
        uv.chmod(0o755)


@pytest.mark.parametrize("case", ["whole bundle", "another base", "another version", "unknown"])
def test_what_does_not_fit_is_refused(installation: Installation, tmp_path: Path, case: str) -> None:
    base = {"whole bundle": "", "another base": "3.3.2-cp311-ffffffffff"}.get(
        case, installation.receipt.bundle_id
    )
    name = "package0" if case == "another version" else "extra"
    with pytest.raises(AddOnRefused) as caught:
        if case == "unknown":
            addons.remove(installation, "nothing.run", Watcher())
        else:
            added(installation, add_on(tmp_path, base, name, "2.0"))
    expected = {
        "whole bundle": "a complete Airflow bundle",
        "another base": "another installation",
        "unknown": "no add-on",
    }
    assert expected.get(case, "would change") in caught.value.message
    assert receipt.load(installation.home.receipt).added == ()
    assert not list(installation.release.path.glob("added/*"))


def test_what_fails_after_the_switch_is_undone(
    installation: Installation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = added(installation, add_on(tmp_path, installation.receipt.bundle_id, "one"))
    proofs = iter([CommandFailed("not found")])

    def prove(*_: object) -> None:
        raise next(proofs)

    monkeypatch.setattr(Additions, "prove", prove)
    with pytest.raises(CommandFailed):
        added(first, add_on(tmp_path, first.receipt.bundle_id, "two"))
    assert [item.file for item in receipt.load(first.home.receipt).added] == ["one.run"]
    assert imports(first, "one")
    assert not imports(first, "two")


KILLED = """
import os, sys
from pathlib import Path
from bootstrap.upkeep import addons
from bootstrap.python import venv
from bootstrap.state import receipt
from bootstrap.installed.installation import Installation
from tests.support.plans import Watcher
from wheelhouse.manifest import Manifest
from wheelhouse.reader import Bundle
place, name = sys.argv[2].rsplit(".", 1)
holder = {"Additions": addons.Additions, "addons": addons}[place]
real = getattr(holder, name)
def die(*given, **named):
    if name != "install_beside":
        real(*given, **named)
    os._exit(9)
setattr(holder, name, die)
with Bundle.open(Path(sys.argv[3])) as bundle:
    addons.add(Installation(receipt.load(Path(sys.argv[1]))), bundle, Watcher())
"""


@pytest.mark.parametrize(
    "point", ["addons.install_beside", "Additions.place", "Additions.switch", "Additions.prove"]
)
def test_killed_anywhere_the_same_command_ends_it(
    installation: Installation, tmp_path: Path, point: str
) -> None:
    file = add_on(tmp_path, installation.receipt.bundle_id)
    command = [sys.executable, "-c", KILLED, str(installation.home.receipt), point, str(file)]
    assert subprocess.run(command, cwd=Path(__file__).parents[3], check=False).returncode == 9
    assert receipt.load(installation.home.receipt).added == ()
    assert imports(installation, "package19")
    now = added(installation, file)
    assert imports(now, "extra")
    assert [path.name for path in now.release.path.glob("added/*")] == [now.receipt.added[0].bundle_id]


def test_what_an_upgrade_would_leave_behind(installation: Installation) -> None:
    item = Added("a", "a.run", "0", ("extra 1.0", "package0 1.0"), "", "b")
    found = replace(installation.receipt, added=(item,))
    manifest = bundles.manifest()
    assert addons.dropped(found, manifest) == ["extra 1.0", "package0 1.0"]
    package = bundles.package("extra", "wheels/extra-1.0-py3-none-any.whl", b"x")
    carried_too = replace(manifest, packages=(package,))
    assert addons.dropped(found, carried_too) == ["package0 1.0"]


def test_what_was_installed_by_hand_is_named_before_an_upgrade_drops_it(installation: Installation) -> None:
    newer = replace(bundles.manifest(), airflow="3.3.3")
    assert addons.left_behind(installation.home, newer) == ""
    site = next(installation.release.venv.glob("lib/python3*/site-packages"))
    folder = site / "tabulate-0.8.10.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: tabulate\nVersion: 0.8.10\n")
    (folder / "RECORD").write_text("tabulate-0.8.10.dist-info/METADATA,,\n")
    try:
        said = addons.left_behind(installation.home, newer)
        assert said == "An upgrade drops what was changed in the environment by hand: tabulate 0.8.10."
        same = Manifest.loads(installation.release.manifest.read_text())
        assert addons.left_behind(installation.home, same) == ""
    finally:
        shutil.rmtree(folder)
