"""Help that is not cut: commands and options in groups, whole sentences, examples that can be pasted."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Dict, List, Sequence, Tuple, Type

import typer
import typer.core

_Rows = Dict[str, List[Tuple[str, str]]]


class HelpfulCommand(typer.core.TyperCommand):
    """A command whose options stand in their groups; its epilog holds examples, one a line."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group, arguments first, what every command has last."""
        groups: _Rows = {"Arguments": [], "Options": []}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            argument = parameter.param_type_name == "argument"
            group = getattr(parameter, "rich_help_panel", None)
            if record is not None:
                groups.setdefault(group or ("Arguments" if argument else "Options"), []).append(record)
        groups["Options"] = groups.pop("Options")
        _write(groups, formatter)

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        """Write the examples; ``{}`` in one stands for the program, which else comes first."""
        if self.epilog:
            program = ctx.find_root().info_name
            with formatter.section("Examples"):
                for line in self.epilog.splitlines():
                    text = line.replace("{}", program) if "{}" in line else f"{program} {line}"
                    formatter.write(f"{'':{formatter.current_indent}}{text}\n")


class HelpfulGroup(typer.core.TyperGroup):
    """Commands in their groups, each with its first sentence."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group of commands."""
        groups: _Rows = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                group = getattr(command, "rich_help_panel", None)
                groups.setdefault(group or "Commands", []).append((name, first_sentence(command.help or "")))
        _write(groups, formatter)


def first_sentence(text: str) -> str:
    """The first sentence of a help text, without line ends."""
    flat = " ".join(inspect.cleandoc(text).split("\n\n", 1)[0].split())
    return flat.split(". ", 1)[0].rstrip(".") + "." if flat else ""


def offer(
    app: typer.Typer,
    command: Callable[..., Any],
    examples: Sequence[str] = (),
    *,
    name: str = "",
    group: str = "",
    kind: Type[HelpfulCommand] = HelpfulCommand,
    **settings: Any,
) -> None:
    """Make a function a command of the application, with its examples."""
    epilog, panel = "\n".join(examples) or None, group or None
    app.command(name or None, cls=kind, epilog=epilog, rich_help_panel=panel, **settings)(command)


def _write(groups: _Rows, formatter: Any) -> None:
    for title, rows in groups.items():
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)
