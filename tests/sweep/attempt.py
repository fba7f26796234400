"""One release on one Python: bundled with the command that a user would run, or only resolved."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.sweep.pairs import Pair

ROOT = Path(__file__).resolve().parents[2]
PLATFORM = "manylinux_2_28_x86_64"


@dataclass(frozen=True)
class Outcome:
    """What became of a pair: `built` are from source, `size` is in bytes, `error` is empty without one."""

    pair: Pair
    seconds: float
    packages: int = 0
    built: tuple[str, ...] = ()
    size: int = 0
    error: str = ""


def bundle(pair: Pair) -> Outcome:
    """``airferry bundle``; the file is thrown away."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="airferry-sweep-") as folder:
        command = [sys.executable, "-m", "bundler", "bundle", "--airflow", pair.airflow]
        command += ["--python", pair.python, "--platform", PLATFORM, "--output", folder, "--json"]
        ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        seconds = time.monotonic() - began
        if ran.returncode:
            return Outcome(pair, seconds, error=_words(ran.stdout, ran.stderr))
        (file,) = Path(folder).glob("*.run")
        inspect = [sys.executable, "-m", "bundler", "inspect", str(file), "--json"]
        said = json.loads(
            subprocess.run(inspect, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        )
        packages = [item for item in said["result"]["packages"] if item["role"] == "airflow"]
        built = tuple(item["name"] for item in packages if item["built"])
        return Outcome(pair, seconds, len(packages), built, file.stat().st_size)


def _words(out: str, err: str) -> str:
    try:
        said = json.loads(out)
    except ValueError:
        return (err.strip().splitlines() or ["no answer"])[-1]
    error = said.get("error", said)
    return " ".join(str(error.get("message", "") or error)[:300].split())
