"""Text of a stranger (a manifest, facts, a file name) must not act on the terminal that shows it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import re
import sys
import time
from collections.abc import Callable

import pytest

from bootstrap.base.console import Console
from wheelhouse.errors import AirferryError

# sets the title, moves the cursor, clears the screen (C0 and C1), reorders, hides, breaks the line
EVIL = "a\x1b]0;owned\x07b\x9b2Jc\u202ed\u2066e\u200bf\u2028g\x7fh\rI\U000e0041j\xadk\udc9bl"
ACTS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]"
)
# what rich itself draws with: colours, the cursor's visibility, going up and to the start of a line
OURS = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[lh]|\x1b\[[0-9]*A|\x1b\[2K|\r")


class Terminal(io.StringIO):
    """A terminal whose bytes can be looked at."""

    def isatty(self) -> bool:
        return True


# In a terminal of root's: whether the account can type into it, and whether Ctrl-C ends its process.
_SESSION = """
import fcntl, os, select, signal, sys, termios, time
from bootstrap.base import account
child = os.fork()
if child == 0:
    account.become(account.find("nobody"))
    try:
        for key in b"id\\n":
            fcntl.ioctl(0, termios.TIOCSTI, bytes([key]))
        print("typed", flush=True)
    except OSError:
        print("refused", flush=True)
    time.sleep(60)
status = account.attend(child)
print("status", status, bool(select.select([0], [], [], 0)[0]), flush=True)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's terminal has more to lose than the account's")
@pytest.mark.parametrize("leads", [False, True], ids=["child", "leader"])
def test_the_account_types_nothing_into_roots_shell(leads: bool) -> None:
    """A program that runs as the account has root's terminal (ioctl_tty(2), TIOCSTI; see sudo's use_pty)."""
    child, terminal = pty.fork()
    if child == 0:
        code = _SESSION.replace("os.fork()", "0") if leads else _SESSION
        os.execv(sys.executable, [sys.executable, "-c", code])
    said = b""
    with contextlib.suppress(OSError):  # EIO: the other end is closed
        while part := os.read(terminal, 1000):
            said += part
            if b"typed" in part or b"refused" in part:
                time.sleep(0.5)  # until both wait
                os.write(terminal, b"\x03")
    os.close(terminal)
    _, status = os.waitpid(child, 0)
    assert b"refused" in said
    if leads:
        assert os.waitstatus_to_exitcode(status) == 130
    else:
        assert b"status 130 False" in said, said


def step(console: Console) -> None:
    with console.step(EVIL) as running:
        running.detail(EVIL)
        running.outcome = EVIL


def progress(console: Console) -> None:
    with console.progress(10, EVIL) as advance:
        advance(10)


WAYS: dict[str, Callable[[Console], None]] = {
    "print": lambda console: console.print(EVIL),
    "command": lambda console: console.command(EVIL, label=EVIL),
    "labelled": lambda console: console.labelled(EVIL, EVIL),
    "summary": lambda console: console.summary([(EVIL, EVIL)], EVIL),
    "table": lambda console: console.table([EVIL], [[EVIL]], EVIL),
    "error": lambda console: console.error(AirferryError(EVIL, found=EVIL, needed=EVIL, hint=EVIL)),
    "warning": lambda console: console.warning(EVIL),
    "note": lambda console: console.note(EVIL),
    "json": lambda console: console.json({EVIL: [EVIL]}),
    "step": step,
    "progress": progress,
}


@pytest.mark.parametrize("stream", [Terminal, io.StringIO], ids=["terminal", "pipe"])
@pytest.mark.parametrize("way", WAYS)
def test_nothing_that_acts_reaches(way: str, stream: type[io.StringIO]) -> None:
    err, out = stream(), stream()
    WAYS[way](Console(err, out, environ={"LANG": "C.UTF-8", "TERM": "xterm"}))
    shown = err.getvalue() + out.getvalue()
    if stream is Terminal:
        shown = OURS.sub("", shown)
    assert "owned" in shown
    assert ACTS.findall(shown) == []


def test_json_keeps_every_value() -> None:
    out = io.StringIO()
    Console(out=out, environ={"LANG": "C.UTF-8"}).json({"value": EVIL, "한글": "Ω"})
    assert json.loads(out.getvalue()) == {"value": EVIL, "한글": "Ω"}
    assert "한글" in out.getvalue()
