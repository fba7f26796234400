"""Signatures of publishers: who has signed is said, what does not verify too, and nothing is guessed."""

from __future__ import annotations

import base64
import builtins
import json
from pathlib import Path
from typing import Any

import pytest

from bundler.approval import papers, provenance
from tests.bundler.runner import Make, Run
from tests.bundler.server import LocalIndex

DATA = Path(__file__).parent / "data"
# A wheel as PyPI has it, with its attestation: of the tests of pypi-attestations 0.0.30 (Apache-2.0).
PUBLISHED = "circleci_sign_publish_example-0.0.1.dev137-py3-none-any.whl"
PUBLISHER = {"kind": "GitHub", "repository": "example/alpha", "workflow": "release.yml", "environment": None}


def attested(sha256: str, name: str) -> str:
    """Provenance as an index has it (PEP 740), whose signature nobody has made."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": sha256}}],
        "predicateType": "https://docs.pypi.org/attestations/publish/v1",
        "predicate": None,
    }
    text = base64.b64encode(json.dumps(statement).encode()).decode()
    material = {"certificate": "AAAA", "transparency_entries": [{"x": 1}]}
    attestation = {
        "version": 1, "verification_material": material, "envelope": {"statement": text, "signature": "AAAA"}
    }  # fmt: skip
    return json.dumps(
        {"version": 1, "attestation_bundles": [{"publisher": PUBLISHER, "attestations": [attestation]}]}
    )


@pytest.fixture
def file(make: Make, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1795824000")
    return make().path


def told(file: Path) -> tuple[dict[str, str], dict[str, Any], str]:
    """The provenance of each package, what is known, and the English page."""
    data = json.loads(papers.beside(file, papers.DOSSIER_DATA).read_bytes())
    page = papers.beside(file, papers.DOSSIER_ENGLISH).read_text("utf-8")
    return {item["name"]: item["provenance"] for item in data["packages"]}, data["known"], page


def wheel(index: LocalIndex, name: str) -> str:
    return next(file for file in index.names if file.startswith(name) and file.endswith(".whl"))


def test_index_that_is_not_asked_reads_not_checked(file: Path, run: Run) -> None:
    assert run("dossier", str(file), "--offline")[0] == 0
    packages, known, _ = told(file)
    assert set(packages.values()) == {"not checked"}
    assert known["provenance"]["why"] == "the index was not asked"


def test_index_that_tells_nothing_reads_not_checked(file: Path, run: Run) -> None:
    assert run("dossier", str(file))[0] == 0
    packages, known, page = told(file)
    assert set(packages.values()) == {"not checked"}
    assert (known["provenance"]["answered"], known["provenance"]["why"]) == (0, provenance.SILENT)
    assert "NOT CHECKED" in page and "signed by their publisher" not in page


def test_without_the_extra_nothing_is_checked(
    file: Path, run: Run, index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = wheel(index, "alpha-1.5")
    index.provenance[name] = index.put(f"/integrity/{name}", "{}")
    real = builtins.__import__

    def without(module: str, *rest: Any) -> Any:
        if module == "pypi_attestations":
            raise ImportError(module)
        return real(module, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    assert run("dossier", str(file))[0] == 0
    packages, known, page = told(file)
    assert set(packages.values()) == {"not checked"}
    assert known["provenance"]["why"] == provenance.NOT_INSTALLED
    assert "pip install airferry[provenance]" in page


def test_signature_that_nobody_has_made_does_not_verify(file: Path, run: Run, index: LocalIndex) -> None:
    """By the library itself, with the keys of sigstore."""
    name = wheel(index, "alpha-1.5")
    index.provenance[name] = index.put(f"/integrity/{name}", attested("0" * 64, name))
    status, said, warned = run("dossier", str(file))
    assert (status, "Provenance       0 signed; not checked for" in said) == (0, True), said
    assert "signature of alpha 1.5 does not verify: " in " ".join(warned.split())
    packages, known, page = told(file)
    assert packages["alpha"].startswith(provenance.WRONG)
    assert packages["fab-provider"] == provenance.NONE_PUBLISHED
    assert (known["signed"], known["wrongly_signed"]) == (0, 1)
    assert "1 WITH A WRONG SIGNATURE" in page


@pytest.mark.parametrize("changed", [False, True])
def test_signature_that_a_publisher_has_made_verifies(
    make: Make, run: Run, index: LocalIndex, changed: bool
) -> None:
    """What was published with this wheel, with nothing in anybody's place; PEP 740, sigstore, CircleCI."""
    text = (DATA / f"{PUBLISHED}.provenance").read_text()
    if changed:
        text = text.replace("refs/heads/pypi", "refs/heads/other")
    index.add(DATA / PUBLISHED)
    index.provenance[PUBLISHED] = index.put(f"/integrity/{PUBLISHED}", text)
    path = make(requirements=("circleci-sign-publish-example==0.0.1.dev137",)).path
    assert run("dossier", str(path))[0] == 0
    packages, known, _ = told(path)
    said = packages["circleci-sign-publish-example"]
    assert (known["signed"], known["wrongly_signed"]) == ((0, 1) if changed else (1, 0)), said
    signed = "signed by CircleCI github.com/CircleCI-Public/sign-and-publish-examples"
    assert said.startswith(provenance.WRONG) if changed else said == signed


def test_who_has_signed_is_said(
    file: Path, run: Run, index: LocalIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library verifies what is asked of it, and no other file."""
    import pypi_attestations

    asked: list[tuple[str, str, bool]] = []

    def verify(self: object, publisher: object, dist: Any, *, offline: bool) -> tuple[str, None]:
        asked.append((dist.name, dist.digest, offline))
        return "publish", None

    monkeypatch.setattr(pypi_attestations.Attestation, "verify", verify)
    name = wheel(index, "alpha-1.5")
    index.provenance[name] = index.put(f"/integrity/{name}", attested("0" * 64, name))
    other = wheel(index, "fab_provider")
    index.provenance[other] = "https://elsewhere.example/integrity"
    assert run("dossier", str(file))[0] == 0
    packages, known, page = told(file)
    assert packages["alpha"] == "signed by GitHub example/alpha (release.yml)"
    assert packages["fab-provider"] == "not checked"
    data = json.loads(papers.beside(file, papers.DOSSIER_DATA).read_bytes())
    sha256 = next(item["sha256"] for item in data["packages"] if item["name"] == "alpha")
    assert asked == [(name, sha256, True)]
    assert (known["signed"], known["wrongly_signed"]) == (1, 0)
    assert "1 signed by their publisher" in page and "GitHub example/alpha" in page
