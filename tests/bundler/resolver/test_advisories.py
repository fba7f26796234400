from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from bootstrap.airflow.differences import UnsupportedAirflow
from bundler.assembly.payload import Payload
from bundler.bundle import make_bundle
from bundler.lock.graph import WheelMetadata
from bundler.request.settings import Settings
from bundler.request.spec import BundleRequest
from bundler.resolver import advisories
from tests.bundler.making import make_wheel
from tests.bundler.runner import Make
from tests.bundler.server import LocalIndex
from wheelhouse.target import Target

HOST = Target.parse("3.11", "manylinux_2_28_x86_64")


def metadata(version: str, *pythons: str) -> WheelMetadata:
    return WheelMetadata("apache-airflow", version, (), "", (), "", 0, pythons)


@pytest.mark.parametrize(
    ("version", "words"),
    [
        ("3.2.1", ["code tab"]),
        ("3.2.2", []),
        ("3.1.3", ["does not end the session"]),
        ("3.1.5", []),
        ("3.3.2", []),
        ("2.7.2", ["MD5", "no security fixes"]),
        ("2.8.3", ["CVE-2024-29735", "no security fixes"]),
        ("2.10.4", ["no security fixes", "reports its use"]),
        ("2.11.2", ["no security fixes"]),
    ],
)
def test_traps_of_releases(version: str, words: list[str]) -> None:
    found = advisories.find(metadata(version), HOST)
    assert len(found) == len(words)
    for word in words:
        assert word in " ".join(found)


def test_every_advisory_is_whole() -> None:
    ids = [entry["id"] for entry in advisories.known()]
    assert len(set(ids)) == len(ids)
    for entry in advisories.known():
        assert SpecifierSet(entry["airflow"])
        assert entry["text"].endswith(".")


def test_a_release_that_came_out_after_this_program() -> None:
    [text] = advisories.find(metadata("3.99.0"), HOST)
    assert "newer than the newest that this airferry knows" in text


def test_a_release_that_cannot_be_installed_is_not_bundled(
    make: Make, airflow: LocalIndex, files: Path
) -> None:
    airflow.add(make_wheel(files, "apache-airflow", "1.10.15"))
    with pytest.raises(UnsupportedAirflow):
        make(airflow="1.10.15")


def test_a_python_that_the_release_does_not_name() -> None:
    assert advisories.find(metadata("3.3.2", "3.10", "3.11"), HOST) == ()
    [text] = advisories.find(metadata("3.3.2", "3.9", "3.10"), HOST)
    assert "was not made for Python 3.11, but for 3.9, 3.10" in text


def test_they_are_told_and_put_into_the_bundle(make: Make, airflow: LocalIndex, files: Path) -> None:
    airflow.add(
        make_wheel(files, "apache-airflow", "3.2.0", extras=["fab", "postgres"], pythons=["3.9", "3.10"])
    )
    result = make(airflow="3.2.0")
    assert len(result.warnings) == 2
    assert result.manifest.notes == result.warnings
    assert "code tab" in result.warnings[0]
    assert "not made for Python 3.11" in result.warnings[1]


def test_a_withdrawn_release_is_told_and_never_the_default(make: Make, airflow: LocalIndex) -> None:
    airflow.yanked.add("apache_airflow-3.3.2-py3-none-any.whl")
    assert make(airflow="").manifest.airflow == "2.10.5"
    assert "yanked" in make(airflow="3.3.2").warnings[0]


def test_no_server_to_carry_is_said_plainly(carried: Payload, airflow: LocalIndex, tmp_path: Path) -> None:
    request = BundleRequest.parse(
        Settings(
            airflow="3.3.2",
            python="3.11",
            platform="musllinux_1_2_x86_64",
            constraints="release-date",
            index_url=airflow.url,
            output=tmp_path,
        )
    )
    result = make_bundle(request, carried=replace(carried, postgres=None, postgres_version=""))
    assert result.manifest.postgres is None
    assert "No PostgreSQL server is carried" in result.manifest.notes[0]
    assert result.warnings == result.manifest.notes
