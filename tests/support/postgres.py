"""A real PostgreSQL of the distribution's, run by an ordinary account: an external server."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.accounts import Folder, ordinary_id

SUPERUSER = "postgres"
PASSWORD = "Sup3r-비밀%@:/"
# who may log in how: the first line that fits counts
HBA = """\
local   all all                 trust
hostssl all tlsonly 127.0.0.0/8 scram-sha-256
host    all tlsonly 127.0.0.0/8 reject
host    all trusted 127.0.0.0/8 trust
host    all md5er   127.0.0.0/8 md5
host    all clear   127.0.0.0/8 password
host    all peer    127.0.0.0/8 ident
host    all all     127.0.0.0/8 scram-sha-256
host    all all     ::1/128     scram-sha-256
"""


def programs() -> Path | None:
    """The folder of the newest server programs of the distribution's; None when it has none."""
    found = list(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return max(found, key=lambda path: int(path.parts[-3])).parent if found else None


@contextmanager
def running() -> Iterator[RealServer]:
    """A running server with TLS, in a folder of its own; skips where this machine has none."""
    folder = programs()
    if folder is None:
        pytest.skip("the distribution's PostgreSQL server is not installed (Debian: postgresql)")
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make certificates with")
    with Folder() as place:
        made = RealServer(place, folder, settings=["max_connections = 200"])
        made.create()
        made.start()
        try:
            yield made
        finally:
            made.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class RealServer:
    """A server in `folder`, which the ordinary account owns; `enter` runs before its programs do."""

    folder: Path
    bin: Path
    port: int = field(default_factory=free_port)
    settings: Sequence[str] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    uid: int = field(default_factory=ordinary_id)
    enter: Callable[[], None] | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def certificate(self) -> Path:
        """The root certificate that signed the server's."""
        return self.folder / "ca.pem"

    def create(self) -> None:
        """Make the cluster, with TLS for 127.0.0.1 and localhost."""
        password = self.folder / "superuser"
        password.write_text(PASSWORD + "\n", encoding="utf-8")
        os.chown(password, self.uid, -1)
        self.run(
            "initdb", "-D", self.data, "-U", SUPERUSER, "-A", "scram-sha-256", "--pwfile", password,
            "-E", "UTF8", "--no-locale", "--no-sync",
        )  # fmt: skip
        self._certificates()
        (self.data / "pg_hba.conf").write_text(HBA)
        lines = [
            "listen_addresses = '127.0.0.1,127.0.0.2'",
            f"unix_socket_directories = '{self.folder}'",
            "ssl = on",
            f"ssl_cert_file = '{self.folder}/server.pem'",
            f"ssl_key_file = '{self.folder}/server.key'",
            "fsync = off",
            *self.settings,
        ]
        with (self.data / "postgresql.conf").open("a") as stream:
            stream.write("\n".join(lines) + "\n")

    def start(self) -> None:
        """Start it and wait until it answers."""
        command = [str(self.bin / "postgres"), "-D", str(self.data), "-p", str(self.port)]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, env=self._environment(), start_new_session=True,
                preexec_fn=self._become,  # noqa: PLW1509 - no locks are held here
            )  # fmt: skip
        deadline = time.monotonic() + 30
        while not self.answers():
            assert time.monotonic() < deadline and self.process.poll() is None, self.log()
            time.sleep(0.05)

    def answers(self) -> bool:
        command = [str(self.bin / "pg_isready"), "-q", "-h", str(self.folder), "-p", str(self.port)]
        return subprocess.run(command, check=False).returncode == 0

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(timeout=20)
            self.process = None

    def log(self) -> str:
        return (self.folder / "log").read_text(encoding="utf-8", errors="replace")

    def sql(self, text: str, database: str = "postgres") -> str:
        """Run SQL as the superuser, past every rule."""
        return self.run(
            "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-p", str(self.port),
            "-U", SUPERUSER, "-d", database, "-c", text,
        ).strip()  # fmt: skip

    def run(self, program: str, *arguments: str | Path) -> str:
        ran = subprocess.run(
            [str(self.bin / program), *map(str, arguments)], preexec_fn=self._become, check=False,
            capture_output=True, text=True, env=self._environment(), cwd="/",
        )  # fmt: skip
        assert ran.returncode == 0, f"{program}\n{ran.stdout}\n{ran.stderr}"
        return ran.stdout

    def role(self, name: str, password: str = "pw", options: str = "") -> None:
        self.sql(f"CREATE ROLE \"{name}\" LOGIN {options} PASSWORD '{password}'")

    def database(self, name: str, owner: str, options: str = "") -> None:
        self.sql(f'CREATE DATABASE "{name}" OWNER "{owner}" TEMPLATE template0 {options}')

    def _become(self) -> None:
        if self.enter:
            self.enter()
        if os.geteuid() != self.uid:
            os.setgroups([])
            os.setgid(self.uid)
            os.setuid(self.uid)

    def _environment(self) -> dict[str, str]:
        return {"PATH": os.defpath, "LC_ALL": "C.UTF-8", "HOME": "/", **self.env}

    def _certificates(self) -> None:
        def make(*arguments: str) -> None:
            subprocess.run(
                ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                 "-nodes", "-days", "30", *arguments],
                cwd=self.folder, check=True, capture_output=True,
            )  # fmt: skip

        make("-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=tests", "-addext", "keyUsage=keyCertSign")
        make("-keyout", "other.key", "-out", "other.pem", "-subj", "/CN=another")
        names = "subjectAltName=IP:127.0.0.1,DNS:localhost"
        make("-keyout", "server.key", "-out", "server.pem", "-CA", "ca.pem", "-CAkey", "ca.key",
             "-subj", "/CN=database", "-addext", names, "-addext", "basicConstraints=CA:FALSE")  # fmt: skip
        for name in ("server.key", "server.pem"):
            os.chown(self.folder / name, self.uid, -1)
        (self.folder / "server.key").chmod(0o600)
