"""The way to a head: a real HTTP server that answers as Airflow's does."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bootstrap.base.secret import Secret
from bootstrap.cluster import link
from tests.support.clusters import KEY, join


@dataclass
class Head:
    """The server, what it was asked, and how far its clock is ahead."""

    url: str
    ahead: float = 0.0
    asked: list[str] = field(default_factory=list)


def verified(token: str, key: str) -> dict[str, object]:
    """The claims of a token, checked as RFC 7519 says."""
    head, body, signature = token.split(".")
    signed = hmac.new(key.encode(), f"{head}.{body}".encode(), hashlib.sha512).digest()
    padded = [part + "=" * (-len(part) % 4) for part in (head, body, signature)]
    assert base64.urlsafe_b64decode(padded[2]) == signed, "the signature of the request was wrong"
    assert json.loads(base64.urlsafe_b64decode(padded[0]))["alg"] == "HS512"
    claims: dict[str, object] = json.loads(base64.urlsafe_b64decode(padded[1]))
    return claims


@pytest.fixture
def head() -> Iterator[Head]:
    class Handler(BaseHTTPRequestHandler):
        def do_PATCH(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            known.asked.append(self.path)
            try:
                claims = verified(self.headers["Authorization"], KEY)
                right = claims["method"] == self.path.split("/v1/")[1] and claims["aud"] == "api"
                status = 404 if right else 403
            except AssertionError:
                status = 403
            body = json.dumps({"detail": "Worker not found" if status == 404 else "Forbidden. error_id=17"})
            self.send_response_only(status)
            self.send_header("Date", formatdate(time.time() + known.ahead, usegmt=True))
            self.end_headers()
            self.wfile.write(body.encode())

        def do_GET(self) -> None:
            assert self.path == "/path/api/v2/version"
            self.send_response_only(200)
            self.end_headers()
            self.wfile.write(b'{"version": "3.3.2", "git_version": null}')

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    known = Head(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield known
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_right_key_is_accepted(head: Head) -> None:
    found = link.look(join(base=f"{head.url}/path"))
    assert found.problem == ""
    assert (found.accepted, found.status) == (True, 404)
    assert head.asked == ["/path/edge_worker/v1/worker/queues/w1"]
    assert (found.version, found.other_version) == ("", False)
    assert link.look(join(base=f"{head.url}/path"), here="3.3.2").problem == ""
    older = link.look(join(base=f"{head.url}/path"), here="3.3.1")
    assert older.problem == "the head runs Airflow 3.3.2, and this worker 3.3.1"


def test_another_key_is_refused_in_the_heads_words(head: Head) -> None:
    found = link.look(join(base=head.url, secrets={"jwt-secret": "x" * 64}))
    assert not found.accepted
    assert "error_id=17" in found.problem


@pytest.mark.parametrize(("ahead", "words"), [(-600.0, "600 s ahead of"), (600.0, "600 s behind")])
def test_a_clock_that_is_off_is_told_before_the_key(head: Head, ahead: float, words: str) -> None:
    head.ahead = ahead
    found = link.look(join(base=head.url))
    assert found.clock_off
    assert words.split()[2] in found.problem


def test_a_clock_within_ten_seconds_is_fine(head: Head) -> None:
    head.ahead = 7
    assert not link.look(join(base=head.url)).clock_off


def test_nobody_answers() -> None:
    found = link.look(join(base="http://127.0.0.1:1"))
    assert found.resolved == ("127.0.0.1",)
    assert "does not answer" in found.problem


def test_an_unknown_name() -> None:
    found = link.look(join(base="http://no-such-head.invalid:8080"))
    assert found.resolved == ()
    assert "not known" in found.problem


def test_a_token_shows_no_key() -> None:
    claims = verified(link.token(Secret(KEY), {"sub": "1"}, 30).reveal(), KEY)
    assert claims["sub"] == "1"
    assert KEY not in json.dumps(claims)
