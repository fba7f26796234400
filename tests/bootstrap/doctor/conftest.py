"""Hosts whose facts were saved, the needs of a bundle, and Pythons that lack modules."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.doctor.needs import Needs, WantedPort
from bootstrap.facts import libc
from bootstrap.facts.host import Facts
from wheelhouse import codec

DATA = Path(__file__).parent / "data"


def load(name: str) -> Facts:
    return codec.loads(Facts, (DATA / f"{name}.json").read_text(encoding="utf-8"))


@pytest.fixture
def facts() -> Facts:
    """A host on which nothing is wrong."""
    return load("debian-12")


@pytest.fixture
def needs() -> Needs:
    """A bundle for CPython 3.11 on glibc 2.28, to be installed by root for the account airflow."""
    return Needs(
        airflow="3.3.2",
        label="CPython 3.11, x86_64, glibc >= 2.28",
        python="3.11",
        machine="x86_64",
        libc="glibc",
        libc_label="glibc 2.28",
        wheels=(
            "apache_airflow-3.3.2-py3-none-any.whl",
            "cryptography-46.0.1-cp311-abi3-manylinux_2_28_x86_64.whl",
            "uv-0.13.9-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        ),
        room=600_000_000,
        growth=1_100_000_000,
        inodes=30_000,
        memory=1_000_000_000,
        memory_least=700_000_000,
        parallelism=4,
        home="/opt/airflow",
        ports=(WantedPort(8080, "web server"), WantedPort(25432, "PostgreSQL")),
        account="airflow",
        created="2026-11-17T09:44:01Z",
    )


_LEFT_OUT = {"site-packages", "dist-packages", "__pycache__", "test"}
_LAYOUT = """
import os, sys, sysconfig
print(sys.base_prefix)
print(sysconfig.get_path("stdlib"))
print(os.path.realpath(sys.executable))
print("%d.%d" % sys.version_info[:2])
print(" ".join(sys.builtin_module_names))
"""

# For a module that is compiled into the interpreter there is no file to leave out.
_BLOCK = """
import sys
class Blocked:
    names = frozenset({names!r})
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in cls.names:
            raise ModuleNotFoundError("No module named %r" % name, name=name)
sys.meta_path.insert(0, Blocked)
for name in Blocked.names:
    sys.modules.pop(name, None)
"""


@pytest.fixture
def broken_python(tmp_path: Path) -> Callable[..., Path]:
    """Make a real interpreter that lacks some modules, with the true error text: a farm of links."""

    def make(*missing: str) -> Path:
        source = os.path.realpath(sys.executable)
        said = subprocess.run(
            [source, "-I", "-c", _LAYOUT], check=True, capture_output=True, text=True
        ).stdout
        prefix, stdlib, executable, version, builtin = said.splitlines()
        root = tmp_path / ("without-" + "-".join(missing or ("nothing",)))
        library = root / "lib" / f"python{version}"
        (root / "bin").mkdir(parents=True)
        python = root / "bin" / f"python{version}"
        # A real copy: the interpreter finds its library from where it really lies.
        python.write_bytes(Path(executable).read_bytes())
        python.chmod(0o755)
        for folder, folders, files in os.walk(stdlib):
            folders[:] = sorted(set(folders) - _LEFT_OUT - set(missing))
            target = library / Path(folder).relative_to(stdlib)
            target.mkdir(parents=True)
            for name in files:
                if name.split(".")[0] not in missing:
                    (target / name).symlink_to(Path(folder, name))
        for shared in Path(prefix, "lib").glob(f"libpython{version}*.so*"):
            (root / "lib" / shared.name).symlink_to(shared)
        blocked = sorted(set(missing) & set(builtin.split()))
        if blocked:
            sitecustomize = library / "sitecustomize.py"
            if sitecustomize.is_symlink():
                sitecustomize.unlink()
            sitecustomize.write_text(_BLOCK.format(names=blocked))
        return python

    return make


@pytest.fixture
def here(needs: Needs, tmp_path: Path) -> Needs:
    """Needs that this very host meets, for a home that can be made, without another account."""
    host = libc.collect()
    return replace(
        needs,
        python=f"{sys.version_info[0]}.{sys.version_info[1]}",
        machine=host.machine,
        libc=host.name,
        libc_label=f"{host.name} {host.version}",
        wheels=("pure-1-py3-none-any.whl",),
        interpreter=None,
        account="",
        ports=(),
        room=1_000_000,
        growth=1_000_000,
        inodes=10,
        memory=2,
        memory_least=1,
        home=str(tmp_path / "airflow"),
        created="",
    )


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """Mount a small filesystem of its own with these options."""
    point = tmp_path / "mount"
    point.mkdir()

    def mount(options: str) -> Path:
        result = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(point)], capture_output=True, check=False
        )
        if result.returncode != 0:
            pytest.skip(f"cannot mount here: {result.stderr.decode().strip()}")
        return point

    yield mount
    subprocess.run(["umount", "-l", str(point)], capture_output=True, check=False)
