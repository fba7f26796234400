"""Fixtures that every part of the suite may use."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import bundles, releases, surroundings

# Before any module of tests looks around.
surroundings.default_signals()
surroundings.close()


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The names of folders for the tests' homes, one after the other."""
    return map(tmp_path_factory.mktemp("homes").joinpath, map(str, itertools.count()))


@pytest.fixture(autouse=True)
def closed_host(homes: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """No test sees what else is on this machine, nor leaves anything on it."""
    home = next(homes)
    home.mkdir()
    surroundings.close_host(home, monkeypatch)


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole bundle of a few kilobytes for Python 3.11; it must not be changed."""
    return bundles.write(tmp_path_factory.mktemp("bundle") / "airflow-3.3.2-cp311-test.run")


@pytest.fixture(scope="session")
def bundle_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle with small packages that can be installed; it must not be changed."""
    return releases.write(tmp_path_factory.mktemp("release"))
