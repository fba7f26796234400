"""Health and REST API against a real HTTP server that answers with what real releases answered."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bootstrap.airflow import health
from bootstrap.airflow.api import LoginFailed, RequestFailed
from bootstrap.airflow.executor import LOCAL
from bootstrap.airflow.health import AirflowUnhealthy, Health
from bootstrap.airflow.release import release_for
from bootstrap.airflow.webaddress import WebAddress
from bootstrap.base.secret import Secret
from bootstrap.state.receipt import HEAD
from tests.support.certificates import authority, leaf, needs_openssl

BEAT = "2026-11-23T14:21:15.014255+00:00"


def part(status: str | None, name: str = "", beat: str | None = BEAT) -> dict[str, Any]:
    return {"status": status, **({f"latest_{name}_heartbeat": beat} if name else {})}


# As it came from real installations: version -> nothing but the web server was ever started, all runs.
WEB_ONLY = {
    "2.2.2": {"metadatabase": part("healthy"), "scheduler": part("unhealthy", "scheduler", None)},
    "2.11.2": {
        "dag_processor": part(None, "dag_processor", None),
        "metadatabase": part("healthy"),
        "scheduler": part("unhealthy", "scheduler", None),
        "triggerer": part(None, "triggerer", None),
    },
    "3.3.2": {
        "metadatabase": part("healthy"),
        "scheduler": part("unhealthy", "scheduler", None),
        "triggerer": part(None, "triggerer", None),
        "dag_processor": part(None, "dag_processor", None),
    },
}
ALL = {
    "2.2.2": {"metadatabase": part("healthy"), "scheduler": part("healthy", "scheduler")},
    "2.11.2": {
        "dag_processor": part(None, "dag_processor", None),
        "metadatabase": part("healthy"),
        "scheduler": part("healthy", "scheduler"),
        "triggerer": part("healthy", "triggerer"),
    },
    "3.3.2": {
        "metadatabase": part("healthy"),
        "scheduler": part("healthy", "scheduler"),
        "triggerer": part("healthy", "triggerer"),
        "dag_processor": part("healthy", "dag_processor"),
    },
}
VERSIONS = sorted(ALL)


class Server:
    """A web server whose answers a test sets: (method, path without query) -> status, JSON or bytes."""

    def __init__(self) -> None:
        self.answers: dict[tuple[str, str], tuple[int, object]] = {}
        self.seen: list[tuple[str, str, dict[str, str], object]] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(length)) if length else None
                outer.seen.append((self.command, self.path, dict(self.headers), body))
                status, content = outer.answer(
                    self.command, self.path.partition("?")[0], dict(self.headers), body
                )
                data = content if isinstance(content, bytes) else json.dumps(content).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_POST = do_PATCH = do_GET  # noqa: N815

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.http.server_address[1]
        threading.Thread(target=self.http.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, method: str, path: str, headers: dict[str, str], body: object) -> tuple[int, object]:
        return self.answers.get((method, path), (404, {"detail": "Not Found"}))


class Airflow(Server):
    """Lets admin/right in, as 2.x (basic authentication) and 3.x (token) do, below a path of base_url."""

    below = ""

    def answer(self, method: str, path: str, headers: dict[str, str], body: object) -> tuple[int, object]:
        if path == f"{self.below}/auth/token":
            right = body == {"username": "admin", "password": "right"}
            return (201, {"access_token": "T"}) if right else (401, {"detail": "Invalid credentials"})
        basic = "Basic " + base64.b64encode(b"admin:right").decode()
        if path.startswith("/api/") and headers.get("Authorization") not in (basic, "Bearer T"):
            return 401, b"Unauthorized"
        return super().answer(method, path, headers, body)


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def airflow() -> Iterator[Airflow]:
    server = Airflow()
    yield server
    server.http.shutdown()
    server.http.server_close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize("version", VERSIONS)
def test_all_healthy(server: Server, version: str) -> None:
    release = release_for(version)
    server.answers["GET", release.health_path] = (200, ALL[version])
    found = health.fetch(release, WebAddress("127.0.0.1", server.port))
    assert found.healthy
    assert found.raw == ALL[version]
    names = {component.name for component in LOCAL.components(release.numbers, HEAD)} & set(found.components)
    assert {found.components[name] for name in names} == {"healthy"}
    assert ("dag-processor" in found.components) == (version == "3.3.2")


@pytest.mark.parametrize("version", VERSIONS)
def test_http_200_with_only_the_web_server_is_not_healthy(server: Server, version: str) -> None:
    release = release_for(version)
    server.answers["GET", release.health_path] = (200, WEB_ONLY[version])
    found = health.fetch(release, WebAddress("127.0.0.1", server.port))
    assert not found.healthy
    assert found.components["scheduler"] == "never started"
    expected = {
        "2.2.2": ["scheduler"],
        "2.11.2": ["scheduler", "triggerer"],
        "3.3.2": ["scheduler", "triggerer", "dag-processor"],
    }
    assert found.failing == expected[version]


def test_a_dead_scheduler() -> None:
    raw = {**ALL["2.2.2"], "scheduler": part("unhealthy", "scheduler")}
    assert health.judge(release_for("2.2.2"), raw).components["scheduler"] == "unhealthy"


def test_a_missing_key_is_not_healthy() -> None:
    raw = {name: value for name, value in ALL["3.3.2"].items() if name != "dag_processor"}
    assert health.judge(release_for("3.3.2"), raw).failing == ["dag-processor"]


def test_signs_of_life_from_before_a_start_do_not_count() -> None:
    release = release_for("3.3.2")
    before = datetime(2026, 11, 23, 14, 21, 15, tzinfo=timezone.utc)
    after = datetime(2026, 11, 23, 14, 21, 16, tzinfo=timezone.utc)
    assert health.judge(release, ALL["3.3.2"], before).healthy
    assert health.judge(release, ALL["3.3.2"], after).failing == ["scheduler", "triggerer", "dag-processor"]


def test_nobody_there() -> None:
    found = health.fetch(release_for("3.3.2"), WebAddress("127.0.0.1", free_port()))
    assert not found.healthy
    assert set(found.components.values()) == {"unreachable"}
    assert "refused" in found.problem


@pytest.mark.parametrize("content", [b"<html>another program</html>", b"[1]", b""])
def test_another_program_on_the_port(server: Server, content: bytes) -> None:
    server.answers["GET", "/health"] = (200, content)
    found = health.fetch(release_for("2.2.2"), WebAddress("127.0.0.1", server.port))
    assert set(found.components.values()) == {"unreachable"}
    assert "without health data" in found.problem


def test_no_http_at_all() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()

        def answer() -> None:
            connection, _ = listener.accept()
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-OpenSSH\r\n")
            connection.close()

        threading.Thread(target=answer, daemon=True).start()
        found = health.fetch(release_for("2.2.2"), WebAddress("127.0.0.1", listener.getsockname()[1]))
    assert set(found.components.values()) == {"unreachable"}


def test_a_server_that_hangs() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        found = health.fetch(
            release_for("2.2.2"), WebAddress("127.0.0.1", listener.getsockname()[1]), timeout=0.2
        )
    assert "timed out" in found.problem


def test_a_proxy_is_not_asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    monkeypatch.delenv("no_proxy", raising=False)
    server.answers["GET", "/health"] = (200, ALL["2.2.2"])
    assert health.fetch(release_for("2.2.2"), WebAddress("127.0.0.1", server.port)).healthy


def test_wait_sees_it_become_healthy(server: Server) -> None:
    server.answers["GET", "/health"] = (200, WEB_ONLY["2.2.2"])
    polls: list[Health] = []

    def on_poll(found: Health) -> None:
        polls.append(found)
        if len(polls) == 2:
            server.answers["GET", "/health"] = (200, ALL["2.2.2"])

    release = release_for("2.2.2")
    assert health.wait(release, WebAddress("127.0.0.1", server.port), 10, on_poll, interval=0.01).healthy
    assert [found.healthy for found in polls] == [False, False, True]


def test_wait_for_one_component_leaves_the_others_alone(server: Server) -> None:
    server.answers["GET", "/health"] = (200, WEB_ONLY["2.11.2"])
    release = release_for("2.11.2")
    found = health.wait(release, WebAddress("127.0.0.1", server.port), 5, interval=0.01, only=["webserver"])
    assert not found.healthy
    with pytest.raises(AirflowUnhealthy, match="seconds: triggerer"):
        health.wait(
            release,
            WebAddress("127.0.0.1", server.port),
            0.05,
            interval=0.01,
            only=["webserver", "triggerer"],
        )


def test_wait_gives_up_and_says_what_is_missing(server: Server) -> None:
    server.answers["GET", "/health"] = (200, WEB_ONLY["2.11.2"])
    with pytest.raises(AirflowUnhealthy) as caught:
        health.wait(release_for("2.11.2"), WebAddress("127.0.0.1", server.port), 0.05, interval=0.01)
    assert caught.value.exit_code == 33
    assert "scheduler, triggerer" in caught.value.message
    assert "triggerer: never started" in caught.value.found


@pytest.mark.parametrize("version", VERSIONS)
def test_login(airflow: Airflow, version: str) -> None:
    release = release_for(version)
    airflow.answers["GET", f"{release.api_path}/dags"] = (200, {"dags": [], "total_entries": 0})
    session = health.login(release, WebAddress("127.0.0.1", airflow.port), "admin", Secret("right"))
    assert "right" not in repr(session)
    with pytest.raises(LoginFailed) as caught:
        health.login(release, WebAddress("127.0.0.1", airflow.port), "admin", Secret("wrong"))
    assert caught.value.exit_code == 43
    assert "wrong" not in str(caught.value.as_dict())


@pytest.mark.parametrize("version", VERSIONS)
def test_a_server_below_a_path(airflow: Airflow, version: str) -> None:
    """What base_url says of the path belongs to every request; a page in its place is not shown."""
    release = release_for(version)
    page = b"<!doctype html><html><head><title> Not\n here </title></head><body>ADVERTISEMENT</body></html>"
    airflow.answers.update({
        ("GET", f"/air/flow{release.health_path}"): (200, ALL[version]),
        ("GET", release.health_path): (404, page),
        ("POST", "/auth/token"): (404, page),
        ("GET", f"/air/flow{release.api_path}/dags"): (200, {"dags": []}),
        ("GET", f"{release.api_path}/dags"): (404, page),
    })  # fmt: skip
    airflow.below = "/air/flow"
    assert health.fetch(release, WebAddress("127.0.0.1", airflow.port, "/air/flow")).healthy
    health.login(release, WebAddress("127.0.0.1", airflow.port, "/air/flow"), "admin", Secret("right"))
    with pytest.raises(RequestFailed) as caught:
        health.login(release, WebAddress("127.0.0.1", airflow.port), "admin", Secret("right"))
    assert "a web page (Not here) and no data" in caught.value.found
    assert "<" not in str(caught.value.as_dict()) and "base_url" in caught.value.hint


def test_login_without_a_server() -> None:
    with pytest.raises(RequestFailed, match="did not answer"):
        health.login(release_for("3.3.2"), WebAddress("127.0.0.1", free_port()), "admin", Secret("right"))


def test_login_page_that_breaks(airflow: Airflow) -> None:
    airflow.answers["GET", "/api/v2/dags"] = (500, b"Internal Server Error")
    with pytest.raises(RequestFailed) as caught:
        health.login(release_for("3.0.6"), WebAddress("127.0.0.1", airflow.port), "admin", Secret("right"))
    assert "HTTP 500: Internal Server Error" in caught.value.found


@pytest.mark.parametrize("version", ["2.2.2", "3.3.2"])
def test_a_run(airflow: Airflow, version: str) -> None:
    release = release_for(version)
    root = release.api_path
    run = f"{root}/dags/d/dagRuns/r%2B1"
    airflow.answers.update({
        ("GET", f"{root}/dags"): (200, {"dags": []}),
        ("GET", f"{root}/dags/d"): (200, {"dag_id": "d"}),
        ("PATCH", f"{root}/dags/d"): (200, {"is_paused": False}),
        ("POST", f"{root}/dags/d/dagRuns"): (200, {"dag_run_id": "r+1"}),
        ("GET", run): (200, {"state": "running"}),
        ("GET", f"{run}/taskInstances"): (
            200,
            {"task_instances": [{"task_id": "a", "state": "success"}, {"task_id": "b", "state": None}]},
        ),
    })  # fmt: skip
    session = health.login(release, WebAddress("127.0.0.1", airflow.port), "admin", Secret("right"))
    assert session.dag_is_known("d")
    assert not session.dag_is_known("other")
    session.unpause("d")
    session.trigger("d", "r+1", datetime(2026, 11, 20, tzinfo=timezone.utc))
    assert session.run_state("d", "r+1") == "running"
    assert session.task_states("d", "r+1") == {"a": "success", "b": ""}
    sent = [
        (method, body)
        for method, _, _, body in airflow.seen
        if body and method != "GET" and "username" not in str(body)
    ]
    assert sent == [
        ("PATCH", {"is_paused": False}),
        ("POST", {"dag_run_id": "r+1", "logical_date": "2026-11-20T00:00:00+00:00"}),
    ]
    with pytest.raises(RequestFailed, match="could not complete"):
        session.run_state("d", "none")


@needs_openssl
@pytest.mark.parametrize("version", ["2.11.2", "3.3.2"])
def test_over_https_a_password_goes_to_our_own_server_alone(
    airflow: Airflow, tmp_path: Path, version: str
) -> None:
    """It is asked by its address, which the certificate of a site need not name."""
    (tmp_path / "other").mkdir()
    root = authority(tmp_path)
    ours = leaf(tmp_path, "DNS:airflow.example.com", root)
    stranger = leaf(tmp_path / "other", "DNS:airflow.example.com", authority(tmp_path / "other", "Stranger"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(ours.certificate, ours.key)
    airflow.http.socket = context.wrap_socket(airflow.http.socket, server_side=True)
    release = release_for(version)
    airflow.answers["GET", release.health_path] = 200, ALL[version]
    airflow.answers["GET", f"{release.api_path}/dags"] = 200, {"dags": []}
    for known in (ours, root):  # itself, or whoever has signed it
        web = WebAddress("127.0.0.1", airflow.port, certificate=str(known.certificate))
        health.login(release, web, "admin", Secret("right"))
    told = len(airflow.seen)
    wrong = WebAddress("127.0.0.1", airflow.port, certificate=str(stranger.certificate))
    with pytest.raises(RequestFailed, match="did not answer") as caught:
        health.login(release, wrong, "admin", Secret("right"))
    assert "CERTIFICATE_VERIFY_FAILED" in caught.value.found
    assert len(airflow.seen) == told
    # whether it lives is no secret: a certificate that has ended must not have the server restarted
    assert "certificate" not in health.fetch(release, wrong).problem.lower()
    plain = health.fetch(release, WebAddress("127.0.0.1", airflow.port), timeout=5)
    assert plain.raw is None
