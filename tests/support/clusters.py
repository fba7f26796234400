"""What a head tells a worker, as tests want it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bootstrap.state.cluster import SCHEMA, Join

KEY = "k" * 64


def join(**changed: Any) -> Join:
    """A join file of the head ``head`` for the worker ``w1``."""
    made = Join(
        schema=SCHEMA,
        cluster="0a1b2c3d4e5f",
        engine="edge",
        name="w1",
        base="http://head:8080",
        host="head",
        airflow="3.3.2",
        bundle_id="3.3.2-cp311-0a1b2c3d4e",
        packages={"apache-airflow": "3.3.2", "apache-airflow-providers-edge3": "4.3.2"},
        executors="LocalExecutor,EdgeExecutor",
        queues=("w1", "default"),
        made="2026-11-28T12:00:00Z",
        until="2099-11-29T12:00:00Z",
        claims={"sub": "1"},
        secrets={"jwt-secret": KEY},
    )
    return replace(made, **changed)
