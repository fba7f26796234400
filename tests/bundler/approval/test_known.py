from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bundler.approval import papers
from tests.bundler.advisories import HIGH, advisory, dump
from tests.bundler.making import make_wheel
from tests.bundler.runner import Make, Run
from tests.bundler.server import LocalIndex

DAY = "1795824000"  # 2026-11-28
RATED: dict[str, Any] = {"severity": [{"type": "CVSS_V3", "score": HIGH}]}


@pytest.fixture
def file(make: Make, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", DAY)
    return make().path


def _data(file: Path) -> dict[str, Any]:
    found = json.loads(papers.beside(file, papers.DOSSIER_DATA).read_bytes())
    assert isinstance(found, dict)
    return found


def _first_pages(file: Path) -> tuple[str, str]:
    texts = [
        papers.beside(file, name).read_text("utf-8")
        for name in (papers.DOSSIER_ENGLISH, papers.DOSSIER_KOREAN)
    ]
    return texts[0].split('class="newpage"')[0], texts[1].split('class="newpage"')[0]


def _refusal(answer: tuple[int, str, str], file: Path) -> dict[str, Any]:
    error = json.loads(answer[1])["error"]
    assert answer[0] == error["exit_code"]
    assert [path.name for path in file.parent.iterdir() if ".dossier" in path.name] == []
    assert isinstance(error, dict)
    return error


def _accepted(folder: Path, name: str, until: str = "2026-12-31") -> str:
    path = folder / "accepted.toml"
    path.write_text(
        f'[[accepted]]\nid = "{name}"\nreason = "not reachable"\nuntil = {until}\nby = "Kim"\n',
        encoding="utf-8",
    )
    return str(path)


def test_who_asked_nobody_never_reads_none_known(file: Path, run: Run) -> None:
    run("dossier", str(file), "--offline")
    known = _data(file)["known"]
    assert known["severities"] is None
    assert {known[name]["answered"] for name in ("yanked", "vulnerabilities", "provenance")} == {0}
    assert {item["vulnerabilities"] for item in _data(file)["packages"]} == {"not asked"}
    english, korean = _first_pages(file)
    assert english.count("NOT ASKED") == 2 and english.count("NOT CHECKED") == 1
    assert "none known" not in english and "알려진 것 없음" not in korean
    assert korean.count('<b class="silent">조회하지 않음</b>') == 2


def test_index_that_is_silent_about_vulnerabilities_is_not_asked(file: Path, run: Run) -> None:
    _, out, _ = run("dossier", str(file), "--json")
    told = json.loads(out)["result"]
    assert (told["vulnerabilities"], told["severities"]) == (0, None)
    # what came from elsewhere is not on this index
    assert 0 < told["yanked"] < told["packages"]
    english, _ = _first_pages(file)
    assert "the index does not tell vulnerabilities" in english
    assert f"not asked: {told['packages'] - told['yanked']} packages" in english


def test_index_that_cannot_be_reached_is_not_asked(file: Path, run: Run) -> None:
    assert run("dossier", str(file), "--index-url", "http://127.0.0.1:9/simple")[0] == 0
    assert _data(file)["known"]["yanked"]["answered"] == 0
    assert _data(file)["known"]["yanked"]["why"]


def test_index_that_tells_vulnerabilities(file: Path, run: Run, airflow: LocalIndex) -> None:
    entry = {"id": "GHSA-1", "aliases": ["CVE-1"], "summary": "bad", "fixed_in": ["2.0"], "withdrawn": None}
    for item in ("apache-airflow/3.3.2", "native/1.0"):
        airflow.put(f"/pypi/{item}/json", json.dumps({"vulnerabilities": []}))
    airflow.put(
        "/pypi/alpha/1.5/json", json.dumps({"vulnerabilities": [entry, {**entry, "withdrawn": "2026"}]})
    )
    assert run("dossier", str(file))[0] == 0
    states = {item["name"]: item["vulnerabilities"] for item in _data(file)["packages"]}
    assert (states["alpha"], states["native"], states["uv"]) == ("listed", "none known", "not asked")
    known = _data(file)["known"]
    assert (known["vulnerabilities"]["answered"], known["severities"]) == (3, {"unknown": 1})


def test_dump_is_asked_for_every_package(file: Path, run: Run, tmp_path: Path) -> None:
    path = dump(
        tmp_path, advisory("GHSA-1", **RATED), advisory("MAL-1", "native", events=[{"introduced": "0"}])
    )
    assert run("dossier", str(file), "--offline", "--osv", str(path))[0] == 0
    known = _data(file)["known"]
    assert known["vulnerabilities"]["answered"] == known["vulnerabilities"]["total"]
    assert known["severities"] == {"critical": 1, "high": 1}
    assert known["vulnerabilities"]["date"] == "2026-11-20"
    english, korean = _first_pages(file)
    for page in (english, korean):
        assert "OSV all.zip, sha256" in page and "2026-11-20" in page
    assert "2 in 2 packages: critical 1, high 1" in english
    states = {item["name"]: item["vulnerabilities"] for item in _data(file)["packages"]}
    assert (states["alpha"], states["uv"]) == ("listed", "none known")


def test_crate_inside_of_a_package_is_found(
    make: Make, run: Run, airflow: LocalIndex, files: Path, tmp_path: Path
) -> None:
    crate = {"type": "library", "name": "ring", "version": "0.1.0", "purl": "pkg:cargo/ring@0.1.0"}
    sbom = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "components": [crate, {"type": "library", "name": "c"}],
    }
    inside = {"rusty.py": "", "rusty-1.0.dist-info/sboms/a.json": json.dumps(sbom)}
    airflow.add(make_wheel(files, "rusty", "1.0", files=inside))
    file = make(requirements=("rusty",)).path
    path = dump(tmp_path, advisory("P", "other"), advisory("RUSTSEC-1", "ring", "crates.io"))
    assert run("dossier", str(file), "--offline", "--osv", str(path))[0] == 0
    (found,) = [item for item in _data(file)["packages"] if item["name"] == "rusty"]
    assert [(item["id"], item["within"]) for item in found["found"]] == [("RUSTSEC-1", "ring 0.1.0")]
    assert {"kind": "unasked-inside", "about": "1 / 2"} in _data(file)["known"]["limits"]


def test_severe_ones_are_refused_by_name(file: Path, run: Run, tmp_path: Path) -> None:
    path = dump(tmp_path, advisory("GHSA-1", aliases=["CVE-1"], **RATED))
    options = ("dossier", str(file), "--offline", "--osv", str(path), "--json")
    error = _refusal(run(*options, "--fail-on", "high"), file)
    assert error["reference"] == "vulnerabilities-refused"
    assert "alpha 1.5: GHSA-1 (CVE-1), high: bad; fixed in 2.0" in error["found"]
    assert run(*options, "--fail-on", "critical")[0] == 0


def test_unrated_and_unasked_are_refused_too(file: Path, run: Run, tmp_path: Path) -> None:
    path = dump(tmp_path, advisory("GHSA-1"))
    error = _refusal(
        run("dossier", str(file), "--offline", "--osv", str(path), "--fail-on", "critical", "--json"), file
    )
    assert "GHSA-1, unknown" in error["found"]
    error = _refusal(run("dossier", str(file), "--offline", "--fail-on", "critical", "--json"), file)
    assert error["found"].startswith("not asked: ")


def test_written_justification_is_printed_and_counts(file: Path, run: Run, tmp_path: Path) -> None:
    path = dump(tmp_path, advisory("GHSA-1", aliases=["CVE-1"], **RATED))
    options = ("dossier", str(file), "--offline", "--osv", str(path), "--fail-on", "low", "--json")
    _refusal(run(*options, "--accepted", _accepted(tmp_path, "CVE-1", "2026-11-27")), file)
    _refusal(run(*options, "--accepted", _accepted(tmp_path, "CVE-2")), file)
    assert run(*options, "--accepted", _accepted(tmp_path, "CVE-1"))[0] == 0
    (entry,) = _data(file)["known"]["accepted"]
    assert (entry["state"], entry["by"]) == ("used", "Kim")
    page = papers.beside(file, papers.DOSSIER_KOREAN).read_text(encoding="utf-8")
    assert "not reachable" in page and "적용됨" in page


def test_acceptance_that_has_expired_is_shown_as_such(file: Path, run: Run, tmp_path: Path) -> None:
    run("dossier", str(file), "--offline", "--accepted", _accepted(tmp_path, "CVE-1", "2026-11-27"))
    assert "EXPIRED" in papers.beside(file, papers.DOSSIER_ENGLISH).read_text(encoding="utf-8")


def test_what_was_withdrawn_is_refused_unless_named(file: Path, run: Run, airflow: LocalIndex) -> None:
    airflow.reasons["alpha-1.5-py3-none-any.whl"] = "leaks tokens"
    airflow.yanked.add("only_source-0.1.tar.gz")
    error = _refusal(run("dossier", str(file), "--json"), file)
    assert error["reference"] == "package-yanked"
    assert error["found"] == "alpha 1.5: leaks tokens\nonly-source 0.1: no reason is given"
    error = _refusal(run("dossier", str(file), "--allow-yanked", "alpha", "--json"), file)
    assert "alpha" not in error["found"]
    assert run("dossier", str(file), "--allow-yanked", "Alpha", "--allow-yanked", "only_source")[0] == 0
    english, _ = _first_pages(file)
    assert "2 withdrawn" in english
    page = papers.beside(file, papers.DOSSIER_ENGLISH).read_text(encoding="utf-8")
    assert "leaks tokens" in page


def test_withdrawn_on_a_page_of_the_old_kind(file: Path, run: Run, airflow: LocalIndex) -> None:
    airflow.html = True
    airflow.yanked.add("alpha-1.5-py3-none-any.whl")
    assert _refusal(run("dossier", str(file), "--json"), file)["reference"] == "package-yanked"


def test_severity_that_is_none_is_refused(file: Path, run: Run) -> None:
    assert _refusal(run("dossier", str(file), "--fail-on", "grave", "--json"), file)["needed"].startswith(
        "one of low"
    )
