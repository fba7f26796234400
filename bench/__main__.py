"""``make bench``: how long airferry takes against pip doing the same, as ratios measured in one run.

Seconds on these machines mean nothing by themselves; a ratio of two runs side by side does.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.by_hand import ByHand

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of each measurement; the median counts")
    runs = parser.parse_args().runs
    scratch = Path(tempfile.mkdtemp(prefix="airferry-bench-", dir="/var/tmp"))
    scratch.chmod(0o755)
    try:
        print(f"{'measurement':34} {'airferry':>9} {'pip':>9} {'ratio':>6} {'aim':>6}", flush=True)
        bench = Bench(scratch, runs)
        bench.bundling()
        bench.installing()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


class Bench:
    """The measurements, in a scratch folder that any account can enter."""

    def __init__(self, scratch: Path, runs: int) -> None:
        self.scratch = scratch
        self.runs = runs
        self.python = f"/usr/bin/python3.{sys.version_info.minor}"
        if not Path(self.python).exists():
            self.python = str(getattr(sys, "_base_executable", sys.executable))
        self.bundle = Path()
        self.manifest: dict[str, Any] = {}

    def bundling(self) -> None:
        """Cold and warm bundling against ``pip download`` of the same pins, and the size of the file."""
        first = self._bundle(self.scratch / "cache-first", "auto")
        self._read(first)
        pins = self.scratch / "constraints.txt"
        pins.write_text("".join(f"{item['name']}=={item['version']}\n" for item in self.manifest["packages"]))
        extras = ",".join(self.manifest["extras"])
        wanted = [f"apache-airflow[{extras}]=={self.manifest['airflow']}", "asyncpg", "psycopg2-binary"]
        pip = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--disable-pip-version-check",
            "-c",
            str(pins),
        ]
        pip += ["--only-binary=:all:", *wanted]

        def pip_cold() -> None:
            run([*pip, "--no-cache-dir", "-d", str(self._fresh("pip-cold"))])

        def pip_warm() -> None:
            run([*pip, "--cache-dir", str(self.scratch / "pip-cache"), "-d", str(self._fresh("pip-warm"))])

        def cold() -> None:
            self._bundle(self._fresh("cache-cold"), str(pins))

        def warm() -> None:
            self._bundle(self.scratch / "cache-first", str(pins))

        pip_warm()
        warm()
        self._compare("bundle, cold / pip download", cold, pip_cold, 0.5)
        self._compare("bundle, warm / pip download", warm, pip_cold, 0.15)
        self._compare("bundle, warm / pip download, warm", warm, pip_warm, 0.15)
        carried = [*self.manifest["packages"], *self.manifest["tools"], *self.manifest["services"]]
        carried.append(self.manifest["postgres"]["package"])
        content = sum(item["size"] for item in carried)
        size = self.bundle.stat().st_size
        print(f"{'size of the file / its content':34} {size / 1e6:7.1f}MB {content / 1e6:7.1f}MB", end=" ")
        print(f"{size / content:6.3f} {1.05:6.2f}", flush=True)

    def installing(self) -> None:
        """The package step and the whole install against the same work done by hand with pip."""
        account = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        folder = self._fresh("hosts")
        os.chown(folder, account.pw_uid, account.pw_gid)
        wheels = self._fresh("wheels")
        run([sys.executable, "-c", UNPACK, str(self.bundle), str(wheels)])
        ours: list[tuple[float, float]] = []
        theirs: list[tuple[float, float]] = []
        for number in range(self.runs):
            ours.append(self._install(folder / f"ours-{number}", account))
            hand = ByHand(folder / f"hand-{number}", self.python, wheels, self.manifest, account)
            theirs.append(hand.install())
            for name in ("ours", "hand"):
                shutil.rmtree(folder / f"{name}-{number}")
        for index, title, aim in (
            (0, "package step / pip install", 0.3),
            (1, "whole install / by hand", 0.6),
        ):
            show(title, [pair[index] for pair in ours], [pair[index] for pair in theirs], aim)

    def _install(self, home: Path, account: pwd.struct_passwd) -> tuple[float, float]:
        started = time.monotonic()
        command = ["sh", str(self.bundle), "install", "--home", str(home), "--python", self.python, "--json"]
        command += ["--service", "supervisor"]
        said = subprocess.run(
            command, check=True, stdout=subprocess.PIPE, user=account.pw_uid, group=account.pw_gid,
            env={"PATH": os.environ["PATH"], "HOME": str(home.parent)}, cwd="/",
        )  # fmt: skip
        whole = time.monotonic() - started
        steps = {item["name"]: item["seconds"] for item in json.loads(said.stdout)["steps"]}
        run([str(home / "bin" / "airferry"), "stop"], user=account.pw_uid)
        return steps["packages"], whole

    def _bundle(self, cache: Path, constraints: str) -> Path:
        command = [
            sys.executable,
            "-m",
            "bundler",
            "bundle",
            "--constraints",
            constraints,
            "--quiet",
            "--json",
        ]
        command += ["--output", str(self.scratch / "dist")]
        env = {**os.environ, "XDG_CACHE_HOME": str(cache)}
        said = subprocess.run(command, check=True, env=env, cwd=ROOT, stdout=subprocess.PIPE)
        return Path(json.loads(said.stdout)["result"]["file"])

    def _read(self, bundle: Path) -> None:
        self.bundle = bundle
        said = subprocess.run(
            [sys.executable, "-c", MANIFEST, str(bundle)], check=True, stdout=subprocess.PIPE
        )
        self.manifest = json.loads(said.stdout)

    def _fresh(self, name: str) -> Path:
        folder = self.scratch / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        folder.chmod(0o755)
        return folder

    def _compare(self, title: str, ours: Callable[[], None], theirs: Callable[[], None], aim: float) -> None:
        pairs = [(timed(ours), timed(theirs)) for _ in range(self.runs)]
        show(title, [pair[0] for pair in pairs], [pair[1] for pair in pairs], aim)


MANIFEST = "import sys, zipfile; sys.stdout.buffer.write(zipfile.ZipFile(sys.argv[1]).read('manifest.json'))"
UNPACK = (
    "import sys, zipfile\n"
    "archive = zipfile.ZipFile(sys.argv[1])\n"
    "archive.extractall(sys.argv[2], [n for n in archive.namelist() if n.endswith('.whl') or 'dags/' in n])"
)


def timed(work: Callable[[], None]) -> float:
    """Seconds of wall time that some work takes."""
    started = time.monotonic()
    work()
    return time.monotonic() - started


def show(title: str, ours: list[float], theirs: list[float], aim: float) -> None:
    """Print one row: medians, their ratio, and the aim."""
    left, right = statistics.median(ours), statistics.median(theirs)
    print(f"{title:34} {left:8.1f}s {right:8.1f}s {left / right:6.2f} {aim:6.2f}", flush=True)


def run(command: list[str], user: int | None = None) -> None:
    """Run a command that must succeed, quietly, without the settings that this machine has for pip."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("PIP_")}
    env["PIP_CONFIG_FILE"] = os.devnull
    null = subprocess.DEVNULL
    subprocess.run(command, check=True, stdout=null, stderr=null, env=env, user=user, cwd="/")


if __name__ == "__main__":
    main()
