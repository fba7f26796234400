"""What is printed for a proxy, in a real one: what it passes on, and what it keeps from Airflow."""

from __future__ import annotations

import contextlib
import http.client
import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bootstrap.airflow.webaddress import WebAddress
from bootstrap.site import proxy
from bootstrap.site.settings import Site
from tests.support.certificates import authority, leaf, needs_openssl
from tests.support.postgres import free_port
from tests.support.proxies import needs_nginx, nginx

HOST = "portal.example.com"
needs_apache = pytest.mark.skipif(not shutil.which("apache2"), reason="apache2 is not on this machine")
SPOOFED = {
    "X-Forwarded-Prefix": "/evil", "X-Forwarded-Port": "1", "X-Forwarded-Host": "evil.example.com",
    "X-Forwarded-Proto": "http",
}  # fmt: skip


_MODULES = "/usr/lib/apache2/modules"


class _Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    def do_GET(self) -> None:
        if self.path.endswith("/redirect"):
            self.send_response(302)
            self.send_header("Location", f"https://{self.headers['Host']}/air/flow/there")
            self.end_headers()
            return
        text = json.dumps({"path": self.path, **{k.lower(): v for k, v in self.headers.items()}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Nothing."""


@contextmanager
def echo(certificate: Path | None = None, key: Path | None = None) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Echo)
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[None]:
    with log.open("wb") as out:
        child = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
                break
            assert child.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        yield
    finally:
        child.terminate()
        child.wait(20)


def ask(port: int, path: str) -> tuple[int, dict[str, str]]:
    """A request as a browser makes it whose user tries to mislead Airflow."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection("127.0.0.1", port, context=context, timeout=20)
    connection.request("GET", path, headers={"Host": f"{HOST}:{port}", **SPOOFED})
    answer = connection.getresponse()
    body, location = answer.read(), answer.getheader("Location")
    connection.close()
    if location:
        return answer.status, {"location": location}
    return answer.status, json.loads(body) if answer.status == 200 else {}


def judge(port: int) -> None:
    status, seen = ask(port, "/air/flow/dags/x/runs/manual__2026-11-28T13%3A00%3A00%2B00%3A00?a=%2F")
    assert status == 200
    assert seen["path"] == "/air/flow/dags/x/runs/manual__2026-11-28T13%3A00%3A00%2B00%3A00?a=%2F"
    assert (seen["host"], seen["x-forwarded-proto"]) == (f"{HOST}:{port}", "https")
    assert seen["x-forwarded-host"].rpartition(",")[2].strip() == f"{HOST}:{port}"
    assert {"x-forwarded-prefix", "x-forwarded-port"} & {
        name for name, value in seen.items() if value
    } == set()
    assert seen["x-forwarded-for"].endswith("127.0.0.1")
    assert ask(port, "/air/flow/redirect")[1]["location"] == f"https://{HOST}:{port}/air/flow/there"
    assert ask(port, "/elsewhere")[0] == 404


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with the certificate of the proxy, and the authority of the web server."""
    root = authority(tmp_path)
    pair = leaf(tmp_path, f"DNS:{HOST}", root, name="portal")
    shutil.copy(pair.certificate, tmp_path / f"{HOST}.pem")
    shutil.copy(pair.key, tmp_path / f"{HOST}.key")
    shutil.copy(root.certificate, tmp_path / "airflow-ca.pem")
    leaf(tmp_path, "DNS:airflow.example.com,IP:127.0.0.1", root, name="web")
    return tmp_path


def command_of(files: Path, site: Site, web: WebAddress) -> tuple[list[str], Path]:
    text = "\n".join(proxy.named(proxy.NGINX, site, web))
    return nginx(files, text), files / "error.log"


@needs_nginx
@needs_openssl
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_nginx_passes_on_what_airflow_needs(files: Path, tls: bool) -> None:
    port = free_port()
    with echo(*((files / "web.pem", files / "web.key") if tls else ())) as behind:
        web = WebAddress("127.0.0.1", behind, "/air/flow", str(files / "web.pem") if tls else "")
        site = Site(f"https://{HOST}:{port}/air/flow")
        command, log = command_of(files, site, web)
        with running(command, port, log):
            judge(port)
            status, moved = ask(port, "/air/flow")
            assert (status, moved["location"].endswith("/air/flow/")) == (301, True)


@needs_nginx
@needs_openssl
def test_nginx_does_not_pass_on_to_a_stranger(files: Path) -> None:
    """A web server with another's certificate gets no login."""
    (files / "other").mkdir()
    other = leaf(files / "other", "IP:127.0.0.1", authority(files / "other", "Stranger"), name="web")
    port = free_port()
    with echo(other.certificate, other.key) as behind:
        web = WebAddress("127.0.0.1", behind, "/air/flow", str(files / "web.pem"))
        command, log = command_of(files, Site(f"https://{HOST}:{port}/air/flow"), web)
        with running(command, port, log):
            assert ask(port, "/air/flow/x")[0] == 502


@needs_apache
@needs_openssl
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_apache_passes_on_what_airflow_needs(files: Path, tls: bool) -> None:
    port = free_port()
    with echo(*((files / "web.pem", files / "web.key") if tls else ())) as behind:
        web = WebAddress("127.0.0.1", behind, "/air/flow", str(files / "web.pem") if tls else "")
        text = proxy.apache(Site(f"https://{HOST}:{port}/air/flow"), web)
        modules = ("mpm_event", "authz_core", "socache_shmcb", "ssl", "proxy", "proxy_http", "headers")
        main = files / "apache.conf"
        main.write_text(
            "".join(f"LoadModule {name}_module {_MODULES}/mod_{name}.so\n" for name in modules)
            + f"ServerRoot {files}\nPidFile {files}/apache.pid\nErrorLog {files}/error.log\n"
            f"DefaultRuntimeDir {files}\nServerName {HOST}\nListen 127.0.0.1:{port}\n"
            "User nobody\nGroup nogroup\n" + text.replace("/etc/ssl/airflow", str(files))
        )
        command = ["apache2", "-X", "-f", str(main)]
        with running(command, port, files / "error.log"):
            judge(port)


def test_without_https_and_without_a_path() -> None:
    web = WebAddress("127.0.0.1", 8080)
    text = proxy.nginx(Site("http://portal.example.com"), web, "")
    assert "listen 80;" in text and "ssl_certificate" not in text and "location / {" in text
    assert "return 301" not in text
    text = proxy.apache(Site("http://portal.example.com"), web)
    assert 'ProxyPass        "/" "http://127.0.0.1:8080/"' in text and "SSLEngine" not in text
