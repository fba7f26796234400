"""Help on both sides: nothing cut, options and commands in groups, examples that are there."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
import typer

from bootstrap import cli as closed
from bootstrap.commands.helpful import first_sentence
from bootstrap.commands.shared import run
from bundler import cli as outside

APPS = {
    "airferry": outside.app,
    "sh FILE": closed.application("bundled"),
    "HOME/bin/airferry": closed.application("installed"),
}


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    yield words, group
    for name, command in getattr(group, "commands", {}).items():
        yield from commands(command, (*words, name))


@pytest.mark.parametrize("program", APPS)
def test_every_help_fits_80_columns_and_cuts_nothing(
    program: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    wrong = []
    for words, command in commands(typer.main.get_command(APPS[program])):
        assert run(APPS[program], program, [*words, "-h"]) == 0
        shown = capsys.readouterr().out
        flat = " ".join(shown.split())
        # an example is a command to be copied: it stays on its line
        text = shown.split("\nExamples:\n")[0]
        wrong += [
            line for line in text.splitlines() if len(line) > 80 or (line.endswith("...") and "[" not in line)
        ]
        for name, child in getattr(command, "commands", {}).items():
            if f"{name} {first_sentence(child.help)}" not in flat:
                wrong.append(name)
    assert wrong == []


def test_options_stand_in_groups(capsys: pytest.CaptureFixture[str]) -> None:
    run(APPS["sh FILE"], "sh FILE", ["install", "-h"])
    shown = capsys.readouterr().out
    order = [
        "\nThe installation:",
        "  --port",
        "\nThe database:",
        "  --postgres ",
        "\nOptions:",
        "  -y, --yes",
    ]
    assert sorted(order, key=shown.index) == order
    run(APPS["airferry"], "airferry", ["bundle", "-h"])
    shown = capsys.readouterr().out
    assert re.findall(r"(?m)^([A-Z].*):$", shown) == [
        "Arguments", "What is in it", "The closed host", "How it is made", "Where it comes from", "Options",
        "Examples",
    ]  # fmt: skip


def test_every_example_is_a_command_with_its_options() -> None:
    """The words of an example that begin with a dash are options of the command that shows it."""
    wrong = []
    for program, app in APPS.items():
        root: Any = typer.main.get_command(app)
        for words, command in commands(root):
            for line in (command.epilog or "").splitlines() if words else ():
                found = shlex.split(re.sub(r'^.*?"\$\(\{\} (.*)\)"$', r"\1", line), comments=True)
                inside = dict(commands(root))
                named = inside.get(tuple(found[: len(words)]))
                known = {option for item in named.params for option in item.opts} if named else set()
                options = [word for word in found if word.startswith("-") and word != "--" and word != ">"]
                if named is None or not set(options) <= known:
                    wrong.append((program, line))
    assert wrong == []


@pytest.mark.parametrize("program", [name for name in APPS if name != "airferry"])
def test_every_korean_help_fits_80_columns(
    program: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.cells import cell_len

    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    wrong = []
    for words, _ in commands(typer.main.get_command(APPS[program])):
        assert run(APPS[program], program, [*words, "-h"]) == 0
        text = capsys.readouterr().out.split("\n예:\n")[0]
        assert text.startswith("사용법: ") and "이 도움말을 보여 주고 끝냅니다." in text
        wrong += [line for line in text.splitlines() if cell_len(line) > 80]
    assert wrong == []


def test_a_usage_error_is_shown_in_korean(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANG", "ko_KR.UTF-8")
    assert run(APPS["HOME/bin/airferry"], "airferry", ["status", "--no-such"]) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("사용법: airferry status [OPTIONS]\n도움말: ")
    assert "오류: 그런 옵션이 없습니다: --no-such" in shown


@pytest.mark.parametrize(
    ("written", "meant"),
    [("--nonsense", ""), ("--prot", "--port"), ("--postrges", "--postgres"), ("--acount", "--account")],
)
def test_an_option_is_suggested_only_where_it_is_like_the_one_written(
    written: str, meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(APPS["sh FILE"], "sh FILE", ["install", written]) == 2
    said = capsys.readouterr().err
    assert written in said
    assert (meant in said.replace(written, "")) if meant else ("mean" not in said and "Possible" not in said)
