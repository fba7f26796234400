"""One fault: prepare, run, strike, heal, run the same command again, and look at what is there."""

from __future__ import annotations

import json
import subprocess
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.faults.kinds import BY_NAME
from tests.faults.machine import HOME, Machine
from tests.faults.operations import Operation, between, whole

_TRIES = 2
JOURNAL = HOME / "journal.jsonl"


@dataclass(frozen=True)
class Case:
    """What is struck, how, and when: `delay` seconds after `step` began (empty: after the command did)."""

    operation: str
    kind: str
    step: str
    delay: float
    running: bool = False

    @property
    def moment(self) -> str:
        """For people."""
        return f"{self.step or 'start'} + {self.delay:.2f} s"


@dataclass
class Outcome:
    """What became of it: `first` is the exit status of the struck command, `again` of each further try.

    `state` is the installation that was there in the end (old, new), `problems` all that was wrong, `said`
    what a further try that did not succeed had to say.
    """

    case: Case
    first: int = 0
    again: list[int] = field(default_factory=list)
    state: str = ""
    problems: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def as_dict(self) -> dict[str, Any]:
        """As JSON-able data."""
        return asdict(self)


def run(machine: Machine, operation: Operation, case: Case) -> Outcome:
    """Run one case; never raises for what the installation does."""
    started = time.monotonic()
    outcome = Outcome(case)
    kind = BY_NAME[case.kind]
    try:
        operation.prepare(machine, running=case.running)
        offset = JOURNAL.stat().st_size if JOURNAL.exists() else 0
        child = machine.start(*operation.command)
        _wait_for(case, child, offset)
        kind.strike(machine, child)
        ran = machine.finish(child)
        outcome.first = ran.status
        if not kind.kills and not ran.clean:
            outcome.problems.append(f"a traceback or bug: {(ran.out + ran.err)[-3000:]}")
        kind.heal(machine)
        outcome.problems += between(operation)
        for _ in range(_TRIES):
            ran = machine.run(*operation.command)
            outcome.again.append(ran.status)
            if not ran.clean:
                outcome.problems.append(f"a traceback or bug: {(ran.out + ran.err)[-3000:]}")
            # a fault that came too late has struck nothing
            if ran.status == 0 or (outcome.first == 0 and ran.status == operation.repeated):
                break
            outcome.said.append(ran.err[-2000:])
        else:
            outcome.problems.append(f"does not complete: {(ran.out + ran.err)[-3000:]}")
        outcome.state, problems = whole(machine, operation)
        outcome.problems += problems
    except (AssertionError, OSError, ValueError, KeyError) as error:
        outcome.problems.append(f"the test itself: {type(error).__name__}: {error}")
    finally:
        kind.heal(machine)
        machine.off()
    outcome.seconds = round(time.monotonic() - started, 1)
    return outcome


def steps(offset: int = 0) -> list[tuple[str, float]]:
    """The steps that the journal has finished since `offset`, with their seconds."""
    return [
        (item["step"], item.get("seconds", 0.0)) for item in _events(offset) if item["event"] == "step-done"
    ]


def _wait_for(case: Case, child: subprocess.Popen[str], offset: int) -> None:
    """Until the step has begun (or the command has ended without it), and the delay has passed."""
    while case.step and child.poll() is None:
        if any(item["event"] == "step-started" and item.get("step") == case.step for item in _events(offset)):
            break
        time.sleep(0.01)
    deadline = time.monotonic() + case.delay
    while child.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)


def _events(offset: int) -> list[dict[str, Any]]:
    try:
        with JOURNAL.open("rb") as stream:
            stream.seek(offset)
            lines = stream.read().splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return [item for item in found if isinstance(item, dict) and "event" in item]
