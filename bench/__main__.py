"""``make bench``: how long airferry takes against pip, pex and the way by hand, as ratios of one run.

Seconds on these machines mean nothing by themselves; a ratio of two runs side by side does.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.bundling import Bundling
from bench.by_hand import ByHand
from bench.large import Large
from bench.measuring import fresh, heading, load, run, show, timed

# On two cores, for a bundle of 85 MB: a person waits for it.
_DOCTOR_SECONDS = 1.5


def main() -> None:
    """Measure and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each measurement; the median counts")
    parser.add_argument("--only", choices=("bundling", "installing"), help="one of the two tables")
    parser.add_argument("--large", action="store_true", help="only the request of over 1 GB (downloads it)")
    parser.add_argument("--airflow", default="", help="the release (default: the newest)")
    parser.add_argument(
        "--python", default="", help="the bundle's Python, for bundling (default: this one's)"
    )
    parser.add_argument("--constraints", default="", help="a file (default: what the first bundle pinned)")
    options = parser.parse_args()
    # installed as users install it, airferry keeps its bytecode, as pip and pex do
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    scratch = Path(tempfile.mkdtemp(prefix="airferry-bench-", dir="/var/tmp"))
    scratch.chmod(0o755)
    try:
        if options.large:
            Large(scratch, options.airflow, options.python, options.constraints).measure()
            return
        if options.only != "installing":
            Bundling(
                scratch, options.runs, options.airflow, options.python, options.constraints
            ).measure()  # fmt: skip
        if options.only != "bundling":
            bundling = Bundling(fresh(scratch / "own"), 0, options.airflow, "", "")
            Installing(scratch, options.runs, bundling.first, bundling.manifest).measure()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class Installing:
    """The package step and the whole install, in a scratch folder that any account can enter."""

    def __init__(self, scratch: Path, runs: int, bundle: Path, manifest: dict[str, Any]) -> None:
        self.scratch = scratch
        self.runs = runs
        self.python = f"/usr/bin/python3.{sys.version_info.minor}"
        if not Path(self.python).exists():
            self.python = str(getattr(sys, "_base_executable", sys.executable))
        self.bundle = bundle
        self.manifest = manifest

    def measure(self) -> None:
        """Print the rows: against the same work done by hand with pip."""
        account = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        folder = fresh(self.scratch / "hosts")
        os.chown(folder, account.pw_uid, account.pw_gid)
        wheels = fresh(self.scratch / "wheels")
        run([sys.executable, "-c", UNPACK, str(self.bundle), str(wheels)])
        ours: list[tuple[float, float]] = []
        theirs: list[tuple[float, float]] = []
        for number in range(self.runs):
            ours.append(self._install(folder / f"ours-{number}", account))
            hand = ByHand(folder / f"hand-{number}", self.python, wheels, self.manifest, account)
            theirs.append(hand.install())
            for name in ("ours", "hand"):
                shutil.rmtree(folder / f"{name}-{number}")
        print(f"installing; {load()}")
        heading("by hand")
        for index, title, aim in (
            (0, "package step / pip install", 0.3),
            (1, "whole install / by hand", 0.6),
        ):
            show(title, [pair[index] for pair in ours], [pair[index] for pair in theirs], aim)
        heading("limit")
        show("sh FILE doctor", [timed(self._doctor) for _ in range(self.runs)], [_DOCTOR_SECONDS], 1)

    def _doctor(self) -> None:
        command = ["sh", str(self.bundle), "doctor", "--python", self.python]
        # what it finds is this host's affair
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL)

    def _install(self, home: Path, account: pwd.struct_passwd) -> tuple[float, float]:
        started = time.monotonic()
        command = ["sh", str(self.bundle), "install", "--home", str(home), "--python", self.python, "--json"]
        command += ["--service", "supervisor"]
        said = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, user=account.pw_uid, group=account.pw_gid,
            env={"PATH": os.environ["PATH"], "HOME": str(home.parent)}, cwd="/",
        )  # fmt: skip
        whole = time.monotonic() - started
        steps = {item["name"]: item["seconds"] for item in json.loads(said.stdout)["result"]["steps"]}
        print(
            f"  {whole:.1f} s: "
            + ", ".join(f"{name} {took:.1f}" for name, took in steps.items() if took >= 0.1)
        )
        run([str(home / "bin" / "airferry"), "stop"], user=account.pw_uid)
        return steps["packages"], whole


UNPACK = (
    "import sys, zipfile\n"
    "archive = zipfile.ZipFile(sys.argv[1])\n"
    "archive.extractall(sys.argv[2], [n for n in archive.namelist() if n.endswith('.whl') or 'dags/' in n])"
)


if __name__ == "__main__":
    main()
