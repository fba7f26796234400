"""``python -m bench.downtime HOME NEW.run``: for how long an upgrade keeps the web server away.

Run as the account of an installation that may be upgraded. The web server's health address is asked ten times
a second, while ``sh NEW.run install`` runs: from the first request that is refused to the first answer in
which all components are healthy. Beside it stands what cannot be spared, the migration and one start.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import threading
import time
from datetime import datetime, timezone
from pathlib import Path

from bench.measuring import load
from bootstrap.airflow import health
from bootstrap.installed.installation import Installation
from bootstrap.state import receipt
from bootstrap.state.home import Home


class Watch(threading.Thread):
    """Asks until it is told to end; `gone` and `back` are the moments at which it was refused and healthy."""

    def __init__(self, home: Home) -> None:
        super().__init__(daemon=True)
        self.home = home
        self.gone = self.back = 0.0
        self.over = False
        self.since: datetime | None = None

    def run(self) -> None:
        """Ask."""
        while not self.over:
            found = Installation(receipt.load(self.home.receipt))
            # the last sign of life of what was stopped counts as healthy for half a minute
            answer = health.fetch(found.version, found.web, timeout=2, since=self.since)
            if answer.raw is None and not self.gone:
                self.gone, self.since = time.monotonic(), datetime.now(timezone.utc)
            if self.gone and not self.back and answer.healthy:
                self.back = time.monotonic()
            time.sleep(0.1)


def main() -> int:
    """Upgrade, and print the seconds; 1 when the aim was missed."""
    parser = argparse.ArgumentParser(prog="python -m bench.downtime", description=__doc__)
    parser.add_argument("home", type=Path)
    parser.add_argument("bundle", type=Path)
    options = parser.parse_args()
    watch = Watch(Home(options.home))
    watch.start()
    said = subprocess.run(
        ["sh", options.bundle, "install", "--home", options.home, "--json"],
        check=True, stdout=subprocess.PIPE, cwd="/",
    )  # fmt: skip
    until = time.monotonic() + 60
    while not watch.back and time.monotonic() < until:
        time.sleep(0.1)
    watch.over = True
    steps = {item["name"]: item["seconds"] for item in json.loads(said.stdout)["result"]["steps"]}
    down, least = watch.back - watch.gone, steps["migration"] + steps["start"]
    print(f"upgrade; {load()}")
    print("  " + ", ".join(f"{name} {seconds:.1f}" for name, seconds in steps.items() if seconds >= 0.1))
    print(f"  away for {down:.1f} s; migration and one start: {least:.1f} s; ratio {down / least:.2f}")
    return 0 if down <= least else 1


if __name__ == "__main__":
    sys.exit(main())
