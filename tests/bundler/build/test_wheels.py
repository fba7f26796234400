from __future__ import annotations

import hashlib
import json
import os
import platform
import pwd
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from bundler.base import archives
from bundler.base.errors import BuildFailed, NoFittingWheel
from bundler.build import interpreters
from bundler.index.cache import Cache
from tests.bundler.making import OWN_BACKEND, make_c_sdist, make_sdist, make_wheel
from tests.bundler.runner import Make
from tests.bundler.server import LocalIndex
from wheelhouse.reader import Bundle

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


def test_a_package_that_is_only_source_is_built_and_its_source_recorded(
    make: Make, airflow: LocalIndex
) -> None:
    result = make()
    built = next(package for package in result.manifest.packages if package.name == "only-source")
    assert built.filename == "only_source-0.1-py3-none-any.whl"
    assert built.url == ""
    assert built.built_from is not None
    assert built.built_from.url == f"{airflow.base}/files/only_source-0.1.tar.gz"
    assert len(built.built_from.sha256) == 64


def test_a_build_is_done_once_and_then_comes_from_the_cache(make: Make) -> None:
    first = make()
    folders = list(Cache.default().wheels.iterdir())
    assert len(folders) == 1
    assert {path.name for path in folders[0].iterdir()} >= {"build.json", "build.log"}
    shutil.rmtree(Cache.default().files)
    content = first.path.read_bytes()
    assert make().path.read_bytes() == content
    built = next(package for package in first.manifest.packages if package.built_from)
    assert built.built_from is not None
    assert not (Cache.default().files / built.built_from.sha256).exists()


def sdist_with(files: Path, name: str, requires: str, wanted: str) -> Path:
    """A source whose metadata has to be built, and whose backend runs beside one setuptools alone."""
    backend = OWN_BACKEND.format(name=name, module=name, version="1.0")
    own = {
        "PKG-INFO": f"Metadata-Version: 1.0\nName: {name}\nVersion: 1.0\n",
        "pyproject.toml": f'[build-system]\nrequires = ["{requires}"]\n'
        'build-backend = "own_backend"\nbackend-path = ["."]\n',
        "own_backend.py": "from importlib.metadata import version\n"
        f"assert version('setuptools') == '{wanted}', version('setuptools')\n{backend}",
    }
    return make_sdist(files, name, "1.0", files=own)


@pytest.mark.parametrize(("taken", "left"), [("60.8.2", "61.3.1"), ("81.0.0", "82.0.1")])
def test_slow_setuptools_and_those_without_pkg_resources_are_left_out_where_no_source_insists(
    make: Make, airflow: LocalIndex, files: Path, taken: str, left: str
) -> None:
    airflow.add(
        make_wheel(files, "setuptools", taken), make_wheel(files, "setuptools", left),
        sdist_with(files, "any", "setuptools", taken),
        sdist_with(files, "new", f"setuptools>={left}", left),
    )  # fmt: skip
    for name, version in (("any", taken), ("new", left)):
        built = next(item for item in make(requirements=(name,)).manifest.packages if item.name == name)
        assert built.built_from is not None
        assert built.built_from.build_requires == (f"setuptools=={version}",)


def test_two_builds_run_side_by_side(make: Make, airflow: LocalIndex, files: Path, tmp_path: Path) -> None:
    """Each waits for the other to begin: one after the other they would never end well."""
    for name, other in (("left", "right"), ("right", "left")):
        wait = (
            "import pathlib, time\n"
            f"here = pathlib.Path({str(tmp_path)!r})\n"
            f"(here / '{name}').touch()\n"
            "end = time.monotonic() + 60\n"
            f"while not (here / '{other}').exists():\n"
            "    assert time.monotonic() < end, 'alone'\n"
            "    time.sleep(0.02)\n"
        )
        backend = OWN_BACKEND.format(name=name, module=name, version="1.0")
        airflow.add(make_sdist(files, name, "1.0", files={"own_backend.py": wait + backend}))
    packages = make(requirements=("left", "right")).manifest.packages
    assert {"left", "right"} <= {item.name for item in packages if item.built_from}


def test_another_target_builds_pure_packages_just_the_same(make: Make) -> None:
    assert make(python="3.14", platform="manylinux_2_28_aarch64").manifest.packages


def test_a_backend_that_fails_is_shown_with_its_last_words(
    make: Make, airflow: LocalIndex, files: Path
) -> None:
    airflow.add(
        make_sdist(files, "bad", "1.0", files={"own_backend.py": "raise RuntimeError('no luck today')\n"})
    )
    with pytest.raises(BuildFailed, match=r"bad 1\.0 cannot be built") as caught:
        make(requirements=("bad",))
    assert "no luck today" in caught.value.found
    log = Path(caught.value.hint.removeprefix("The full log is ").split(". A newer")[0])
    assert "no luck today" in log.read_text()
    # what was built beside it is whole, and of itself nothing is left
    left = [path for path in Cache.default().wheels.iterdir() if path.is_dir()]
    assert all((path / "build.json").exists() for path in left)


@pytest.mark.parametrize(
    ("backend", "problem"),
    [
        ("other-1.0-py3-none-any.whl", "another package"),
        ("odd-2.0-py3-none-any.whl", "another version"),
    ],
)
def test_a_backend_that_makes_something_else(
    make: Make, airflow: LocalIndex, files: Path, backend: str, problem: str
) -> None:
    code = (
        "import os, zipfile\n"
        "def build_wheel(directory, settings=None, metadata=None):\n"
        f"    zipfile.ZipFile(os.path.join(directory, {backend!r}), 'w').close()\n"
        f"    return {backend!r}\n"
    )
    airflow.add(make_sdist(files, "odd", "1.0", files={"own_backend.py": code}))
    with pytest.raises(BuildFailed, match=problem):
        make(requirements=("odd",))


@pytest.mark.network
@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
def test_a_compiled_wheel_bears_the_tag_of_what_it_needs(
    make: Make, airflow: LocalIndex, files: Path, setuptools: None
) -> None:
    airflow.add(make_c_sdist(files, "compiled", "1.0"))
    result = make(requirements=("compiled",), python=HERE)
    built = next(package for package in result.manifest.packages if package.name == "compiled")
    # It was compiled on a newer one, but a module that needs so little runs on the oldest glibc.
    tag = f"cp{HERE.replace('.', '')}"
    assert built.filename.startswith(f"compiled-1.0-{tag}-{tag}-")
    assert f"manylinux_2_5_{platform.machine()}" in built.filename
    assert built.built_from is not None
    assert any(item.startswith("setuptools==") for item in built.built_from.build_requires)


@pytest.mark.network
@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler")
@pytest.mark.parametrize("other", ["manylinux_2_28_aarch64", "musllinux_1_2_x86_64"])
def test_a_compiled_wheel_for_another_machine_is_refused(
    make: Make, airflow: LocalIndex, files: Path, setuptools: None, other: str
) -> None:
    airflow.add(make_c_sdist(files, "compiled", "1.0"))
    with pytest.raises(NoFittingWheel, match="does not run on the target") as caught:
        make(requirements=("compiled",), python=HERE, platform=other)
    assert "compiled-1.0" in caught.value.found
    assert "--find-links" in caught.value.hint


def linked(name: str, target: str, kind: bytes = tarfile.SYMTYPE) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    return made


@pytest.fixture(params=["filter", "old"])
def tar_filter(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python with the data filter of PEP 706, and one without."""
    if request.param == "old":
        monkeypatch.delattr(tarfile, "data_filter", raising=False)
    elif not hasattr(tarfile, "data_filter"):
        pytest.skip("this Python's tarfile has no filters")


@pytest.mark.parametrize(
    "members",
    [
        [tarfile.TarInfo("../evil")],
        [tarfile.TarInfo("a/../../evil")],
        [linked("a/link", "../../evil")],
        [linked("a/hard", "../evil", tarfile.LNKTYPE)],
        [linked("a/absolute", "/etc/passwd")],
        [linked("a/pipe", "", tarfile.FIFOTYPE)],
    ],
    ids=lambda members: members[0].name,
)
def test_an_archive_that_would_write_elsewhere_is_refused(
    tmp_path: Path, tar_filter: None, members: list[tarfile.TarInfo]
) -> None:
    path = tmp_path / "evil-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member in members:
            archive.addfile(member)
    with pytest.raises(BuildFailed, match="cannot be unpacked"):
        archives.unpack(path, path.name, tmp_path / "out")
    assert not (tmp_path / "evil").exists()


def test_an_archive_with_links_inside_is_unpacked(tmp_path: Path, tar_filter: None) -> None:
    path = tmp_path / "good-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member in (tarfile.TarInfo("good-1.0/file"), linked("good-1.0/sub/link", "../file")):
            archive.addfile(member)
    top = archives.unpack(path, path.name, tmp_path / "out")
    assert (top / "sub" / "link").resolve() == (top / "file").resolve()


def test_a_member_below_a_link_is_refused_by_an_old_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(tarfile, "data_filter", raising=False)
    path = tmp_path / "evil-1.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for member in (linked("top/here", "."), tarfile.TarInfo("top/here/evil")):
            archive.addfile(member)
    with pytest.raises(BuildFailed, match="cannot be unpacked"):
        archives.unpack(path, path.name, tmp_path / "out")


def test_a_broken_archive_is_told(tmp_path: Path) -> None:
    broken = tmp_path / "broken-1.0.tar.gz"
    broken.write_bytes(b"\x1f\x8bnothing")
    with pytest.raises(BuildFailed, match="cannot be unpacked"):
        archives.unpack(broken, broken.name, tmp_path / "out")


def test_a_normalised_wheel_has_the_same_content_and_other_bytes_only_once(tmp_path: Path) -> None:
    wheel = tmp_path / "a-1.0-py3-none-any.whl"
    digests = set()
    for order in (["b.py", "a.py"], ["a.py", "b.py"]):
        with zipfile.ZipFile(wheel, "w") as archive:
            for name in order:
                archive.writestr(name, name * 100)
        archives.normalise(wheel, (2020, 1, 1, 0, 0, 0))
        digests.add(hashlib.sha256(wheel.read_bytes()).hexdigest())
        with zipfile.ZipFile(wheel) as archive:
            assert archive.namelist() == ["a.py", "b.py"]
            assert archive.read("b.py") == b"b.py" * 100
    assert len(digests) == 1


def test_another_interpreter_of_this_machine_resolves_to_the_same_set(
    make: Make, airflow: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Markers and tags are evaluated for the target as its own pip would, where that is here to ask."""
    monkeypatch.setenv("HOME", pwd.getpwuid(os.getuid()).pw_dir)  # where version managers keep theirs
    tried = 0
    for minor in ("3.9", "3.13"):
        python = None if minor == HERE else interpreters.find(minor)
        if python is None:
            continue
        report = tmp_path / f"{minor}.json"
        command = [
            python,
            "-I",
            "-m",
            "pip",
            "install",
            "--dry-run",
            "--quiet",
            "--ignore-installed",
            "--no-input",
        ]
        command += [
            "--index-url",
            airflow.url,
            "--report",
            report,
            "--isolated",
            "--disable-pip-version-check",
        ]
        done = subprocess.run(
            [*map(str, command), "apache-airflow[fab,postgres]==3.3.2", "asyncpg", "alpha<2"],
            check=False,
            capture_output=True,
            env={"PATH": os.environ["PATH"], "PIP_CONFIG_FILE": os.devnull},
        )
        if done.returncode:
            continue  # a pip from before reports, or none
        tried += 1
        found = json.loads(report.read_text())["install"]
        by_pip = {item["metadata"]["name"]: item["metadata"]["version"] for item in found}
        glibc = platform.libc_ver()[1].replace(".", "_")
        result = make(python=minor, platform=f"manylinux_{glibc}_{platform.machine()}")
        packages = result.manifest.packages
        assert {item.name: item.version for item in packages} == by_pip
        native = next(item["download_info"]["url"] for item in found if item["metadata"]["name"] == "native")
        assert next(item.url for item in packages if item.name == "native") == native
    if not tried:
        pytest.skip("no other interpreter with a pip that reports")


def test_interpreters_are_started_and_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert interpreters.find(HERE) == Path(sys.executable)
    fake = tmp_path / "python3.99"
    fake.write_text("#!/bin/sh\necho cpython 3.98\n")
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert interpreters.find("3.99") is None
    fake.write_text("#!/bin/sh\necho cpython 3.99\n")
    assert interpreters.find("3.99") == fake
    fake.write_text("#!/bin/sh\nexit 1\n")
    assert interpreters.find("3.99") is None


def test_the_bundle_has_the_built_wheel(make: Make) -> None:
    result = make()
    with Bundle.open(result.path) as bundle:
        assert bundle.read("wheels/only_source-0.1-py3-none-any.whl")[:2] == b"PK"
