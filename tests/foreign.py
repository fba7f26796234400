"""Another installation on this machine while a command runs: ``python -m tests.foreign make unit``.

No test may see what else is on a machine. So CI lays an installation in the usual place, on the usual ports,
with its record, its units and a running component, a configuration of pip and uv that leads nowhere, and the
variables of a shell that works with it. What is there already stays untouched, and all of it goes again at
the end. Only root can do so; for anybody else the command runs with the variables alone.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from bootstrap.state import registry
from bootstrap.state.home import Home
from tests.support.receipts import sample
from wheelhouse import codec

HOME = Path("/opt/airflow")
NOWHERE = "http://192.0.2.1/simple"  # RFC 5737: an address that no host has
FILES = {
    "/etc/pip.conf": f"[global]\nindex-url = {NOWHERE}\nrequire-virtualenv = yes\n",
    "/etc/uv/uv.toml": f'index-url = "{NOWHERE}"\noffline = true\n',
    "/etc/systemd/system/airferry-airflow.target": "[Unit]\nDescription=Airflow in /opt/airflow\n",
    f"{HOME}/airflow.cfg": "[core]\nexecutor = SequentialExecutor\nfernet_key = foreign\n",
    f"{HOME}/airflow": "import time\ntime.sleep(100000)\n",
}
VARIABLES = {
    "AIRFERRY_HOME": str(HOME),
    "AIRFERRY_OUTPUT": "/nonexistent",
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW__CORE__EXECUTOR": "SequentialExecutor",
    "AIRFLOW__CORE__FERNET_KEY": "foreign",
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
    "LC_ALL": "C",
    "NO_COLOR": "1",
    "PGHOST": "192.0.2.1",
    "PGPASSWORD": "foreign",
    "PIP_FIND_LINKS": "/nonexistent",
    "PIP_INDEX_URL": NOWHERE,
    "PIP_REQUIRE_VIRTUALENV": "1",
    "PYTHONPATH": "/nonexistent",
    "SOURCE_DATE_EPOCH": "1",
    "TZ": "Asia/Kathmandu",
    "UV_DEFAULT_INDEX": NOWHERE,
    "UV_OFFLINE": "1",
    "UV_PYTHON_INSTALL_MIRROR": NOWHERE,
}
# caches of ours with rubbish in every place
CACHES = ("answers/x", "files/x", "locks/x", "wheels/x", "uv/x")


@contextlib.contextmanager
def installation() -> Iterator[None]:
    """Lay the installation, with a component that runs and the usual ports taken."""
    found = replace(sample(HOME), removed="", services="systemd")
    record = registry.record_of(found)
    files = {
        **FILES,
        str(Home(HOME).receipt): codec.dumps(found),
        str(Home(HOME).lock): "",
        str(registry.SYSTEM / f"{record.name}.json"): codec.dumps(record),
    }
    if HOME.exists() or registry.SYSTEM.exists():
        yield  # there is one
        return
    with contextlib.ExitStack() as undo:
        for name, text in files.items():
            if not Path(name).exists():
                _write(Path(name), text, undo)
        for port in record.ports:
            with contextlib.suppress(OSError):  # a port that another program holds is taken as well
                undo.enter_context(_listening(port))
        component = [sys.executable, f"{HOME}/airflow", "scheduler"]
        running = subprocess.Popen(component, env={**os.environ, **VARIABLES}, cwd=HOME)
        undo.callback(running.wait)
        undo.callback(running.kill)
        yield


@contextlib.contextmanager
def variables() -> Iterator[dict[str, str]]:
    """The environment of a shell that works with it, with caches of its own."""
    with tempfile.TemporaryDirectory(prefix="foreign-") as folder:
        for name in CACHES:
            path = Path(folder, "cache", "airferry", name)
            path.parent.mkdir(parents=True)
            path.write_text("rubbish")
        places = {f"XDG_{name.upper()}_HOME": f"{folder}/{name}" for name in ("cache", "config", "state")}
        yield {**os.environ, **VARIABLES, **places}


def main(command: Sequence[str]) -> int:
    """Run the command beside it; its exit status is ours."""
    if not command:
        raise SystemExit("usage: python -m tests.foreign COMMAND...")
    with contextlib.ExitStack() as stack:
        if os.geteuid() == 0:
            stack.enter_context(installation())
        environment = stack.enter_context(variables())
        return subprocess.run(command, check=False, env=environment).returncode


def _write(path: Path, text: str, undo: contextlib.ExitStack) -> None:
    missing = [folder for folder in path.parents if not folder.exists()]
    path.parent.mkdir(parents=True, exist_ok=True)
    if missing:
        undo.callback(shutil.rmtree, missing[-1], ignore_errors=True)
    path.write_text(text, encoding="utf-8")
    undo.callback(path.unlink, missing_ok=True)


def _listening(port: int) -> socket.socket:
    listener = socket.create_server(("127.0.0.1", port), reuse_port=False)
    listener.listen()
    return listener


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
