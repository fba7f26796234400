"""An external PostgreSQL, for real."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.postgres import RealServer, running


@pytest.fixture(scope="session")
def server() -> Iterator[RealServer]:
    """A running server with TLS, and roles for each kind of login; each test makes its own databases."""
    with running() as made:
        made.role("tlsonly")
        yield made
