"""A real Active Directory: Samba's domain controller in a bare root, asked as the login asks it."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.installed.installation import Installation
from bootstrap.state import receipt as receipts
from bootstrap.state.home import Home
from tests.support import directory as real
from tests.support import roots
from tests.support.certificates import authority, leaf, needs_openssl
from tests.support.commands import run
from tests.support.configured import configured
from tests.support.roots import Root

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not os.environ.get("AIRFERRY_FULL"), reason="only with AIRFERRY_FULL=1: makes a domain"
    ),
]

PACKAGES = (
    "samba", "samba-ad-dc", "samba-dsdb-modules", "samba-vfs-modules", "samba-ad-provision", "winbind",
    "iproute2", "ldb-tools",
)  # fmt: skip
USERS = "CN=Users,DC=corp,DC=example"
PASSWORD = "reader-Pass-1"
# kim is an admin, lee one by a group in the group
DOMAIN = """
rm -f /etc/samba/smb.conf
mkdir -p /run/samba
echo '127.0.0.1 dc1.corp.example dc1 localhost' > /etc/hosts
samba-tool domain provision --realm=CORP.EXAMPLE --domain=CORP --server-role=dc --dns-backend=NONE \
    --adminpass=Admin-Pass-1 --host-name=dc1 --host-ip=127.0.0.1 \
    --option='interfaces=lo' --option='bind interfaces only=yes' >/dev/null 2>&1
tls='\\n tls keyfile = /root/key.pem\\n tls certfile = /root/cert.pem\\n tls cafile = /root/ca.pem'
sed -i "s|^.global.|&$tls|" /etc/samba/smb.conf
for name in kim lee ann reader; do samba-tool user create $name $name-Pass-1; done
for name in airflow-admins team; do samba-tool group add $name; done
samba-tool group addmembers airflow-admins kim,team
samba-tool group addmembers team lee
samba -D
"""


@pytest.fixture(scope="module")
def domain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Root, Path]]:
    """The domain controller, and its authority."""
    if not real.python():
        pytest.skip("/usr/bin/python3 has no module ldap (Debian: python3-ldap)")
    folder = tmp_path_factory.mktemp("domain")
    ca = authority(folder)
    pair = leaf(folder, "DNS:dc1.corp.example,IP:127.0.0.1", ca)
    with Root(roots.base("bookworm", *PACKAGES), folder / "root") as root:
        for name, path in (("key", pair.key), ("cert", pair.certificate), ("ca", ca.certificate)):
            target = root.path / "root" / f"{name}.pem"
            target.write_text(path.read_text())
            target.chmod(0o600)
        made = root.run("sh", "-ec", DOMAIN)
        assert made.returncode == 0, made.stdout + made.stderr
        deadline = time.monotonic() + 60
        while ":636" not in root.run("ss", "-ltn").stdout:
            assert time.monotonic() < deadline, "no domain controller"
            time.sleep(0.5)
        yield root, ca.certificate


@pytest.fixture
def home(tmp_path: Path, domain: tuple[Root, Path]) -> Home:
    found = configured(tmp_path / "home")
    installation = Installation(receipts.load(found.receipt))
    script = installation.release.venv / "bin" / "python"
    # the look goes into the domain's network, and sees the files of this host
    enter = f"nsenter -t {domain[0]._first} -n {real.python()}"
    script.write_text(f'#!/bin/sh\nexec {enter} "$@"\n')
    return found


@needs_openssl
def test_nested_groups_the_primary_group_and_a_bind_by_upn(
    home: Home, domain: tuple[Root, Path], tmp_path: Path
) -> None:
    password = tmp_path / "password"
    password.write_text(f"{PASSWORD}\n")
    given = [
        "--base", "DC=corp,DC=example", "--bind-user", "reader@corp.example",
        "--bind-password-file", str(password), "--group-admin", f"cn=Airflow-Admins,{USERS}",
        "--group-viewer", f"CN=Domain Users,{USERS}", "--ca-file", str(domain[1]),
    ]  # fmt: skip
    # a domain controller takes no password without encryption
    plain = run(home, "site", "ldap", *given, "--url", "ldap://127.0.0.1")
    assert (plain.returncode, "No encrypted connection" in plain.stderr) == (111, True), plain.stderr
    looks = [word for name in ("kim", "lee", "ann") for word in ("--look-up", name)]
    for url in (["--url", "ldaps://127.0.0.1"], ["--url", "ldap://127.0.0.1", "--start-tls"]):
        ran = run(home, "site", "ldap", *given, *url, *looks, "--json")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        result = json.loads(ran.stdout)["result"]
        assert {person["name"]: person["roles"] for person in result["people"]} == {
            "kim": ["Admin", "Viewer", "Public"],
            "lee": ["Admin", "Viewer", "Public"],
            "ann": ["Viewer", "Public"],
        }
        assert min(result["groups"].values()) == 2
    text = (home.path / "webserver_config.py").read_text()
    assert "AUTH_LDAP_UID_FIELD = 'sAMAccountName'" in text
    assert "DIRECTORY_KIND = 'ad'" in text
