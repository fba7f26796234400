from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bundler.approval import osv, severity
from bundler.approval.vulnerabilities import Vulnerability
from bundler.base.errors import InvalidRequest
from tests.bundler.advisories import HIGH, advisory, dump


def _found(folder: Path, version: str, *advisories: dict[str, Any]) -> tuple[Vulnerability, ...]:
    subject = ("PyPI", "alpha", version)
    answer = osv.search(dump(folder, advisory("PYSEC-0", "other"), *advisories), [subject])
    return answer.found.get(subject, ())


def test_versions_and_ranges_decide(tmp_path: Path) -> None:
    two = [{"introduced": "1.0"}, {"fixed": "1.5"}, {"introduced": "2.0"}, {"last_affected": "2.3"}]
    ranges = {"0.9": 0, "1.0": 1, "1.4.9": 1, "1.5": 0, "1.5rc1": 1, "2.0": 1, "2.3": 1, "2.3.1": 0}
    listed = {"ranges": [], "versions": ["1.0.0", "3.0"]}
    everything: dict[str, Any] = {"ranges": []}
    git = {"ranges": [{"type": "GIT", "events": [{"introduced": "0"}]}], "versions": ["9"]}
    unreadable = [{"introduced": "0"}, {"fixed": "yesterday"}]
    cases = [
        (f"{version} {two}", version, advisory("P-1", events=two), hit) for version, hit in ranges.items()
    ]
    cases += [
        ("listed in another spelling", "1.0", advisory("P-1", affected=listed), 1),
        ("not listed", "1.1", advisory("P-1", affected=listed), 0),
        ("of no version in particular", "1.1", advisory("P-1", affected=everything), 1),
        ("commits are no versions", "1.1", advisory("P-1", affected=git), 0),
        ("a bound that nobody can read", "1.1", advisory("P-1", events=unreadable), 1),
        ("the name in another spelling", "1.1", advisory("P-1", "Alpha"), 1),
        ("another package", "1.1", advisory("P-1", "alphabet"), 0),
        ("another ecosystem", "1.1", advisory("P-1", ecosystem="npm"), 0),
        ("withdrawn", "1.1", advisory("P-1", withdrawn="2026-01-01T00:00:00Z"), 0),
    ]
    wrong = [name for name, version, item, hit in cases if len(_found(tmp_path, version, item)) != hit]
    assert wrong == []


def test_crates_are_ordered_as_cargo_does(tmp_path: Path) -> None:
    events = [{"introduced": "0.0.0-0"}, {"fixed": "1.2.3"}]
    path = dump(tmp_path, advisory("P"), advisory("RUSTSEC-1", "ring", "crates.io", events=events))
    subjects = [("crates.io", "ring", version) for version in ("1.2.3-rc.1", "1.2.3", "1.10.0", "0.9.0")]
    assert sorted(osv.search(path, subjects).found) == [subjects[3], subjects[0]]


def test_one_entry_for_what_several_databases_tell(tmp_path: Path) -> None:
    (found,) = _found(
        tmp_path,
        "1.0",
        advisory("PYSEC-1", aliases=["CVE-1"]),
        advisory("GHSA-1", aliases=["CVE-1"], severity=[{"type": "CVSS_V3", "score": HIGH}]),
    )
    assert (found.id, found.aliases, found.severity) == ("GHSA-1", ("CVE-1", "PYSEC-1"), "high")
    assert found.fixed_in == ("2.0",)


def test_severity_is_the_gravest_that_anybody_gave() -> None:
    four = "CVSS:4.0/AV:N/AC:L/AT:N/PR:N/UI:N/VC:H/VI:H/VA:H/SC:N/SI:N/SA:N"
    cases: dict[str, tuple[dict[str, Any], str]] = {
        "malicious": ({"id": "MAL-1"}, "critical"),
        "vector": ({"id": "A", "severity": [{"score": HIGH}]}, "high"),
        "vector of 4.0": ({"id": "A", "severity": [{"score": HIGH}, {"score": four}]}, "critical"),
        "vector of 2.0": ({"id": "A", "severity": [{"score": "AV:N/AC:L/Au:N/C:P/I:P/A:P"}]}, "high"),
        "word": ({"id": "A", "database_specific": {"severity": "MODERATE"}}, "medium"),
        "per package": ({"id": "A", "affected": [{"severity": [{"score": HIGH}]}]}, "high"),
        "no vector": ({"id": "A", "severity": [{"score": "very bad"}]}, "unknown"),
        "nothing": ({"id": "A"}, "unknown"),
    }
    assert {name: severity.of(item) for name, (item, _) in cases.items()} == {
        name: expected for name, (_, expected) in cases.items()
    }


def test_dump_tells_what_it_is(tmp_path: Path) -> None:
    newer = advisory("P-2", "other")
    newer["modified"] = "2026-11-27T23:00:00Z"
    answer = osv.search(dump(tmp_path, advisory("P-1"), newer), [("PyPI", "alpha", "1.0")])
    assert (answer.date, answer.advisories["PyPI"]) == ("2026-11-27", 2)
    assert answer.source.startswith("OSV all.zip, sha256 ")


def test_folder_is_a_dump_too(tmp_path: Path) -> None:
    (tmp_path / "dump" / "PyPI").mkdir(parents=True)
    (tmp_path / "dump" / "PyPI" / "P-1.json").write_text(json.dumps(advisory("P-1")))
    assert list(osv.search(tmp_path / "dump", [("PyPI", "alpha", "1.0")]).found) == [("PyPI", "alpha", "1.0")]


def test_half_a_dump_is_refused(tmp_path: Path) -> None:
    """What cannot be read could be what matters: it never means that nothing is known."""
    cut = dump(tmp_path, advisory("P-1"))
    cut.write_bytes(cut.read_bytes()[:-20])
    text, empty, missing = tmp_path / "all.txt", tmp_path / "empty", tmp_path / "none.zip"
    text.write_text("not a ZIP")
    empty.mkdir()
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "P-1.json").write_text(json.dumps(advisory("P-1"))[:-1])
    other = tmp_path / "other"
    other.mkdir()
    (other / "R.json").write_text(json.dumps(advisory("R", ecosystem="crates.io")))
    for path in (cut, text, empty, missing, broken, other):
        with pytest.raises(InvalidRequest):
            osv.search(path, [("PyPI", "alpha", "1.0")])
