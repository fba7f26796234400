"""The end of a component with real processes: what hangs is ended, what works has its time."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.services import ending, relay
from bootstrap.services.ending import Ending, Patience
from tests.support import schedulers

IDLE3, IDLE2, BUSY = ": <idle>", "", ": example.sleep"
RELAY = (sys.executable, "-I", "-S", Path(relay.__file__))


@pytest.fixture
def note(tmp_path: Path) -> Path:
    return tmp_path / "note"


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Whatever a test puts in is ended with it."""
    found: list[subprocess.Popen[bytes]] = []
    yield found
    for child in found:
        Ending(child.pid).kill()
        child.wait(10)


def end(child: subprocess.Popen[bytes], seconds: float | None = None, limit: float = 20) -> float:
    """Ask it to end, help it along, and return how long that took."""
    child.send_signal(signal.SIGTERM)
    begun, helper = time.monotonic(), Ending(child.pid, seconds)
    while child.poll() is None:
        assert time.monotonic() - begun < limit
        helper.look()
        time.sleep(0.05)
    return time.monotonic() - begun


@pytest.mark.parametrize("title", [IDLE3, IDLE2, " [team]: <idle>"])
def test_idle_workers_are_not_waited_for(
    note: Path, title: str, started: list[subprocess.Popen[bytes]]
) -> None:
    started.append(schedulers.start(note, title, title))
    idle, busy, tasks = ending.workers(ending.below(started[0].pid))
    assert (len(idle), busy, tasks) == (2, [], [])
    assert end(started[0], 3600) < 10
    assert started[0].returncode == 0  # it has left by itself


def test_scheduler_that_hangs_after_its_last_worker_is_killed(
    note: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    started.append(schedulers.start(note, IDLE3, after="while :; do sleep 0.1; done"))
    assert end(started[0], 3600) < 15
    assert started[0].returncode == -signal.SIGKILL


@pytest.mark.parametrize("title", [BUSY, IDLE2], ids=["by its title", "by its child"])
def test_task_has_its_time_and_is_asked_then(
    note: Path, title: str, started: list[subprocess.Popen[bytes]]
) -> None:
    started.append(schedulers.start(note, IDLE3, task=title))
    assert end(started[0], 4) >= 4
    assert note.read_text().split().count("asked") == 1
    assert started[0].returncode == 0


def test_worker_whose_task_has_gone_is_idle_after_a_while(
    note: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    """Airflow itself would wait for a minute for the output of a process that has ended."""
    started.append(schedulers.start(note, BUSY))
    assert end(started[0], 3600, 40) > ending.CHILDLESS_SECONDS
    assert started[0].returncode == 0


_BLIND = """
import os, signal, subprocess, sys, time
asked = []
if "logs" in sys.argv:
    server = subprocess.Popen(["airflow serve-logs", "300"], executable="/bin/sleep")
    if "ended" in sys.argv:
        os.kill(server.pid, signal.SIGKILL)
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
child = os.fork()
while not asked:
    time.sleep(0.05)
    if child and not asked:
        print("up", flush=True)
if child:
    os.kill(child, signal.SIGTERM)
    if "sees" in sys.argv:
        os.waitpid(child, 0)
    time.sleep(300)  # and does not look at its child
time.sleep(3 if "slow" in sys.argv else 0)
"""


@pytest.mark.parametrize("words", [[], ["logs"], ["slow"], ["logs", "slow"], ["logs", "ended", "slow"]])
def test_component_that_does_not_see_the_end_of_its_child_is_ended(
    words: list[str], started: list[subprocess.Popen[bytes]]
) -> None:
    """The server of its logs lives until the component itself ends; what still cleans up is waited for."""
    child = subprocess.Popen([sys.executable, "-c", _BLIND, *words], stdout=subprocess.PIPE)
    started.append(child)
    assert child.stdout
    assert child.stdout.readline() == b"up\n"
    taken = end(child)
    assert child.returncode == -signal.SIGKILL
    assert (taken > 3) == ("slow" in words)
    child.stdout.close()


def test_component_that_has_seen_the_end_of_its_child_is_left_alone(
    started: list[subprocess.Popen[bytes]],
) -> None:
    child = subprocess.Popen([sys.executable, "-c", _BLIND, "logs", "sees"], stdout=subprocess.PIPE)
    started.append(child)
    assert child.stdout
    assert child.stdout.readline() == b"up\n"
    child.send_signal(signal.SIGTERM)
    helper, until = Ending(child.pid), time.monotonic() + 2
    while time.monotonic() < until:
        helper.look()
        time.sleep(0.1)
    assert child.poll() is None
    child.stdout.close()


def test_no_task_is_touched_without_a_limit(note: Path, started: list[subprocess.Popen[bytes]]) -> None:
    started.append(schedulers.start(note, IDLE3, task=BUSY))
    helper = Ending(started[0].pid)
    started[0].send_signal(signal.SIGTERM)
    deadline = time.monotonic() + ending.STUCK_SECONDS + 2
    while time.monotonic() < deadline:
        helper.look()
        time.sleep(0.1)
    assert started[0].poll() is None
    assert "asked" not in note.read_text()
    assert len(ending.workers(ending.below(started[0].pid))[1]) == 1


def test_component_without_workers_has_all_the_time_that_its_manager_gives(
    note: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    started.append(schedulers.start(note, after=f"sleep {ending.STUCK_SECONDS + 1}"))
    assert end(started[0], 0) > ending.STUCK_SECONDS
    assert started[0].returncode == 0


_SERVER = """
import signal, socket, sys, time
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
server = socket.create_server(("127.0.0.1", 0))
print("up", flush=True)
while not asked:
    time.sleep(0.05)
time.sleep(2)
server.close()
print("last words", flush=True)
time.sleep(300)  # as long as it takes a Python to end
"""


def test_component_that_has_closed_its_last_connection_is_done(
    tmp_path: Path, started: list[subprocess.Popen[bytes]]
) -> None:
    for command in ((), (*RELAY, tmp_path / "log")):
        child = subprocess.Popen([*command, sys.executable, "-c", _SERVER], stdout=subprocess.PIPE)
        started.append(child)
        assert child.stdout
        assert child.stdout.readline() == b"up\n"
        begun = time.monotonic()
        if command:
            child.send_signal(signal.SIGTERM)
            assert child.wait(15) == 0
        else:
            end(child)
            assert child.returncode == -signal.SIGKILL
        assert time.monotonic() - begun >= 2
        assert child.stdout.read() == b"last words\n"
        child.stdout.close()


_READING = """
import signal, subprocess, sys, time
asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
file = subprocess.Popen(["sleep", sys.argv[2]])
print("up", flush=True)
while not asked:
    time.sleep(0.05)
file.wait()
time.sleep(300)  # as long as it takes a Python to end
"""


@pytest.mark.parametrize("seconds", ["0", "4"])
def test_dag_processor_that_reads_no_file_is_not_waited_for(
    seconds: str, started: list[subprocess.Popen[bytes]]
) -> None:
    command = [sys.executable, "-c", _READING, "dag-processor", seconds]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    started.append(child)
    assert child.stdout
    assert child.stdout.readline() == b"up\n"
    begun = time.monotonic()
    end(child)
    assert child.returncode == -signal.SIGKILL
    assert time.monotonic() - begun > max(ending.READER_SECONDS, float(seconds) - 1)
    child.stdout.close()


def test_descendants_are_found_on_a_kernel_that_lists_no_children(
    note: Path, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    started.append(schedulers.start(note, IDLE3, IDLE3, task=BUSY))

    def found() -> list[list[int]]:
        return [sorted(one.pid for one in part) for part in ending.workers(ending.below(started[0].pid))[:2]]

    listed = found()
    monkeypatch.setattr(ending, "_LISTS", "no-such-file")
    assert found() == listed
    assert [len(part) for part in listed] == [2, 1]


def test_relay_ends_what_hangs(note: Path, started: list[subprocess.Popen[bytes]]) -> None:
    started.append(schedulers.start(note, IDLE3, relay=(*RELAY, note.with_name("log"))))
    started[0].send_signal(signal.SIGTERM)
    assert started[0].wait(15) == 0


def test_relay_stays_for_whoever_asked_it(
    note: Path, started: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = note.parent
    monkeypatch.setenv("AIRFERRY_HOME", str(home))
    (home / "run").mkdir()
    patience = home / relay.PATIENCE
    for ended_by in ("a second request", "the end of whoever asked", "a file that has gone"):
        with subprocess.Popen(["sleep", "300"]) as holder:
            Patience(3600, holder.pid).write(patience)
            child = schedulers.start(note, relay=(*RELAY, home / "log"))
            started.append(child)
            child.send_signal(signal.SIGTERM)
            schedulers.wait_for(lambda pid=child.pid: not ending.below(pid))  # type: ignore[misc]
            with pytest.raises(subprocess.TimeoutExpired):
                child.wait(1)
            if ended_by == "a second request":
                child.send_signal(signal.SIGTERM)
            elif ended_by == "a file that has gone":
                patience.unlink()
            else:
                holder.kill()
                holder.wait()
            assert child.wait(5) == 0, ended_by
            holder.kill()
        note.unlink()
        Path(f"{note}.fifo").unlink()


def test_patience_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    path = tmp_path / "patience"
    assert Patience.read(path) == Patience()
    path.write_text("x")
    assert Patience.read(path) == Patience()
    for found in (Patience(2.5, 7), Patience(float("inf"), 0)):
        found.write(path)
        assert Patience.read(path) == found
