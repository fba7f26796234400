from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

from bundler.base.errors import BuildFailed, NoFittingWheel
from bundler.build import buildneeds
from bundler.lock import shortage
from tests.bundler.making import make_sdist, make_wheel
from tests.bundler.runner import Make, Run
from tests.bundler.server import LocalIndex
from wheelhouse.target import Target

HERE = Path(sys.executable)


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A PATH with nothing on it but what the test puts there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.mark.parametrize(
    ("package", "files", "needs"),
    [
        ("pure", {"a.py": ""}, ()),
        ("fast", {"a.pyx": ""}, ("compiler", "headers")),
        ("rusty", {"src/Cargo.toml": ""}, ("compiler", "rust")),
        ("python-ldap", {"a.py": ""}, ("compiler", "headers", "ldap", "sasl")),
        ("plus", {"a.cpp": ""}, ("compiler", "cxx", "headers")),
        ("cffi", {"c/a.c": ""}, ("compiler", "ffi", "headers")),
    ],
)
def test_needs_by_name_and_by_content(
    tmp_path: Path, package: str, files: dict[str, str], needs: tuple[str, ...]
) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    assert buildneeds.of(package, tmp_path) == needs


def test_every_need_has_a_probe_and_a_package_everywhere() -> None:
    data = buildneeds._data()
    wanted = {name for names in data["needs"].values() for name in names} | set(data["doctor"]["always"])
    assert wanted | {"compiler", "headers", "rust"} <= set(data["probe"])
    for manager, packages in data["packages"].items():
        assert set(packages) == set(data["probe"]), manager


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_headers_are_really_looked_for() -> None:
    assert buildneeds.collect(["compiler", "headers"], HERE)[0].there
    need = buildneeds._look("none", {"header": "no/such.h"}, HERE)
    assert not need.there
    assert "no/such.h: No such file" in need.found


def test_a_machine_without_a_compiler_says_what_to_install(bare: Path) -> None:
    missing = buildneeds.collect(["compiler", "headers", "krb5"], HERE)
    assert [need.there for need in missing] == [False, False, False]
    assert "no C compiler" in missing[1].found
    assert "compiler, headers, krb5" in buildneeds.remedy(missing)
    for manager, command in (
        ("apk", "apk add build-base krb5-dev python3-dev"),
        ("dnf", "dnf install gcc krb5-devel python3-devel"),
    ):
        (bare / manager).write_text("")
        (bare / manager).chmod(0o755)
        assert buildneeds.remedy(missing) == command
        (bare / manager).unlink()


def test_ctypes_is_imported_and_not_assumed(tmp_path: Path) -> None:
    assert buildneeds.ctypes_works(HERE).there
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho 'ModuleNotFoundError: No module named _ctypes' >&2\nexit 1\n")
    broken.chmod(0o755)
    need = buildneeds.ctypes_works(broken)
    assert not need.there
    assert "_ctypes" in need.found


def test_the_doctor_shows_them(run: Run, bare: Path) -> None:
    status, out, _ = run("doctor", "--build")
    assert status == 3
    assert "missing: no program cc" in out
    data = json.loads(run("doctor", "--build", "--json")[1])["result"]
    assert data["blocking"] == ["compiler", "headers"]
    status, _, err = run("doctor", "--build", "--python", "3.99")
    assert status == 2
    assert "no Python 3.99" in err
    status, _, err = run("doctor", "--airflow", "3.3.2")
    assert status == 2
    assert "sh FILE doctor" in err


def test_a_known_package_is_refused_before_anything_is_compiled(
    make: Make, airflow: LocalIndex, files: Path, bare: Path
) -> None:
    airflow.add(make_sdist(files, "python-ldap", "3.4"))
    with pytest.raises(
        BuildFailed, match=r"python-ldap 3\.4 has to be built from source, and this machine"
    ) as caught:
        make(requirements=("python-ldap",))
    assert "no program cc" in caught.value.found
    assert "It has no wheel for Linux at all." in caught.value.found


def test_some_packages_are_never_built(make: Make, airflow: LocalIndex, files: Path) -> None:
    airflow.add(make_sdist(files, "cryptography", "9.0"))
    with pytest.raises(NoFittingWheel, match=r"cryptography 9\.0 has no wheel") as caught:
        make(requirements=("cryptography",))
    assert "never built from source" in caught.value.hint


def test_a_wheel_that_is_too_new_names_glibc_and_other_pythons(
    make: Make, airflow: LocalIndex, files: Path
) -> None:
    airflow.add(
        make_wheel(files, "cryptography", "9.0", tag="cp311-abi3-manylinux_2_34_x86_64"),
        make_wheel(files, "cryptography", "9.0", tag="cp312-cp312-manylinux_2_28_x86_64"),
        make_wheel(files, "cryptography", "9.0", tag="cp311-cp311-win_amd64"),
        make_sdist(files, "cryptography", "9.0"),
    )
    with pytest.raises(NoFittingWheel) as caught:
        make(requirements=("cryptography",))
    assert caught.value.found.splitlines() == [
        "cryptography 9.0: Its wheels for Linux are for",
        "x86_64, glibc 2.28: 3.12",
        "x86_64, glibc 2.34: 3.11 and newer",
    ]
    newer = "a host with glibc 2.34 or newer (--platform manylinux_2_34_x86_64, or its system: --like NAME)"
    assert newer in caught.value.hint
    assert "another Python: 3.12" in caught.value.hint


@pytest.mark.parametrize(
    ("names", "help_"),
    [
        ([], ""),
        (["a-1-cp38-cp38-manylinux_2_17_aarch64.whl"], ""),
        (["a-1-cp311-cp311-musllinux_1_2_x86_64.whl"], ""),
        (
            ["a-1-cp313-cp313-manylinux_2_17_x86_64.whl", "a-1-cp39-cp39-manylinux_2_17_x86_64.whl"],
            "another Python: 3.9, 3.13",
        ),
        (["a-1-py3-none-manylinux_2_31_x86_64.whl"], "glibc 2.31"),
    ],
)
def test_what_would_help(names: list[str], help_: str) -> None:
    found = shortage.explain(names, Target.parse("3.11", "manylinux_2_28_x86_64"))
    assert help_ in found.help
    assert bool(help_) == bool(found.help)
