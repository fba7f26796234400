"""What all measurements share: running commands, timing them, printing a row."""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path


def heading(peer: str) -> None:
    """Print the head of a table against a peer."""
    print(f"{'measurement':38} {'airferry':>9} {peer:>9} {'ratio':>6} {'aim':>6}", flush=True)


def show(title: str, ours: list[float], theirs: list[float], aim: float) -> None:
    """Print one row: medians, their ratio, and the aim."""
    left, right = statistics.median(ours), statistics.median(theirs)
    ratio = left / right
    verdict = "" if ratio <= aim else "  missed"
    print(f"{title:38} {left:8.1f}s {right:8.1f}s {ratio:6.3f} {aim:6.2f}{verdict}", flush=True)


def timed(work: Callable[[], object]) -> float:
    """Seconds of wall time that some work takes; what others have written is on the disk before it."""
    os.sync()
    started = time.monotonic()
    work()
    return time.monotonic() - started


def run(command: list[str], user: int | None = None, more: Mapping[str, str] | None = None) -> None:
    """Run a command that must succeed, quietly, without the settings that this machine has for pip."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PEX_"))}
    env.update({"PIP_CONFIG_FILE": os.devnull, **(more or {})})
    null = subprocess.DEVNULL
    subprocess.run(command, check=True, stdout=null, stderr=null, env=env, user=user, cwd="/")


def fresh(folder: Path) -> Path:
    """The folder, empty, for any account to enter."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    folder.chmod(0o755)
    return folder


def load() -> str:
    """How busy the machine is, for the reader of the figures."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
