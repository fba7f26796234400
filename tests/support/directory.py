"""A real directory: slapd with a few people and groups, in a folder of its own, on ports of the loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

BASE = "dc=corp,dc=example"
READER = f"cn=reader,{BASE}"
PASSWORD = "Lesen & 9"
# name -> password; kim is an admin, lee one by a group in the group, ann a viewer, bob nothing
PEOPLE = {
    "kim": "kim's pass",
    "lee": "lee's pass",
    "ann": "ann's pass",
    "bob": "bob's pass",
    "admin": "theirs",
}
ADMINS = f"cn=airflow-admins,ou=groups,{BASE}"
TEAM = f"cn=team,ou=groups,{BASE}"
VIEWERS = f"cn=viewers,ou=groups,{BASE}"

_CONFIG = """
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include /etc/ldap/schema/nis.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile {folder}/slapd.pid
TLSCACertificateFile {folder}/ca.pem
TLSCertificateFile {folder}/cert.pem
TLSCertificateKeyFile {folder}/key.pem
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="{reader}" read by * none
database mdb
suffix "{base}"
rootdn "cn=root,{base}"
rootpw root
directory {folder}/data
"""


def missing() -> str:
    """Why no directory can be run here; "" where one can."""
    wanted = ("slapd", "slapadd", "openssl")
    lacking = [name for name in wanted if not _program(name)]
    return f"this machine has no {', '.join(lacking)} (Debian: slapd, openssl)" if lacking else ""


def python() -> str:
    """An interpreter with python-ldap; "" for none (Debian: python3-ldap)."""
    tried = subprocess.run(["/usr/bin/python3", "-c", "import ldap"], capture_output=True, check=False)
    return "" if tried.returncode else "/usr/bin/python3"


def _program(name: str) -> str:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or ""


class Directory:
    """A slapd that runs until it is stopped; `prefix` are words before its command."""

    def __init__(self, folder: Path, prefix: tuple[str, ...] = ()) -> None:
        self.folder = folder
        self.prefix = prefix
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "data").mkdir()
        self.port, self.tls_port = _free(), _free()
        self.url = f"ldap://127.0.0.1:{self.port}"
        self.tls_url = f"ldaps://127.0.0.1:{self.tls_port}"
        self.ca = folder / "ca.pem"
        self._certificates()
        text = _CONFIG.format(folder=folder, base=BASE, reader=READER)
        (folder / "slapd.conf").write_text(text)
        entries = subprocess.run(
            [_program("slapadd"), "-f", str(folder / "slapd.conf")],
            input=_ldif(), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert entries.returncode == 0, entries.stderr
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        urls = f"{self.url}/ {self.tls_url}/"
        self.process = subprocess.Popen(
            [*self.prefix, _program("slapd"), "-f", str(self.folder / "slapd.conf"), "-h", urls, "-d", "0"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 20
        while not self._answers():
            assert self.process.poll() is None and time.monotonic() < deadline, "slapd does not answer"
            time.sleep(0.1)

    def stop(self) -> None:
        """End it."""
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def _answers(self) -> bool:
        if self.prefix:  # in another network: give it a moment
            return (self.folder / "slapd.pid").exists()
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def _certificates(self) -> None:
        """A CA of its own, and a certificate for 127.0.0.1."""
        run = ["openssl", "req", "-newkey", "rsa:2048", "-nodes", "-x509", "-days", "30"]
        names = ["-subj", "/CN=Corp CA", "-keyout", "ca-key.pem", "-out", "ca.pem"]
        subprocess.run([*run, *names], cwd=self.folder, check=True, capture_output=True)
        more = ["-CA", "ca.pem", "-CAkey", "ca-key.pem", "-addext", "subjectAltName=IP:127.0.0.1"]
        more += ["-addext", "basicConstraints=CA:FALSE", "-subj", "/CN=directory"]
        files = ["-keyout", "key.pem", "-out", "cert.pem"]
        subprocess.run([*run, *more, *files], cwd=self.folder, check=True, capture_output=True)


_READER_ENTRY = f"""dn: {READER}
objectClass: organizationalRole
objectClass: simpleSecurityObject
userPassword: {PASSWORD}
"""


def _ldif() -> str:
    entries = [
        f"dn: {BASE}\nobjectClass: dcObject\nobjectClass: organization\no: corp\n",
        _READER_ENTRY,
        *(f"dn: ou={name},{BASE}\nobjectClass: organizationalUnit\n" for name in ("people", "groups")),
    ]
    for name, password in PEOPLE.items():
        entries.append(
            f"dn: uid={name},ou=people,{BASE}\nobjectClass: inetOrgPerson\ncn: {name}\nsn: {name.title()}\n"
            f"givenName: {name.title()}\nmail: {name}@corp.example\nuserPassword: {password}\n"
        )
    groups = {
        ADMINS: (f"uid=kim,ou=people,{BASE}", TEAM),
        TEAM: (f"uid=lee,ou=people,{BASE}",),
        VIEWERS: (f"uid=ann,ou=people,{BASE}",),
    }
    for dn, members in groups.items():
        lines = "".join(f"member: {member}\n" for member in members)
        entries.append(f"dn: {dn}\nobjectClass: groupOfNames\n{lines}")
    return "\n".join(entries)


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
