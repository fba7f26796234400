"""Every row of the table of build needs, built for real in a bare Debian: missing, told, installed, built."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bundler.build import buildneeds
from tests.e2e.conftest import ROOT as PROJECT
from tests.support import roots
from tests.support.index import index_problem
from tests.support.roots import Root

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.network,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(
        not os.environ.get("AIRFERRY_FULL"), reason="AIRFERRY_FULL is not set: builds for long"
    ),
]

PYTHON = "/opt/airferry/bin/python"
# The version whose source is built, where it is not the newest; and what is imported of the result.
VERSIONS = {"python-snappy": "0.6.1"}
MODULES = {
    "cffi": "_cffi_backend", "lxml": "lxml.etree", "m2crypto": "M2Crypto", "mysqlclient": "MySQLdb",
    "psycopg-c": "psycopg, psycopg_c.pq", "pycairo": "cairo",
    "pykerberos": "kerberos", "python-ldap": "ldap", "python-snappy": "snappy",
}  # fmt: skip
# What else that needs: other distributions, and libraries of X that no wheel may hold (manylinux).
BESIDE = {"psycopg-c": ("psycopg",)}
LIBRARIES = {"pycairo": ("libxrender1", "libxext6")}
# Its newest source fits no Python after 3.10: Debian 12 says what it needs, and Debian 11 builds it, by pip,
# since airferry itself does not run there.
TOO_OLD = ("sasl",)
INSTALL = re.compile(r"apt-get install ([a-z0-9.+ -]+[a-z0-9+])")


@pytest.fixture(scope="module")
def prepared(scratch: Path) -> Iterator[Path]:
    """Debian 12 with airferry, and no compiler."""
    problem = index_problem()
    if problem:
        pytest.skip(problem)
    original = roots.base("bookworm", "python3", "python3-venv", "ca-certificates")
    root = Root(original, scratch / "prepared", online=True)
    for name in ("bundler", "bootstrap", "wheelhouse", "dags_example", "docs"):
        shutil.copytree(PROJECT / name, root.path / "srv" / name)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, root.path / "srv" / name)
    shutil.copy(PROJECT / "tests/e2e/building.py", root.path / "srv" / "building.py")
    with root:
        ran(root, "apt-get", "update")
        ran(root, "python3", "-m", "venv", "/opt/airferry")
        ran(root, PYTHON, "-m", "pip", "install", "--quiet", "/srv")
        yield root.path


def ran(root: Root, *command: str) -> str:
    """Run a command in the root that must succeed."""
    done = root.run(*command, timeout=900)
    assert done.returncode == 0, f"{command}: {done.stdout[-1500:]}{done.stderr[-1500:]}"
    return done.stdout


def asked(root: Root, package: str) -> Any:
    """What airferry says when it is to build the package there."""
    glibc = ".".join(map(str, roots.glibc(root.path)))
    said = ran(root, PYTHON, "/srv/building.py", package, VERSIONS.get(package, ""), glibc)
    return json.loads(said.splitlines()[-1])


def built_by_pip(package: str, packages: list[str], scratch: Path) -> None:
    """Build it in a Debian 11 that has nothing but the packages that were told; without them it fails."""
    original = roots.base("bullseye", "python3", "python3-venv", "ca-certificates")
    build = ["/opt/own/bin/pip", "wheel", "--no-binary", ":all:", "--no-deps", "-w", "/root", package]
    with Root(original, scratch / f"{package}-older", online=True) as root:
        ran(root, "apt-get", "update")
        ran(root, "python3", "-m", "venv", "/opt/own")
        # what its metadata needs is pure Python, and no affair of the table
        ran(root, "/opt/own/bin/pip", "install", "--quiet", "-U", "pip", "setuptools<70", "wheel", "six")
        assert root.run(*build, "--no-build-isolation", timeout=600).returncode != 0
        ran(root, "apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages)
        ran(root, *build, "--no-build-isolation")
        ran(root, "sh", "-c", f"/opt/own/bin/pip install --no-index /root/{package}-*.whl")
        ran(root, "/opt/own/bin/python", "-c", f"import {package}")


@pytest.mark.parametrize("package", sorted(buildneeds._data()["needs"]))
def test_what_is_missing_is_told_and_is_enough(package: str, prepared: Path, scratch: Path) -> None:
    with Root(prepared, scratch / package, online=True) as root:
        refused = asked(root, package)
        assert "this machine cannot" in refused.get("message", ""), refused
        assert refused["needed"].split(", ") == list(buildneeds.known(package))
        (packages,) = INSTALL.findall(refused["hint"])
        ran(root, "apt-get", "install", "-qq", "-y", "--no-install-recommends", *packages.split())
        built = asked(root, package)
        if package in TOO_OLD:
            assert "longintrepr.h" in built["found"], built
            built_by_pip(package, packages.split(), scratch)
            return
        assert "wheel" in built, built
        shutil.copy(root.path / built["wheel"].lstrip("/"), scratch)
    # on a host that has none of it
    with Root(prepared, scratch / f"{package}-runs", online=True) as root:
        wheel = Path(built["wheel"]).name
        shutil.move(scratch / wheel, root.path / "root" / wheel)
        if package in LIBRARIES:
            ran(root, "apt-get", "install", "-qq", "-y", "--no-install-recommends", *LIBRARIES[package])
        ran(root, "python3", "-m", "venv", "/opt/tried")
        ran(root, "/opt/tried/bin/pip", "install", "--quiet", f"/root/{wheel}", *BESIDE.get(package, ()))
        ran(root, "/opt/tried/bin/python", "-c", f"import {MODULES.get(package, package)}")


def test_an_extra_that_is_built_names_all_that_is_missing_at_once(prepared: Path, scratch: Path) -> None:
    with Root(prepared, scratch / "extra", online=True) as root:
        command = ["bundle", "--airflow", "2.10.5", "--extra", "ldap", "--output", "/root/dist", "--json"]
        refused = root.run("/opt/airferry/bin/airferry", *command, timeout=900)
    error = json.loads(refused.stdout)["error"]
    assert (refused.returncode, error["reference"]) == (24, "build-failed"), error
    (packages,) = INSTALL.findall(error["hint"])
    assert {"gcc", "python3-dev", "libldap2-dev", "libsasl2-dev"} <= set(packages.split())
