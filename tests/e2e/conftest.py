"""Real crossings: a real bundle, made once, installed for real where there is no network."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.hosts import Host, Namespace
from tests.support.index import index_problem
from tests.support.pythons import readable_python

ROOT = Path(__file__).resolve().parents[2]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A test that installs for real may take an hour, with what it shares with others."""
    for item in items:
        if item.get_closest_marker("e2e") and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(3600))


@pytest.fixture(scope="session")
def python() -> str:
    """An interpreter of this host that every account can run."""
    found = readable_python()
    check = "import ctypes, ssl, sqlite3, zlib"
    if os.geteuid() == 0:
        nobody = pwd.getpwnam("nobody")
        ran = subprocess.run(
            [found, "-c", check], user=nobody.pw_uid, group=nobody.pw_gid, cwd="/", check=False
        )
    else:
        ran = subprocess.run([found, "-c", check], check=False)
    if ran.returncode:
        pytest.skip(f"{found} cannot be run by an ordinary account with its complete standard library")
    return found


@pytest.fixture(scope="session")
def minor(python: str) -> str:
    """That interpreter's minor version."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A folder that every account can enter, which pytest's own are not."""
    folder = Path(tempfile.mkdtemp(prefix="airferry-e2e-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def bundle(scratch: Path, minor: str) -> Path:
    """The newest Airflow for that interpreter, made with the command that a user would run."""
    problem = index_problem()
    if problem:
        pytest.skip(problem)
    command = [
        sys.executable,
        "-m",
        "bundler",
        "bundle",
        "--python",
        minor,
        "--output",
        str(scratch),
        "--json",
    ]
    made = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    assert made.returncode == 0, made.stdout
    return Path(json.loads(made.stdout)["result"]["file"])


@pytest.fixture(scope="session")
def namespace() -> Iterator[Namespace]:
    """The network of the closed host: a loopback interface and nothing else."""
    made = Namespace()
    if made.problem:
        pytest.skip(f"this machine allows no network namespace: {made.problem}")
    yield made
    made.close()


@pytest.fixture(scope="session")
def user_host(scratch: Path, python: str, namespace: Namespace) -> Host:
    """The closed host as an ordinary user has it; root lends itself to the account nobody."""
    folder = scratch / "user"
    folder.mkdir()
    if os.geteuid() != 0:
        return Host(folder, python, os.geteuid(), os.getegid(), namespace)
    nobody = pwd.getpwnam("nobody")
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    return Host(folder, python, nobody.pw_uid, nobody.pw_gid, namespace)


@pytest.fixture(scope="session")
def root_host(scratch: Path, python: str, namespace: Namespace) -> Host:
    """The closed host as root has it."""
    if os.geteuid() != 0:
        pytest.skip("not root: the install as root is not tried")
    folder = scratch / "root"
    folder.mkdir()
    return Host(folder, python, 0, 0, namespace)
