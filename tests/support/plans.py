"""Steps of a plan, and progress that remembers them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path


class FileStep:
    """Makes a file; `error` is raised once its first half is written."""

    def __init__(self, path: Path, error: BaseException | None = None) -> None:
        self.path = path
        self.error = error
        self.applied = 0

    @property
    def name(self) -> str:
        return self.path.name

    def describe(self) -> str:
        return f"Make {self.path.name}"

    def done(self) -> bool:
        return self.path.exists()

    def apply(self) -> None:
        self.applied += 1
        if self.error:
            raise self.error
        self.path.touch()


class Shown:
    def __init__(self) -> None:
        self.outcome = "done"


class Watcher:
    """Progress that remembers; `lines` holds title and outcome of each step."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[Shown]:
        shown = Shown()
        try:
            yield shown
        except BaseException:
            self.lines.append((title, "failed"))
            raise
        self.lines.append((title, shown.outcome))
