"""Runs a worker: reads what its head has told, starts Airflow's worker, and ends it in peace.

It is a script of its own, which the service manager starts as the account; what it is to do stands in a file
that only the account can read, so no unit and no list of processes shows it::

    python -I -S runner.py HOME PYTHON CONCURRENCY

Asked to end (SIGTERM), it asks Airflow's worker, with the signal of its engine, to take no more tasks
and waits for those that run, as long as ``run/patience`` says; then
these are asked to end, so that the head learns of it.
"""

from __future__ import annotations

import os
import signal
import ssl
import sys
import time
from pathlib import Path
from typing import Dict, List, Optional
from urllib.parse import urlsplit

if not __package__:  # run as a script, with nothing but the standard library in sight
    sys.path.insert(0, str(Path(__file__).absolute().parents[2]))

from bootstrap.base import process
from bootstrap.cluster.engine import engine_of
from bootstrap.services.ending import INTERVAL, TASK_SECONDS, Patience, below, send
from bootstrap.services.relay import PATIENCE
from bootstrap.state import cluster
from bootstrap.state.cluster import Join
from bootstrap.state.home import Home

# Within what systemd allows (EDGE_WORKER.stop_seconds and the grace of the service manager).
USUAL_SECONDS = 50.0


def environment(join: Join, variables: Dict[str, str], home: Home) -> Dict[str, str]:
    """The variables with the head exempt from any proxy, and its certificate trusted beside what is."""
    hosts = [join.host, urlsplit(join.base).hostname or ""]
    found = dict(variables)
    for name in ("NO_PROXY", "no_proxy"):
        known = [item for item in found.get(name, "").split(",") if item]
        found[name] = ",".join(dict.fromkeys([*known, *filter(None, hosts)]))
    if join.authorities:
        usual = found.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile or ""
        texts = [Path(path).read_text(errors="replace") for path in (usual,) if path and Path(path).exists()]
        path = home.run / "trusted.pem"
        path.write_text("\n".join([*texts, join.authorities]))
        # the worker's own HTTP client, and that of its tasks
        found["SSL_CERT_FILE"] = found["AIRFLOW__API__SSL_CERT"] = str(path)
    return found


def of_installation(home: Home) -> Dict[str, str]:
    """The variables of every process of the installation, the admin's own among them, by its own script."""
    script = home.etc / "environment.sh"
    if not script.exists():
        return dict(os.environ)
    command = ["/bin/sh", "-c", '. "$0" && exec env -0', str(script)]
    said = process.run(command, what="read the environment of the installation", env=dict(os.environ))
    pairs = (item.partition("=") for item in said.stdout.split("\0"))
    return {name: value for name, mark, value in pairs if mark}


class Worker:
    """Airflow's worker as a child of this process."""

    def __init__(
        self,
        command: List[str],
        variables: Dict[str, str],
        patience: Path,
        drain: signal.Signals = signal.SIGINT,
        depth: int = 1,
    ) -> None:
        self.patience = patience
        self.drain = drain
        self.depth = depth
        self.asked: Optional[float] = None
        self.told = False
        self.pid = os.fork()  # in our group: what the service manager kills, it kills with us
        if self.pid == 0:
            try:
                os.execvpe(command[0], command, variables)  # noqa: S606 - a shell would take the words apart
            finally:
                os._exit(127)

    def ask(self, *_: object) -> None:
        """Have it take no more tasks, and end when the last one has."""
        if self.asked is None:
            self.asked = time.monotonic()
            send(self.pid, self.drain)

    def look(self) -> None:
        """Ask tasks to end whose time is up, and kill what is left then."""
        if self.asked is None:
            return
        patience = Patience.read(self.patience).seconds
        limit = USUAL_SECONDS if patience is None else patience
        waited = time.monotonic() - self.asked
        if waited >= limit and not self.told:
            self.told = True
            found, parents = below(self.pid), {self.pid}
            for _ in range(self.depth - 1):
                parents = {child.pid for child in found if child.parent in parents}
            for child in found:
                if child.parent in parents:
                    send(child.pid, signal.SIGTERM)
        elif waited >= limit + TASK_SECONDS:
            for one in below(self.pid):
                send(one.pid, signal.SIGKILL)
            send(self.pid, signal.SIGKILL)

    def wait(self) -> int:
        """Its exit status, when it has ended."""
        while True:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)
            self.look()
            time.sleep(INTERVAL)


def main(home: str, python: str, concurrency: str) -> int:
    """Run it to its end."""
    place = Home(Path(home))
    join = cluster.joined(place)
    engine = engine_of(join.engine)
    command = [python, "-m", "airflow", *engine.worker_command(join, int(concurrency))]
    variables = {**environment(join, of_installation(place), place), **engine.variables(join)}
    worker = Worker(command, variables, place.path / PATIENCE, engine.drain_signal, engine.task_depth)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, worker.ask)
    return worker.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
