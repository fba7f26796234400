"""The commands: each parses its options, runs a use case and shows the result."""

from __future__ import annotations

from typing import Any

import typer

JSON = typer.Option(
    False, "--json", help="Print the result as JSON on standard output, and nothing else there."
)


def envelope(result: dict[str, Any]) -> dict[str, Any]:
    """What ``--json`` prints for a command that succeeded."""
    return {"schema": 1, "ok": True, "result": result}
