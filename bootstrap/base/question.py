"""Questions to the person at the terminal; where there is none, one error says what to give instead."""

from __future__ import annotations

import sys

import typer

from bootstrap.base import language
from wheelhouse.errors import AirferryError


class ConfirmationMissing(AirferryError):
    """A question was not answered with yes, or there is no terminal to ask it on."""

    reference = "confirmation-missing"
    exit_code = 93


def terminal() -> bool:
    """Whether there is a terminal with a person who can answer."""
    return sys.stdin is not None and sys.stdin.isatty()


def is_asked() -> bool:
    """Whether a question that scripts need not answer is put: its text, too, goes to a terminal."""
    return terminal() and sys.stderr is not None and sys.stderr.isatty()


def need_terminal(instead: str) -> None:
    """Raise :class:`ConfirmationMissing` where nobody can answer; `instead` are the options that do."""
    if not terminal():
        raise ConfirmationMissing("There is no terminal to ask on; nothing was changed.", needed=instead)


def confirm(question: str = "Continue?") -> None:
    """Ask on the terminal; raises :class:`ConfirmationMissing` for anything but yes."""
    need_terminal("--yes, if you are sure")
    if not typer.confirm(language.current().text(question), err=True):
        raise ConfirmationMissing("Nothing was changed.")
