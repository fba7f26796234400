"""What the tests may see of their machine: its programs, and the way to the network; nothing else of it.

Not its installations of Airflow, nor anybody's caches, configuration or variables. ``tests/foreign.py`` lays
all of these on a machine, to prove it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import tempfile
import time
from pathlib import Path

import pytest

from bootstrap.facts import airflows
from bootstrap.services import control
from bootstrap.state import home, registry, shortcut

# Where the tests' own downloads and archives are kept for other runs, and where pyenv keeps interpreters.
CACHE, PYENV = "AIRFERRY_TESTS_CACHE", "AIRFERRY_TESTS_PYENV"
_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_KEPT = {
    "PATH", "USER", "LOGNAME", "SHELL", "TERM", "TMPDIR", "LD_LIBRARY_PATH", "XDG_RUNTIME_DIR",
    "AIRFERRY_FULL", CACHE, PYENV, *_AUTHORITIES, *_PROXIES,
}  # fmt: skip
_RUNNER = ("PYTEST_", "COV_", "COVERAGE_")


def cache() -> Path:
    """The folder that the tests keep for other runs."""
    folder = Path(os.environ.get(CACHE) or Path.home() / ".cache" / "airferry-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def pyenv() -> Path:
    """The folder of pyenv, whether it is there or not."""
    return Path(os.environ.get(PYENV) or os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")


def default_signals() -> None:
    """Let what the tests start begin with default signals.

    A shell lets its background jobs ignore Ctrl-C, and ``nohup`` a lost terminal; a child inherits that. It
    does not inherit a handler.
    """
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGTERM):
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else _ignored)


def close() -> None:
    """Leave this process, and what it starts, none of the machine's settings; and a home that is empty."""
    kept = {CACHE: str(cache()), PYENV: str(pyenv())}
    for name in ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
        if os.environ.get("PIP_CERT"):
            kept[name] = os.environ.get(name) or os.environ["PIP_CERT"]
    for name in list(os.environ):
        if name not in _KEPT and not name.startswith(_RUNNER):
            del os.environ[name]
    folder = tempfile.mkdtemp(prefix="airferry-tests-home-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ.update(
        kept,
        HOME=folder,
        LANG="C.UTF-8",
        XDG_CACHE_HOME=kept[CACHE],
        # a site's configuration of these two is below /etc
        PIP_CONFIG_FILE=os.devnull,
        UV_NO_CONFIG="1",
    )
    time.tzset()


def close_host(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a test a home of its own in `folder`, and a host without installations."""
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setattr(registry, "SYSTEM", folder / "etc" / "airferry" / "installations.d")
    monkeypatch.setattr(home, "ROOT_HOMES", folder / "opt")
    monkeypatch.setattr(shortcut, "FOLDER", folder / "usr" / "local" / "bin")
    monkeypatch.setattr(control, "SYSTEM_UNITS", folder / "etc" / "systemd" / "system")
    monkeypatch.setattr(airflows, "HOMES", ("~/*",))
    monkeypatch.setattr(airflows, "PACKAGES", ("~/*/lib/python3*/site-packages",))


def _ignored(number: int, frame: object) -> None:
    """Take a signal without ending."""
