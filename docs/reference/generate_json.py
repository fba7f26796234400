"""Writes json.md beside this file: python docs/reference/generate_json.py."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

import typer

from bootstrap import cli as closed
from bootstrap.base.result import SCHEMA
from bootstrap.commands.doctor_results import Explained, Judgement
from bundler import cli as outside
from bundler.commands.judgement import BuildNeeds, Prospect
from wheelhouse.errors import AirferryError

PAGE = Path(__file__).with_name("json.md")
HEAD = """# JSON output

Generated from the types of the results by `docs/reference/generate_json.py`; do not edit.

Every command that takes `--json` prints one JSON object on standard output and nothing else there:

| key | |
|---|---|
| `schema` | the version of this shape, {schema}: under the same number a key may be added, and none changes its meaning or goes away |
| `ok` | whether the exit code is 0 |
| `command` | such as `install` or `config get` |
| `result` | what the command did or found, also when that is not well (`doctor`, `status`) |
| `error` | in its place when the command did not do its work: {error}; codes and references are in [exit-codes.md](exit-codes.md) |

`HOME/journal.jsonl` is what `history` shows, an event a line as it happens: `schema`, `time`, `event`
(`COMMAND-started`, `COMMAND-done`, ...) and `run`, which is the same for the events of one command.

No output holds a secret, but `config get --show-secret`.

## Results

| command | `result` |
|---|---|
"""  # noqa: E501
# one command for four questions, imported only when asked
_SEVERAL = {"airferry doctor": (Judgement, Prospect, BuildNeeds, Explained)}
# of types that share their name
_TITLES: dict[Any, str] = {}
_PLAIN = {str: "string", int: "integer", float: "number", bool: "true or false", Any: "any", object: "any"}


def page() -> str:
    """The whole page."""
    results: dict[str, tuple[Any, ...]] = {}
    for prefix, app in (
        ("airferry", outside.app),
        ("sh FILE", closed.application("bundled")),
        ("HOME/bin/airferry", closed.application("installed")),
    ):
        for name, command in _commands(typer.main.get_command(app), prefix):
            results[name] = _SEVERAL.get(name) or _results(command.callback)
    kinds = _all(results)
    names = [kind.__name__ for kind in kinds]
    for kind in kinds:
        if names.count(kind.__name__) > 1:
            _TITLES[kind] = f"{kind.__name__} of {kind.__module__.rpartition('.')[2]}"
    error = ", ".join(f"`{name}`" for name in AirferryError("").as_dict())
    parts = [HEAD.format(schema=SCHEMA, error=error)]
    for name, several in results.items():
        parts.append(f"| `{name}` | {', or '.join(_link(kind) for kind in several)} |\n")
    parts.append("\n## Types\n")
    for kind in sorted(kinds, key=lambda kind: _title(kind).lower()):
        parts += ["\n", *_type(kind)]
    return "".join(parts)


def _commands(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from _commands(command, f"{prefix} {name}")
        elif any(item.name == "json" for item in command.params):
            yield f"{prefix} {name}", command


def _results(callback: Any) -> tuple[Any, ...]:
    """The types that a command's ``Result[...]`` may hold."""
    function = inspect.unwrap(callback)
    (kind,) = typing.get_args(typing.get_type_hints(function)["return"])
    kinds = typing.get_args(kind) if typing.get_origin(kind) is typing.Union else (kind,)
    return tuple(item for item in kinds if item is not type(None))


def _all(results: dict[str, tuple[Any, ...]]) -> set[Any]:
    found: set[Any] = set()
    waiting = [kind for kinds in results.values() for kind in kinds]
    while waiting:
        kind = waiting.pop()
        if kind in found:
            continue
        found.add(kind)
        for hint in typing.get_type_hints(kind).values():
            waiting += _dataclasses(hint)
    return found


def _title(kind: Any) -> str:
    return _TITLES.get(kind, kind.__name__)


def _dataclasses(hint: Any) -> list[Any]:
    if dataclasses.is_dataclass(hint):
        return [hint]
    return [found for item in typing.get_args(hint) for found in _dataclasses(item)]


def _type(kind: Any) -> Iterator[str]:
    yield f"### {_title(kind)}\n\n{_words(kind.__doc__ or '')}\n\n| field | |\n|---|---|\n"
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        yield f"| `{field.name}` | {_shape(hints[field.name])} |\n"


def _words(docstring: str) -> str:
    text = re.sub(r":\w+:`~?([^`]+)`", r"`\1`", inspect.cleandoc(docstring).replace("``", "`"))
    return "\n\n".join(part for part in text.split("\n\n") if not part.startswith("Raises"))


def _shape(hint: Any) -> str:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if type(None) in arguments:
        return " or ".join([*(_shape(item) for item in arguments if item is not type(None)), "null"])
    if origin in (tuple, list):
        return f"list of {_shape(arguments[0])}"
    if origin is dict:
        return f"object: name to {_shape(arguments[1])}"
    return _link(hint) if dataclasses.is_dataclass(hint) else _PLAIN[hint]


def _link(kind: Any) -> str:
    title = _title(kind)
    return f"[{title}](#{title.lower().replace(' ', '-')})"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
