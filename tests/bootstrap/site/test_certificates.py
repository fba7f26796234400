"""Certificates of real authorities, as OpenSSL judges them."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from bootstrap.base.secret import Secret
from bootstrap.site import certificates
from bootstrap.site.certificates import Examined, examine
from bootstrap.site.settings import own_host
from tests.support.certificates import Pair, authority, leaf, needs_openssl

pytestmark = needs_openssl
NAMES = "DNS:airflow.example.com,DNS:*.lab.example.com,IP:127.0.0.1,IP:fd00::1"


@pytest.fixture
def root(tmp_path: Path) -> Pair:
    return authority(tmp_path)


def look(pair: Pair, root: str = "", key: Pair | None = None, strict: bool = True) -> Examined:
    return examine(pair.text, Secret((key or pair).key_text), root, strict=strict)


def test_a_certificate_that_fits(tmp_path: Path, root: Pair) -> None:
    found = look(leaf(tmp_path, NAMES, root), root.text)
    assert (found.problem, found.key_problem, found.chain_problem) == ("", "", "")
    assert (found.subject, found.issuer, found.root_from) == ("airflow", "Example Root", "authority")
    assert found.names == ("airflow.example.com", "*.lab.example.com", "127.0.0.1", "fd00::1")
    assert found.starts <= time.time() and abs(found.ends - time.time() - 400 * 86400) < 3600
    assert found.chain.count("BEGIN CERTIFICATE") == 2
    assert certificates.last(found.chain).strip() == root.text.strip()


def test_the_chain_is_put_in_order_and_its_root_is_found(tmp_path: Path, root: Pair) -> None:
    middle = authority(tmp_path, "Example Issuing", root)
    pair = leaf(tmp_path, NAMES, middle)
    other = authority(tmp_path, "Another Root")
    # what many authorities send: intermediate and root in no order, and another's beside
    text = pair.text + root.text + other.text + middle.text
    found = examine(text, Secret(pair.key_text))
    assert (found.chain_problem, found.root_from) == ("", "file")
    assert found.chain.count("BEGIN CERTIFICATE") == 3
    store = tmp_path / "store.pem"
    store.write_text(other.text + root.text)
    found = examine(pair.text + middle.text, Secret(pair.key_text), store=str(store))
    assert (found.chain_problem, found.root_from) == ("", "host")
    assert certificates.last(found.chain).strip() == root.text.strip()
    lacking = examine(pair.text, Secret(pair.key_text), store=str(store))
    assert "Example Issuing" in lacking.chain_problem
    nobody = examine(pair.text + middle.text, Secret(pair.key_text))
    assert "Example Root" in nobody.chain_problem


def test_an_authority_of_the_same_name_has_not_signed(tmp_path: Path, root: Pair) -> None:
    (tmp_path / "other").mkdir()
    found = look(leaf(tmp_path, NAMES, root), authority(tmp_path / "other").text)
    assert "signature" in found.chain_problem or "issuer" in found.chain_problem, found.chain_problem


def test_files_that_are_no_certificate_or_no_key(tmp_path: Path, root: Pair) -> None:
    pair = leaf(tmp_path, NAMES, root)
    assert "exchanged" in examine(pair.key_text, Secret(pair.text)).problem
    assert "openssl x509 -inform der" in examine("0\x82\x01", Secret("")).problem
    broken = pair.text.replace("MII", "AAA", 1)
    assert "cannot be read" in examine(broken, Secret(pair.key_text)).problem
    assert "pkcs7" in examine("-----BEGIN PKCS7-----", None).problem
    assert "BEGIN PRIVATE KEY" in look(pair, root.text, key=Pair(pair.key, root.certificate)).key_problem
    assert look(pair, root.text, key=root).key_problem == "the key belongs to another certificate"


def test_a_key_with_a_password_is_named_and_nobody_is_asked(tmp_path: Path, root: Pair) -> None:
    pair = leaf(tmp_path, NAMES, root)
    for command in (
        ["pkcs8", "-topk8", "-in", pair.key, "-passout", "pass:x", "-out", tmp_path / "locked"],
        ["ec", "-aes256", "-in", pair.key, "-passout", "pass:x", "-out", tmp_path / "locked"],
    ):
        subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True, timeout=60)
        found = examine(pair.text, Secret((tmp_path / "locked").read_text()))
        assert "openssl pkey" in found.key_problem


def test_one_that_signs_itself_and_one_that_has_ended(tmp_path: Path, root: Pair) -> None:
    own = leaf(tmp_path, NAMES, None, name="self")
    assert look(own, strict=False).chain_problem == ""
    ended = look(leaf(tmp_path, NAMES, root, days=-1, name="ended"), root.text)
    assert ended.ends < time.time() and "expired" in ended.chain_problem


def test_what_a_newer_python_asks_of_a_certificate(tmp_path: Path) -> None:
    """Python 3.13 refuses one without an authority key identifier; older ones take it."""
    root = authority(tmp_path)
    pair = leaf(tmp_path, NAMES, root, extra="authorityKeyIdentifier=none\n")
    assert look(pair, root.text, strict=False).chain_problem == ""
    assert "Key Identifier" in look(pair, root.text, strict=True).chain_problem


def test_names_are_compared_as_browsers_do() -> None:
    known = ("airflow.example.com", "*.lab.example.com", "127.0.0.1", "fd00::1")
    yes = ("AIRFLOW.example.com.", "a.lab.example.com", "127.0.0.1", "FD00:0:0::1")
    no = ("example.com", "a.b.lab.example.com", "lab.example.com", "127.0.0.2", "", "lab.example.com.evil")
    assert [name for name in yes if not certificates.covers(known, name)] == []
    assert [name for name in no if certificates.covers(known, name)] == []


def test_tasks_take_an_address_of_this_host_where_the_certificate_has_one() -> None:
    assert own_host(("a.example.com", "127.0.0.1"), "a.example.com", "0.0.0.0") == "127.0.0.1"
    assert own_host(("a.example.com", "localhost"), "a.example.com", "0.0.0.0") == "localhost"
    assert own_host(("a.example.com",), "a.example.com", "0.0.0.0") == "a.example.com"
    assert own_host(("a.example.com", "10.0.0.7"), "a.example.com", "10.0.0.7") == "10.0.0.7"
    assert own_host(("*.example.com", "b.example.com"), "", "0.0.0.0") == "b.example.com"


def test_nothing_of_a_key_is_left_behind(tmp_path: Path, root: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    look(leaf(tmp_path, NAMES, root), root.text)
    assert list(place.iterdir()) == []
