"""Completion in a real shell: commands, options, components; nothing is started for it."""

from __future__ import annotations

import os
import pty
import select
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from bootstrap import cli as closed
from bootstrap.commands.completion import script
from bundler import cli as outside

INSIDE = script(typer.main.get_command(closed.application("installed")), "bash")
OUTSIDE = script(typer.main.get_command(outside.app), "bash")


def completed(text: str, line: str) -> list[str]:
    """What bash offers for a line, of which the last word is not finished."""
    words = line.split(" ")
    listed = " ".join(f"'{word}'" for word in words)
    asked = f"COMP_WORDS=({listed}); COMP_CWORD={len(words) - 1}; _airferry"
    code = f"{text}\n{asked}; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    ran = subprocess.run(["bash", "-c", code], check=True, capture_output=True, text=True)
    return ran.stdout.split()


@pytest.mark.parametrize(
    ("text", "line", "offered"),
    [
        (INSIDE, "airferry re", ["restart", "restore"]),
        (INSIDE, "airferry restart dag", ["dag-processor"]),
        (INSIDE, "airferry logs -f sche", ["scheduler"]),
        (INSIDE, "airferry config s", ["set"]),
        (INSIDE, "airferry config set --val", ["--value-file"]),
        (INSIDE, "airferry backup --ver", ["--verify"]),
        (INSIDE, "airferry add no-such", []),
        (OUTSIDE, "airferry bundle --no-def", ["--no-default-extras"]),
    ],
)
def test_bash_offers_what_fits(text: str, line: str, offered: list[str]) -> None:
    assert completed(text, line) == offered


class Zsh:
    """An interactive zsh on a pseudo-terminal that has read the script; nothing of the user's own."""

    def __init__(self, program: str, script_file: Path, home: Path) -> None:
        environ = {"PATH": os.environ["PATH"], "TERM": "dumb", "HOME": str(home), "PS1": "%% "}
        self._process, self._terminal = pty.fork()
        if self._process == 0:
            os.execve(program, [program, "-f", "-i"], environ)
        self.type(
            "cd; autoload -U compinit && compinit -u -D; source " + shlex.quote(str(script_file)) + "\n"
        )
        self.type("print read$((1+1))\n", until="read2")

    def type(self, text: str, until: str = "") -> str:
        """Type a text; what the terminal shows then, up to `until` or for as long as it takes to fail."""
        os.write(self._terminal, text.encode())
        shown, limit = "", time.monotonic() + 30
        while until and until not in shown and time.monotonic() < limit:
            if select.select([self._terminal], [], [], 0.2)[0]:
                shown += os.read(self._terminal, 65536).decode(errors="replace")
        return shown

    def close(self) -> None:
        os.kill(self._process, signal.SIGKILL)
        os.waitpid(self._process, 0)
        os.close(self._terminal)


@pytest.fixture
def zsh(tmp_path: Path) -> Iterator[Zsh]:
    program = shutil.which("zsh")
    if not program:
        pytest.skip("zsh is not on this machine (Debian: zsh)")
    file = tmp_path / "airferry.zsh"
    file.write_text(script(typer.main.get_command(closed.application("installed")), "zsh"), encoding="utf-8")
    opened = Zsh(program, file, tmp_path)
    yield opened
    opened.close()


def test_zsh_completes_what_is_typed(zsh: Zsh, tmp_path: Path) -> None:
    """With the tab key: a command, one of a group, an option, a component, a file, and a choice of two."""
    (tmp_path / "some-addon.run").touch()
    typed = {
        "airferry resta\t": "airferry restart ",
        "airferry config s\t": "airferry config set ",
        "airferry backup --ver\t": "airferry backup --verify ",
        "airferry logs -f sche\t": "airferry logs -f scheduler ",
        "airferry add some\t": "airferry add some-addon.run ",
        "airferry re\t\t": "restore",
    }
    shown = {text: zsh.type("\x15" + text, until=wanted) for text, wanted in typed.items()}
    assert {text: wanted for text, wanted in typed.items() if wanted not in shown[text]} == {}
