"""Bytecode that is cut off, made by a real interpreter that may write no more than so many bytes."""

from __future__ import annotations

import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.installed import bytecode
from bootstrap.installed.installation import Installation
from tests.support import receipts

# its bytecode is some 20 kB
MODULE = "".join(f"name_{number} = 'value {number}'\n" for number in range(1000))
LIMIT = 4096


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """A home with a release that holds an interpreter, a module in its environment, and one of a DAG's."""
    chosen = replace(receipts.sample(tmp_path / "한글 홈"), python=sys.executable, library_path="")
    made = Installation(chosen)
    (made.release.venv / "bin").mkdir(parents=True)
    (made.release.venv / "bin" / "python").symlink_to(sys.executable)
    for folder in (site(made), made.home.dags):
        folder.mkdir(parents=True)
        (folder / "long.py").write_text(MODULE)
        (folder / "short.py").write_text("x = 1\n")
    return made


def site(installation: Installation) -> Path:
    return installation.release.venv / "lib" / "site-packages"


def compiled(folder: Path, module: str = "long") -> Path:
    return folder / "__pycache__" / f"{module}.{sys.implementation.cache_tag}.pyc"


def load(folder: Path, limit: int = resource.RLIM_INFINITY) -> subprocess.CompletedProcess[str]:
    """Import both modules in an interpreter that may write files of so many bytes."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, resource.RLIM_INFINITY));"
        "sys.path.insert(0, sys.argv[1]); import short, long"
    )
    command = [sys.executable, "-I", "-c", code, str(folder)]
    return subprocess.run(command, check=False, capture_output=True, text=True)


def cut_off(folder: Path) -> Path:
    """Leave what an interpreter leaves that the disk had no room for."""
    assert load(folder, LIMIT).returncode == 0
    path = compiled(folder)
    if not path.exists():
        # 3.12.8, 3.13.1 and newer notice it; older ones may have written there before
        assert load(folder).returncode == 0
        path.write_bytes(path.read_bytes()[:LIMIT])
    assert path.stat().st_size == LIMIT
    assert "EOFError" in load(folder).stderr
    return path


def test_what_a_full_disk_cut_off_is_found_and_removed(installation: Installation) -> None:
    found = [cut_off(folder) for folder in (site(installation), installation.home.dags)]
    assert sorted(bytecode.damaged(installation)) == sorted(map(str, found))
    assert all(path.exists() for path in found)
    assert sorted(bytecode.mend(installation)) == sorted(map(str, found))
    assert bytecode.damaged(installation) == []
    for folder in (site(installation), installation.home.dags):
        assert not compiled(folder).exists()
        assert compiled(folder, "short").exists()
        assert load(folder).returncode == 0


def test_other_interpreters_bytecode_is_left_alone(installation: Installation) -> None:
    folder = site(installation)
    path = cut_off(folder)
    other = path.with_name("long.cpython-32.pyc")
    path.rename(other)
    path.write_bytes(b"\0" * 100)  # no magic number: Python passes it over as well
    assert load(folder).returncode == 0
    assert bytecode.mend(installation) == []
    assert other.exists()


def test_without_an_interpreter_nothing_is_found(installation: Installation) -> None:
    cut_off(site(installation))
    python = installation.release.venv / "bin" / "python"
    python.unlink()
    assert bytecode.mend(installation) == []
    python.symlink_to("/nonexistent/python3")
    assert bytecode.damaged(installation) == []
