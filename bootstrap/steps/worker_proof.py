"""The proof of a worker: a task of the head's that is pinned to it, and its log read on the head."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import time
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Iterator
from urllib.parse import urlsplit

from bootstrap.airflow.api import ApiSession, LoginFailed, RequestFailed, request
from bootstrap.airflow.command import UnknownLogin
from bootstrap.airflow.webaddress import WebAddress, port_of
from bootstrap.base import secret, smallfile
from bootstrap.base.secret import Secret
from bootstrap.cluster import dags, link
from bootstrap.cluster.engine import engine_of, versions
from bootstrap.installed import crew, meeting
from bootstrap.installed.installation import Installation
from bootstrap.state import cluster, marker
from bootstrap.state.cluster import DATABASE, PROOF, Join
from bootstrap.state.home import JWT
from bootstrap.state.marker import PROVED
from wheelhouse.errors import AirferryError

# As long as the token with which the proof asks the head.
_PROOF_SECONDS = 600
_MARK = "for the worker"
# How long the log of a task that has ended may take to reach the head: on a busy host it is many seconds.
_LOG_SECONDS = 120.0


class WorkerNotProved(AirferryError):
    """The worker did not register, or no task of the head's ran on it."""

    reference = "worker-not-proved"
    exit_code = 125


class WorkerProofStep:
    """A task of the head's that is pinned to this host, and its log read on the head."""

    name = "proof"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.marker = marker.path(installation.home, PROVED, installation.receipt.bundle_id)

    def describe(self) -> str:
        """One line for the admin."""
        return "Have the head run a task on this host, and read its log there"

    def done(self) -> bool:
        """Whether one has succeeded under this bundle and join file."""
        return self.marker.exists()

    def apply(self) -> None:
        """Trigger, wait, read."""
        prove(self.installation)
        self.marker.write_text("", encoding="utf-8")
        # the head refuses other versions than its own: after an upgrade of both, these are what it has
        home, receipt = self.installation.home, self.installation.receipt
        join = cluster.joined(home)
        told = versions(crew.packages(self.installation), engine_of(join.engine))
        # what was for the proof alone is not kept
        keys = {name: value for name, value in join.secrets.items() if name != PROOF}
        fresh = replace(join, airflow=receipt.airflow, packages=told, secrets=keys)
        if fresh != join:
            cluster.keep_join(home, fresh)


def prove(installation: Installation, seconds: float = _PROOF_SECONDS) -> None:
    """Have the head run the DAG that is pinned to this host, and read the log of its task there.

    Raises :class:`WorkerNotProved`.
    """
    join = cluster.joined(installation.home)
    dag_id, now = dags.pinned_dag(join.name), datetime.now(timezone.utc)
    run_id = f"airferry_proof_{now.strftime('%Y%m%dT%H%M%S')}"
    deadline = time.monotonic() + seconds - 60
    try:
        with session(installation, join) as asking:
            _undrain(installation, join, asking)
            text = _ran(asking, join, dag_id, run_id, now, deadline)
    except (RequestFailed, LoginFailed) as error:
        raise _not_proved(join, error.message, error.found) from error
    if not _tells(text, join):
        raise _not_proved(join, "its log could not be read on the head", text[-500:])


def _undrain(installation: Installation, join: Join, asking: ApiSession) -> None:
    """Have the head give this worker tasks again, if it was drained (for an upgrade, say).

    Where the head does not, the proof will tell.
    """
    way = engine_of(join.engine).undrain_request(join.name)
    if way:
        method, path = way
        url = f"{asking.web.url}{path}"
        headers = {"Authorization": asking.authorization.reveal()}
        request(url, method=method, headers=headers, timeout=30, certificate=asking.web.certificate)
    if join.database:
        meeting.undrain(join)


def _ran(asking: ApiSession, join: Join, dag_id: str, run_id: str, now: datetime, deadline: float) -> str:
    """The log of the task, when it has succeeded."""
    state = "never read by the head"
    while not _known(asking, dag_id):
        _wait(deadline, join, state)
    asking.unpause(dag_id)
    asking.trigger(dag_id, run_id, now)
    while state != "success":
        state = asking.run_state(dag_id, run_id)
        if state == "failed":
            raise _not_proved(join, "its task failed", _log(asking, dag_id, run_id))
        _wait(deadline, join, state)
    # a worker sends the last of a log after the task has told its end
    until = min(deadline, time.monotonic() + _LOG_SECONDS)
    text = _log(asking, dag_id, run_id)
    while not _tells(text, join) and time.monotonic() < until:
        time.sleep(1)
        text = _log(asking, dag_id, run_id)
    return text


def _tells(text: str, join: Join) -> bool:
    """Whether this is the log of a task that ran on this host."""
    return f"{_MARK} {join.name}" in text and socket.gethostname() in text


def can_ask(installation: Installation, join: Join) -> bool:
    """Whether this worker has what it asks the head for its proof with: a key, a token, or the database."""
    basic = installation.version.login == "basic"
    return JWT in join.secrets or PROOF in join.secrets or (basic and bool(join.key(DATABASE).reveal()))


@contextlib.contextmanager
def session(installation: Installation, join: Join) -> Iterator[ApiSession]:
    """The head's API, as the account that the join file names, or as one for as long as this lasts.

    Raises :class:`WorkerNotProved` for a worker that has nothing to ask with.
    """
    if JWT in join.secrets:
        bearer = f"Bearer {link.token(join.key(JWT), join.claims, _PROOF_SECONDS).reveal()}"
    elif PROOF in join.secrets:
        bearer = f"Bearer {join.key(PROOF).reveal()}"
    elif can_ask(installation, join):
        with _account(installation, join) as bearer:
            yield _session(installation, join, bearer)
        return
    else:
        raise _not_proved(join, "this worker has nothing to ask the head with", "its join file was used up")
    yield _session(installation, join, bearer)


@contextlib.contextmanager
def _account(installation: Installation, join: Join) -> Iterator[str]:
    """An account of Airflow's that is there for the proof alone; this worker has the database of accounts."""
    user, password, airflow = f"airferry-proof-{join.name}", secret.generate(), installation.airflow
    try:
        airflow.set_password(user, password)
    except UnknownLogin:
        create = (
            "users", "create", f"--username={user}", "--firstname", "airferry", "--lastname", "proof",
            f"--email={user}@localhost.invalid", "--role", "Op", f"--password={password.reveal()}",
        )  # fmt: skip
        airflow.run_batch([create], what="make an account for the proof", secrets=(password,))
    try:
        pair = base64.b64encode(f"{user}:{password.reveal()}".encode()).decode("ascii")
        yield f"Basic {pair}"
    finally:
        airflow.run("users", "delete", f"--username={user}", what="remove the account of the proof")


def _session(installation: Installation, join: Join, authorization: str) -> ApiSession:
    parts = urlsplit(join.base)
    trusted = str(_authorities(installation, join)) if join.authorities else ""
    web = WebAddress(parts.hostname or "", port_of(join.base), parts.path, trusted)
    return ApiSession(installation.version, web, Secret(authorization), timeout=30)


def head_release(installation: Installation, join: Join) -> str:
    """The release of Airflow that the head runs, which it tells everybody."""
    return str(_session(installation, join, "Bearer ").call("GET", "/version").get("version"))


def _authorities(installation: Installation, join: Join) -> Path:
    """Where the certificates lie by which the head is known; a new join file may bring others."""
    path = cluster.authorities_file(installation.home)
    if not path.exists() or path.read_text(encoding="utf-8") != join.authorities:
        smallfile.write(path, join.authorities, 0o600)
    return path


def _known(asking: ApiSession, dag_id: str) -> bool:
    """Whether the head has read the DAG; raises LoginFailed where it does not let this worker ask."""
    try:
        asking.call("GET", f"/dags/{dag_id}")
    except RequestFailed as error:
        if "HTTP 404" in error.found:
            return False
        raise
    return True


def _log(asking: ApiSession, dag_id: str, run_id: str) -> str:
    path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/here/logs/1?full_content=true"
    return json.dumps(asking.call("GET", path), ensure_ascii=False)


def _wait(deadline: float, join: Join, state: str) -> None:
    if time.monotonic() > deadline:
        raise _not_proved(join, state, "no end in time")
    time.sleep(1)


def _not_proved(join: Join, state: str, found: str) -> WorkerNotProved:
    return WorkerNotProved(
        f"No task of {join.host} has run to its end on this worker: {state}.",
        found=found,
        needed=f"a run of {dags.pinned_dag(join.name)} that succeeds, and its log",
        hint="On the head: bin/airferry workers, and bin/airferry dags list. The worker itself runs; the same"
        f" command again repeats only this step, with --join of a new file where one ended.{_logs(join)}",
    )


def _logs(join: Join) -> str:
    if not join.log_port:
        return ""
    return (
        f" For the log the head must know the name {socket.gethostname()} and reach port {join.log_port} of"
        " this host: getent hosts NAME there, and the firewalls between them."
    )
