"""A request of several hundred wheels and over 1 GB: seconds by bytes, and the memory of our process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from bench.measuring import fresh, load

ROOT = Path(__file__).resolve().parent.parent
REQUEST = Path(__file__).with_name("large.txt")
MEMORY = 150.0  # MB, the aim
# Reports the peak of its own memory, which that of its children (the resolver) is no part of.
COMMAND = """
import resource, sys
from bundler.cli import main
status = main()
sys.stderr.write("\\npeak %d\\n" % resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
sys.exit(status)
"""


class Large:
    """Three requests, each a part of the next: the defaults, half of the list, all of it."""

    def __init__(self, scratch: Path, airflow: str, python: str, constraints: str) -> None:
        self.scratch = scratch
        self.options = ["--constraints", str(Path(constraints).resolve()) if constraints else "release-date"]
        self.options += ["--airflow", airflow] if airflow else []
        self.options += ["--python", python] if python else []

    def measure(self) -> None:
        """Print a row for each: wheels, megabytes, seconds cold and warm, megabytes a second, peak memory."""
        lines = [
            line for line in REQUEST.read_text(encoding="utf-8").splitlines() if line[:1] not in ("", "#")
        ]
        extras = [line.removeprefix("extra ") for line in lines if line.startswith("extra ")]
        others = [line for line in lines if not line.startswith("extra ")]
        print(
            f"{'request':10} {'wheels':>6} {'file':>9} {'cold':>8} {'warm':>8} {'warm':>10} {'memory':>9}",
            load(),
        )
        for name, part in (("small", 0.0), ("half", 0.5), ("whole", 1.0)):
            asked = ["--extra", "postgres"]
            for extra in extras[: int(len(extras) * part)]:
                asked += ["--extra", extra]
            asked += others[: int(len(others) * part)]
            cold, _, _, peak_cold = self._bundle(asked)
            warm, wheels, size, peak = self._bundle(asked)
            peak = max(peak, peak_cold)
            verdict = "" if peak <= MEMORY else f"  over {MEMORY:.0f} MB"
            row = f"{name:10} {wheels:6} {size / 1e6:7.1f}MB {cold:7.1f}s {warm:7.1f}s"
            print(f"{row} {size / 1e6 / warm:6.1f}MB/s {peak:7.1f}MB{verdict}; {load()}", flush=True)

    def _bundle(self, asked: list[str]) -> tuple[float, int, int, float]:
        """Seconds of all stages, wheels, bytes, and the peak in MB."""
        command = [sys.executable, "-c", COMMAND, "bundle", "--json", *self.options, *asked]
        command += ["--output", str(fresh(self.scratch / "large"))]
        env = {**os.environ, "XDG_CACHE_HOME": str(self.scratch / "cache-large"), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, check=True, env=env, cwd=ROOT, capture_output=True, text=True)
        result = json.loads(done.stdout)["result"]
        peak = int(done.stderr.split("peak ")[-1]) / 1000
        return sum(result["seconds"].values()), result["packages"], result["size"], peak
