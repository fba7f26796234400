"""The matrix of Airflow releases, Pythons and PostgreSQL servers: each really installed, run and restarted.

``make matrix`` runs all and prints a table, ``make matrix ONLY=2.10.5/3.11`` one release; CI runs the oldest.
"""

from __future__ import annotations

import argparse
import json
import os
import pwd
import shutil
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from bootstrap.airflow.release import release_for
from bootstrap.facts.postgres import collect
from tests.e2e.hosts import Host, Namespace, wait_until
from tests.support import exposure, surroundings

ROOT = Path(__file__).resolve().parents[2]
PAIRS = (
    "2.2.2/3.8", "2.2.2/3.9", "2.5.0/3.9", "2.6.3/3.9", "2.10.5/3.11", "2.11.2/3.12", "3.0.6/3.11",
    "3.1.8/3.12", "3.2.2/3.12", "3.3.2/3.11", "3.3.2/3.13",
)  # fmt: skip
DAG = "airferry_pipeline"
WEB = "airflow.example.com:18448"
DAGS = (DAG, "airferry_scripts")
DAYS = (date(2026, 1, 1), date(2026, 1, 2))


class Unavailable(Exception):
    """This machine lacks what a row of the matrix needs; the text says what."""


@dataclass(frozen=True)
class Row:
    """What became of one row; times in seconds of wall time."""

    pair: str
    postgres: str
    install: float
    backfill: float
    restart: float


def run_row(pair: str, postgres: str, scratch: Path, namespace: Namespace) -> Row:
    """Bundle, install without a network, backfill two days, stop, start and stop; AssertionError if not."""
    airflow, minor = pair.split("/")
    if postgres == "host" and not any("initdb" in item.programs for item in collect().installed):
        raise Unavailable("no PostgreSQL server of the host's own")
    host = host_for(minor, scratch, namespace)
    bundle = make_bundle(airflow, minor, scratch)
    home = host.folder / f"{airflow}-{minor}-{postgres}"
    install: list[str | Path] = [
        "install",
        "--home",
        home,
        "--python",
        host.python,
        "--postgres",
        postgres,
        # every release with its own options for HTTPS, and its tasks' trust
        "--url",
        f"https://{WEB}",
        "--tls-self-signed",
        "--json",
    ]
    started = time.monotonic()
    receipt = host.json("sh", bundle, *install)["receipt"]
    installed = time.monotonic() - started
    try:
        assert receipt["completed"]
        assert host.json(home / "bin" / "airferry", "status", "--json")["url"].startswith(
            "https://127.0.0.1:"
        )
        wait_until("both example DAGs are read", lambda: len(known_dags(host, home)) == len(DAGS), 90)
        assert query(host, home, "SELECT filename FROM import_error") == []
        assert host.json(home / "bin" / "airferry", "passwd", "--generate", "--json")["proved"]
        started = time.monotonic()
        backfill(host, home, airflow)
        filled = time.monotonic() - started
        started = time.monotonic()
        for command in ("stop", "start", "status"):
            ran = host.run(home / "bin" / "airferry", command)
            assert ran.returncode == 0, ran.stdout + ran.stderr
        restarted = time.monotonic() - started
        closed_to_others(home, release_for(airflow).opens_logs)
    finally:
        host.run("sh", home / "bin" / "airferry", "stop")
    assert host.processes(home) == []
    shutil.rmtree(home)
    return Row(pair, postgres, installed, filled, restarted)


def closed_to_others(home: Path, opens_logs: bool) -> None:
    """Nobody but the account can write to anything; what it opens to all lies in a folder that is closed."""
    logs = home / "logs"
    loose = [path for path in exposure.writable(home) if not opens_logs or logs not in Path(path).parents]
    assert not loose, loose
    assert stat.S_IMODE(logs.stat().st_mode) == (0o700 if opens_logs else 0o750)


def backfill(host: Host, home: Path, airflow: str) -> None:
    """Run the example pipeline for two earlier days with Airflow's own command, and wait for success.

    2.2 forks its workers with the connection open: now and then one of them closes it, and the command has
    to be given again.
    """
    for _ in range(3):
        ran = host.run(home / "bin" / "airflow", *release_for(airflow).backfill(DAG, *DAYS))
        if not airflow.startswith("2.2.") or "server closed the connection" not in ran.stderr:
            break
    assert ran.returncode == 0, ran.stdout[-3000:] + ran.stderr[-3000:]
    deadline = time.monotonic() + 240
    states: list[str] = []
    while states != ["success"] * len(DAYS):
        assert time.monotonic() < deadline, f"backfill: {states}"
        time.sleep(1)
        states = query(
            host, home, f"SELECT state FROM dag_run WHERE dag_id = '{DAG}' AND run_id LIKE 'backfill%'"
        )


def known_dags(host: Host, home: Path) -> list[str]:
    """The example DAGs that Airflow has read without an error."""
    names = ", ".join(f"'{name}'" for name in DAGS)
    return query(host, home, f"SELECT dag_id FROM serialized_dag WHERE dag_id IN ({names}) GROUP BY dag_id")


def query(host: Host, home: Path, sql: str) -> list[str]:
    """Ask the metadata database, as its own account; the rows."""
    receipt = json.loads((home / "receipt.json").read_text())
    database = receipt["database"]
    programs = Path(database["programs"] or next((home / "current" / "postgres").glob("*/pginstall/bin")))
    asked = replace(host, environment={**host.environment, "PGPASSFILE": str(home / "secrets" / "pgpass")})
    ran = asked.run(
        programs / "psql", "-h", "127.0.0.1", "-p", str(database["port"]), "-U", "airflow", "-Atc", sql
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.split()


def make_bundle(airflow: str, minor: str, scratch: Path, *options: str) -> Path:
    """The bundle for a row, made once, with the command that a user would run and `options` of theirs."""
    command = [sys.executable, "-m", "bundler", "bundle", "--airflow", airflow, "--python", minor, "--json"]
    known = list(scratch.glob(f"airflow-{airflow}-cp{minor.replace('.', '')}-*.run"))
    if known and not options:
        return known[0]
    made = subprocess.run(
        [*command, *options, "--output", str(scratch)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert made.returncode == 0, made.stdout + made.stderr
    return Path(json.loads(made.stdout)["result"]["file"])


def host_for(minor: str, scratch: Path, namespace: Namespace) -> Host:
    """A closed host with an interpreter of that minor version which an ordinary account can run."""
    python, environment = interpreter(minor, scratch)
    folder = scratch / "user"
    folder.mkdir(exist_ok=True)
    uid, gid = os.geteuid(), os.getegid()
    if uid == 0:
        nobody = pwd.getpwnam("nobody")
        uid, gid = nobody.pw_uid, nobody.pw_gid
        os.chown(folder, uid, gid)
    return Host(folder, python, uid, gid, namespace, environment)


def interpreter(minor: str, scratch: Path) -> tuple[str, dict[str, str]]:
    """An interpreter for every account: one of the system's, else a copy of one in a private home."""
    for folder in ("/usr/bin", "/usr/local/bin"):
        if complete(f"{folder}/python{minor}"):
            return f"{folder}/python{minor}", {}
    roots = [surroundings.pyenv() / "versions"]
    for root in roots:
        for prefix in sorted(root.glob(f"{minor}.*")):
            if complete(str(prefix / "bin" / f"python{minor}")):
                return copied(prefix, minor, scratch)
    raise Unavailable(f"no complete Python {minor} on this machine")


def complete(python: str) -> bool:
    """Whether it runs and has the modules that Airflow needs."""
    if not Path(python).exists():
        return False
    code = "import ctypes, ssl, sqlite3, zlib"
    return subprocess.run([python, "-c", code], check=False, capture_output=True).returncode == 0


def copied(prefix: Path, minor: str, scratch: Path) -> tuple[str, dict[str, str]]:
    """Copy an interpreter to where every account can run it; it finds its library by LD_LIBRARY_PATH."""
    target = scratch / "python" / minor
    if not target.exists():
        ignore = shutil.ignore_patterns("test", "__pycache__", "site-packages", "*.a")
        shutil.copytree(prefix, target, symlinks=True, ignore=ignore)
    return str(target / "bin" / f"python{minor}"), {"LD_LIBRARY_PATH": str(target / "lib")}


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder that every account can enter, removed at the end."""
    folder = Path(tempfile.mkdtemp(prefix="airferry-matrix-", dir="/var/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    """Run the rows and print the table; the exit status is 1 when one failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.e2e.matrix", description=__doc__)
    parser.add_argument("--only", default="", help="one release and Python, such as 2.10.5/3.11")
    parser.add_argument("--postgres", default="carried,host", help="whose PostgreSQL, separated by commas")
    options = parser.parse_args()
    namespace = Namespace()
    if namespace.problem:
        print(f"skipped: this machine allows no network namespace: {namespace.problem}")
        return 0
    failed = False
    print(
        f"{'release/Python':16} {'PostgreSQL':11} {'result':8} {'install':>8} {'backfill':>9} {'restart':>8}"
    )
    for pair in [options.only] if options.only else PAIRS:
        for postgres in options.postgres.split(","):
            with scratch_folder() as scratch:
                try:
                    row = run_row(pair, postgres, scratch, namespace)
                    times = f"{row.install:7.1f}s {row.backfill:8.1f}s {row.restart:7.1f}s"
                    print(f"{pair:16} {postgres:11} {'ok':8} {times}", flush=True)
                except Unavailable as error:
                    print(f"{pair:16} {postgres:11} {'skipped':8} {error}", flush=True)
                except AssertionError as error:
                    failed = True
                    print(f"{pair:16} {postgres:11} {'FAILED':8}\n{error}", flush=True)
    namespace.close()
    return int(failed)


if __name__ == "__main__":
    raise SystemExit(main())
