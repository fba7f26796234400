"""The command line of site tls: what it takes, what it refuses, and what it prints."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.airflow import config
from bootstrap.airflow.executor import EDGE_WORKER
from bootstrap.state import receipt as receipts
from bootstrap.state.cluster import OnTheHead, keep_join
from bootstrap.state.home import Home
from bootstrap.state.receipt import NO_DATABASE, WORKER
from tests.support.certificates import Pair, authority, leaf, needs_openssl
from tests.support.clusters import join
from tests.support.commands import run
from tests.support.configured import configured

pytestmark = needs_openssl
URL = "https://airflow.example.com:8443/air"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return configured(tmp_path / "home")


@pytest.fixture
def root(tmp_path: Path) -> Pair:
    return authority(tmp_path)


def option(home: Home, section: str, name: str) -> str | None:
    return config.get(config.read(home.airflow_cfg), section, name)


def test_a_certificate_there_and_back(home: Home, root: Pair, tmp_path: Path) -> None:
    pair = leaf(tmp_path, "DNS:airflow.example.com,IP:127.0.0.1", root)
    given = ["--cert", str(pair.certificate), "--key", str(pair.key), "--ca", str(root.certificate)]
    made = run(home, "site", "tls", *given, "--url", URL, "--json")
    assert made.returncode == 0, made.stderr
    assert json.loads(made.stdout)["result"]["proved"] is False
    assert "PRIVATE" not in made.stdout + made.stderr + home.journal.read_text()
    assert option(home, "api", "base_url") == URL
    assert option(home, "core", "execution_api_server_url") == "https://127.0.0.1:9/air/execution/"
    kept = home.secrets / "tls-key.pem"
    assert (kept.stat().st_mode & 0o777, kept.read_text()) == (0o600, pair.key_text)
    assert run(home, "site", "tls", "--show-ca").stdout.strip() == root.text.strip()
    shown = run(home, "site").stdout
    assert "airflow.example.com, 127.0.0.1; signed by Example Root" in shown
    # an address that the certificate is not for, and one without HTTPS
    for url, code in (("https://other.example.com", 112), ("http://airflow.example.com", 2)):
        refused = run(home, "site", "url", url)
        assert (refused.returncode, option(home, "api", "base_url")) == (code, URL), refused.stderr
    # alone, an option of it is refused with the command that does the whole
    refused = run(home, "config", "set", "api", "ssl_cert", "/x.pem")
    assert (refused.returncode, "airferry site tls" in refused.stderr) == (94, True)
    off = run(home, "site", "tls", "--off")
    assert off.returncode == 0, off.stderr
    assert option(home, "api", "ssl_cert") is None
    assert option(home, "api", "base_url") == URL.replace("https", "http")
    assert option(home, "core", "execution_api_server_url") == "http://127.0.0.1:9/air/execution/"
    assert not kept.exists()


def test_what_does_not_fit_is_refused_and_nothing_is_changed(home: Home, root: Pair, tmp_path: Path) -> None:
    before = home.airflow_cfg.read_text()
    pair = leaf(tmp_path, "DNS:airflow.example.com", root, days=-1)
    given = ["--cert", str(pair.certificate), "--key", str(root.key), "--ca", str(root.certificate)]
    refused = run(home, "site", "tls", *given)
    assert refused.returncode == 112
    assert "tls-key-mismatch" in refused.stderr and "tls-expired" in refused.stderr
    for wrong in (given[:2], [*given, "--off"], [], ["--off", "--url", URL], ["--show-ca"]):
        assert run(home, "site", "tls", *wrong).returncode == 2
    assert home.airflow_cfg.read_text() == before
    assert not (home.secrets / "tls-key.pem").exists()


def test_a_proxy_needs_an_address(home: Home) -> None:
    refused = run(home, "site", "proxy")
    assert (refused.returncode, "site url https://" in refused.stderr) == (2, True)
    run(home, "site", "url", URL)
    for server, word in (("nginx", "location /air/ {"), ("apache", "ProxyPass ")):
        printed = run(home, "site", "proxy", server)
        assert (printed.returncode, word in printed.stdout) == (0, True), printed.stderr
    assert run(home, "site", "proxy", "iis").returncode == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["url", URL],
        ["tls", "--self-signed"],
        ["proxy", "nginx"],
        ["mail", "--host", "h", "--from", "a@b"],
        ["ldap", "--off"],
        ["kerberos"],
    ],
)
def test_a_worker_names_its_head(home: Home, arguments: list[str]) -> None:
    receipt = receipts.load(home.receipt)
    database = replace(receipt.database, kind=NO_DATABASE)
    receipts.save(
        home.receipt, replace(receipt, role=WORKER, executor=EDGE_WORKER.name, database=database, auth="")
    )
    keep_join(home, join())
    before = home.airflow_cfg.read_text()
    refused = run(home, "site", *arguments)
    assert refused.returncode == OnTheHead.exit_code, refused.stderr
    assert f"Give this command on {join().host}" in " ".join(refused.stderr.split())
    assert home.airflow_cfg.read_text() == before
