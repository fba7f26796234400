from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.process import CommandFailed
from bundler.base.errors import InvalidRequest, ResolutionFailed
from bundler.bundle import make_bundle
from bundler.request.platforms import default_platform
from bundler.request.settings import Settings
from bundler.request.spec import BundleRequest
from bundler.resolver import piptools
from tests.bundler.making import make_sdist, make_wheel
from tests.bundler.runner import Make
from tests.bundler.server import LocalIndex
from wheelhouse.manifest import Tool

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"
# Official files, in the layout of the official address, where the machine has them.
OFFICIAL = Path(__file__).parents[4] / "shared" / "constraints"


def test_both_resolvers_make_the_same_bundle(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "constraints.txt"
    path.write_text("alpha==1.0\n")
    options = {"python": HERE, "platform": default_platform(), "constraints": str(path)}
    by_uv = make(**options).manifest
    by_pip = make(**options, resolver="pip-tools").manifest
    assert by_pip.resolver.name == "pip-tools"
    assert replace(by_pip, resolver=Tool("", ""), files=()) == replace(by_uv, resolver=Tool("", ""), files=())


def test_as_of_the_day_of_the_release(make: Make) -> None:
    manifest = make(python=HERE, platform=default_platform(), resolver="pip-tools").manifest
    assert {item.name: item.version for item in manifest.packages}["alpha"] == "1.5"


def test_local_files_links_and_a_private_index(make: Make, airflow: LocalIndex, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "own-wheel", "1.0")
    sdist = make_sdist(tmp_path, "own-sdist", "2.0")
    links = tmp_path / "links"
    links.mkdir()
    make_wheel(links, "linked", "3.0")
    airflow.login = ("me", "s3cret")
    manifest = make(
        python=HERE,
        platform=default_platform(),
        resolver="pip-tools",
        index_url=airflow.url_with("me", "s3cret"),
        find_links=(str(links),),
        requirements=(str(wheel), str(sdist), "linked"),
    ).manifest
    versions = {item.name: item.version for item in manifest.packages}
    assert (versions["own-wheel"], versions["own-sdist"], versions["linked"]) == ("1.0", "2.0", "3.0")
    assert "s3cret" not in manifest.dumps()
    assert str(tmp_path) not in manifest.dumps()


@pytest.mark.parametrize(
    "options",
    [
        {"python": "3.8", "platform": default_platform()},
        {"python": HERE, "platform": "manylinux_2_28_riscv64"},
        {"python": HERE, "platform": "musllinux_1_2_x86_64"},
    ],
)
def test_other_targets_are_refused(make: Make, options: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest, match="pip-tools cannot resolve for"):
        make(**options, resolver="pip-tools")


def test_a_conflict_is_told_in_pips_words(make: Make) -> None:
    with pytest.raises(ResolutionFailed) as caught:
        make(python=HERE, platform=default_platform(), resolver="pip-tools", requirements=("alpha==9",))
    assert "alpha==9" in caught.value.found
    assert "Using indexes" not in caught.value.found
    assert "ROUND" not in caught.value.found
    assert "Traceback" not in caught.value.found


@pytest.mark.network
@pytest.mark.skipif(not OFFICIAL.is_dir(), reason=f"no official constraint files at {OFFICIAL.name}")
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("airflow_version", "python"), [("3.0.6", "3.11"), ("2.10.5", "3.11")])
def test_both_give_the_same_pins_for_a_release(tmp_path: Path, airflow_version: str, python: str) -> None:
    if python != HERE:
        pytest.skip(f"pip-tools resolves for this Python alone, and there are no constraints for {HERE}")
    pins = []
    for resolver in ("uv", "pip-tools"):
        request = BundleRequest.parse(
            Settings(
                airflow=airflow_version,
                python=python,
                constraints=f"{OFFICIAL}/constraints-{{airflow}}/constraints-{{python}}.txt",
                output=tmp_path / resolver,
                resolver=resolver,
            )
        )
        packages = make_bundle(request).manifest.packages
        pins.append({item.name: (item.version, item.sha256) for item in packages})
    assert len(pins[0]) > 100
    assert pins[0] == pins[1]


def test_a_time_limit_says_what_pip_was_doing(
    make: Make, airflow: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(piptools, "_SECONDS", 12.0)
    airflow.fault("native-1.0-cp311-cp311-manylinux_2_17").delay = 60.0
    airflow.fault("native-1.0-cp311-cp311-manylinux_2_28_x86_64").delay = 60.0
    airflow.fault("native-1.0-cp311-cp311-manylinux_2_34").delay = 60.0
    with pytest.raises(CommandFailed) as caught:
        make(python=HERE, platform=default_platform(), resolver="pip-tools", no_default_extras=True)
    assert caught.value.found.startswith("It was choosing versions; the last was ")
    assert "--constraints" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "doing"),
    [
        ("", ("", "")),
        ("Collecting a==1 (from -r requirements.in (line 1))\n  Downloading a.whl\n", ("", "a==1")),
        ("  Collecting b\n  Preparing metadata (pyproject.toml): started\n", ("b", "")),
        ("Collecting b\nPreparing metadata (setup.py): started\nCollecting c>=2\n", ("", "c>=2")),
        ("Collecting b\nPreparing metadata (x): started\nPreparing metadata (x): finished with\n", ("", "b")),
        ("Collecting b\nInstalling build dependencies: started\n", ("b", "")),
    ],
)
def test_what_pip_says_that_it_does(tmp_path: Path, text: str, doing: tuple[str, str]) -> None:
    (tmp_path / "log").write_text(text)
    assert piptools._doing(tmp_path / "log") == doing
    assert piptools._doing(tmp_path / "none") == ("", "")
