"""The proof of a worker: its log reaches the head after its task has told its end."""

from __future__ import annotations

import socket
import time
from datetime import datetime, timezone
from typing import Any

import pytest

from bootstrap.steps import worker_proof
from tests.support.clusters import join

WORDS = f"airferry: this ran on {socket.gethostname()} for the worker w1"


class Head:
    """Its API: the run has succeeded at once, the log comes at the third question, or never."""

    def __init__(self, late: int) -> None:
        self.late = late
        self.asked = 0

    def call(self, method: str, path: str) -> dict[str, Any]:
        if "/logs/" not in path:
            return {}
        self.asked += 1
        return {"content": WORDS if self.asked > self.late else "Could not read served logs"}

    def unpause(self, dag_id: str) -> None:
        pass

    def trigger(self, dag_id: str, run_id: str, now: datetime) -> None:
        pass

    def run_state(self, dag_id: str, run_id: str) -> str:
        return "success"


def ran(head: Head) -> str:
    now = datetime.now(timezone.utc)
    return worker_proof._ran(head, join(), "dag", "run", now, time.monotonic() + 60)  # type: ignore[arg-type]


def test_a_log_that_comes_late_is_waited_for() -> None:
    head = Head(late=2)
    assert WORDS in ran(head)
    assert head.asked == 3


def test_a_log_that_never_comes_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_proof, "_LOG_SECONDS", 1.5)
    assert "Could not read served logs" in ran(Head(late=100))
