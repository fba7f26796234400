"""Writes faults.md beside this file from the tests: python docs/reference/generate_faults.py."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from bundler.host.catalogue import CATALOGUE
from tests.support.faults import collect

PAGE = Path(__file__).with_name("faults.md")
HEAD = """# Faults that are made for doctor

Generated from the tests by `docs/reference/generate_faults.py`; do not edit.

Each row is a test that makes the fault for real, lets doctor look, and expects exactly that finding and no
other blocker. Faults of a host are made on the machine that runs the tests (some need root, namespaces or a
tool, and are skipped with the reason where they are missing), faults of an installation in one real Airflow
that runs without a network. Severities are in [findings.md](findings.md).

"""


def page() -> str:
    """The whole page."""
    faults = collect()
    unknown = sorted({item.identifier for item in faults} - set(CATALOGUE.entries))
    assert not unknown, f"no such findings: {unknown}"
    ids = len({item.identifier for item in faults})
    rows = [f"| {item.how} | `{item.identifier}` | `{item.test}` |" for item in faults]
    table = "\n".join(["| how it is made | finding | test |", "|---|---|---|", *rows])
    return f"{HEAD}{len(faults)} faults, {ids} findings.\n\n{table}\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
