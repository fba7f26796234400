"""Whole runs as processes: at once, and interrupted."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from bundler.index.cache import Cache
from tests.bundler.making import make_wheel
from tests.bundler.server import LocalIndex
from wheelhouse.reader import Bundle
from wheelhouse.verify import verify

# The command line without what every bundle carries, which comes from the public index.
COMMAND = """
import sys
from bundler import cli
from bundler.assembly import payload
payload.choose = lambda target: payload.Payload((), (), None, "", ())
sys.exit(cli.main())
"""


def start(index: LocalIndex, output: Path, *more: str) -> subprocess.Popen[str]:
    arguments = [
        "bundle",
        "--airflow",
        "3.3.2",
        "--python",
        "3.11",
        "--constraints",
        "release-date",
        "--json",
    ]
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, *arguments, "--output", str(output), "--index-url", index.url, *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def big(index: LocalIndex, files: Path, size: int) -> None:
    """Make alpha so large that fetching it takes a while."""
    index.add(make_wheel(files, "alpha", "1.5", files={"alpha.bin": os.urandom(size // 2).hex()}))
    index.fault("alpha-1.5").delay = 0.02


def test_two_runs_at_once_share_cache_and_output(airflow: LocalIndex, files: Path, tmp_path: Path) -> None:
    big(airflow, files, 1_000_000)
    runs = [start(airflow, tmp_path / "dist") for _ in range(3)]
    results = [json.loads(run.communicate(timeout=60)[0])["result"] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert len({result["sha256"] for result in results}) == 1
    path = Path(results[0]["file"])
    assert hashlib.sha256(path.read_bytes()).hexdigest() == results[0]["sha256"]
    with Bundle.open(path) as bundle:
        verify(bundle)
    assert sorted(item.name for item in path.parent.iterdir()) == [path.name, f"{path.name}.sha256"]
    assert airflow.fetches["alpha-1.5-py3-none-any.whl"] == 1


def test_ctrl_c_leaves_a_cache_that_the_next_run_goes_on_with(
    airflow: LocalIndex, files: Path, tmp_path: Path
) -> None:
    big(airflow, files, 4_000_000)
    airflow.fault("alpha-1.5").delay = 0.1
    run = start(airflow, tmp_path / "dist")
    deadline = time.monotonic() + 30
    while not any(path.stat().st_size > 300_000 for path in Cache.default().files.glob("*.part")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    interrupted = time.monotonic()
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=20)
    assert time.monotonic() - interrupted < 4
    assert run.returncode == 130
    assert "Traceback" not in errors
    assert not (tmp_path / "dist").exists()
    airflow.faults.clear()
    again = start(airflow, tmp_path / "dist")
    assert again.communicate(timeout=60)
    assert again.returncode == 0
    assert [asked for asked in airflow.ranges if asked.startswith("bytes=") and asked != "bytes=0-"]


def test_killed_while_writing_it_leaves_no_bundle_under_its_name(
    airflow: LocalIndex, files: Path, tmp_path: Path
) -> None:
    big(airflow, files, 40_000_000)
    airflow.faults.clear()
    run = start(airflow, tmp_path / "dist")
    deadline = time.monotonic() + 30
    while not any((tmp_path / "dist").glob("*.part")):
        assert time.monotonic() < deadline
        assert run.poll() is None
        time.sleep(0.002)
    run.kill()
    run.communicate()
    assert not list((tmp_path / "dist").glob("*.run"))
    assert list((tmp_path / "dist").glob("*.part"))
    again = start(airflow, tmp_path / "dist")
    again.communicate(timeout=60)
    assert again.returncode == 0
    assert not list((tmp_path / "dist").glob("*.part"))
