"""Kerberos tickets: a real KDC and kinit; what Airflow's renewer does is done by hand."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.airflow import config
from bootstrap.base.console import Console
from bootstrap.doctor.checks import installed as all_checks
from bootstrap.doctor.checks import kerberos as checks
from bootstrap.doctor.severity import BLOCKER, OK, WARNING
from bootstrap.examination import kerberos as examination
from bootstrap.examination.installed import Installed
from bootstrap.facts import kerberos as facts
from bootstrap.installed import kerberos as installed
from bootstrap.installed.installation import Installation
from bootstrap.state import receipt as receipts
from bootstrap.state.home import Home
from bootstrap.upkeep import tickets
from bootstrap.upkeep.tickets import KerberosUnusable
from tests.support import kdc as real
from tests.support.commands import run
from tests.support.configured import configured
from tests.support.faults import fault
from tests.support.kdc import PRINCIPAL, REALM, Kdc


@pytest.fixture(scope="module")
def kdc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kdc]:
    if real.missing():
        pytest.skip(real.missing())
    found = Kdc(tmp_path_factory.mktemp("kdc"))
    yield found
    found.stop()


@pytest.fixture
def home(tmp_path: Path, kdc: Kdc) -> Home:
    found = configured(tmp_path / "home")
    (found.etc / "local.env").write_text(f"KRB5_CONFIG={kdc.config}\n")
    return found


@pytest.fixture
def installation(home: Home) -> Installation:
    return Installation(replace(receipts.load(home.receipt), services="supervisor"))


def findings(installation: Installation) -> dict[str, str]:
    receipt = installation.receipt
    seen = Installed(receipt.home, receipt.airflow, receipt.bundle_file, completed=True)
    found = replace(seen, kerberos=examination.collect(installation))
    return {item.id: item.severity for item in checks.check(found)}


def renew(installation: Installation) -> None:
    """As airflow.security.kerberos does."""
    found = installed.settings(installation.home)
    assert found is not None
    words = ["kinit", "-f", "-A", "-r", "60m", "-k", "-t", found.keytab, "-c", found.cache, found.name]
    subprocess.run(words, env=installed.environment(installation.home), check=True, capture_output=True)


def set_up(installation: Installation, kdc: Kdc) -> None:
    tried = tickets.attempt(installation, kdc.keytab.read_bytes(), PRINCIPAL)
    assert tickets.set_up(installation, kdc.keytab.read_bytes(), tried, Console(quiet=True)).changed


def test_a_keytab_is_tried_kept_and_its_renewer_runs(
    installation: Installation, home: Home, kdc: Kdc
) -> None:
    names = [program.name for program in installation.programs()]
    assert "kerberos" not in names
    before = installation.launcher.script(installation.programs())
    tried = tickets.attempt(installation, kdc.keytab.read_bytes(), PRINCIPAL)
    assert time.time() + 500 < tried.ends < time.time() + 601
    # tickets of ten minutes are renewed after half of that
    assert 290 <= tried.seconds <= 300
    assert tickets.set_up(installation, kdc.keytab.read_bytes(), tried, Console(quiet=True)).changed
    kept = home.secrets / "airflow.keytab"
    assert (kept.read_bytes(), kept.stat().st_mode & 0o777) == (kdc.keytab.read_bytes(), 0o600)
    text = config.read(home.airflow_cfg)
    assert config.get(text, "core", "security") == "kerberos"
    assert config.get(text, "kerberos", "principal") == PRINCIPAL
    # with addresses in it, the KDC of this test would not renew it
    assert config.get(text, "kerberos", "include_ip") == "False"
    programs = {program.name: program.command for program in installation.programs()}
    assert programs["kerberos"] == (str(home.bin / "airflow"), "kerberos")
    assert installation.helpers == ["kerberos", "watchdog"]
    # root, who writes the script, need not know
    assert installation.launcher.script(installation.programs()) == before
    assert "kerberos) halted; relay" in before
    assert findings(installation) == {"kerberos-ticket-ended": BLOCKER}
    renew(installation)
    assert findings(installation) == {"kerberos-ok": OK}
    assert checks.check in all_checks.CHECKS
    (ticket,) = facts.tickets(home.run / "krb5-tickets")
    assert (ticket.client, ticket.server) == (PRINCIPAL, f"krbtgt/{REALM}@{REALM}")
    assert ticket.renewable > ticket.ends
    assert PRINCIPAL in run(home, "site").stdout
    assert not [path.name for path in home.run.iterdir() if "tried" in path.name]
    assert run(home, "site", "kerberos", "--off").returncode == 0
    assert not kept.exists() and not (home.run / "krb5-tickets").exists()
    assert installation.helpers == ["watchdog"]
    assert findings(installation) == {}


def test_what_does_not_work_is_told_and_changes_nothing(
    installation: Installation, home: Home, kdc: Kdc, tmp_path: Path
) -> None:
    before = home.airflow_cfg.read_text()
    good = kdc.keytab.read_bytes()
    with pytest.raises(KerberosUnusable, match="no key of other") as error:
        tickets.attempt(installation, good, f"other@{REALM}")
    assert error.value.found == PRINCIPAL
    for broken in (b"", b"-----BEGIN", good[:-5], good[:9]):
        with pytest.raises(KerberosUnusable, match=r"cannot be read|has no key"):
            tickets.attempt(installation, broken, PRINCIPAL)
    old = tmp_path / "old.keytab"
    old.write_bytes(good)
    kdc.admin(f"ktadd -k {kdc.folder}/newer.keytab {PRINCIPAL}")  # changes the key
    try:
        with pytest.raises(KerberosUnusable, match="No ticket was given"):
            tickets.attempt(installation, good, PRINCIPAL)
    finally:
        (kdc.folder / "newer.keytab").replace(kdc.keytab)
    kdc.admin(f"modprinc -allow_renewable {PRINCIPAL}")
    try:
        with pytest.raises(KerberosUnusable, match="cannot be renewed") as error:
            tickets.attempt(installation, kdc.keytab.read_bytes(), PRINCIPAL)
        assert "maxrenewlife" in error.value.hint
    finally:
        kdc.admin(f"modprinc +allow_renewable {PRINCIPAL}")
    ran = run(home, "site", "kerberos", "--principal", f"no@{REALM}", "--keytab", str(kdc.keytab))
    assert ran.returncode == KerberosUnusable.exit_code, ran.stderr
    assert run(home, "site", "kerberos", "--principal", "x").returncode == 2
    assert home.airflow_cfg.read_text() == before
    assert not (home.secrets / "airflow.keytab").exists()


@fault("kerberos-ticket-ended", "lets a real ticket of three seconds end")
def test_a_ticket_that_has_ended(installation: Installation, kdc: Kdc) -> None:
    set_up(installation, kdc)
    kdc.admin(f"modprinc -maxlife 3sec {PRINCIPAL}")
    try:
        renew(installation)
    finally:
        kdc.admin(f"modprinc -maxlife 600sec {PRINCIPAL}")
    assert findings(installation) == {"kerberos-ok": OK}
    time.sleep(3.5)
    assert findings(installation) == {"kerberos-ticket-ended": BLOCKER}


@fault("kerberos-keytab", "takes a keytab away that tickets are renewed from, and cuts another")
def test_a_keytab_that_is_of_no_use(installation: Installation, home: Home, kdc: Kdc) -> None:
    set_up(installation, kdc)
    renew(installation)
    keytab = home.secrets / "airflow.keytab"
    content = keytab.read_bytes()
    keytab.write_bytes(content[:-5])
    assert findings(installation) == {"kerberos-keytab": BLOCKER}
    keytab.unlink()
    assert findings(installation) == {"kerberos-keytab": BLOCKER}


@fault("kerberos-keytab-exposed", "opens a keytab that tickets are renewed from")
def test_a_keytab_that_others_can_read(installation: Installation, home: Home, kdc: Kdc) -> None:
    set_up(installation, kdc)
    renew(installation)
    (home.secrets / "airflow.keytab").chmod(0o640)
    assert findings(installation) == {"kerberos-keytab-exposed": WARNING, "kerberos-ok": OK}


@fault("kerberos-lacks", "names a krb5.conf that is not there")
def test_a_host_without_a_realm(installation: Installation, home: Home, kdc: Kdc) -> None:
    set_up(installation, kdc)
    renew(installation)
    (home.etc / "local.env").write_text("KRB5_CONFIG=/nonexistent/krb5.conf\n")
    assert findings(installation) == {"kerberos-lacks": BLOCKER, "kerberos-ok": OK}
