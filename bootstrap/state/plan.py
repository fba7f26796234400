"""A plan: steps in order, each of which knows whether it is done; a journal tells what happened."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import ContextManager, List, Protocol, Sequence

from bootstrap.state.journal import Journal


class Step(Protocol):
    """One change to the host.

    ``done`` looks and changes nothing; ``apply`` may be interrupted at any point and applied again.
    """

    @property
    def name(self) -> str:
        """A short kebab-case name for the journal."""

    def describe(self) -> str:
        """One line for the admin, in the imperative, with the paths and values that matter."""

    def done(self) -> bool:
        """Whether there is nothing left to do."""

    def apply(self) -> None:
        """Do it; raises AirferryError."""


class Shown(Protocol):
    """A step that is being shown; `outcome` is the word that it ends with."""

    outcome: str


class Progress(Protocol):
    """Where the execution of a plan shows itself."""

    def step(self, title: str) -> ContextManager[Shown]:
        """Show that a step runs, and how it ended."""


@dataclass(frozen=True)
class Done:
    """What became of a step: `state` is done, already or failed; `seconds` is wall time."""

    name: str
    state: str
    seconds: float


def execute(steps: Sequence[Step], progress: Progress, journal: Journal) -> List[Done]:
    """Apply every step that is not done, in order; stops at the first that fails and raises its error."""
    results = []
    for step in steps:
        if step.done():
            with progress.step(step.describe()) as shown:
                shown.outcome = "already done"
            results.append(Done(step.name, "already", 0.0))
            continue
        started = time.monotonic()
        journal.write("step-started", step=step.name)
        try:
            with progress.step(step.describe()):
                step.apply()
        except BaseException as error:
            with contextlib.suppress(OSError):  # a full disk may be why the step failed
                journal.write("step-failed", step=step.name, error=type(error).__name__)
            raise
        results.append(Done(step.name, "done", round(time.monotonic() - started, 2)))
        journal.write("step-done", step=step.name, seconds=results[-1].seconds)
    return results
