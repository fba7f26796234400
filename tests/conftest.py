"""Fixtures that every part of the suite may use."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.support import bundles

# A shell lets its background jobs ignore Ctrl-C (``make test &``); what the tests start would inherit it.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole bundle of a few kilobytes for Python 3.11; it must not be changed."""
    return bundles.write(tmp_path_factory.mktemp("bundle") / "airflow-3.3.2-cp311-test.run")
