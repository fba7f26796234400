"""``completion``: a script for bash and zsh that completes commands, options and names by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Dict, Iterator, List, Tuple

import typer

from bootstrap.base import manual
from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.base.spelling import did_you_mean
from bootstrap.commands.shared import JSON
from wheelhouse.errors import AirferryError

SHELLS = ("bash", "zsh")
# of every release
_COMPONENTS = "postgres api-server webserver scheduler dag-processor triggerer"
_NAMES: Dict[str, str] = {
    **dict.fromkeys(("start", "stop", "restart", "logs"), _COMPONENTS),
    "completion": " ".join(SHELLS),
}


class UnknownShell(AirferryError):
    """There is no completion for that shell."""

    reference = "unknown-shell"
    exit_code = 2


@dataclass(frozen=True)
class Completion:
    """A script for a shell to read."""

    shell: str
    script: str


def completion(
    context: typer.Context,
    shell: str = typer.Argument(..., metavar="SHELL", help="bash or zsh."),
    json: bool = JSON,
) -> Result[Completion]:
    """Print a script that completes this command line in a shell."""
    if shell not in SHELLS:
        raise UnknownShell(
            f"There is no completion for {shell}.",
            needed=" or ".join(SHELLS),
            hint=did_you_mean(shell, SHELLS),
        )
    root: Any = context.find_root()
    text = script(root.command, shell)

    def show(console: Console) -> None:
        for line in text.splitlines():
            console.command(line, indent=0)

    return Result(Completion(shell, text), show)


def script(group: Any, shell: str) -> str:
    """The script for the commands of a group; options and files are offered where nothing else is known."""
    cases = [f"    {_pattern(words)}) words={_quoted(found)} ;;" for words, found in _known(group, ())]
    loading = ["autoload -U +X bashcompinit && bashcompinit"] if shell == "zsh" else []
    return "\n".join(
        [
            "# Written by airferry completion; read by the shell that it is for.",
            *loading,
            "_airferry() {",
            '    local line="" word words="" index=1',
            '    while [ "$index" -lt "$COMP_CWORD" ]; do',
            "        word=${COMP_WORDS[index]}",
            '        case $word in -*) ;; *) line="$line $word" ;; esac',
            "        index=$((index + 1))",
            "    done",
            '    case "$line " in',
            *cases,
            "    esac",
            '    COMPREPLY=($(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}"))',
            "}",
            "complete -o default -F _airferry airferry",
            "",
        ]
    )


def _known(command: Any, words: Tuple[str, ...]) -> Iterator[Tuple[Tuple[str, ...], List[str]]]:
    """What may follow the words of a command line, the longest first."""
    commands = getattr(command, "commands", {})
    for name, child in commands.items():
        yield from _known(child, (*words, name))
    options = [option for item in command.params for option in (*item.opts, *item.secondary_opts)]
    names = _NAMES.get(" ".join(words), "").split()
    if words == ("help",):
        names = [topic.name for topic in manual.topics()]
    listed = sorted(option for option in options if option.startswith("--"))
    yield words, [*commands, *names, *listed, "--help"]


def _pattern(words: Tuple[str, ...]) -> str:
    return '" "' if not words else f'" {" ".join(words)} "*'


def _quoted(words: List[str]) -> str:
    return '"' + " ".join(words) + '"'
