"""Writes cli.md here and in docs/ko: python docs/reference/generate_cli.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import typer

from bootstrap import cli as closed
from bootstrap.base import language
from bundler import cli as outside

PAGE = Path(__file__).with_name("cli.md")
KOREAN = Path(__file__).parents[1] / "ko" / "cli.md"
HEAD = """# Command lines

Generated from the code by `docs/reference/generate_cli.py`; do not edit.

Each shows the same with `--help`. Exit codes are in [exit-codes.md](exit-codes.md), what `--json` prints in
[json.md](json.md), and what a bundle holds in [bundle.md](bundle.md).
"""


HEAD_KO = """# 명령줄

`docs/reference/generate_cli.py`가 코드에서 만들었습니다. 직접 고치지 마십시오.

명령마다 `--help`로 같은 것을 볼 수 있습니다. 종료 코드는 [exit-codes.md](exit-codes.md)에,
`--json`의 출력은 [json.md](../reference/json.md)에 있습니다. 인터넷 쪽의 `airferry`는 [영어
페이지](../reference/cli.md)에 있습니다.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, prefix, app in (
        ("The internet side", "airferry", outside.app),
        ("A bundle", "sh FILE", closed.application("bundled")),
        ("An installation", "HOME/bin/airferry", closed.application("installed")),
    ):
        commands = _commands(typer.main.get_command(app), prefix, language.ENGLISH)
        parts += [f"\n## {title}: `{prefix}`\n", *commands]
    return "".join(parts)


def korean() -> str:
    """The whole page in Korean: the closed side."""
    words = language.chosen({"AIRFERRY_LANG": "ko", "LANG": "ko_KR.UTF-8"})
    parts = [HEAD_KO]
    for title, prefix, kind in (("번들", "sh FILE", "bundled"), ("설치", "HOME/bin/airferry", "installed")):
        commands = _commands(typer.main.get_command(closed.application(kind)), prefix, words)
        parts += [f"\n## {title}: `{prefix}`\n", *commands]
    return "".join(parts)


def _commands(group: Any, prefix: str, words: language.Wording) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}", words)
            continue
        arguments = [item for item in command.params if item.param_type_name == "argument"]
        options = [item for item in command.params if item.param_type_name == "option"]
        usage = " ".join([prefix, name, *map(_argument, arguments), *(["[OPTIONS]"] if options else [])])
        yield f"\n### `{usage}`\n\n{_translated(command.help, words)}\n"
        rows = [(f"`{_argument(item)}`", item.help) for item in arguments if item.help]
        rows += [(", ".join(f"`{name}{_value(item)}`" for name in item.opts), item.help) for item in options]
        if rows:
            yield "\n| | |\n|---|---|\n"
        yield from (f"| {names} | {words.text(text) if text else ''} |\n" for names, text in rows)


def _translated(text: str, words: language.Wording) -> str:
    """A help text by its paragraphs."""
    if words is language.ENGLISH:
        return text
    return "\n\n".join(words.text(" ".join(part.split())) for part in text.split("\n\n"))


def _argument(item: Any) -> str:
    name = str(item.metavar or item.name.upper()).strip("[]")
    shown = name if item.required else f"[{name}]"
    return shown + ("..." if item.nargs == -1 and not name.endswith("...") else "")


def _value(item: Any) -> str:
    return f" {item.metavar}" if item.metavar and not item.is_flag else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    KOREAN.write_text(korean(), encoding="utf-8")
