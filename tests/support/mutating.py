"""JSON data with a change at random, as a stranger's file may hold it."""

from __future__ import annotations

import json
import random
from typing import Any

VALUES: list[Any] = [
    None, True, -1, 0, 2**70, 1.5, "", "\ud800", "\x1b[2J", "a\nb", "../..", "-R/x", "http://127.0.0.1/x",
    "x" * 500, [], {}, [[]], "9" * 400, "3.99.1", "$(touch x)", "0" * 64, "2026-01-01T00:00:00Z",
    "example", "\u202e", "manylinux", "nan", "x" * 5000,
]  # fmt: skip


def mutated(data: Any, source: random.Random) -> Any:
    """The data with one value somewhere replaced, removed or repeated."""
    data = json.loads(json.dumps(data))
    node = data
    while True:
        keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
        if not keys:
            return data
        key = source.choice(keys)
        if isinstance(node[key], (dict, list)) and node[key] and source.random() < 0.9:
            node = node[key]
            continue
        choice = source.random()
        if choice < 0.1:
            del node[key]
        elif choice < 0.15 and isinstance(node, list):
            node.append(node[key])
        else:
            node[key] = source.choice(VALUES)
        return data
