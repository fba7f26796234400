"""Writes cli.md beside this file: python docs/reference/generate_cli.py."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import typer

from bootstrap import cli as closed
from bundler import cli as outside

PAGE = Path(__file__).with_name("cli.md")
HEAD = """# Command lines

Generated from the code by `docs/reference/generate_cli.py`; do not edit.

Each shows the same with `--help`. Exit codes are in [exit-codes.md](exit-codes.md), what `--json` prints in
[json.md](json.md), and what a bundle holds in [bundle.md](bundle.md).
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, prefix, app in (
        ("The internet side", "airferry", outside.app),
        ("A bundle", "sh FILE", closed.application("bundled")),
        ("An installation", "HOME/bin/airferry", closed.application("installed")),
    ):
        parts += [f"\n## {title}: `{prefix}`\n", *_commands(typer.main.get_command(app), prefix)]
    return "".join(parts)


def _commands(group: Any, prefix: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
            continue
        arguments = [item for item in command.params if item.param_type_name == "argument"]
        options = [item for item in command.params if item.param_type_name == "option"]
        usage = " ".join([prefix, name, *map(_argument, arguments), *(["[OPTIONS]"] if options else [])])
        yield f"\n### `{usage}`\n\n{command.help}\n"
        rows = [(f"`{_argument(item)}`", item.help) for item in arguments if item.help]
        rows += [(", ".join(f"`{name}{_value(item)}`" for name in item.opts), item.help) for item in options]
        if rows:
            yield "\n| | |\n|---|---|\n"
        yield from (f"| {names} | {help_text} |\n" for names, help_text in rows)


def _argument(item: Any) -> str:
    name = str(item.metavar or item.name.upper()).strip("[]")
    shown = name if item.required else f"[{name}]"
    return shown + ("..." if item.nargs == -1 and not name.endswith("...") else "")


def _value(item: Any) -> str:
    return f" {item.metavar}" if item.metavar and not item.is_flag else ""


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
