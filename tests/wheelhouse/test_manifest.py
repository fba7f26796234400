"""The manifest: round trip, old versions kept as data, newer ones refused, ids that follow the content."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest

from tests.support import bundles
from wheelhouse.errors import BundleDamaged, BundleUnsupported
from wheelhouse.manifest import SCHEMA, Manifest

OLD = sorted(Path(__file__).with_name("data").glob("manifest-*.json"))


def test_round_trip() -> None:
    value = bundles.sample_manifest()
    assert Manifest.loads(value.dumps()) == value


def test_sample_sets_every_field() -> None:
    """Otherwise the round trip would prove nothing about a new field."""

    def unset(value: object, where: str) -> list[str]:
        if isinstance(value, tuple):
            return [hit for index, item in enumerate(value) for hit in unset(item, f"{where}[{index}]")]
        if not dataclasses.is_dataclass(value):
            return [] if value not in ("", None, ()) else [where]
        return [
            hit
            for field in dataclasses.fields(value)
            for hit in unset(getattr(value, field.name), f"{where}.{field.name}")
        ]

    sample = bundles.sample_manifest()
    assert unset(sample.packages, "packages") == []
    assert unset(sample.constraints, "constraints") == []
    assert [field.name for field in dataclasses.fields(sample) if not getattr(sample, field.name)] == []


def test_every_schema_so_far_has_its_data() -> None:
    assert [path.name for path in OLD] == [f"manifest-{number}.json" for number in range(1, SCHEMA + 1)]


@pytest.mark.parametrize("path", OLD, ids=lambda path: path.stem)
def test_old_manifests_stay_readable(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    read = Manifest.loads(text)
    assert read.airflow == "3.3.2"
    assert read.target.tag == "cp311"
    assert [package.filename for package in read.packages] == ["example-1.0-py3-none-any.whl"]
    built_from = read.packages[0].built_from
    assert built_from
    assert built_from.build_requires == ("setuptools==80.0",)
    assert read.postgres
    assert read.postgres.version == "18.6"


def test_newest_schema_is_written_as_it_was() -> None:
    assert bundles.sample_manifest().dumps() == OLD[-1].read_text(encoding="utf-8")


def test_newer_schema_is_refused_before_its_unknown_fields_are_complained_about() -> None:
    data = bundles.as_data(bundles.sample_manifest().dumps())
    data.update(schema=SCHEMA + 1, wholly_new="field")
    with pytest.raises(BundleUnsupported, match="newer airferry") as caught:
        Manifest.loads(json.dumps(data))
    assert caught.value.exit_code == 11
    assert str(SCHEMA + 1) in caught.value.found


@pytest.mark.parametrize("text", ["", "[]", "null", "1", "not json", "{}"])
def test_what_is_no_manifest(text: str) -> None:
    with pytest.raises(BundleDamaged, match="manifest cannot be read"):
        Manifest.loads(text)


def test_every_problem_is_shown() -> None:
    data = bundles.as_data(bundles.sample_manifest().dumps())
    del data["airflow"]
    data["schema"] = "1"
    data["packages"][0]["size"] = None
    with pytest.raises(BundleDamaged) as caught:
        Manifest.loads(json.dumps(data))
    assert sorted(caught.value.found.splitlines()) == [
        "manifest.airflow: missing",
        "manifest.packages[0].size: int is needed, found null",
        "manifest.schema: int is needed, found str",
    ]


def test_bundle_id_follows_the_content() -> None:
    value = bundles.sample_manifest()
    assert value.bundle_id == bundles.sample_manifest().bundle_id
    assert value.bundle_id.startswith("3.3.2-cp311-")
    for change in ({"created": "2027-01-01T00:00:00Z"}, {"notes": ()}, {"files": ()}):
        assert dataclasses.replace(value, **change).bundle_id != value.bundle_id


def test_bundle_id_outlives_new_fields() -> None:
    """A bundle that an older airferry made is the same one to a newer."""
    value = dataclasses.replace(bundles.sample_manifest(), base="", made_for=None)
    data = bundles.as_data(value.dumps())
    del data["base"], data["made_for"]
    assert Manifest.loads(json.dumps(data)).bundle_id == value.bundle_id


def test_unpacked_counts_everything_that_is_installed() -> None:
    value = bundles.sample_manifest()
    assert value.postgres
    server = dataclasses.replace(value.postgres.package, unpacked=1000)
    more = dataclasses.replace(value, postgres=dataclasses.replace(value.postgres, package=server))
    assert value.unpacked == 42
    assert more.unpacked == 1042
    assert dataclasses.replace(value, postgres=None).unpacked == 42
