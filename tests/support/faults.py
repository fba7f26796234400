"""The table of injected faults: each test that makes one says so, and docs/reference/faults.md lists them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# where they are made: on a host before the install, on a bare one, and in a running installation
FILES = ("tests/bootstrap/doctor/test_real_faults.py", "tests/bootstrap/doctor/test_host_faults.py",
         "tests/bootstrap/doctor/test_airflow_cfg.py", "tests/bootstrap/doctor/test_tls.py",
         "tests/bootstrap/change/test_directory.py", "tests/bootstrap/upkeep/test_mail.py",
         "tests/bootstrap/upkeep/test_tickets.py",
         "tests/e2e/test_bare_hosts.py", "tests/e2e/test_installed_faults.py")  # fmt: skip


@dataclass(frozen=True)
class Fault:
    """A fault: the finding that must come, how the fault is made, and the test that makes it."""

    identifier: str
    how: str
    test: str


def fault(identifier: str, how: str) -> pytest.MarkDecorator:
    """Mark a test, or one of its parameters, as the maker of a fault; both arguments must be literals."""
    return pytest.mark.fault(identifier, how)


def collect(root: Path = ROOT) -> list[Fault]:
    """Every fault that is marked, in the order of the files; the tests are read, not imported."""
    found = []
    for name in FILES:
        tree = ast.parse((root / name).read_text(encoding="utf-8"))
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                for decorator in function.decorator_list:
                    for call in ast.walk(decorator):
                        if isinstance(call, ast.Call) and getattr(call.func, "id", "") == "fault":
                            identifier, how = (ast.literal_eval(argument) for argument in call.args)
                            found.append(Fault(identifier, how, f"{Path(name).name}::{function.name}"))
    return found
