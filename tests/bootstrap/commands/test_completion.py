"""Completion in a real shell: commands, options, components; nothing is started for it."""

from __future__ import annotations

import shutil
import subprocess

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


def test_zsh_reads_it() -> None:
    zsh = shutil.which("zsh")
    if not zsh:
        pytest.skip("zsh is not on this machine")
    text = script(typer.main.get_command(closed.application("installed")), "zsh")
    code = f"autoload -U compinit && compinit -u -D\n{text}\nprint ${{_comps[airferry]}}"
    ran = subprocess.run([zsh, "-fc", code], check=False, capture_output=True, text=True)
    assert (ran.returncode, "_airferry" in ran.stdout, ran.stderr) == (0, True, "")
