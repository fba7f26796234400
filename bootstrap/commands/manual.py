"""``help``: of a command, or a page of the manual, on both command lines of the closed side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, List, Optional, Tuple

import typer

from bootstrap.base import manual
from bootstrap.base.console import Console
from bootstrap.base.manual import Topic
from bootstrap.base.result import Result
from bootstrap.base.spelling import did_you_mean
from bootstrap.commands.shared import JSON
from wheelhouse.errors import AirferryError


class UnknownTopic(AirferryError):
    """There is no command, no page of the manual and no finding of that name."""

    reference = "unknown-topic"
    exit_code = 2


@dataclass(frozen=True)
class Help:
    """A help text or a page, as plain text; without a name, `topics` are the pages that there are."""

    text: str
    topics: Tuple[Topic, ...] = ()


def show_help(
    context: typer.Context,
    name: Optional[List[str]] = typer.Argument(
        None,
        metavar="[COMMAND | TOPIC]",
        help="A command, such as config set, a page of the manual, or the id of a finding.",
    ),
    json: bool = JSON,
) -> Result[Help]:
    """Show the help of a command, or a page of the manual; without a name, what there is."""
    root = context.find_root()
    if not name:
        return _everything(root)
    text = _of_command(root, name)
    if text is not None:
        lines = text.splitlines()

        def show(console: Console) -> None:
            for line in lines:
                console.command(line, indent=0)

        return Result(Help(text), show)
    topic = " ".join(name)
    found = manual.page(topic)
    if found is None:
        finding = _of_finding(topic)
        if finding is not None:
            return finding
        known = [*getattr(root.command, "commands", {}), *(item.name for item in manual.topics())]
        raise UnknownTopic(
            f"There is no command and no page {topic}.",
            hint=did_you_mean(topic, known) or f"{root.info_name} help lists them all.",
        )
    return Result(Help(found), lambda console: console.page(found))


def _of_finding(topic: str) -> Optional[Result[Help]]:
    """What doctor explains of the finding of that id; None where it has none."""
    # imports every check
    from bootstrap.doctor.catalogue import CATALOGUE  # noqa: PLC0415
    from bootstrap.doctor.explain import render_entry  # noqa: PLC0415

    entry = CATALOGUE.entries.get(topic)
    if entry is None:
        return None
    text = "\n\n".join(part for part in (f"{entry.title}.", entry.why, entry.more) if part)
    return Result(Help(text), lambda console: render_entry(topic, console))


def _everything(root: Any) -> Result[Help]:
    text, topics = root.command.get_help(root), tuple(manual.topics())

    def show(console: Console) -> None:
        for line in text.splitlines():
            console.command(line, indent=0)
        for kind in dict.fromkeys(item.kind for item in topics):
            console.print()
            console.summary([(item.name, item.title) for item in topics if item.kind == kind], f"{kind}:")
        if topics:
            console.print(f"\nA page: {root.info_name} help TOPIC, or with a browser: {_index()}")

    return Result(Help(text, topics), show)


def _index() -> str:
    """Where the pages for a browser are, once they are unpacked."""
    folder = manual.folder()
    return str(folder / "index.html") if folder.is_dir() else "HOME/doc/index.html after an install"


def _of_command(root: Any, words: List[str]) -> Optional[str]:
    """The help text of the command that the words name; None for words that name none."""
    context = root
    for word in words:
        command = getattr(context.command, "commands", {}).get(word)
        if command is None:
            return None
        context = type(root)(command, info_name=word, parent=context)
    text: str = context.command.get_help(context)
    return text
