"""Rules of the project that no single module can keep: who imports whom, and on which Python."""

from __future__ import annotations

import ast
import functools
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from uv import find_uv_bin

from tests.support import pythons

ROOT = Path(__file__).parents[1]
SOURCES = sorted(
    path for package in ("bundler", "bootstrap", "wheelhouse") for path in (ROOT / package).rglob("*.py")
)
CLOSED_SIDE = [path for path in SOURCES if path.relative_to(ROOT).parts[0] != "bundler"]

# The oldest and the newest Python here.
ENDS = [*pythons.fitting()[:1], *pythons.fitting()[1:][-1:]]
# Runs in Airflow's own interpreter, not in ours.
INSIDE_AIRFLOW = (
    "bootstrap.airflow.batch",
    "bootstrap.airflow.fabpassword",
    "bootstrap.airflow.dagcheck",
    "bootstrap.cluster.celeryworker",
    "bootstrap.site.authority",
)

# Imports one module in each child, so that no other one has prepared the ground for it.
EACH_ALONE = """
import importlib, os, sys, traceback
# what is not ours may be there already: it takes most of the time
import dataclasses, http.client, json, pathlib, platform, subprocess, tempfile, typer, urllib.request
import rich.console, rich.progress, rich.table, xmlrpc.client, zipfile
failed = 0
for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        try:
            importlib.import_module(name)
        except BaseException:
            sys.stderr.write(name + chr(10) + traceback.format_exc())
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    failed += bool(os.waitpid(child, 0)[1])
sys.exit(failed > 0)
"""


def names(paths: list[Path]) -> list[str]:
    """The modules' names."""
    parts = [path.relative_to(ROOT).with_suffix("").parts for path in paths]
    return [".".join(part[:-1] if part[-1] == "__init__" else part) for part in parts]


@functools.cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """All of a module's syntax; each file is parsed once."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))


def imported(path: Path) -> Iterator[str]:
    """What a module imports, wherever in it."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def called(path: Path) -> Iterator[str]:
    """The dotted names of the functions that a module calls."""
    for node in nodes(path):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def test_import_contracts() -> None:
    program = shutil.which("lint-imports", path=str(Path(sys.executable).parent))
    if not program:
        pytest.skip("import-linter is not installed")
    done = subprocess.run([program], cwd=ROOT, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_one_door_for_other_programs() -> None:
    doors = {str(path.relative_to(ROOT)) for path in SOURCES if "subprocess" in imported(path)}
    assert doors == {"bootstrap/base/process.py"}
    others = {"os.system", "os.popen", "os.posix_spawn", "os.spawnv", "pty.spawn", "subprocess.Popen"}
    callers = {str(path.relative_to(ROOT)) for path in SOURCES if others & set(called(path))}
    assert callers == {"bootstrap/base/process.py"}


def test_only_the_command_line_prints() -> None:
    assert [path for path in SOURCES if "print" in called(path)] == []


def test_modules_stay_readable() -> None:
    long = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES
    }
    assert {name: lines for name, lines in long.items() if lines > 330} == {}


def test_one_meaning_for_each_name_of_a_class() -> None:
    modules = [nodes(path)[0] for path in SOURCES]
    found = Counter(
        node.name
        for module in modules
        if isinstance(module, ast.Module)
        for node in module.body
        if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in found.items() if count > 1] == []


@pytest.fixture(scope="session")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages that a bundle carries beside bootstrap and wheelhouse, for its oldest Python."""
    folder = tmp_path_factory.mktemp("runtime")
    lock = ROOT / "bundler" / "resources" / "pylock.runtime.toml"
    command = [find_uv_bin(), "pip", "install", "--quiet", "--python-version", "3.8"]
    command += ["--preview-features", "pylock", "--target", str(folder), "--requirement", str(lock)]
    subprocess.run(command, check=True, capture_output=True)
    return folder


@pytest.mark.network
@pytest.mark.parametrize("python", ENDS, ids=lambda item: item.minor)
def test_closed_side_imports_alone_on(python: pythons.Python, runtime: Path, tmp_path: Path) -> None:
    """Every module, as it runs on a host: isolated, without site-packages, warnings of its own as errors."""
    start = f"import sys; sys.path[:0] = [{str(ROOT)!r}, {str(runtime)!r}]\n"
    options = ["-I", "-S", "-X", "utf8", "-X", f"pycache_prefix={tmp_path}", "-W", "error::SyntaxWarning"]
    modules = [name for name in names(CLOSED_SIDE) if name not in INSIDE_AIRFLOW]
    command: list[str | Path] = [python.path, *options, "-c", start + EACH_ALONE, *modules]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_closed_side_has_the_syntax_of_3_8() -> None:
    """On a machine that has no such Python."""
    wrong = []
    for path in CLOSED_SIDE:
        try:
            ast.parse(path.read_text(encoding="utf-8"), filename=str(path), feature_version=(3, 8))
        except SyntaxError as error:
            wrong.append(f"{path.relative_to(ROOT)}:{error.lineno}: {error.msg}")
    assert wrong == []
