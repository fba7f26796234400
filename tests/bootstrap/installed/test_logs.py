"""Log files: the last lines, those since a time, and following through rotation, truncation and absence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from bootstrap.base.account import current
from bootstrap.installed.logs import Follower, Log, UnknownTime, choose, last, moment, since
from bootstrap.services.manager import UnknownComponent
from bootstrap.state import receipt as receipts
from bootstrap.state.home import Home
from tests.support.commands import CODE
from tests.support.receipts import sample

ROOT = Path(__file__).parents[3]
NOW = datetime(2025, 11, 25, 12, 0, tzinfo=timezone.utc)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log("scheduler", tmp_path / "scheduler.log")


def rotate(log: Log) -> None:
    """As supervisor's RotatingFileHandler does it."""
    for number in (2, 1):
        old = log.path.with_name(f"{log.path.name}.{number}")
        if old.exists():
            old.replace(log.path.with_name(f"{log.path.name}.{number + 1}"))
    log.path.replace(f"{log.path}.1")


def write(log: Log, text: str) -> None:
    with log.path.open("a", newline="") as stream:
        stream.write(text)


@pytest.mark.parametrize("count", [0, 1, 3, 5, 100])
def test_last_lines_reach_into_rotated_files(log: Log, count: int) -> None:
    write(log, "1\n2\n")
    rotate(log)
    write(log, "3\rx\n4\n")
    rotate(log)
    write(log, "5\n6")
    assert (
        last(log, count) == [b"1\n", b"2\n", b"3\rx\n", b"4\n", b"5\n", b"6\n"][max(0, 6 - count) :][:count]
    )


def test_last_lines_of_a_large_file(log: Log) -> None:
    write(log, "".join(f"{number} {'x' * 150}\n" for number in range(5000)))
    assert [line.split()[0] for line in last(log, 1000)] == [
        str(number).encode() for number in range(4000, 5000)
    ]


def test_no_log_yet(log: Log) -> None:
    assert last(log, 5) == []
    assert list(since(log, NOW)) == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("2025-11-25T11:59:59.123456Z [info     ] a", "2025-11-25T12:00:00.000001Z [info     ] b"),
        ("2025-11-25 11:59:59.101 UTC [7] LOG:  a", "2025-11-25 12:00:01.101 UTC [7] LOG:  b"),
        ("[2025-11-25 13:59:59 +0200] [7] [INFO] a", "[2025-11-25 14:00:00 +0200] [7] [INFO] b"),
        ("[2025-11-25T12:59:59.001+0100] {x.py:1} INFO - a", "[2025-11-25T13:00:01.001+01:00] {x.py:1} b"),
        ("[2025-11-25 11:59:59,123] {x.py:1} INFO - a", "[2025-11-25 12:00:01,123] {x.py:1} INFO - b"),
    ],
)
def test_since_knows_every_stamp(log: Log, before: str, after: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    write(log, f"banner\n{before}\nof a\n")
    rotate(log)
    write(log, f"{before}\n{after}\nof b\n{before}\n")
    assert list(since(log, NOW)) == [f"{after}\n".encode(), b"of b\n", f"{before}\n".encode()]
    monkeypatch.undo()
    time.tzset()


def test_since_leaves_files_that_are_older_unread(log: Log) -> None:
    write(log, "2027-01-01 00:00:00 UTC claims a later time\n")
    os.utime(log.path, (0, 0))
    rotate(log)
    write(log, "2025-11-25 12:00:00 UTC b\n")
    assert list(since(log, NOW)) == [b"2025-11-25 12:00:00 UTC b\n"]


def test_moments() -> None:
    assert moment("30m", NOW) == NOW - timedelta(minutes=30)
    assert moment("2h", NOW) == NOW - timedelta(hours=2)
    assert moment("3d", NOW) == NOW - timedelta(days=3)
    assert moment("2025-11-25 14:30") == datetime(2025, 11, 25, 14, 30).astimezone()
    assert moment("2025-11-25") == datetime(2025, 11, 25).astimezone()
    for text in ("", "yesterday", "5", "2026-13-01"):
        with pytest.raises(UnknownTime):
            moment(text)


def test_following_goes_on_through_rotation(log: Log) -> None:
    write(log, "old\n")
    follower = Follower(log)
    assert follower.lines() == []
    write(log, "a\nhal")
    assert follower.lines() == [b"a\n"]
    write(log, "f\nb\n")
    rotate(log)
    assert follower.lines() == [b"half\n", b"b\n"]
    write(log, "c\n")
    assert follower.lines() == [b"c\n"]
    write(log, "d\n")
    rotate(log)
    write(log, "e\n")
    assert follower.lines() == [b"d\n", b"e\n"]
    follower.close()


def test_following_a_log_that_is_made_later_or_cut_short(log: Log) -> None:
    follower = Follower(log)
    assert follower.lines() == []
    write(log, "first\n")
    assert follower.lines() == [b"first\n"]
    log.path.write_text("")
    write(log, "new\n")
    assert follower.lines() == [b"new\n"]
    follower.close()


def test_choosing(tmp_path: Path) -> None:
    home = Home(tmp_path)
    known = ["postgres", "scheduler"]
    assert [log.name for log in choose(home, known, [], install=False)] == known
    assert [log.path for log in choose(home, known, [], install=True)] == [home.install_log]
    assert [log.name for log in choose(home, known, ["scheduler"], install=True)] == ["scheduler", "install"]
    with pytest.raises(UnknownComponent):
        choose(home, known, ["web"], install=False)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """As much of an installation as the command looks at."""
    home = Home(tmp_path / "home")
    home.own_logs.mkdir(parents=True)
    receipts.save(home.receipt, replace(sample(home.path), account=current().name))
    for name in ("scheduler", "triggerer"):
        (home.own_logs / f"{name}.log").write_text(f"{name} 1\n{name} \x1b[31m2\n")
    return home


def started(home: Home, *arguments: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-c", CODE, "logs", "--home", str(home.path), *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.fixture
def following(home: Home) -> Iterator[subprocess.Popen[bytes]]:
    with started(home, "scheduler", "triggerer", "-f", "-n", "1") as child:
        assert child.stdout
        assert child.stdout.readline() == b"scheduler | scheduler ?[31m2\n"
        assert child.stdout.readline() == b"triggerer | triggerer ?[31m2\n"
        yield child
        child.kill()


def test_command_names_the_component_of_each_line(home: Home) -> None:
    out, err = started(home, "-n", "1").communicate()
    assert out.splitlines() == [
        b"scheduler     | scheduler ?[31m2",
        b"triggerer     | triggerer ?[31m2",
    ]
    assert err == b""
    assert started(home, "scheduler").communicate()[0] == b"scheduler 1\nscheduler ?[31m2\n"


def test_command_follows_several_and_ends_with_ctrl_c_as_cat_does(
    home: Home, following: subprocess.Popen[bytes]
) -> None:
    (home.own_logs / "triggerer.log").replace(home.own_logs / "triggerer.log.1")
    (home.own_logs / "triggerer.log").write_text("after rotation\n")
    assert following.stdout
    assert following.stdout.readline() == b"triggerer | after rotation\n"
    following.send_signal(signal.SIGINT)
    assert following.wait(5) == -signal.SIGINT
    assert following.communicate() == (b"", b"")


def test_command_notices_that_nobody_reads_any_more(following: subprocess.Popen[bytes]) -> None:
    """As with ``| head``: nothing has to be written for that."""
    assert following.stdout
    assert following.stderr
    following.stdout.close()
    assert following.wait(5) in (0, -signal.SIGPIPE)
    assert following.stderr.read() == b""
