"""HTTPS that does not hold: real certificates with real faults, in an installation and before one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.airflow import config
from bootstrap.base.console import Console
from bootstrap.base.secret import Secret
from bootstrap.change import site as change
from bootstrap.change import tls as use
from bootstrap.change.tls import CertificateRefused
from bootstrap.commands.site_options import asked_of, port_of
from bootstrap.doctor.checks import tls as checks
from bootstrap.doctor.preflight import certificate_findings
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.examination import tls as examination
from bootstrap.examination.installed import Installed
from bootstrap.installed.installation import Installation
from bootstrap.installed.options import InvalidOption, Options
from bootstrap.installed.site_edits import CERTIFICATE, KEY, tls_edit, url_edit
from bootstrap.state import receipt as receipts
from bootstrap.state.home import Home
from tests.support.certificates import Pair, authority, leaf, needs_openssl
from tests.support.configured import configured
from tests.support.faults import fault

pytestmark = needs_openssl
NAMES = "DNS:airflow.example.com,DNS:localhost,IP:127.0.0.1"
URL = "https://airflow.example.com:8443"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return configured(tmp_path / "home")


@pytest.fixture
def installation(home: Home) -> Installation:
    return Installation(receipts.load(home.receipt))


@pytest.fixture
def root(tmp_path: Path) -> Pair:
    (tmp_path / "ca").mkdir()
    return authority(tmp_path / "ca")


def serve(installation: Installation, pair: Pair, root: Pair, url: str = URL) -> None:
    """Have the installation use a certificate that nobody has judged."""
    quiet = Console(quiet=True)
    change.change(
        installation, "tls", tls_edit(installation, pair.text + root.text, Secret(pair.key_text)), quiet
    )
    change.change(installation, "url", url_edit(installation, url)[0], quiet)


def doctor(installation: Installation) -> dict[str, str]:
    home = str(installation.home.path)
    seen = Installed(home, installation.receipt.airflow, "x.run", True, tls=examination.collect(installation))
    return {finding.id: finding.severity for finding in checks.check(seen)}


def test_a_certificate_that_fits(installation: Installation, root: Pair, tmp_path: Path) -> None:
    pair = leaf(tmp_path, NAMES, root)
    serve(installation, pair, root)
    assert doctor(installation) == {"tls-ok": OK}
    text = config.read(installation.home.airflow_cfg)
    assert config.get(text, "core", "execution_api_server_url") == "https://127.0.0.1:9/execution/"
    assert config.get(text, "api", "ssl_cert") == str(installation.home.path / CERTIFICATE)
    assert config.get(text, "fab", "enable_proxy_fix") == "False"
    assert installation.url == "https://127.0.0.1:9"
    assert (installation.home.path / KEY).stat().st_mode & 0o777 == 0o600


@fault("tls-ending", "a certificate for ten more days")
def test_it_is_said_before_it_ends(installation: Installation, root: Pair, tmp_path: Path) -> None:
    serve(installation, leaf(tmp_path, NAMES, root, days=10), root)
    assert doctor(installation) == {"tls-ending": WARNING}


@fault("tls-expired", "a certificate that ended in 2021")
def test_one_that_has_ended(installation: Installation, root: Pair, tmp_path: Path) -> None:
    serve(installation, leaf(tmp_path, NAMES, root, days=-1), root)
    assert doctor(installation) == {"tls-expired": BLOCKER}


@fault("tls-name", "a certificate for another host, and one with a common name alone")
@pytest.mark.parametrize("names", ["DNS:other.example.com,IP:127.0.0.1", ""])
def test_one_for_another_host(installation: Installation, root: Pair, tmp_path: Path, names: str) -> None:
    serve(installation, leaf(tmp_path, names, root, name="airflow.example.com"), root)
    assert doctor(installation)["tls-name"] == BLOCKER


@fault("tls-chain", "a certificate without its intermediate")
def test_a_chain_with_a_gap(installation: Installation, root: Pair, tmp_path: Path) -> None:
    middle = authority(tmp_path, "Example Issuing", root)
    serve(installation, leaf(tmp_path, NAMES, middle), root)
    assert doctor(installation) == {"tls-chain": BLOCKER}
    older = Installation(replace(installation.receipt, airflow="2.11.2"))
    home = configured(tmp_path / "older", "2.11.2")
    older = Installation(receipts.load(home.receipt))
    serve(older, leaf(tmp_path, NAMES, middle), root)
    assert doctor(older) == {"tls-chain": WARNING}  # no task asks, before the upgrade to 3
    pair = leaf(tmp_path, NAMES, middle)
    with pytest.raises(CertificateRefused, match="chain"):
        use.given(older, pair.text, Secret(pair.key_text), root.text, "x.pem")


@fault("tls-key-mismatch", "the key of another certificate")
def test_a_key_of_another(installation: Installation, root: Pair, tmp_path: Path) -> None:
    pair = leaf(tmp_path, NAMES, root)
    serve(installation, Pair(pair.certificate, root.key), root)
    assert doctor(installation) == {"tls-key-mismatch": BLOCKER}


@fault("tls-unreadable", "a certificate that was cut off, and a key that is gone")
def test_files_that_cannot_be_read(installation: Installation, root: Pair, tmp_path: Path) -> None:
    serve(installation, leaf(tmp_path, NAMES, root), root)
    path = installation.home.path / CERTIFICATE
    text = path.read_text()
    path.write_text(text[:200])
    assert doctor(installation) == {"tls-unreadable": BLOCKER}
    path.write_text(text)
    (installation.home.path / KEY).unlink()
    assert doctor(installation)["tls-unreadable"] == BLOCKER


@fault("tls-unresolved", "a certificate for a name that this host does not find")
def test_a_name_that_is_not_found(installation: Installation, root: Pair, tmp_path: Path) -> None:
    name = "airflow.invalid"
    serve(installation, leaf(tmp_path, f"DNS:{name}", root), root, f"https://{name}:9")
    assert doctor(installation) == {"tls-unresolved": BLOCKER}
    text = config.read(installation.home.airflow_cfg)
    assert config.get(text, "core", "execution_api_server_url") == f"https://{name}:9/execution/"


@fault("proxy-bypassed", "a web server behind a proxy that listens on all addresses")
@fault("login-unencrypted", "a web server that listens on all addresses without HTTPS")
def test_logins_over_plain_http(installation: Installation) -> None:
    everywhere = Installation(replace(installation.receipt, web_host="0.0.0.0"))
    assert doctor(everywhere) == {"login-unencrypted": WARNING}
    for host in ("127.0.0.1", "localhost", "::1"):
        assert doctor(Installation(replace(installation.receipt, web_host=host))) == {}
    change.change(everywhere, "url", url_edit(everywhere, URL)[0], Console(quiet=True))
    assert doctor(everywhere) == {"proxy-bypassed": NOTE}
    change.change(installation, "url", url_edit(installation, URL)[0], Console(quiet=True))
    assert doctor(Installation(replace(installation.receipt, web_host="127.0.0.1"))) == {}


def test_an_installation_takes_no_certificate_that_would_break_it(
    installation: Installation, root: Pair, tmp_path: Path
) -> None:
    before = installation.home.airflow_cfg.read_text()
    ended = leaf(tmp_path, "DNS:other", root, days=-1)
    with pytest.raises(CertificateRefused, match="nothing was changed") as caught:
        use.given(installation, ended.text, Secret(ended.key_text), root.text, "x.pem")
    assert "tls-expired: x.pem: it ended on 2021-01-01" in caught.value.found
    assert installation.home.airflow_cfg.read_text() == before
    pair = leaf(tmp_path, NAMES, root, days=10)
    edit, notes = use.given(installation, pair.text, Secret(pair.key_text), root.text, "x.pem")
    assert edit.components is None
    assert "ends soon" in notes[0]
    change.change(installation, "tls", edit, Console(quiet=True))
    # its successor by the same authority is no matter of running tasks
    again = leaf(tmp_path, NAMES, root, name="again")
    edit, _ = use.given(installation, again.text, Secret(again.key_text), root.text, "x.pem")
    assert edit.components == ("api-server",)
    (tmp_path / "new").mkdir()
    other = authority(tmp_path / "new", "New Root")
    another = leaf(tmp_path / "new", NAMES, other)
    edit, _ = use.given(installation, another.text, Secret(another.key_text), other.text, "x.pem")
    assert edit.components is None


def test_the_install_judges_what_it_is_given(home: Home, root: Pair, tmp_path: Path) -> None:
    receipt = receipts.load(home.receipt)
    pair = leaf(tmp_path, "DNS:other.example.com,IP:127.0.0.1", root)
    asked = asked_of(URL, pair.certificate, pair.key, root.certificate, self_signed=False)
    found = certificate_findings(receipt, Options(home, site=asked))
    assert {item.id: item.severity for item in found} == {"tls-name": BLOCKER}
    fits = leaf(tmp_path, NAMES, root)
    asked = asked_of(URL, fits.certificate, fits.key, root.certificate, self_signed=False)
    assert list(certificate_findings(receipt, Options(home, site=asked))) == []
    assert list(certificate_findings(receipt, Options(home))) == []
    assert port_of(asked, None) == 8443
    assert port_of(asked, 8080) == 8080


def test_options_that_do_not_go_together(root: Pair) -> None:
    file = root.certificate
    for url, cert, key, own in (
        (None, file, None, False), (None, None, file, False), (None, file, file, True),
        ("http://a.example.com:8080", file, file, False),
    ):  # fmt: skip
        with pytest.raises(InvalidOption):
            asked_of(url, cert, key, None, self_signed=own)
    assert asked_of(None, None, None, None, self_signed=False) is None
    with pytest.raises(InvalidOption, match="port 443") as caught:
        port_of(asked_of("https://a.example.com", file, file, None, self_signed=False), None)
    assert "https://a.example.com:8443" in caught.value.needed
    proxy = asked_of("https://a.example.com:8443/air", None, None, None, self_signed=False)
    assert port_of(proxy, None) is None
    assert port_of(asked_of("http://a.example.com:9090", None, None, None, self_signed=False), None) == 9090
