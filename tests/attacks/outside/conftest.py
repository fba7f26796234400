"""The small index and the command line of the internet side."""

from __future__ import annotations

from tests.bundler.conftest import airflow, carried, clean_environment, files, index, make, run

__all__ = ["airflow", "carried", "clean_environment", "files", "index", "make", "run"]
