"""The interpreter in the bundle: sh finds, checks, unpacks and starts it, and nothing of it stays behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import bundles, pythons, relocatable
from tests.support.starts import PROGRAMS, SHELLS, start
from wheelhouse import writer
from wheelhouse.manifest import CarriedPython
from wheelhouse.writer import Member

HASHES = ("sha256sum", "openssl", "perl")
# what a bare host has, and no Python
FEW = [*PROGRAMS, "tar", "gzip", "mkdir", "rm", "chmod", "dirname"]
# stays until it is told to go
WAITING = b"""
import pathlib, sys, time

def main():
    pathlib.Path(sys.argv[-1]).write_text(sys.executable)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def archive() -> Path:
    """A relocatable interpreter, made from the newest one of this machine."""
    return relocatable.archive(small=True)


@pytest.fixture(scope="module")
def carried(archive: Path) -> tuple[CarriedPython, Member]:
    """That archive as a bundle carries it."""
    return relocatable.carried(archive)


def minor(carried: tuple[CarriedPython, Member]) -> str:
    return ".".join(carried[0].version.split(".")[:2])


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory, carried: tuple[CarriedPython, Member]) -> Path:
    """A whole small bundle with that interpreter."""
    folder = tmp_path_factory.mktemp("carried")
    return bundles.write(folder / "airflow.run", minor(carried), [carried[1]], carried[0])


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH with the programs of a bare host, and no Python."""
    folder = tmp_path_factory.mktemp("bare")
    for name in FEW:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    return folder


@pytest.fixture
def scratch(tmp_path: Path) -> Iterator[dict[str, str]]:
    """An environment whose temporary folder is the test's own, to see what is left in it."""
    (tmp_path / "tmp").mkdir()
    yield {"TMPDIR": str(tmp_path / "tmp")}
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("shell", SHELLS.values(), ids=lambda words: Path(words[0]).name)
def test_every_shell_starts_it(
    shell: list[str], bundle: Path, bare: Path, scratch: dict[str, str], carried: tuple[CarriedPython, Member]
) -> None:
    """Asked for: /usr/bin is looked through as well, and a complete Python there would be taken."""
    said = start([*shell, bundle, "doctor", "--python", "carried"], scratch, path=str(bare)).seen()
    assert said["executable"].startswith(scratch["TMPDIR"] + "/.airferry-python.")
    assert said["version"] == [int(number) for number in carried[0].version.split(".")]
    assert said["flags"] == [1, 1, 1]
    assert said["argv"] == ["doctor", "--python", "carried"]


def test_busybox_is_enough(
    bundle: Path, tmp_path: Path, scratch: dict[str, str], carried: tuple[CarriedPython, Member]
) -> None:
    """No GNU program is called: tail, head, tar and all others are busybox's."""
    busybox = shutil.which("busybox")
    if not busybox:
        pytest.skip("no busybox on this machine")
    few = tmp_path / "few"
    few.mkdir()
    for name in FEW:
        (few / name).symlink_to(busybox)
    said = start([few / "sh", bundle, "doctor", "--python", "carried"], scratch, path=str(few)).seen()
    assert said["version"] == [int(number) for number in carried[0].version.split(".")]


def test_install_unpacks_beside_the_home(bundle: Path, bare: Path, tmp_path: Path) -> None:
    home = tmp_path / "not" / "yet" / "home"
    said = start(["sh", bundle, "install", "--python=carried", f"--home={home}"], path=str(bare)).seen()
    assert Path(said["executable"]).parents[2].parent == tmp_path
    assert list(tmp_path.iterdir()) == []


def test_dry_run_is_no_install(bundle: Path, bare: Path, tmp_path: Path, scratch: dict[str, str]) -> None:
    command = ["sh", str(bundle), "install", "--dry-run", "--python", "carried", f"--home={tmp_path}/x"]
    said = start(command, scratch, path=str(bare)).seen()
    assert said["executable"].startswith(scratch["TMPDIR"])


def test_exit_status_is_passed_on(bundle: Path, scratch: dict[str, str], tmp_path: Path) -> None:
    home = f"--home={tmp_path}/x"
    assert start(["sh", bundle, "x", "--python", "carried", home, "--exit", "33"], scratch).status == 33


@pytest.mark.parametrize("program", HASHES)
def test_any_program_for_sha256_will_do(
    program: str, bundle: Path, bare: Path, tmp_path: Path, scratch: dict[str, str]
) -> None:
    found = shutil.which(program)
    if not found:
        pytest.skip(f"no {program} on this machine")
    few = tmp_path / "few"
    shutil.copytree(bare, few, symlinks=True)
    (few / "sha256sum").unlink()
    command = [str(few / "sh"), str(bundle), "doctor", "--python", "carried"]
    assert "neither sha256sum nor openssl nor perl" in start(command, scratch, path=str(few)).stopped()
    (few / program).symlink_to(found)
    start(command, scratch, path=str(few)).seen()


def test_complete_python_of_the_host_comes_first(
    bundle: Path, bare: Path, tmp_path: Path, carried: tuple[CarriedPython, Member]
) -> None:
    host = next(item for item in pythons.fitting() if item.minor == minor(carried))
    (tmp_path / f"python{host.minor}").symlink_to(host.path)
    said = start([bare / "sh", bundle, "doctor"], path=f"{tmp_path}:{bare}").seen()
    assert said["executable"] == str(tmp_path / f"python{host.minor}")


@pytest.mark.parametrize("lack", ["_ctypes", "old", "other"])
def test_python_that_does_not_do_is_passed_over(
    lack: str, of_no_host: Path, archive: Path, bare: Path, tmp_path: Path, scratch: dict[str, str]
) -> None:
    place = tmp_path / "host"
    place.mkdir()
    if lack == "old":
        if not pythons.too_old():
            pytest.skip("no Python older than 3.8 on this machine")
        (place / "python3").symlink_to(pythons.too_old()[-1].path)
    elif lack == "other":
        (place / "python3").symlink_to(pythons.fitting()[0].path)
    if lack == "_ctypes":
        _shadow(place, archive, without="_ctypes")
    said = start([bare / "sh", of_no_host, "doctor"], scratch, path=f"{place}:{bare}").seen()
    assert said["executable"].startswith(scratch["TMPDIR"])


def test_host_python_can_be_insisted_on(of_no_host: Path, bare: Path) -> None:
    message = start([bare / "sh", of_no_host, "doctor", "--python", "host"], path=str(bare)).stopped()
    assert "python-missing" in message


def test_bundle_without_one_says_so(bare: Path, tmp_path: Path) -> None:
    path = bundles.write(tmp_path / "b.run", "3.99")
    message = start([bare / "sh", path, "doctor", "--python", "carried"], path=str(bare)).stopped()
    assert "this bundle carries no Python" in message


def test_changed_archive_is_not_unpacked(
    bundle: Path, tmp_path: Path, scratch: dict[str, str], carried: tuple[CarriedPython, Member]
) -> None:
    """The seal was written again to match."""
    changed = tmp_path / "b.run"
    content = bytearray(bundle.read_bytes())
    content[content.index(carried[1].content.read_bytes()[:200]) + 5000] ^= 1  # type: ignore[union-attr]
    changed.write_bytes(content)
    bundles.reseal(changed)
    message = start(["sh", changed, "doctor", "--python", "carried"], scratch).stopped()
    assert "of the carried Python" in message


def test_interpreter_that_does_not_start_here(tmp_path: Path, scratch: dict[str, str], bare: Path) -> None:
    """What the loader says is shown, and every folder is tried."""
    place = tmp_path / "python" / "bin"
    place.mkdir(parents=True)
    (place / "python3.99").write_text("#!/bin/sh\necho 'version GLIBC_2.99 not found' >&2\nexit 1\n")
    (place / "python3.99").chmod(0o755)
    path = tmp_path / "cpython-3.99.1.tar.gz"
    subprocess.run(["tar", "-C", tmp_path, "-czf", path, "python"], check=True)
    described, member = relocatable.carried(path)
    bundle = bundles.write(tmp_path / "b.run", "3.99", [member], described)
    message = start([bare / "sh", bundle, "doctor"], scratch, path=str(bare)).stopped()
    assert f"{scratch['TMPDIR']}/.airferry-python." in message
    assert "GLIBC_2.99 not found" in message


def test_noexec_temporary_folder_is_passed_over(bundle: Path, tmp_path: Path) -> None:
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no mount namespaces here")
    script = 'mount -t tmpfs -o noexec none "$1" && TMPDIR=$1 sh "$2" doctor --python carried && ls -A "$1"'
    ran = start(["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path), str(bundle)])
    assert ran.seen()["executable"].startswith("/var/tmp/.airferry-python.")
    assert not Path(ran.seen()["executable"]).exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_leave_nothing_behind(
    number: signal.Signals, tmp_path: Path, scratch: dict[str, str], carried: tuple[CarriedPython, Member]
) -> None:
    path = tmp_path / "b.run"
    members = [item for item in bundles.members() if not item.name.endswith("cli.py")]
    members += [Member("runtime/bootstrap/cli.py", WAITING), carried[1]]
    described = replace(bundles.manifest(minor(carried)), python=carried[0])
    writer.write(path, described, members, timestamp=bundles.STAMP)
    ready = tmp_path / "ready"
    command = ["sh", str(path), "doctor", "--python", "carried", str(ready)]
    child = subprocess.Popen(command, env={**os.environ, **scratch}, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 30
        while not ready.exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        executable = Path(ready.read_text())
        assert executable.exists()
        child.send_signal(number)
        assert child.wait(20) != 0
    finally:
        child.kill()
        child.wait()


@pytest.fixture(scope="module")
def of_no_host(tmp_path_factory: pytest.TempPathFactory, archive: Path) -> Path:
    """A bundle for Python 3.99, which lies on no host; the carried interpreter goes by that name."""
    folder = tmp_path_factory.mktemp("none")
    renamed = folder / "cpython-3.99.0.tar.gz"
    unpacked = folder / "renamed"
    unpacked.mkdir()
    subprocess.run(["tar", "-C", unpacked, "-xzf", archive], check=True)
    real = next(path for path in (unpacked / "python" / "bin").glob("python3.[0-9]*"))
    (real.parent / "python3.99").symlink_to(real.name)
    subprocess.run(["tar", "-C", unpacked, "-cf", folder / "x.tar", "python"], check=True)
    subprocess.run(f"gzip -1 <{folder}/x.tar >{renamed}", shell=True, check=True)
    shutil.rmtree(unpacked)
    (folder / "x.tar").unlink()
    described, member = relocatable.carried(renamed)
    return bundles.write(folder / "b.run", "3.99", [member], described)


def _shadow(folder: Path, archive: Path, *, without: str) -> None:
    """Put an interpreter on PATH as 3.99 that has lost a module."""
    python = next(item for item in pythons.fitting() if f"cpython-{item.minor}." in archive.name)
    try:
        broken = pythons.without(python, [without], folder / "prefix")
    except LookupError:
        pytest.skip(f"{without} is compiled into {python.path}")
    (folder / "python3.99").symlink_to(broken)
