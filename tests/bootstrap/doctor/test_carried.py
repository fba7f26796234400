"""The carried interpreter: with it, what is wrong with the host's own blocks no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bootstrap.doctor.checks.interpreter import uses_carried
from bootstrap.doctor.needs import Needs
from bootstrap.doctor.run import diagnose
from bootstrap.doctor.severity import BLOCKER, NOTE, OK
from bootstrap.facts.host import Facts
from bootstrap.facts.libc import Libc
from bootstrap.facts.security import Security
from wheelhouse.manifest import CarriedPython

CARRIED = CarriedPython("3.11.9", "python/x.tar.gz", 1, "0" * 64, "", 3, "glibc 2.17")


@pytest.fixture
def offered(needs: Needs) -> Needs:
    """A bundle that carries an interpreter."""
    return replace(needs, carried=CARRIED)


def severities(facts: Facts, needs: Needs) -> dict[str, str]:
    """The findings about Python that say more than that it is the distribution's."""
    report = diagnose(facts, needs)
    found = {item.id: item.severity for item in report.findings if item.id.startswith("python-")}
    return {name: severity for name, severity in found.items() if name != "python-managed"}


def lacking(facts: Facts, module: str) -> Facts:
    """The same host, whose only Python lacks a module."""
    assert facts.pythons
    python = facts.pythons[0]
    modules = {**python.modules, module: f"ModuleNotFoundError: No module named '_{module}'"}
    return replace(facts, pythons=(replace(python, modules=modules),))


def test_host_python_that_passes_is_taken(facts: Facts, offered: Needs) -> None:
    assert not uses_carried(facts, offered)
    assert severities(facts, offered) == {"python-ok": OK}


def test_no_python_is_no_obstacle(facts: Facts, offered: Needs) -> None:
    bare = replace(facts, pythons=())
    assert uses_carried(bare, offered)
    assert severities(bare, offered) == {"python-missing": NOTE, "python-carried": OK}
    found = next(item for item in diagnose(bare, offered).findings if item.id == "python-missing")
    assert found.remedy == "No action is needed: the carried Python 3.11.9 is used."
    assert found.commands == ()


@pytest.mark.parametrize(("trusted", "told"), [("", True), ("/etc/ssl/cert.pem", False), (None, False)])
def test_host_without_authorities_is_told_of(
    facts: Facts, offered: Needs, trusted: str | None, told: bool
) -> None:
    """Only where the carried interpreter is taken: the host's own knows where they are."""
    security = Security(authorities=trusted)
    for host, expected in ((replace(facts, pythons=()), told), (facts, False)):
        report = diagnose(replace(host, security=security), offered)
        assert ("authorities-missing" in {item.id for item in report.findings}) == expected


@pytest.mark.parametrize("module", ["ctypes", "ssl", "zlib", "json"])
def test_incomplete_python_is_no_obstacle(facts: Facts, offered: Needs, module: str) -> None:
    assert list(severities(lacking(facts, module), replace(offered, carried=None)).values()) == [BLOCKER]
    found = severities(lacking(facts, module), offered)
    assert sorted(found.values()) == [NOTE, OK]
    assert "python-carried" in found


def test_a_warning_does_not_turn_the_host_away(facts: Facts, offered: Needs) -> None:
    assert not uses_carried(lacking(facts, "sqlite3"), offered)


def test_asked_for_it_is_taken_without_a_word_on_the_host(facts: Facts, offered: Needs) -> None:
    insisting = replace(offered, carried_only=True)
    assert severities(lacking(facts, "ctypes"), insisting) == {"python-carried": OK}


@pytest.mark.parametrize("libc", [("glibc", "2.12"), ("musl", "1.2.5")], ids=["old", "musl"])
def test_c_library_that_it_does_not_run_on(facts: Facts, offered: Needs, libc: tuple[str, str]) -> None:
    here = replace(facts, libc=Libc("x86_64", "6.1", *libc), pythons=())
    assert not uses_carried(here, offered)
    assert severities(here, offered) == {"python-missing": BLOCKER, "python-carried-unfit": NOTE}
    assert severities(here, replace(offered, carried_only=True)) == {"python-carried-unfit": BLOCKER}
