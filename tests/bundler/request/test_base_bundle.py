"""Add-ons: only what a bundle lacks, under exactly what is in it."""

from __future__ import annotations

import json
import re
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from bootstrap import cli
from bundler.base.errors import InvalidRequest, ResolutionFailed
from bundler.lock import graph
from bundler.request import base_bundle as bases
from tests.bundler.making import make_wheel
from tests.bundler.runner import Make, Run
from tests.bundler.server import LocalIndex
from wheelhouse.reader import Bundle
from wheelhouse.target import Target
from wheelhouse.verify import verify

ONTO = {"airflow": "", "python": "", "platform": "", "constraints": "auto"}


@pytest.fixture
def more(airflow: LocalIndex, files: Path) -> None:
    """What sites add later; `beta` could use an alpha that is newer than the one of the bundle."""
    early = "2026-01-01T00:00:00Z"
    airflow.add(
        make_wheel(files, "beta", "1.0", requires=["alpha>=1", "gamma", "only-source"]), uploaded=early
    )
    airflow.add(make_wheel(files, "gamma", "1.0"), uploaded=early)
    airflow.add(make_wheel(files, "gamma", "2.0"), uploaded="2026-06-01T00:00:00Z")


@pytest.mark.usefixtures("more")
def test_it_holds_what_the_bundle_lacks_and_the_program(make: Make) -> None:
    whole = make()
    added = make(onto=(whole.path,), requirements=("beta",), **ONTO)
    manifest = added.manifest
    # As of the same day, on the same target; the wheel that was built for the bundle spares a build.
    assert [f"{item.name} {item.version}" for item in manifest.packages] == ["beta 1.0", "gamma 1.0"]
    assert manifest.base == whole.manifest.bundle_id
    assert (manifest.airflow, manifest.target) == (whole.manifest.airflow, whole.manifest.target)
    assert (manifest.requirements, manifest.extras) == (("beta",), ())
    assert (manifest.tools, manifest.services, manifest.postgres, manifest.notes) == ((), (), None, ())
    assert manifest.constraints.as_of == whole.manifest.constraints.as_of
    with Bundle.open(added.path) as bundle:
        verify(bundle)
        sections = {name.split("/")[0] for name in bundle.names()}
    assert sections == {"__main__.py", "manifest.json", "pylock.toml", "runtime", "wheels"}
    content = added.path.read_bytes()
    again = make(onto=(whole.path,), requirements=("beta",), **ONTO)
    assert again.path == added.path
    assert again.path.read_bytes() == content
    other = make(onto=(whole.path,), requirements=("gamma",), **ONTO)
    stem = "airflow-3.3.2-cp311-manylinux_2_28_x86_64-add-"
    assert {len(path.name) - len(stem) for path in (added.path, other.path)} == {len("01234567.run")}
    assert added.path.name.startswith(stem)
    assert other.path.name.startswith(stem)
    assert other.path != added.path


@pytest.mark.usefixtures("more")
def test_a_manifest_that_was_carried_out_is_enough(make: Make, tmp_path: Path) -> None:
    whole = make()
    path = tmp_path / "manifest.json"
    path.write_text(whole.manifest.dumps(), encoding="utf-8")
    from_file = make(onto=(whole.path,), requirements=("gamma",), **ONTO)
    content = from_file.path.read_bytes()
    from_file.path.unlink()
    assert make(onto=(path,), requirements=("gamma",), **ONTO).path.read_bytes() == content


@pytest.mark.usefixtures("more")
def test_an_add_on_to_what_has_one_already(make: Make) -> None:
    whole = make()
    first = make(onto=(whole.path,), requirements=("gamma",), **ONTO)
    second = make(onto=(whole.path, first.path), requirements=("beta",), **ONTO)
    assert second.manifest.base == first.manifest.bundle_id
    assert [item.name for item in second.manifest.packages] == ["beta"]
    for wrong in (
        (first.path,),
        (first.path, whole.path),
        (whole.path, whole.path),
        (whole.path, second.path),
    ):
        with pytest.raises(InvalidRequest, match="in the wrong order"):
            bases.read(wrong)
    with pytest.raises(InvalidRequest, match="nothing to add"):
        make(onto=(whole.path, first.path), requirements=("gamma", "alpha"), **ONTO)


def test_an_extra_that_the_bundle_lacks(make: Make) -> None:
    whole = make(extras=("postgres",), no_default_extras=True)
    added = make(onto=(whole.path,), extras=("fab",), **ONTO)
    assert [item.name for item in added.manifest.packages] == ["fab-provider"]
    assert added.manifest.requirements == ("apache-airflow[fab]==3.3.2",)
    assert added.manifest.extras == ("fab",)
    with pytest.raises(InvalidRequest, match="no extra nonsense"):
        make(onto=(whole.path,), extras=("nonsense",), **ONTO)


def test_a_constraint_file_holds_beneath_the_pins(
    make: Make, airflow: LocalIndex, files: Path, tmp_path: Path
) -> None:
    airflow.add(make_wheel(files, "apache-airflow-providers-own", "1.0", requires=["alpha"]))
    airflow.add(make_wheel(files, "apache-airflow-providers-own", "2.0", requires=["alpha"]))
    whole = make()
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("Alpha==1.0\napache_airflow.providers-own==1.0\n")
    options = {**ONTO, "constraints": str(constraints)}
    added = make(onto=(whole.path,), requirements=("apache-airflow-providers-own",), **options)
    assert [f"{item.name} {item.version}" for item in added.manifest.packages] == [
        "apache-airflow-providers-own 1.0"
    ]
    constraints.write_text("alpha==1.5\n")
    with pytest.raises(ResolutionFailed, match="constraints do not pin"):
        make(onto=(whole.path,), requirements=("apache-airflow-providers-own",), **options)


def test_another_version_of_what_is_inside_is_refused(make: Make, tmp_path: Path) -> None:
    whole = make()
    with pytest.raises(ResolutionFailed, match="every version there is fixed") as caught:
        make(onto=(whole.path,), requirements=("alpha<1.5",), **ONTO)
    assert "alpha==1.5" in caught.value.found
    project = tmp_path / "alpha"
    project.mkdir()
    (project / "pyproject.toml").write_text('[project]\nname = "alpha"\nversion = "1.5"\n')
    with pytest.raises(ResolutionFailed):
        make(onto=(whole.path,), requirements=(str(project),), **ONTO)


def test_what_disagrees_with_the_base_is_told(make: Make, tmp_path: Path) -> None:
    whole = make()
    with pytest.raises(InvalidRequest) as caught:
        make(onto=(whole.path,), requirements=("gamma",), airflow="2.10.5", python="3.12")
    assert "is for Airflow 3.3.2, not 2.10.5" in caught.value.found
    assert "is for CPython 3.11, x86_64, glibc >= 2.28, not CPython 3.12" in caught.value.found
    with pytest.raises(InvalidRequest, match="cannot be made") as caught:
        make(onto=(whole.path,), **ONTO)
    assert "name what is to be added" in caught.value.found
    with pytest.raises(InvalidRequest, match="cannot be read"):
        make(onto=(tmp_path / "nothing.run",), requirements=("gamma",), **ONTO)


@pytest.mark.usefixtures("more")
def test_it_says_inside_what_it_is_for(
    run: Run, make: Make, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    whole = make()
    status, out, _ = run("bundle", "--onto", str(whole.path), "gamma", "--json")
    assert status == 0
    result = json.loads(out)["result"]
    path = Path(result["file"])
    assert result["base"] == whole.manifest.bundle_id
    assert result["command"] == f"HOME/bin/airferry add {path.name}"
    with zipfile.ZipFile(path) as archive:
        assert b'"base": "3.3.2-cp311-' in archive.read("manifest.json")
    for command in ("install", "doctor"):
        monkeypatch.setattr(sys, "argv", [str(path), command])
        assert cli.main() == 50
        said = " ".join(capfd.readouterr().err.split())
        assert "[is-add-on]" in said
        assert "gamma 1.0" in said
        assert f"bin/airferry add {path.name}" in said
    for words in ([], ["--help"]):
        monkeypatch.setattr(sys, "argv", [str(path), *words])
        assert cli.main() == 0
        said = capfd.readouterr().out
        assert f"{path.name} is an add-on" in said
        assert "gamma 1.0" in said
        assert re.search(rf"/airferry add --remove {path}\n", said)
        assert "install" not in said
    monkeypatch.setattr(sys, "argv", [str(whole.path), "--help"])
    assert cli.main() == 0
    assert "  install    Install and start Airflow" in capfd.readouterr().out
    assert run("rehearse", str(path))[0] == 50
    assert "Adds to" in run("inspect", str(path))[1]


def test_who_needs_what_is_told_also_behind_the_base() -> None:
    """What the extra of the base asks for is not at hand; what its packages ask for is."""

    def wheel(name: str, *requires: str) -> graph.WheelMetadata:
        return graph.WheelMetadata(name, "1.0", requires, "", (), "", 0)

    known = {
        "fab-provider": wheel("fab-provider", "fab", "alpha", "saml; extra == 'saml'"),
        "fab": wheel("fab"),
        "saml": wheel("saml"),
    }
    target = Target.parse("3.11", "manylinux_2_28_x86_64")
    found = graph.required_by([Requirement("apache-airflow[fab]")], known, target)
    assert found == {"fab-provider": (), "fab": ("fab-provider",), "saml": (), "alpha": ("fab-provider",)}
