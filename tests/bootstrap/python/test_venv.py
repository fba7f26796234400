"""Locked wheels into a venv: real uv, real pip where uv cannot run, no network, and nothing missing after."""

from __future__ import annotations

import ctypes
import os
import stat
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest
from uv import find_uv_bin

from bootstrap.base import process
from bootstrap.base.process import CommandFailed
from bootstrap.python.venv import PackagesDamaged, ToolChanged, Tools, Venv
from tests.support import pythons, wheels
from wheelhouse.manifest import Package

FITTING = pythons.fitting()
HERE = next((item for item in FITTING if item.version[:2] == sys.version_info[:2]), FITTING[-1])
# the oldest that a bundle may be for, the newest here, and the tests' own
SOME = sorted({FITTING[0], HERE, FITTING[-1]}, key=lambda item: item.version)


@pytest.fixture
def tools(tmp_path: Path) -> Tools:
    """The carried installers."""
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "uv").symlink_to(find_uv_bin())
    pip = wheels.installed(folder, "pip")
    return Tools(folder / "uv", pip, version("uv"), wheels.package(pip).sha256)


@pytest.fixture(params=["uv", "pip"])
def either(request: pytest.FixtureRequest, tools: Tools) -> Tools:
    """The carried installers; with "pip", uv is a file that cannot be executed."""
    if request.param == "pip":
        tools.uv.unlink()
        tools.uv.write_bytes(b"\x7fELF no program")
        tools.uv.chmod(0o644)
    return tools


@pytest.fixture
def staged(tmp_path: Path) -> tuple[Path, list[Package]]:
    """A folder with three wheels, and how the manifest describes them."""
    folder = tmp_path / "지 름길" / "venv"
    folder.mkdir(parents=True)
    built = [
        wheels.build(
            folder,
            "alpha",
            {"alpha/__init__.py": b"import beta\ndef main():\n    print('alpha', beta.VALUE)\n"},
            entry_points="alpha = alpha:main",
        ),
        wheels.build(folder, "beta", {"beta.py": b"VALUE = 42\n", "beta-data/x.txt": "한글".encode()}),
        wheels.build(folder, "gamma_delta", {"gamma_delta/__init__.py": b""}, version="2.0.post1"),
    ]
    return folder, [wheels.package(path) for path in built]


def create(
    tmp_path: Path,
    tools: Tools,
    staged: tuple[Path, list[Package]],
    python: Path = HERE.path,
    env: dict[str, str] | None = None,
) -> Venv:
    """Make a venv as an install does, in a folder with a blank and Korean letters."""
    folder, packages = staged
    venv = Venv(tmp_path / "지 름길" / "release" / "venv", python)
    venv.path.parent.mkdir(exist_ok=True)
    venv.create(
        tools,
        packages,
        folder,
        cache=tmp_path / "cache",
        env=process.environment(env),
        log=tmp_path / "install.log",
    )
    return venv


@pytest.mark.parametrize("python", SOME, ids=lambda item: item.minor)
def test_packages_are_installed(
    tmp_path: Path, tools: Tools, staged: tuple[Path, list[Package]], python: pythons.Python
) -> None:
    venv = create(tmp_path, tools, staged, python.path)
    script = "import alpha, sys; alpha.main(); print('%d.%d' % sys.version_info[:2], sys.prefix)"
    done = subprocess.run(
        [venv.interpreter, "-I", "-c", script], check=True, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.stdout.splitlines() == ["alpha 42", f"{python.minor} {venv.path}"]
    assert subprocess.run([venv.path / "bin" / "alpha"], check=True, capture_output=True).stdout
    assert venv.damaged() == []
    # nothing but what was locked: neither pip nor setuptools
    found = sorted(path.name for path in venv.path.glob("lib/python3*/site-packages/*.dist-info"))
    assert found == ["alpha-1.0.dist-info", "beta-1.0.dist-info", "gamma_delta-2.0.post1.dist-info"]


def test_settings_of_the_host_do_not_matter(
    tmp_path: Path, either: Tools, staged: tuple[Path, list[Package]], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "uv").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text("[install]\nuser = true\nno-deps = no\n[global]\nx\n")
    (home / ".config" / "uv" / "uv.toml").write_text("this is no toml")
    for name, value in {
        "HOME": str(home),
        "PIP_INDEX_URL": "http://127.0.0.1:9/",
        "PIP_TARGET": str(tmp_path / "elsewhere"),
        "PIP_REQUIRE_VIRTUALENV": "0",
        "PIP_CONFIG_FILE": "/nonexistent",
        "UV_INDEX_URL": "http://127.0.0.1:9/",
        "UV_PYTHON": "/nonexistent",
        "UV_SYSTEM_PYTHON": "1",
        "PYTHONPATH": "/nonexistent",
        "VIRTUAL_ENV": "/nonexistent",
    }.items():
        monkeypatch.setenv(name, value)
    venv = create(tmp_path, either, staged)
    assert (venv.path / "bin" / "alpha").exists()
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.skipif(
    subprocess.run(["unshare", "-n", "true"], check=False, capture_output=True).returncode != 0,
    reason="no network namespaces here",
)
def test_without_any_network(tmp_path: Path, either: Tools, staged: tuple[Path, list[Package]]) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            assert ctypes.CDLL(None).unshare(0x40000000) == 0  # CLONE_NEWNET
            create(tmp_path, either, staged)
            os._exit(0)
        finally:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0
    assert Venv(tmp_path / "지 름길" / "release" / "venv", HERE.path).damaged() == []


def test_changed_wheel_is_refused(tmp_path: Path, either: Tools, staged: tuple[Path, list[Package]]) -> None:
    folder, _ = staged
    wheels.build(folder, "beta", {"beta.py": b"VALUE = 43\n"})
    with pytest.raises(CommandFailed, match="Could not install the packages") as caught:
        create(tmp_path, either, staged)
    assert "hash" in caught.value.found.lower()
    assert str(tmp_path / "install.log") in caught.value.hint


def test_missing_wheel_is_refused(tmp_path: Path, tools: Tools, staged: tuple[Path, list[Package]]) -> None:
    folder, packages = staged
    (folder / packages[1].filename).unlink()
    with pytest.raises(CommandFailed, match="Could not install the packages"):
        create(tmp_path, tools, staged)


def test_interpreter_that_is_none(tmp_path: Path, tools: Tools, staged: tuple[Path, list[Package]]) -> None:
    with pytest.raises(CommandFailed, match="Could not make the virtual environment"):
        create(tmp_path, tools, staged, Path("/nonexistent/python3"))


@pytest.mark.parametrize("damage", ["removed", "cut", "folder"])
def test_damage_is_found_by_record(
    tmp_path: Path, tools: Tools, staged: tuple[Path, list[Package]], damage: str
) -> None:
    venv = create(tmp_path, tools, staged)
    (victim,) = venv.path.glob("lib/python3*/site-packages/beta.py")
    if damage == "cut":
        os.truncate(victim, 3)
    else:
        victim.unlink()
    if damage == "folder":
        victim.mkdir()
    (found,) = venv.damaged()
    assert found.startswith("beta-1.0.dist-info: ")
    assert f"{victim} " in found


def test_console_script_that_is_missing_is_damage(
    tmp_path: Path, tools: Tools, staged: tuple[Path, list[Package]]
) -> None:
    venv = create(tmp_path, tools, staged)
    (venv.path / "bin" / "alpha").unlink()
    (found,) = venv.damaged()
    assert found.startswith("alpha-1.0.dist-info: ")
    assert found.endswith("bin/alpha is missing")


def test_compiled_files_are_no_damage(
    tmp_path: Path, tools: Tools, staged: tuple[Path, list[Package]]
) -> None:
    venv = create(tmp_path, tools, staged)
    subprocess.run([venv.interpreter, "-c", "import alpha"], check=True)
    for compiled in venv.path.rglob("alpha/__pycache__/*.pyc"):
        compiled.unlink()
    assert venv.damaged() == []


def test_file_that_two_packages_bring_is_no_damage(tmp_path: Path, tools: Tools) -> None:
    """Badly packaged releases bring a top-level tests/__init__.py; the last one installed stays."""
    folder = tmp_path / "지 름길" / "venv"
    folder.mkdir(parents=True)
    built = [
        wheels.build(folder, "one", {"tests/__init__.py": b"# one\n", "one.py": b""}),
        wheels.build(folder, "two", {"tests/__init__.py": b"# the second\n", "two.py": b""}),
    ]
    venv = create(tmp_path, tools, (folder, [wheels.package(path) for path in built]))
    assert venv.damaged() == []
    (shared,) = venv.path.glob("lib/python3*/site-packages/tests/__init__.py")
    shared.write_bytes(b"neither of them\n")
    assert len(venv.damaged()) == 2


def test_installer_that_says_success_and_left_files_out(
    tmp_path: Path, tools: Tools, staged: tuple[Path, list[Package]]
) -> None:
    """uv does so when it is run again in a venv in which it was killed before."""
    real = tools.uv.resolve()
    tools.uv.unlink()
    tools.uv.write_text(
        f'#!/bin/sh\n"{real}" "$@" || exit\n[ "$1" = venv ] || rm -f {tmp_path}/*/*/*/lib/*/*/beta.py\n',
        encoding="utf-8",
    )
    tools.uv.chmod(0o755)
    with pytest.raises(PackagesDamaged, match="are incomplete") as caught:
        create(tmp_path, tools, staged)
    assert caught.value.exit_code == 39
    assert "beta-1.0.dist-info: " in caught.value.found
    assert "beta.py is missing" in caught.value.found


def test_pip_where_uv_cannot_run(
    tmp_path: Path, either: Tools, staged: tuple[Path, list[Package]], request: pytest.FixtureRequest
) -> None:
    venv = create(tmp_path, either, staged)
    assert (
        subprocess.run([venv.path / "bin" / "alpha"], check=True, capture_output=True).stdout == b"alpha 42\n"
    )
    log = (tmp_path / "install.log").read_text(encoding="utf-8")
    assert ("pip install --isolated" in log) == (request.node.callspec.params["either"] == "pip")
    assert not list(venv.path.glob("lib/python3*/site-packages/pip*"))


def test_no_package_at_all(tmp_path: Path, tools: Tools, staged: tuple[Path, list[Package]]) -> None:
    venv = create(tmp_path, tools, (staged[0], []))
    assert venv.interpreter.exists()


def test_umask_077_gives_a_venv_of_ones_own(
    tmp_path: Path, tools: Tools, staged: tuple[Path, list[Package]]
) -> None:
    before = os.umask(0o077)
    try:
        venv = create(tmp_path, tools, staged)
    finally:
        os.umask(before)
    open_ones = [
        path
        for path in venv.path.rglob("*")
        if not path.is_symlink() and stat.S_IMODE(path.stat().st_mode) & 0o022
    ]
    assert open_ones == []


def test_tools_are_unpacked_from_their_wheels(tmp_path: Path) -> None:
    source, target = tmp_path / "wheels", tmp_path / "tools"
    source.mkdir()
    target.mkdir()
    uv = wheels.build(source, "uv", {"uv-1.0.data/scripts/uv": b"#!/bin/sh\necho uv 1.0\n"})
    pip = wheels.build(source, "pip", {"pip/__main__.py": b""})
    tools = Tools.unpack(source, target, [wheels.package(uv), wheels.package(pip)])
    assert tools.uv == target / "uv"
    assert tools.pip == target / pip.name
    assert tools.uv_runs(process.environment())
    tools.uv.chmod(0o644)
    assert not tools.uv_runs(process.environment())
    tools.pip.write_bytes(b"another")
    with pytest.raises(ToolChanged, match=r"pip-1\.0"):
        tools.uv_runs(process.environment())
    tools.uv.write_bytes(b"#!/bin/sh\necho uv 1.0.1\n")
    tools.uv.chmod(0o755)
    with pytest.raises(ToolChanged, match="uv is not the tool"):
        tools.uv_runs(process.environment())


def test_name_is_taken_from_the_lock(
    tmp_path: Path, tools: Tools, staged: tuple[Path, list[Package]]
) -> None:
    """A lock names packages in normal form, files may not."""
    folder, packages = staged
    normal = [replace(item, name=item.name.replace("_", "-")) for item in packages]
    assert create(tmp_path, tools, (folder, normal)).damaged() == []
