"""A real KDC (MIT Kerberos) in a folder of its own, on a port of the loopback."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

REALM = "CORP.EXAMPLE"
PRINCIPAL = f"airflow/host.corp.example@{REALM}"

_KRB5 = """
[libdefaults]
    default_realm = {realm}
    dns_lookup_kdc = false
    dns_lookup_realm = false
    rdns = false
[realms]
    {realm} = {{
        kdc = 127.0.0.1:{port}
    }}
"""
_KDC = """
[kdcdefaults]
    kdc_ports = {port}
    kdc_tcp_ports = {port}
    kdc_listen = 127.0.0.1:{port}
    kdc_tcp_listen = 127.0.0.1:{port}
[realms]
    {realm} = {{
        database_name = {folder}/principal
        key_stash_file = {folder}/stash
        acl_file = {folder}/acl
        max_life = {life}s
        max_renewable_life = 1d
    }}
[logging]
    kdc = FILE:{folder}/kdc.log
"""


def missing() -> str:
    """Why no KDC can be run here; "" where one can."""
    wanted = ("krb5kdc", "kdb5_util", "kadmin.local", "kinit")
    lacking = [name for name in wanted if not _program(name)]
    packages = "krb5-kdc, krb5-admin-server, krb5-user"
    return f"this machine has no {', '.join(lacking)} (Debian: {packages})" if lacking else ""


def _program(name: str) -> str:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin") or ""


class Kdc:
    """It runs until it is stopped; tickets hold for `life` seconds."""

    def __init__(self, folder: Path, life: int = 600) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.config, self.keytab = folder / "krb5.conf", folder / "airflow.keytab"
        values = {"realm": REALM, "port": self.port, "folder": folder, "life": life}
        self.config.write_text(_KRB5.format(**values))
        (folder / "kdc.conf").write_text(_KDC.format(**values))
        self._ran("kdb5_util", "create", "-s", "-r", REALM, "-P", "master")
        self.admin(f"modprinc -maxlife {life}sec -maxrenewlife 1day krbtgt/{REALM}")
        self.admin(f"addprinc -randkey -maxlife {life}sec -maxrenewlife 1day {PRINCIPAL}")
        self.admin(f"ktadd -k {self.keytab} {PRINCIPAL}")
        self.process: subprocess.Popen[bytes] | None = None
        self.start()

    def admin(self, query: str) -> None:
        """Run a query of kadmin's."""
        self._ran("kadmin.local", "-r", REALM, "-q", query)

    def start(self) -> None:
        """Start it, and wait until it listens."""
        self.process = subprocess.Popen(
            [_program("krb5kdc"), "-n", "-r", REALM],
            env=self._env(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 20
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            assert self.process.poll() is None and time.monotonic() < deadline, "the KDC does not answer"
            time.sleep(0.1)

    def stop(self) -> None:
        """End it."""
        if self.process:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def _env(self) -> dict[str, str]:
        own = {"KRB5_CONFIG": str(self.config), "KRB5_KDC_PROFILE": str(self.folder / "kdc.conf")}
        return {**os.environ, **own}

    def _ran(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [_program(name), *arguments], env=self._env(), capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{name} {arguments}: {done.stdout}{done.stderr}"
