"""Real releases from their official constraint files, where the machine has those and an index."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundler.base.errors import BuildFailed, NoFittingWheel
from bundler.bundle import make_bundle
from bundler.request.settings import Settings
from bundler.request.spec import BundleRequest
from wheelhouse.reader import Bundle
from wheelhouse.tags import floor
from wheelhouse.verify import verify

OFFICIAL = Path(__file__).parents[3] / "shared" / "constraints"

pytestmark = [
    pytest.mark.network,
    pytest.mark.timeout(300),
    pytest.mark.skipif(not OFFICIAL.is_dir(), reason=f"no official constraint files at {OFFICIAL.name}"),
]


def request(
    airflow: str, python: str, output: Path, platform: str = "manylinux_2_28_x86_64"
) -> BundleRequest:
    constraints = f"{OFFICIAL}/constraints-{{airflow}}/constraints-{{python}}.txt"
    return BundleRequest.parse(
        Settings(airflow=airflow, python=python, platform=platform, output=output, constraints=constraints)
    )


def test_3_3_1_on_3_12(tmp_path: Path) -> None:
    result = make_bundle(request("3.3.1", "3.12", tmp_path))
    assert len(result.manifest.packages) == 158
    assert result.manifest.floor == "glibc 2.28"
    assert not [item for item in result.manifest.packages if item.built_from]
    assert result.manifest.constraints.generated_on == "2026-08-12T08:36:03.248024"
    with Bundle.open(result.path) as bundle:
        verify(bundle)


@pytest.mark.parametrize(
    ("airflow", "python", "platform", "postgres"),
    [
        ("2.10.5", "3.11", "manylinux_2_28_aarch64", "18.6"),
        ("2.2.2", "3.8", "manylinux_2_17_x86_64", "16.2"),
    ],
)
def test_other_machines(tmp_path: Path, airflow: str, python: str, platform: str, postgres: str) -> None:
    manifest = make_bundle(request(airflow, python, tmp_path, platform)).manifest
    host = manifest.target.host
    for item in manifest.packages:
        need = floor(item.filename)
        assert need is None or (need.machine == host.machine and need.version <= host.version), item.filename
    assert manifest.postgres is not None
    assert manifest.postgres.version == postgres


def test_2_2_2_on_3_8_builds_what_is_only_source(tmp_path: Path) -> None:
    manifest = make_bundle(request("2.2.2", "3.8", tmp_path)).manifest
    built = {item.name for item in manifest.packages if item.built_from}
    assert {
        "blinker",
        "flask-jwt-extended",
        "flask-login",
        "python-nvd3",
        "python-slugify",
        "termcolor",
    } <= built
    assert all(item.filename.endswith("-any.whl") for item in manifest.packages if item.name in built)
    assert "setuptools" in {item.name for item in manifest.packages}


def test_a_target_without_a_wheel_names_the_package_and_what_would_help(tmp_path: Path) -> None:
    with pytest.raises((NoFittingWheel, BuildFailed), match="google-re2") as caught:
        make_bundle(request("2.10.5", "3.11", tmp_path, "manylinux_2_17_x86_64"))
    assert "a host with glibc 2.24 or newer" in caught.value.hint or "manylinux_2_28" in caught.value.hint
