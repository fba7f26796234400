"""Help that is not cut: commands and options in groups, whole sentences, examples that can be pasted."""

from __future__ import annotations

import inspect
from typing import Any, Callable, Dict, List, Sequence, Tuple, Type

import typer
import typer.core

from bootstrap.base import language
from bootstrap.base.columns import cells, wrap

_Rows = Dict[str, List[Tuple[str, str]]]
_WIDEST_NAME = 30  # cells, as in typer's own help


class _Spoken:
    """Usage and help text in the language of the environment; typer writes English, and counts letters."""

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        """As of typer."""
        say, pieces = language.current(), " ".join(self.collect_usage_pieces(ctx))  # type: ignore[attr-defined]
        formatter.write_usage(ctx.command_path, pieces, prefix=f"{say.word('Usage:')} ")

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """As of typer; other languages than English are wrapped by cells."""
        say = language.current()
        if say is language.ENGLISH:
            super().format_help_text(ctx, formatter)  # type: ignore[misc]
            return
        for paragraph in inspect.cleandoc(self.help or "").split("\n\n"):  # type: ignore[attr-defined]
            formatter.write_paragraph()
            for line in wrap(say.text(" ".join(paragraph.split())), formatter.width - 2):
                formatter.write(f"  {line}\n")


class HelpfulCommand(_Spoken, typer.core.TyperCommand):
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
            with formatter.section(language.current().word("Examples")):
                for line in self.epilog.splitlines():
                    text = line.replace("{}", program) if "{}" in line else f"{program} {line}"
                    formatter.write(f"{'':{formatter.current_indent}}{text}\n")


class HelpfulGroup(_Spoken, typer.core.TyperGroup):
    """Commands in their groups, each with its first sentence."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the options of every command, then the commands."""
        records = [parameter.get_help_record(ctx) for parameter in self.get_params(ctx)]
        _write({"Options": [record for record in records if record is not None]}, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a section for each group of commands."""
        groups: _Rows = {}
        for name in self.list_commands(ctx):
            command: Any = self.get_command(ctx, name)
            if command is not None and not command.hidden:
                group = getattr(command, "rich_help_panel", None)
                groups.setdefault(group or "Commands", []).append((name, _short(command.help or "")))
        _write(groups, formatter)


def first_sentence(text: str) -> str:
    """The first sentence of a help text, without line ends."""
    flat = " ".join(inspect.cleandoc(text).split("\n\n", 1)[0].split())
    return flat.split(". ", 1)[0].rstrip(".") + "." if flat else ""


def _short(text: str) -> str:
    """The first sentence of a help text in the language of the environment."""
    flat = " ".join(inspect.cleandoc(text).split("\n\n", 1)[0].split())
    return first_sentence(language.current().text(flat))


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
    say = language.current()
    for title, rows in groups.items():
        if rows:
            with formatter.section(say.word(title)):
                if say is language.ENGLISH:
                    formatter.write_dl(rows)
                else:
                    _write_by_cells([(name, _record(text)) for name, text in rows], formatter)


def _record(text: str) -> str:
    """What help says of a parameter: its text, and what typer adds in brackets."""
    say = language.current()
    told, _, added = text.partition("  [")
    return say.word(told) + (f"  {say.word(f'[{added}')}" if added else "")


def _write_by_cells(rows: Sequence[Tuple[str, str]], formatter: Any) -> None:
    """Names and texts side by side, as typer lays them out, in a script of wide letters."""
    indent = formatter.current_indent
    first = min(max(cells(name) for name, _ in rows), _WIDEST_NAME) + 2
    for name, text in rows:
        lines = wrap(text, max(formatter.width - indent - first, 10))
        if cells(name) + 2 > first:
            formatter.write(f"{'':{indent}}{name}\n")
            head = " " * first
        else:
            head = name + " " * (first - cells(name))
        for line in lines:
            formatter.write(f"{'':{indent}}{head}{line}".rstrip() + "\n")
            head = " " * first
