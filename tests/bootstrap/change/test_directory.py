"""Logins from a directory: a real slapd, asked as the login asks it, and a block of webserver_config.py."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bootstrap.airflow.command import source
from bootstrap.base.secret import Secret
from bootstrap.change import directory as change
from bootstrap.change.directory import DirectoryUnusable
from bootstrap.doctor.checks import directory as checks
from bootstrap.doctor.checks import installed as all_checks
from bootstrap.doctor.severity import BLOCKER, OK, WARNING
from bootstrap.examination import directory as examination
from bootstrap.examination.installed import Installed
from bootstrap.installed import directory as installed
from bootstrap.installed.installation import Installation
from bootstrap.site import directory
from bootstrap.site.directory import Directory, DirectoryAsked, DirectoryInvalid
from bootstrap.state import receipt as receipts
from bootstrap.state.home import Home
from tests.support import directory as real
from tests.support.certificates import authority
from tests.support.commands import run
from tests.support.configured import configured
from tests.support.faults import fault

BY_HAND = "WTF_CSRF_ENABLED = True\n# kept\n"


@pytest.fixture(scope="module")
def slapd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[real.Directory]:
    """The directory; started again by a test that stops it."""
    if real.missing():
        pytest.skip(real.missing())
    if not real.python():
        pytest.skip("/usr/bin/python3 has no module ldap (Debian: python3-ldap)")
    found = real.Directory(tmp_path_factory.mktemp("slapd"))
    yield found
    found.stop()


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = configured(tmp_path / "home")
    installation = Installation(receipts.load(found.receipt))
    script = installation.release.venv / "bin" / "python"
    if real.python():  # only the look at a directory is run by it from here on
        script.write_text(f'#!/bin/sh\nexec {real.python()} "$@"\n')
    (found.path / "webserver_config.py").write_text(BY_HAND)
    return found


@pytest.fixture
def installation(home: Home) -> Installation:
    return Installation(receipts.load(home.receipt))


def options(slapd: real.Directory, folder: Path, **more: str) -> list[str]:
    password = folder / "password"
    password.write_text(real.PASSWORD + "\n")
    given = {
        "--url": slapd.url, "--base": real.BASE, "--bind-user": real.READER,
        "--bind-password-file": str(password), "--group-admin": real.ADMINS.upper(),
        "--group-viewer": real.VIEWERS,
    }  # fmt: skip
    given.update({f"--{name.replace('_', '-')}": value for name, value in more.items()})
    return [word for pair in given.items() for word in pair]


def findings(installation: Installation) -> dict[str, str]:
    facts = examination.collect(installation)
    receipt = installation.receipt
    seen = Installed(receipt.home, receipt.airflow, receipt.bundle_file, completed=True, directory=facts)
    return {item.id: item.severity for item in checks.check(seen)}


def test_settings_are_tried_written_shown_and_taken_back(
    installation: Installation, home: Home, slapd: real.Directory, tmp_path: Path
) -> None:
    file = home.path / "webserver_config.py"
    looks = [word for name in ("kim", "lee", "ann", "bob", "nobody", "k*") for word in ("--look-up", name)]
    ran = run(home, "site", "ldap", *options(slapd, tmp_path), *looks, "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    result = json.loads(ran.stdout)["result"]
    assert (result["changed"], result["proved"]) == (True, False)
    people = {person["name"]: person["roles"] for person in result["people"] if person["dn"]}
    # lee is in a group that is in the group
    assert people == {
        "kim": ["Admin", "Public"],
        "lee": ["Admin", "Public"],
        "ann": ["Viewer", "Public"],
        "bob": ["Public"],
    }
    assert any("unencrypted" in note or "as they are" in note for note in result["notes"])
    text = file.read_text()
    assert text.startswith(BY_HAND)
    assert real.PASSWORD not in text
    assert (home.secrets / "ldap-bind-password").read_text() == real.PASSWORD + "\n"
    assert (home.secrets / "ldap-bind-password").stat().st_mode & 0o777 == 0o600
    compile(text, "webserver_config.py", "exec")
    assert run(home, "site").stdout.count(slapd.url) == 1
    # one option more: the rest stays, and what was written by hand meanwhile, too
    file.write_text(text + "RATELIMIT_ENABLED = True\n")
    more = run(home, "site", "ldap", "--others", "Viewer")
    assert more.returncode == 0, more.stdout + more.stderr
    found = installed.settings(installation)
    assert found is not None
    assert (found.others, found.uid, found.admin) == ("Viewer", "uid", "admin")
    assert file.read_text().count(directory.BEGIN) == 1
    assert file.read_text().endswith("RATELIMIT_ENABLED = True\n")
    assert run(home, "site", "ldap", "--off").returncode == 0
    assert file.read_text() == BY_HAND + "RATELIMIT_ENABLED = True\n"
    assert not (home.secrets / "ldap-bind-password").exists()
    for path in home.path.rglob("*"):
        assert not (path.is_file() and real.PASSWORD.encode() in path.read_bytes()), path


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "another password": ({"password": Secret("wrong")}, "refuses"),
    "no such base": ({"base": "dc=no"}, "has no dc=no"),
    "no such group": ({"groups": (("Admin", f"cn=no,{real.BASE}"),)}, "no such group"),
    "a broken filter": ({"filter": "(x)(y)"}, "filter"),
    "nobody there": ({"url": "ldap://127.0.0.1:1"}, "does not answer"),
    "an unknown authority": ({"url": "TLS"}, "No encrypted connection"),
}


def test_what_does_not_work_is_told_and_changes_nothing(
    installation: Installation, home: Home, slapd: real.Directory, tmp_path: Path
) -> None:
    good: dict[str, Any] = {
        "url": slapd.url, "base": real.BASE, "bind_user": real.READER, "password": Secret(real.PASSWORD),
        "groups": (("Admin", real.ADMINS),),
    }  # fmt: skip
    shown = {}
    for name, (more, _) in REFUSED.items():
        given = {**good, **more}
        given["url"] = given["url"].replace("TLS", slapd.tls_url)
        wanted = DirectoryAsked(**given)
        with pytest.raises(DirectoryUnusable) as error:
            change.seen(installation, change.settled(installation, wanted), wanted, ())
        shown[name] = str(error.value)
        assert error.value.hint and error.value.found
    assert {name: said for name, said in shown.items() if REFUSED[name][1] not in said} == {}
    ran = run(home, "site", "ldap", *options(slapd, tmp_path, base="dc=no"))
    assert (ran.returncode, "has no dc=no" in ran.stderr) == (DirectoryUnusable.exit_code, True)
    assert (home.path / "webserver_config.py").read_text() == BY_HAND
    assert not (home.secrets / "ldap-bind-password").exists()


def test_tls_from_the_start_or_later_with_an_authority_of_its_own(
    installation: Installation, home: Home, slapd: real.Directory, tmp_path: Path
) -> None:
    encrypted = options(slapd, tmp_path, url=slapd.tls_url, ca_file=str(slapd.ca))
    ran = run(home, "site", "ldap", *encrypted)
    assert ran.returncode == 0, ran.stderr
    assert (home.secrets / "ldap-ca.pem").read_text() == slapd.ca.read_text()
    assert "as they are" not in ran.stderr
    assert findings(installation) == {"directory-ok": OK}
    later = run(home, "site", "ldap", "--url", slapd.url, "--start-tls")
    assert later.returncode == 0, later.stderr
    assert findings(installation) == {"directory-ok": OK}
    assert not (home.run / "ldap-ca.pem").exists()
    # back to the other: nobody has to take StartTLS back
    assert run(home, "site", "ldap", "--url", slapd.tls_url).returncode == 0
    found = installed.settings(installation)
    assert found is not None and not found.start_tls


def test_values_that_could_mean_something_else_are_refused(installation: Installation) -> None:
    good: dict[str, Any] = {
        "url": "ldaps://h", "base": "dc=x", "bind_user": "cn=r", "password": Secret("x"),
        "groups": (("Admin", "cn=a"),),
    }  # fmt: skip
    assert change.settled(installation, DirectoryAsked(**good)).uid == "uid"
    wrong: list[dict[str, Any]] = [
        {"url": "http://h"}, {"url": "ldap://u:p@h"}, {"url": "ldap://h/dc=x"}, {"url": "ldap://h:0"},
        {"url": "ldaps://h", "start_tls": True}, {"groups": (("Op", "cn=a"),)}, {"filter": "x=y"},
        {"base": ""}, {"bind_user": "a\nb"}, {"uid": "uid)(x=*"}, {"base": None},
    ]  # fmt: skip
    for more in wrong:
        with pytest.raises(DirectoryInvalid):
            change.settled(installation, DirectoryAsked(**{**good, **more}))


def test_texts_stay_texts_in_the_block() -> None:
    hostile = 'cn=\'"\\,dc=\u00fc"; import os #'
    found = Directory("ldap://h", hostile, hostile, "uid", (("Admin", hostile),), f"({hostile})", admin="o'k")
    text = directory.merged(BY_HAND, directory.block(found, "/ho'me", source("ldapdirectory.py")))
    assert directory.read(text) == found
    with pytest.raises(ValueError, match="changed by hand"):
        directory.read(text.replace("AUTH_LDAP_SEARCH = ", "AUTH_LDAP_SEARCH = 1 + "))
    # an end that was taken away: nothing before the block is lost
    assert directory.merged(text.replace(directory.END, ""), "").startswith(BY_HAND)


@fault("directory-fails", "stops a real slapd that logins are set to")
def test_a_directory_that_is_away(
    installation: Installation, home: Home, slapd: real.Directory, tmp_path: Path
) -> None:
    assert run(home, "site", "ldap", *options(slapd, tmp_path)).returncode == 0
    slapd.stop()
    try:
        assert findings(installation)["directory-fails"] == BLOCKER
    finally:
        slapd.start()
    (home.secrets / "ldap-bind-password").write_text("old\n")
    assert findings(installation)["directory-fails"] == BLOCKER
    (home.secrets / "ldap-bind-password").unlink()
    assert findings(installation)["directory-fails"] == BLOCKER


@fault("directory-unreachable", "names a port that nobody listens on, and an authority of somebody else's")
def test_a_directory_is_reached_before_an_install(slapd: real.Directory, tmp_path: Path) -> None:
    ca = slapd.ca.read_text()
    (tmp_path / "other").mkdir()
    other = authority(tmp_path / "other").text
    cases: dict[str, tuple[DirectoryAsked, str]] = {
        "plain": (DirectoryAsked(slapd.url), ""),
        "from the start": (DirectoryAsked(slapd.tls_url, ca=ca), ""),
        "later": (DirectoryAsked(slapd.url, start_tls=True, ca=ca), ""),
        "nobody": (DirectoryAsked("ldap://127.0.0.1:1"), "refused"),
        "no name": (DirectoryAsked("ldap://no.invalid"), "not known here"),
        "no name at all": (DirectoryAsked("ldap://dc..invalid"), "not known here"),
        "other authority": (DirectoryAsked(slapd.tls_url, ca=other), "self-signed|unable to get|self signed"),
        "later, by another": (DirectoryAsked(slapd.url, start_tls=True, ca=other), "self.signed|unable"),
        "no TLS there": (DirectoryAsked(slapd.url.replace("ldap:", "ldaps:"), ca=ca), "."),
        "no certificate": (DirectoryAsked(slapd.tls_url, ca="x"), "cannot be read"),
    }
    shown = {name: [item.found for item in checks.before(asked, "")] for name, (asked, _) in cases.items()}
    wrong = {
        name: said
        for name, said in shown.items()
        if bool(said) != bool(cases[name][1]) or (said and not re.search(cases[name][1], said[0]))
    }
    assert wrong == {}


@fault("directory-no-admin", "names a group that a real slapd does not have")
def test_a_group_that_was_renamed(
    installation: Installation, home: Home, slapd: real.Directory, tmp_path: Path
) -> None:
    assert run(home, "site", "ldap", *options(slapd, tmp_path)).returncode == 0
    file = home.path / "webserver_config.py"
    file.write_text(file.read_text().replace("AIRFLOW-ADMINS", "RENAMED"))
    assert findings(installation)["directory-no-admin"] == WARNING


@fault("directory-plain", "takes logins from a real slapd over ldap://")
def test_passwords_in_the_clear(
    installation: Installation, home: Home, slapd: real.Directory, tmp_path: Path
) -> None:
    assert run(home, "site", "ldap", *options(slapd, tmp_path)).returncode == 0
    assert findings(installation) == {"directory-ok": OK, "directory-plain": WARNING}
    assert checks.check in all_checks.CHECKS


@fault("directory-block-changed", "puts an expression in the place of a value of the block")
def test_a_block_that_was_changed_by_hand(
    installation: Installation, home: Home, slapd: real.Directory, tmp_path: Path
) -> None:
    assert findings(installation) == {}
    assert run(home, "site", "ldap", *options(slapd, tmp_path)).returncode == 0
    file = home.path / "webserver_config.py"
    file.write_text(file.read_text().replace("AUTH_LDAP_SERVER = ", "AUTH_LDAP_SERVER = '' or "))
    assert findings(installation) == {"directory-block-changed": WARNING}
