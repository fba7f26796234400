"""A webserver_config.py that is there before an install: known beforehand, from its text alone."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.doctor import preflight
from bootstrap.doctor.finding import Finding
from bootstrap.installed import options as choosing
from bootstrap.installed.options import Options
from bootstrap.state.home import Home
from bootstrap.state.receipt import Added, Receipt
from tests.support import bundles
from wheelhouse.manifest import Manifest
from wheelhouse.reader import Bundle

LDAP = "open('ran', 'w')\nAUTH_TYPE = AUTH_LDAP\n"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path / "airflow")
    made.path.mkdir()
    (made.path / "webserver_config.py").write_text(LDAP)
    return made


def choice(bundle: Bundle, home: Home, auth: str = "fab") -> Receipt:
    # without FAB the bundle itself would take the simple auth manager
    return replace(choosing.choose(Options(home=home), bundle), auth=auth)


def findings(bundle: Bundle, home: Home, auth: str = "fab") -> list[Finding]:
    report = preflight.judge(bundle, choice(bundle, home, auth), Options(home=home)).report
    return [item for item in report.blockers if item.id == "login-modules-missing"]


def test_install_is_refused_with_the_package_and_the_extra(home: Home, tiny_bundle: Path) -> None:
    with Bundle.open(tiny_bundle) as bundle:
        (found,) = findings(bundle, home)
        assert found.found == f"{home.path}/webserver_config.py, line 2, AUTH_TYPE = AUTH_LDAP"
        assert (found.needed, "--extra ldap" in found.remedy) == ("python-ldap in the bundle", True)
    assert not Path("ran").exists()


def test_what_the_bundle_or_an_add_on_brings_is_there(home: Home, tiny_bundle: Path) -> None:
    package = bundles.package("python-ldap", "wheels/python_ldap-3.4.5-cp311-cp311-linux_x86_64.whl")
    with Bundle.open(tiny_bundle) as bundle:
        chosen = choice(bundle, home)
        carried: Manifest = replace(bundle.manifest, packages=(*bundle.manifest.packages, package))
        assert not list(preflight.login_findings(carried, replace(chosen, bundle_id=carried.bundle_id)))
        added = replace(chosen, added=(Added("a", "a.run", "0", ("python-ldap 3.4.5",), "", "b"),))
        assert not list(preflight.login_findings(bundle.manifest, added))
        # the next release is made without the add-on
        assert list(preflight.login_findings(carried, added)) == []
        other = replace(bundle.manifest, airflow="3.3.3")
        assert len(list(preflight.login_findings(other, added))) == 1


def test_simple_login_does_not_read_it(home: Home, tiny_bundle: Path) -> None:
    with Bundle.open(tiny_bundle) as bundle:
        assert findings(bundle, home, auth="simple") == []


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root")
def test_root_reads_it_as_the_owner_of_the_home(home: Home, tiny_bundle: Path, tmp_path: Path) -> None:
    """A link to a file that is root's alone shows nothing of it."""
    private = tmp_path / "private.py"
    private.write_text(LDAP)
    private.chmod(0o600)
    for path in (tmp_path, *tmp_path.parents):
        path.chmod(path.stat().st_mode | 0o055)
    os.chown(home.path, 65534, 65534)
    file = home.path / "webserver_config.py"
    with Bundle.open(tiny_bundle) as bundle:
        chosen = choice(bundle, home)
        assert len(list(preflight.login_findings(bundle.manifest, chosen))) == 1
        file.unlink()
        file.symlink_to(private)
        assert list(preflight.login_findings(bundle.manifest, chosen)) == []
