"""The last page of an install says who can reach the web server, and how."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.console import Console
from bootstrap.commands import installing
from bootstrap.facts.network import address_for_others
from bootstrap.installed import installation
from bootstrap.state import receipt
from bootstrap.state.outcome import Outcome
from tests.support import bundles, receipts

FIB = """Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 127.0.0.1
        /32 host LOCAL
     |-- 192.0.2.0
        /24 link UNICAST
     |-- 192.0.2.17
        /32 host LOCAL
"""


def said(tmp_path: Path, host: str) -> str:
    out = io.StringIO()
    found = replace(receipts.sample(tmp_path), web_host=host, web_port=8080, bundle_file="airflow.run")
    installing.report(Outcome(found, ())).show(Console(out, out), "install", json=False)
    return re.sub(r"\s+", " ", out.getvalue())


def test_an_address_that_other_machines_can_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "address_for_others", lambda: "192.0.2.17")
    text = said(tmp_path, "0.0.0.0")
    assert "Web http://192.0.2.17:8080 On this host http://127.0.0.1:8080" in text
    assert "plain HTTP, and the web server listens on every address of this host, port 8080" in text
    assert "--host 127.0.0.1" in text


@pytest.mark.parametrize(("host", "plain"), [("127.0.0.1", False), ("192.0.2.9", True)])
def test_one_address_was_asked_for(host: str, plain: bool, tmp_path: Path) -> None:
    text = said(tmp_path, host)
    assert f"http://{host}:8080" in text
    assert ("plain HTTP" in text) == plain
    assert ("on this host alone." in text) == (not plain)


def test_local_addresses_of_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "no-such-host.invalid")
    (tmp_path / "fib").write_text(FIB)
    assert address_for_others(tmp_path / "fib") == "192.0.2.17"
    assert address_for_others(tmp_path / "none") == ""


def test_three_lines_before_an_install(tmp_path: Path) -> None:
    manifest = bundles.sample_manifest()
    found = replace(receipts.sample(tmp_path), web_port=80, completed="")
    told = installing.in_short(found, None, manifest)
    assert len(told) == 3
    assert told[0].startswith(
        f"Install Airflow 3.3.2, {len(manifest.packages)} packages, into {tmp_path}; account"
    )
    assert "port 80;" in told[1]
    assert told[2] == f"The way back: {tmp_path}/bin/airferry uninstall"
    earlier = replace(found, airflow="2.11.2")
    told = installing.in_short(found, earlier, manifest)
    assert "Upgrade Airflow 2.11.2 -> 3.3.2" in told[0]
    assert told[2].endswith("/bin/airferry rollback")
    receipt.save(tmp_path / "receipt.json", found)
    assert "Go on with the install" in installing.in_short(found, None, manifest)[0]


def test_an_upgrade_says_from_what_and_the_way_back(tmp_path: Path) -> None:
    out = io.StringIO()
    outcome = Outcome(receipts.sample(tmp_path), (), before="2.11.2")
    installing.report(outcome).show(Console(out, out), "install", json=False)
    assert out.getvalue().startswith(
        "Airflow 2.11.2 -> 3.3.2: it runs, and the example pipeline has succeeded."
    )
    assert f"{tmp_path}/bin/airferry rollback" in out.getvalue()


def test_the_own_name_in_etc_hosts_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "batch1")
    monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: pytest.fail("a name server may be asked"))
    hosts = tmp_path / "hosts"
    hosts.write_text("127.0.1.1 batch1\n198.51.100.7 batch1.example batch1 # ours\n::1 batch1\n")
    (tmp_path / "fib").write_text(FIB)
    assert address_for_others(tmp_path / "fib", hosts) == "198.51.100.7"
