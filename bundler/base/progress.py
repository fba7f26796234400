"""How a use case says what it is doing, without knowing who listens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from bootstrap.state.plan import Progress, Shown


class Reporter(Progress, Protocol):
    """A listener; :class:`bootstrap.base.console.Console` is one."""

    def progress(self, total: int | None, title: str) -> AbstractContextManager[Callable[[int], None]]:
        """The same, for `total` bytes; the value is called, from any thread, with each further bytes."""

    def warning(self, text: str) -> None:
        """Something that the user should know; the work goes on."""


class _Unseen:
    outcome = ""


class Silent:
    """Listens to nothing."""

    @contextmanager
    def step(self, title: str) -> Iterator[Shown]:
        """Let it run."""
        yield _Unseen()

    @contextmanager
    def progress(self, total: int | None, title: str) -> Iterator[Callable[[int], None]]:
        """Let it run."""
        yield lambda _: None

    def warning(self, text: str) -> None:
        """Ignore it."""
