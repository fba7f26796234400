from __future__ import annotations

from pathlib import Path

import pytest

from bundler.approval import accepted, vulnerabilities
from bundler.approval.vulnerabilities import Acceptance, Vulnerability
from bundler.base.errors import InvalidRequest

GOOD = '[[accepted]]\nid = "GHSA-1"\nreason = "이 기능은 쓰지 않음"\nuntil = 2027-03-31\nby = "Kim"\n'


def test_entries_are_read(tmp_path: Path) -> None:
    path = tmp_path / "accepted.toml"
    path.write_bytes(b"\xef\xbb\xbf" + (GOOD + GOOD.replace("GHSA-1", "GHSA-2")).encode())
    assert accepted.read(path)[0] == Acceptance("GHSA-1", "이 기능은 쓰지 않음", "2027-03-31", "Kim")


def test_every_problem_is_named(tmp_path: Path) -> None:
    path = tmp_path / "accepted.toml"
    cases = {
        "id": GOOD.replace('id = "GHSA-1"\n', ""),
        "reason": GOOD.replace("이 기능은 쓰지 않음", " "),
        "by": GOOD.replace('by = "Kim"\n', ""),
        "until is not a day": GOOD.replace("2027-03-31", '"next year"'),
        "untill is not a field": GOOD.replace("until", "untill"),
        "twice": GOOD + GOOD,
        "acepted": GOOD.replace("accepted", "acepted"),
        "a list": 'accepted = "GHSA-1"\n',
        "line": GOOD + "=",
    }
    wrong = {}
    for expected, text in cases.items():
        path.write_text(text, encoding="utf-8")
        with pytest.raises(InvalidRequest) as error:
            accepted.read(path)
        if expected not in error.value.found:
            wrong[expected] = error.value.found
    assert wrong == {}


def test_acceptance_counts_until_its_day_and_by_any_name() -> None:
    found = Vulnerability("GHSA-1", ("CVE-1",), "bad", "high", ())
    entry = Acceptance("CVE-1", "not used", "2026-11-28", "Kim")
    judged = {
        day: vulnerabilities.with_acceptance(found, [entry], day).accepted is not None
        for day in ("2026-11-27", "2026-11-28", "2026-11-29")
    }
    assert judged == {"2026-11-27": True, "2026-11-28": True, "2026-11-29": False}


def test_what_nobody_rated_counts_as_the_worst() -> None:
    found = Vulnerability("A", (), "", "unknown", ())
    assert vulnerabilities.at_least(found, "critical")
