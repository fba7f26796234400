"""Whether this is the host that the bundle was made for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bootstrap.doctor.needs import Needs
from bootstrap.doctor.run import diagnose
from bootstrap.doctor.severity import WARNING
from bootstrap.facts.host import Facts
from wheelhouse.manifest import MadeFor

THIS = MadeFor("3.11", "x86_64", "glibc", "2.36", "Debian GNU/Linux 12 (bookworm)")


def test_the_very_host_is_not_spoken_of(facts: Facts, needs: Needs) -> None:
    for made_for in (None, THIS, replace(THIS, python=""), MadeFor("", "", "", "")):
        report = diagnose(facts, replace(needs, made_for=made_for))
        assert "host-other" not in {finding.id for finding in report.findings}


@pytest.mark.parametrize(
    ("made_for", "found", "needed"),
    [
        (replace(THIS, libc_version="2.28", distribution=""), "glibc 2.36", "glibc 2.28"),
        (replace(THIS, machine="aarch64"), "x86_64", "aarch64 (Debian GNU/Linux 12 (bookworm))"),
        (replace(THIS, libc="musl", libc_version="1.2.5"), "glibc 2.36", "musl 1.2.5"),
        (replace(THIS, python="3.12"), "no Python 3.12", "Python 3.12"),
        (replace(THIS, python="3.12", libc_version="2.31"), "glibc 2.36, no Python 3.12", "glibc 2.31, "),
    ],
)
def test_another_host_is_a_warning(
    facts: Facts, needs: Needs, made_for: MadeFor, found: str, needed: str
) -> None:
    report = diagnose(facts, replace(needs, made_for=made_for))
    finding = next(item for item in report.findings if item.id == "host-other")
    assert (finding.severity, finding.found) == (WARNING, found)
    assert finding.needed.startswith(needed)
    assert not report.blocked


def test_what_is_not_known_counts_as_the_same(facts: Facts, needs: Needs) -> None:
    blind = replace(facts, libc=None, pythons=None)
    report = diagnose(blind, replace(needs, made_for=THIS))
    assert "host-other" not in {finding.id for finding in report.findings}
