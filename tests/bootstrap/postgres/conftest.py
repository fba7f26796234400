"""An external PostgreSQL, for real."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.support.accounts import Folder
from tests.support.postgres import RealServer, programs


@pytest.fixture(scope="session")
def server() -> Iterator[RealServer]:
    """A running server with TLS, and roles for each kind of login; each test makes its own databases."""
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
            made.role("tlsonly")
            yield made
        finally:
            made.stop()
