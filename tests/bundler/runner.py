"""The types of the fixtures that make a bundle and run command lines, and the Airflow that they bundle."""

from __future__ import annotations

from collections.abc import Callable

from bundler.bundle import BundleResult

AIRFLOW = "3.3.2"
Make = Callable[..., BundleResult]
Run = Callable[..., tuple[int, str, str]]
