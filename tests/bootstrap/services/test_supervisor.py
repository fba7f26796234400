"""A real supervisord with real programs: crashes, kills, odd paths, starts and stops, no process left."""

from __future__ import annotations

import os
import re
import shutil
import signal
import stat
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import pytest

from bootstrap.airflow.executor import LOCAL
from bootstrap.base import process
from bootstrap.services import manager as manager_module
from bootstrap.services import strays
from bootstrap.services import supervisor as services
from bootstrap.services.manager import Program, ServiceError
from bootstrap.services.supervisor import Supervisor
from tests.support import venvs

ODD = "두 낱말 100%(here)s %d 'x' $HOME ;a #b"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a venv with supervisor."""
    return venvs.make(tmp_path_factory.mktemp("supervisor") / "venv", "supervisor==4.3.0")


class Make(Protocol):
    """Makes the supervisor of a home with that name."""

    def __call__(self, name: str = "home") -> Supervisor: ...


@pytest.fixture
def make(python: Path, tmp_path: Path) -> Iterator[Make]:
    """Make the supervisor of a home; whatever it runs is ended with the test."""
    made: list[Supervisor] = []

    def build(name: str = "home") -> Supervisor:
        home = tmp_path / name
        for folder in ("etc", "logs/airferry"):
            (home / folder).mkdir(parents=True)
        (home / "run").mkdir(mode=0o700)
        env = process.environment({"AIRFERRY_HOME": str(home)})
        made.append(
            Supervisor(
                python, home, home / "etc" / "s.conf", home / "logs" / "airferry" / "s.log", env, LOCAL
            )
        )
        return made[-1]

    yield build
    for supervisor in made:
        for number in strays.find(supervisor.home):
            os.kill(number, signal.SIGKILL)
        if supervisor.socket.parent != supervisor.run:
            shutil.rmtree(supervisor.socket.parent, ignore_errors=True)


def program(supervisor: Supervisor, name: str, script: str, *arguments: str, stop: str = "TERM") -> Program:
    """A shell script as a component."""
    return Program(
        name, ("/bin/sh", "-c", script, "sh", *arguments), supervisor.log.with_name(f"{name}.log"), stop
    )


def loop(supervisor: Supervisor, name: str) -> Program:
    """A component that says that it runs, and runs."""
    return program(supervisor, name, 'echo "$$ runs: $1"; exec sleep 1000', name)


def bring_up(supervisor: Supervisor, *names: str) -> None:
    """Start components and go on as soon as each has said something (supervisor waits a second more)."""
    supervisor.start(names, settle=False)
    logs = [supervisor.log.with_name(f"{name}.log") for name in names]
    assert wait_for(lambda: all(log.exists() and log.stat().st_size for log in logs))


def wait_for(condition: Callable[[], bool], seconds: float = 10) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


pytestmark = pytest.mark.network


@pytest.mark.parametrize(
    "name", ["home", ODD, "a" * 150, "가" * 70], ids=["plain", "odd", "long", "long odd"]
)
def test_start_and_stop_in_any_path(make: Make, name: str) -> None:
    supervisor = make(name)
    assert not supervisor.running()
    assert supervisor.states() == {}
    supervisor.configure([loop(supervisor, "one"), loop(supervisor, "two")])
    supervisor.launch()
    assert supervisor.running()
    assert {item.state for item in supervisor.states().values()} == {"STOPPED"}
    supervisor.start(["one", "two"])
    states = supervisor.states()
    assert [(item.name, item.state) for item in states.values()] == [("one", "RUNNING"), ("two", "RUNNING")]
    said = (supervisor.home / "logs" / "airferry" / "one.log").read_text(encoding="utf-8")
    assert said == f"{states['one'].pid} runs: one\n"
    supervisor.shut_down()
    assert not supervisor.running()
    assert strays.find(supervisor.home) == []
    assert not supervisor.socket.exists()
    assert supervisor.run.exists()
    assert supervisor.socket.parent.exists() == (supervisor.socket.parent == supervisor.run)


def test_arguments_arrive_as_they_are(make: Make) -> None:
    supervisor = make(ODD)
    words = [
        "two words",
        "100%(here)s %d %%",
        "'single' \"double\" back\\slash",
        "$HOME `id` *",
        "한글",
        "",
        "tab\there",
        "a ;b #c",
        "# no comment",
    ]
    script = 'for word; do printf "<%s>\\n" "$word"; done; exec sleep 1000'
    supervisor.configure([program(supervisor, "words", script, *words)])
    supervisor.launch()
    bring_up(supervisor, "words")
    said = (supervisor.home / "logs" / "airferry" / "words.log").read_text(encoding="utf-8")
    assert said == "".join(f"<{word}>\n" for word in words)


def test_everything_it_makes_is_private(make: Make) -> None:
    supervisor = make("a" * 150)
    supervisor.configure([program(supervisor, "x", "umask; exec sleep 1000")])
    supervisor.launch()
    bring_up(supervisor, "x")
    for path in (supervisor.socket, supervisor.configuration):
        assert stat.S_IMODE(path.stat().st_mode) & 0o177 == 0, path
    assert stat.S_IMODE(supervisor.socket.parent.stat().st_mode) == 0o700
    log = supervisor.log.with_name("x.log")
    assert stat.S_IMODE(log.stat().st_mode) == 0o640
    assert log.read_text() == "0027\n"


def test_killed_and_crashed_programs_come_back(make: Make) -> None:
    supervisor = make()
    mark = supervisor.home / "once"
    once = f"[ -e {mark} ] || {{ touch {mark}; sleep 1.5; exit 3; }}; exec sleep 1000"
    supervisor.configure([loop(supervisor, "killed"), program(supervisor, "crashed", once)])
    supervisor.launch()
    supervisor.start(["killed", "crashed"])
    before = supervisor.states()
    os.kill(before["killed"].pid, signal.SIGKILL)

    def back() -> bool:
        now = supervisor.states()
        return all(
            now[name].state == "RUNNING" and now[name].pid not in (0, before[name].pid) for name in before
        )

    assert wait_for(back)


def test_program_that_cannot_be_started(make: Make) -> None:
    supervisor = make()
    supervisor.configure([Program("x", ("/nonexistent/program",), supervisor.log.with_name("x.log"))])
    supervisor.launch()
    with pytest.raises(ServiceError, match="component x does not stay up") as caught:
        supervisor.start(["x"])
    assert caught.value.exit_code == 38
    assert "NO_FILE" in caught.value.found
    with pytest.raises(ServiceError):
        supervisor.start(["unknown"])


def test_program_that_crashes_at_once_is_given_up_with_its_last_words(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "_TRIES", 1)
    supervisor = make()
    supervisor.configure([program(supervisor, "x", "echo no database >&2; exit 1"), loop(supervisor, "y")])
    supervisor.launch()
    started = time.monotonic()
    with pytest.raises(ServiceError, match="x does not stay up") as caught:
        supervisor.start(["x", "y"])
    assert time.monotonic() - started < 25
    assert "no database" in caught.value.found
    assert str(supervisor.log.with_name("x.log")) in caught.value.hint
    assert supervisor.states()["y"].state == "RUNNING"


def test_program_that_ends_before_supervisord_has_answered_is_tried_again(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = make()
    once = "test -e once || { touch once; exit 1; }; exec sleep 1000"
    supervisor.configure([program(supervisor, "x", once), loop(supervisor, "y")])
    supervisor.launch()
    call = supervisor._call

    def answer_late(method: str, *arguments: object) -> object:
        answer = call(method, *arguments)
        if method == "startProcess" and arguments[0] == "x":
            raise xmlrpc.client.Fault(50, "SPAWN_ERROR: x")  # what a slower supervisord says of it
        return answer

    monkeypatch.setattr(supervisor, "_call", answer_late)
    supervisor.start(["x", "y"])
    assert {item.state for item in supervisor.states().values()} == {"RUNNING"}


def test_stop_and_start_of_single_programs(make: Make) -> None:
    supervisor = make()
    supervisor.configure([loop(supervisor, name) for name in ("one", "two")])
    supervisor.launch()
    supervisor.start(["one", "two"])
    supervisor.start(["one"])  # it runs already
    supervisor.stop(["two", "nosuch"])
    supervisor.stop(["two"])
    assert {name: item.state for name, item in supervisor.states().items()} == {
        "one": "RUNNING",
        "two": "STOPPED",
    }
    assert re.fullmatch(r"since \d{4}-\d\d-\d\d \d\d:\d\d", supervisor.states()["two"].note)


def test_stopped_together_and_down_when_it_returns(make: Make) -> None:
    supervisor = make()
    slow = "trap 'sleep 1; exit' TERM; echo up; while :; do sleep 0.05; done"
    names = ["web", "worker", "scheduler"]
    supervisor.configure([*[program(supervisor, name, slow) for name in names], loop(supervisor, "database")])
    supervisor.launch()
    bring_up(supervisor, *names, "database")
    started = time.monotonic()
    supervisor.stop(names)
    assert 1 <= time.monotonic() - started < 2.8
    states = {name: item.state for name, item in supervisor.states().items()}
    assert states == {**dict.fromkeys(names, "STOPPED"), "database": "RUNNING"}


def test_stop_signal_of_a_program(make: Make) -> None:
    """PostgreSQL's fast shutdown is SIGINT."""
    supervisor = make()
    script = f"trap 'touch {supervisor.home}/int; exit' INT; echo up; while :; do sleep 0.05; done"
    supervisor.configure([program(supervisor, "x", script, stop="INT")])
    supervisor.launch()
    bring_up(supervisor, "x")
    started = time.monotonic()
    supervisor.shut_down()
    assert (supervisor.home / "int").exists()
    assert time.monotonic() - started < 10


def test_children_that_left_their_group_are_ended_as_well(make: Make) -> None:
    """Airflow's tasks lead sessions of their own."""
    supervisor = make()
    supervisor.configure([program(supervisor, "x", "setsid sleep 1000 & setsid sleep 1000 & echo up; wait")])
    supervisor.launch()
    bring_up(supervisor, "x")
    assert len(strays.find(supervisor.home)) == 4
    supervisor.shut_down()
    assert strays.find(supervisor.home) == []


def test_left_by_a_killed_component_and_started_by_a_killed_installer(make: Make) -> None:
    """Airflow's log server outlives its component, and its title has overwritten its environment."""
    supervisor = make()
    script = "env -i sleep 1000 & echo $!; exec sleep 1001"
    supervisor.configure([program(supervisor, "x", script)])
    supervisor.launch()
    (supervisor.run / "session").unlink()
    supervisor.launch()
    bring_up(supervisor, "x")
    left = int(supervisor.log.with_name("x.log").read_text().split()[0])
    os.kill(supervisor.states()["x"].pid, signal.SIGKILL)
    assert Path(f"/proc/{left}").exists()
    supervisor.shut_down()
    assert wait_for(lambda: not Path(f"/proc/{left}").exists())


def test_what_ignores_the_stop_signal_is_killed(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow's workers do."""
    monkeypatch.setattr(manager_module, "stop_seconds", lambda *_: 1)
    supervisor = make()
    stubborn = "trap '' TERM; echo $$; while :; do sleep 0.1; done"
    scripts = {"x": 'exec sh -c "$1"', "y": 'sh -c "$1" & wait', "z": 'setsid sh -c "$1" & wait'}
    supervisor.configure([program(supervisor, name, text, stubborn) for name, text in scripts.items()])
    supervisor.launch()
    bring_up(supervisor, *scripts)
    loops = {name: int(supervisor.log.with_name(f"{name}.log").read_text()) for name in scripts}
    supervisor.stop(list(scripts))
    assert {item.state for item in supervisor.states().values()} == {"STOPPED"}
    assert wait_for(lambda: not {loops["x"], loops["y"]} & set(strays.find(supervisor.home)))
    # what has begun a session of its own is a stray
    assert loops["z"] in strays.end(supervisor.home, seconds=0.5)
    assert strays.find(supervisor.home) == []


def test_launch_twice_reads_the_changed_configuration(make: Make) -> None:
    supervisor = make()
    supervisor.configure([loop(supervisor, name) for name in ("stays", "goes", "changes")])
    supervisor.launch()
    bring_up(supervisor, "stays", "goes", "changes")
    before = supervisor.states()
    changed = program(supervisor, "changes", "echo up; exec sleep 2000")
    supervisor.configure([loop(supervisor, "stays"), changed, loop(supervisor, "comes")])
    supervisor.launch()
    supervisor.start(["stays", "changes", "comes"], settle=False)
    after = supervisor.states()
    assert set(after) == {"stays", "changes", "comes"}
    assert after["changes"].pid != before["changes"].pid
    assert after["comes"].pid


def test_unchanged_configuration_restarts_nothing(make: Make) -> None:
    supervisor = make()
    supervisor.configure([loop(supervisor, name) for name in ("one", "two")])
    supervisor.launch()
    bring_up(supervisor, "one", "two")
    before = supervisor.states()
    supervisor.configure([loop(supervisor, name) for name in ("one", "two")])
    supervisor.launch()
    supervisor.start(["one", "two"], settle=False)
    after = supervisor.states()
    assert {name: item.pid for name, item in after.items()} == {
        name: item.pid for name, item in before.items()
    }


def test_supervisord_killed_and_launched_again(make: Make) -> None:
    """A power cut, or the OOM killer: what it left behind must not hold the ports."""
    supervisor = make()
    supervisor.configure([loop(supervisor, "one")])
    supervisor.launch()
    bring_up(supervisor, "one")
    orphan = supervisor.states()["one"].pid
    os.kill(int((supervisor.run / "supervisord.pid").read_text()), signal.SIGKILL)
    assert wait_for(lambda: not supervisor.running())
    assert supervisor.states() == {}
    assert orphan in strays.find(supervisor.home)
    supervisor.launch()
    assert orphan not in strays.find(supervisor.home)
    bring_up(supervisor, "one")
    assert supervisor.states()["one"].pid not in (0, orphan)


def test_web_server_is_stopped_when_the_others_are_gone_and_the_database_last(make: Make) -> None:
    supervisor = make()
    note = supervisor.home / "order"
    script = 'trap \'sleep 0.3; echo "$1" >> "$2"; exit\' TERM INT; echo up; while :; do sleep 0.1; done'
    names = ["postgres", "api-server", "scheduler", "triggerer"]
    supervisor.configure([program(supervisor, name, script, name, str(note)) for name in names])
    for everything in (False, True):
        supervisor.launch()
        bring_up(supervisor, *names)
        if everything:
            supervisor.shut_down()
        else:
            supervisor.stop(names)
        said = note.read_text().split()
        assert (sorted(said[:2]), said[2:]) == (["scheduler", "triggerer"], ["api-server", "postgres"])
        note.unlink()


def test_scheduler_that_waits_for_nothing_is_ended(make: Make) -> None:
    supervisor = make()
    idle = "exec -a 'airflow worker -- LocalExecutor: <idle>' cat <> $1"
    script = f'mkfifo "$1"; ({idle}) & trap asked=1 TERM; echo up; while [ -z "$asked" ]; do sleep 0.1; done'
    command = ("bash", "-c", f"{script}; wait", "bash", str(supervisor.home / "fifo"))
    supervisor.configure([Program("scheduler", command, supervisor.log.with_name("scheduler.log"))])
    supervisor.launch()
    bring_up(supervisor, "scheduler")
    begun = time.monotonic()
    supervisor.stop(["scheduler"])
    assert time.monotonic() - begun < 15
    assert supervisor.states()["scheduler"].state == "STOPPED"


def test_stop_without_supervisord(make: Make) -> None:
    supervisor = make()
    supervisor.shut_down()
    supervisor.stop(["one"])
    assert not supervisor.running()


def test_two_homes_do_not_meet(make: Make) -> None:
    one, two = make("one"), make("one2")
    for supervisor in (one, two):
        supervisor.configure([loop(supervisor, "x")])
        supervisor.launch()
        bring_up(supervisor, "x")
    one.shut_down()
    assert two.states()["x"].pid


def test_program_gets_the_environment_of_the_installation(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://x")
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "x")
    supervisor = make()
    supervisor.configure([program(supervisor, "x", "env; exec sleep 1000")])
    supervisor.launch()
    bring_up(supervisor, "x")
    seen = dict(line.split("=", 1) for line in supervisor.log.with_name("x.log").read_text().splitlines())
    assert seen["AIRFERRY_HOME"] == str(supervisor.home)
    assert seen["LC_ALL"] == "C.UTF-8"
    assert not {"http_proxy", "AIRFLOW__CORE__EXECUTOR"} & set(seen)


def test_folder_of_another_account_is_not_used_for_the_socket(make: Make) -> None:
    supervisor = make("a" * 150)
    supervisor.configure([loop(supervisor, "x")])
    supervisor.socket.parent.mkdir(mode=0o777)
    supervisor.socket.parent.chmod(0o777)
    try:
        with pytest.raises(ServiceError, match="not a private folder"):
            supervisor.launch()
    finally:
        supervisor.socket.parent.rmdir()


def test_socket_does_not_depend_on_the_session(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor = make("a" * 150)
    before = supervisor.socket
    monkeypatch.setenv("TMPDIR", str(supervisor.home))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert supervisor.socket == before


def test_supervisord_that_does_not_start(make: Make) -> None:
    supervisor = make()
    supervisor.configure([])
    supervisor.configuration.write_text("[supervisord]\nlogfile = /nonexistent/x/y.log\n")
    with pytest.raises((process.CommandFailed, ServiceError)) as caught:
        supervisor.launch(seconds=2)
    assert str(supervisor.log) in caught.value.hint
