"""Airflow's REST API, as far as an installation needs it: proof of the login, and one run of a DAG.

A command of Airflow's spends seconds on importing itself; the same request here takes a tenth of one.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional, Tuple

from bootstrap.airflow.release import AirflowRelease
from bootstrap.airflow.webaddress import WebAddress
from bootstrap.base.secret import Secret
from wheelhouse.errors import AirferryError

if TYPE_CHECKING:
    import ssl

# X509_V_FLAG_PARTIAL_CHAIN, which the ssl module names from Python 3.10 on
_PARTIAL_CHAIN = 0x80000


class LoginFailed(AirferryError):
    """The web server does not let the account in."""

    reference = "login-failed"
    exit_code = 43


class RequestFailed(AirferryError):
    """The web server refused a request, or did not answer it."""

    reference = "airflow-request-failed"
    exit_code = 44


def request(
    url: str,
    *,
    method: str = "GET",
    body: Optional[Mapping[str, object]] = None,
    headers: Optional[Mapping[str, str]] = None,
    timeout: float = 10.0,
    certificate: str = "",
) -> Tuple[int, bytes]:
    """One HTTP request, straight to the server whatever proxy the host has; its status and body.

    Over HTTPS the server must show what the PEM file `certificate` holds, or what an authority in it has
    signed; without it anybody may answer. Raises OSError when there is no answer (refused, timed out, cut
    off).
    """
    handlers: List[urllib.request.BaseHandler] = [urllib.request.ProxyHandler({})]
    if url.startswith("https:"):
        handlers.append(urllib.request.HTTPSHandler(context=_context(certificate)))
    opener = urllib.request.build_opener(*handlers)
    data = None if body is None else json.dumps(body).encode()
    sent = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
    try:
        with opener.open(
            urllib.request.Request(url, data, sent, method=method),  # noqa: S310  # always our own http address
            timeout=timeout,
        ) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()
    except http.client.HTTPException as error:
        raise ConnectionError(f"no HTTP answer: {error!r}") from error


def _context(certificate: str) -> ssl.SSLContext:
    import ssl  # noqa: PLC0415  (most installations never need it)

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # this host's own server is asked by an address that its certificate need not name
    context.check_hostname = False
    if certificate:
        context.load_verify_locations(certificate)
        context.verify_flags |= _PARTIAL_CHAIN
    else:
        context.verify_mode = ssl.CERT_NONE
    return context


@dataclass(frozen=True)
class ApiSession:
    """A logged-in account at one web server."""

    release: AirflowRelease
    web: WebAddress
    authorization: Secret
    timeout: float = 10.0

    @classmethod
    def open(
        cls, release: AirflowRelease, web: WebAddress, user: str, password: Secret, timeout: float = 30.0
    ) -> ApiSession:
        """Log in the way that the release offers, and ask for the list of DAGs, which needs the login.

        Raises :class:`LoginFailed`, or :class:`RequestFailed` when the server does not answer.
        """
        if release.login == "token":
            body = {"username": user, "password": password.reveal()}
            url = f"{web.url}/auth/token"
            sent = _send(url, timeout, web.certificate, method="POST", body=body)
            answer = _object(url, *sent)
            authorization = Secret(f"Bearer {answer.get('access_token', '')}")
        else:
            pair = f"{user}:{password.reveal()}".encode()
            authorization = Secret("Basic " + base64.b64encode(pair).decode("ascii"))
        session = cls(release, web, authorization, timeout)
        session.call("GET", "/dags?limit=1")
        return session

    def call(self, method: str, path: str, body: Optional[Mapping[str, object]] = None) -> Dict[str, Any]:
        """One request below the REST API's root; its JSON object.

        Raises :class:`LoginFailed` or :class:`RequestFailed`.
        """
        url = f"{self.web.url}{self.release.api_path}{path}"
        headers = {"Authorization": self.authorization.reveal()}
        return _object(
            url, *_send(url, self.timeout, self.web.certificate, method=method, body=body, headers=headers)
        )

    def dag_is_known(self, dag_id: str) -> bool:
        """Whether the scheduler has read the DAG, so that it can be unpaused and triggered."""
        url = f"{self.web.url}{self.release.api_path}/dags/{_quoted(dag_id)}"
        headers = {"Authorization": self.authorization.reveal()}
        return _send(url, self.timeout, self.web.certificate, headers=headers)[0] == 200

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run a DAG."""
        self.call("PATCH", f"/dags/{_quoted(dag_id)}?update_mask=is_paused", {"is_paused": False})

    def trigger(self, dag_id: str, run_id: str, logical_date: datetime) -> None:
        """Start one run of a DAG; `logical_date` has a time zone."""
        body = {"dag_run_id": run_id, "logical_date": logical_date.isoformat()}
        self.call("POST", f"/dags/{_quoted(dag_id)}/dagRuns", body)

    def run_state(self, dag_id: str, run_id: str) -> str:
        """The state of a run: ``queued``, ``running``, ``success`` or ``failed``."""
        return str(self.call("GET", f"/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}").get("state") or "")

    def runs(self, dag_id: str) -> int:
        """How many runs of a DAG the server shows."""
        return int(self.call("GET", f"/dags/{_quoted(dag_id)}/dagRuns?limit=1").get("total_entries") or 0)

    def task_states(self, dag_id: str, run_id: str) -> Dict[str, str]:
        """The state of every task of a run; "" for one that has not been scheduled yet."""
        path = f"/dags/{_quoted(dag_id)}/dagRuns/{_quoted(run_id)}/taskInstances"
        found = self.call("GET", path).get("task_instances") or []
        return {task["task_id"]: task["state"] or "" for task in found}


def _send(
    url: str,
    timeout: float,
    certificate: str,
    *,
    method: str = "GET",
    body: Optional[Mapping[str, object]] = None,
    headers: Optional[Mapping[str, str]] = None,
) -> Tuple[int, bytes]:
    try:
        return request(
            url, method=method, body=body, headers=headers, timeout=timeout, certificate=certificate
        )
    except OSError as error:
        raise RequestFailed(
            f"Airflow's web server did not answer at {url}.",
            found=str(getattr(error, "reason", error)),
            hint="Look at the web server's log.",
        ) from error


def _object(url: str, status: int, content: bytes) -> Dict[str, Any]:
    text = content.decode("utf-8", "replace")
    if status in (401, 403):
        raise LoginFailed(
            "Airflow's web server refused the admin account.",
            found=f"HTTP {status} from {url}",
            hint="If the password was changed in Airflow itself, the one stored by the"
            " installation is outdated.",
        )
    try:
        answer = json.loads(text)
    except ValueError:
        answer = None
    if not 200 <= status < 300 or not isinstance(answer, dict):
        raise RequestFailed(
            f"Airflow's web server could not complete the request to {url}.",
            found=f"HTTP {status}: {_said(text)}",
            hint="Look at the web server's log. A server that does not know the address serves below another"
            " path: compare base_url in airflow.cfg, and restart what was started before it was changed.",
        )
    return answer


def _said(text: str) -> str:
    """What an answer says, in a line or two; of a page of HTML its title alone."""
    if "<html" not in text[:2000].lower():
        return " ".join(text.split())[:500]
    title = re.search(r"(?is)<title[^>]*>(.*?)</title>", text)
    name = f" ({' '.join(title[1].split())[:100]})" if title and title[1].strip() else ""
    return f"a web page{name} and no data"


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")
