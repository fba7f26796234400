"""airferry doctor on the machine that makes bundles: real addresses, folders, variables, and pure checks."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootstrap.doctor.finding import Report
from bundler.build.buildneeds import BuildNeed
from bundler.builder_host import checks, facts
from bundler.builder_host.facts import Address, Outside, ResolverTool, Variables
from bundler.index.simple import PYPI
from tests.bundler.runner import Run
from wheelhouse import codec


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Outside:
    """A machine on which nothing is wrong: the real one, with the parts that differ set."""
    found = facts.collect("http://127.0.0.1:9/", tmp_path_factory.mktemp("output"))
    assert found.failures == ()
    assert found.cache is not None
    roomy = replace(found.cache, free_bytes=50_000_000_000, writable=True)
    return replace(
        found,
        programs=(ResolverTool("uv", "0.13.9"), ResolverTool("pip-tools", "7.6.2")),
        index=Address(PYPI, "Airflow 3.3.2", clock=0.4),
        constraints=Address("https://constraints.example/", "HTTP 200"),
        cache=roomy,
        output=roomy,
        variables=Variables(),
        needs=(BuildNeed("_ctypes", True, "fine"), BuildNeed("compiler", True, "/usr/bin/cc")),
    )


def ids(report: Report) -> dict[str, str]:
    return {finding.id: finding.severity for finding in (*report.blockers, *report.warnings)}


def test_nothing_is_wrong_here(here: Outside) -> None:
    assert ids(checks.diagnose(here)) == {}


CASES: list[tuple[dict[str, Any], dict[str, str]]] = [
    (
        {"programs": (ResolverTool("uv", error="no"), ResolverTool("pip-tools", "7"))},
        {"uv-broken": "blocker"},
    ),
    ({"programs": (ResolverTool("uv", "1"), ResolverTool("pip-tools", error="no"))}, {}),
    ({"index": Address(PYPI, error="no route")}, {"index-unreachable": "blocker"}),
    ({"index": Address(PYPI, "Airflow 3.3.2", clock=-4000.0)}, {"outside-clock": "warning"}),
    ({"constraints": Address("https://constraints.example/", error="no route")}, {}),
    (
        {"variables": Variables((), {"PIP_CERT": "/none"}, ("PIP_CERT",))},
        {"certificates-missing": "blocker"},
    ),
    ({"needs": (BuildNeed("compiler", False, "no program cc"),)}, {"build-basics-missing": "warning"}),
    ({"needs": (BuildNeed("krb5", False, "no program krb5-config"),)}, {}),
    ({"index": None, "programs": None, "cache": None, "output": None, "needs": None, "variables": None}, {}),
]


@pytest.mark.parametrize(("change", "expected"), CASES)
def test_one_thing_is_wrong(here: Outside, change: dict[str, Any], expected: dict[str, str]) -> None:
    report = checks.diagnose(replace(here, **change))
    assert ids(report) == expected
    for finding in report.findings:
        assert finding.severity == "ok" or finding.why
        assert "://" not in " ".join([finding.remedy, finding.why, *finding.commands])


@pytest.mark.parametrize("part", ["cache", "output"])
def test_folders(here: Outside, part: str) -> None:
    def judged(**change: Any) -> dict[str, str]:
        return ids(checks.diagnose(replace(here, **{part: replace(getattr(here, part), **change)})))

    assert judged(writable=False) == {f"{part}-closed": "blocker"}
    assert judged(read_only=True) == {f"{part}-closed": "blocker"}
    assert judged(kind="file") == {f"{part}-closed": "blocker"}
    assert judged(free_bytes=500_000_000) == {f"{part}-full": "warning"}
    assert judged(free_bytes=50_000_000) == {f"{part}-full": "blocker"}


def test_facts_are_plain_data(here: Outside) -> None:
    assert json.loads(codec.dumps(here))["index"]["found"] == "Airflow 3.3.2"


def test_the_index_that_bundle_uses_is_asked(run: Run) -> None:
    status, out, err = run("doctor", "--json")
    assert err == ""
    found = {finding["id"]: finding for finding in json.loads(out)["result"]["findings"]}
    assert "has Airflow 3.3.2" in found["index-ok"]["found"]
    assert "uv " in found["tools-ok"]["found"]
    assert status == 0
    status, out, _ = run("doctor")
    assert out.startswith("Doctor:  can this machine make bundles?")
    assert out.endswith("Next:\n    airferry bundle\n")


def test_an_index_that_refuses_or_is_none(run: Run, tmp_path: Path) -> None:
    status, out, _ = run("doctor", "--index-url", "http://user:secret@127.0.0.1:9/simple")
    assert status == 3
    assert "[index-unreachable]" in out
    assert "Connection refused" in out
    assert "secret" not in out
    assert "airferry doctor\n" in out


def test_an_index_that_hangs_costs_its_time_and_no_more(tmp_path: Path) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(5)
        started = time.monotonic()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/simple"
        found = facts.collect(url, tmp_path, seconds=3.0)
        assert time.monotonic() - started < 6
    assert "index" in {failure.name for failure in found.failures}
    assert ids(checks.diagnose(found))["facts-incomplete"] == "warning"


def test_a_proxy_that_is_not_there_is_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "")
    status, out, _ = run("doctor", "--index-url", "http://index.example/simple")
    assert status == 3
    assert "the proxy: " in out
    assert "Connection refused" in out
    assert "[proxies-used]" in out


def test_certificates_that_are_not_there(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/none.pem")
    status, out, _ = run("doctor")
    assert status == 3
    assert "REQUESTS_CA_BUNDLE names /none.pem" in out


def test_a_cache_in_the_way(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    status, out, _ = run("doctor")
    assert status == 3
    assert "[cache-closed]" in out


def test_a_machine_without_a_compiler(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bin_ = tmp_path / "bin"
    bin_.mkdir()
    monkeypatch.setenv("PATH", str(bin_))
    status, out, _ = run("doctor")
    assert status == 0
    assert "[build-basics-missing]" in out
    assert run("doctor", "--strict")[0] == 4


def test_options_for_a_closed_host_need_its_facts(run: Run) -> None:
    for command in (("doctor", "x.run"), ("doctor", "--airflow", "3.3.2")):
        status, _, err = run(*command)
        assert status == 2
        assert "--host" in err


def test_nothing_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    facts.collect("http://127.0.0.1:9/", tmp_path / "dist")
    assert [path.name for path in tmp_path.iterdir()] == ["home"]
