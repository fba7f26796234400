"""Who is asked: a person at a terminal, and nobody else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
CODE = """
import sys
from bootstrap.base import question
from bootstrap.base.boundary import guard
from bootstrap.base.console import Console

def ask():
    if question.is_asked():
        question.confirm()
        print("agreed")
    return 0

sys.exit(guard(ask, Console(), json=False))
"""


@pytest.mark.parametrize(
    ("typed", "status", "said"), [("y\n", 0, "agreed"), ("\n", 93, "Nothing was changed.")]
)
def test_on_a_terminal_yes_has_to_be_said(typed: str, status: int, said: str) -> None:
    outer, inner = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-c", CODE], cwd=ROOT, stdin=inner, stdout=inner, stderr=inner
    ) as child:
        os.close(inner)
        seen = b""
        while b"[y/N]" not in seen:
            seen += os.read(outer, 1000)
        os.write(outer, typed.encode())
        child.wait(30)
        while said.encode() not in seen:
            seen += os.read(outer, 1000)
    os.close(outer)
    assert child.returncode == status


def test_a_script_is_not_asked() -> None:
    """Neither without a terminal to answer on, nor where the question goes into a file."""
    ran = subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, check=False, stdin=subprocess.DEVNULL, capture_output=True
    )
    assert (ran.returncode, ran.stdout) == (0, b"")
    outer, inner = pty.openpty()
    ran = subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, check=False, stdin=inner, capture_output=True
    )
    os.close(inner)
    os.close(outer)
    assert (ran.returncode, ran.stdout) == (0, b"")
