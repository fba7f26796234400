"""Writes exit-codes.md beside this file: python docs/reference/generate_exit_codes.py."""

from __future__ import annotations

import importlib
import pkgutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import bootstrap
import bundler
import wheelhouse
from wheelhouse.errors import AirferryError

PAGE = Path(__file__).with_name("exit-codes.md")
HEAD = """# Exit codes

Generated from the error classes by `docs/reference/generate_exit_codes.py`; do not edit.

| code | meaning |
|---|---|
| 0 | success; for `doctor`: nothing blocks; for `status`: every component is healthy |
| 1 | a bug in airferry: the message names the log to send |
| 2 | the command line was used wrongly |
| 3 | `doctor`, or the preflight of `install`, found what blocks; nothing was changed |
| 4 | `doctor --strict`: nothing blocks, but there are warnings |
| 89 | `backup`: it was made, but without files of dags or plugins that cannot be read |
| 5 | `compare`: the two files are not the same |
| 130 | interrupted (Ctrl-C); the same command again goes on |

Every other error has a stable reference, shown in brackets behind its message and, with `--json`, as
`reference`:

| code | reference | meaning |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    rows = sorted((kind.exit_code, kind.reference, _meaning(kind)) for kind in _kinds())
    return HEAD + "".join(f"| {code} | `{reference}` | {meaning} |\n" for code, reference, meaning in rows)


def _kinds() -> set[type[AirferryError]]:
    for package in (wheelhouse, bootstrap, bundler):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            # programs, not modules: stage 0, and what runs in Airflow's own environment
            if not module.name.endswith(
                (
                    "__main__",
                    "airflow.batch",
                    "airflow.fabpassword",
                    "airflow.dagcheck",
                    "site.authority",
                    "cluster.celeryworker",
                )
            ):
                importlib.import_module(module.name)
    found: set[type[AirferryError]] = set()
    waiting = list(AirferryError.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if "reference" in vars(kind):
            found.add(kind)
    return found


def _meaning(kind: type[AirferryError]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
