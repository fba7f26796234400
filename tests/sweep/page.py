"""The table of the sweep: for the terminal, and as docs/reference/sweep.md."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

from tests.sweep.attempt import Outcome

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "sweep.md"
# Pairs that cannot be bundled, and why that is right.
REFUSED: dict[str, str] = {}
_HEAD = """# Every release, bundled

Written by `make sweep` on {day}; do not edit.

Each line is an Airflow release on a Python that it supports, bundled with `airferry bundle` for x86_64 and
glibc 2.28 or later, from what the public index held on that day: under the official constraint file where
its address answers, else as of the day of the release. *From source* are the packages that have no fitting
wheel and were built. Times are of two cores that had other work as well, with whatever earlier bundles had
left in the cache: a bundle that is made alone takes a fraction of them.

{pairs} pairs of {releases} releases: {ok} bundled, {refused} refused for a reason, {failed} failed.

| Airflow | Python | packages | from source | MB | seconds | result |
|---|---|---|---|---|---|---|
"""


def expected(outcome: Outcome) -> str:
    """Why this pair cannot be bundled, if that is known; else empty."""
    return REFUSED.get(str(outcome.pair), "")


def line(outcome: Outcome) -> str:
    """One outcome for the terminal."""
    said = (
        outcome.error
        or f"{outcome.packages} packages, {outcome.size / 1e6:.0f} MB, {len(outcome.built)} built"
    )
    return f"{outcome.pair!s:12} {outcome.seconds:6.1f} s  {said}"


def write(outcomes: Sequence[Outcome]) -> None:
    """Write the page."""
    bad = [item for item in outcomes if item.error]
    head = _HEAD.format(
        day=datetime.now(timezone.utc).date().isoformat(),
        pairs=len(outcomes),
        releases=len({item.pair.airflow for item in outcomes}),
        ok=len(outcomes) - len(bad),
        refused=sum(bool(expected(item)) for item in bad),
        failed=sum(not expected(item) for item in bad),
    )
    PAGE.write_text(head + "".join(map(_row, outcomes)), encoding="utf-8")


def _row(outcome: Outcome) -> str:
    result = expected(outcome) or outcome.error or "ok"
    cells = (
        outcome.pair.airflow, outcome.pair.python, outcome.packages or "", ", ".join(outcome.built),
        f"{outcome.size / 1e6:.0f}" if outcome.size else "", f"{outcome.seconds:.0f}", result,
    )  # fmt: skip
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |\n"
