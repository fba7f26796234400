"""Inside the namespaces: takes orders as JSON lines, one at a time, and answers each with one."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from tests.faults import case as cases
from tests.faults.booted import BootedMachine
from tests.faults.case import Case
from tests.faults.machine import Machine
from tests.faults.operations import Bundles, Operation, State, build


def main() -> int:
    """Work on booted machines that can read the files named, or on one that these namespaces are.

    There, this is process 1, which only buries the dead; a child works.
    """
    if sys.argv[1:]:
        serve(BootedMachine([Path(name) for name in sys.argv[1:]]))
        return 0
    child = os.fork()
    if child == 0:
        serve(Machine())
        sys.stdout.flush()
        os._exit(0)
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def serve(machine: Machine) -> None:
    """Answer every order."""
    for line in sys.stdin:
        order = json.loads(line)
        if order["order"] == "build":
            answer: Any = _build(machine, order)
        else:
            answer = cases.run(machine, operation(order["operation"]), Case(**order["case"])).as_dict()
        print(json.dumps(answer), flush=True)
    machine.off()


def _build(machine: Machine, order: dict[str, Any]) -> list[dict[str, Any]]:
    """The operations, each with its steps and its duration without a fault."""
    bundles = Bundles(Path(order["old"]), Path(order["new"]), order["python"])
    made = []
    for item in build(machine, bundles, Path(order["snapshots"]), order["names"]):
        item.prepare(machine, running=False)
        offset = cases.JOURNAL.stat().st_size if cases.JOURNAL.exists() else 0
        started = time.monotonic()
        ran = machine.run(*item.command)
        seconds = time.monotonic() - started
        assert ran.status == 0, f"{item.name} without a fault: {ran.status}\n{ran.out}\n{ran.err}"
        found = cases.steps(offset)
        machine.off()
        made.append({"operation": as_data(item), "steps": found, "seconds": round(seconds, 1)})
    return made


def as_data(item: Operation) -> dict[str, Any]:
    """An operation as JSON-able data."""
    return {
        "name": item.name,
        "command": [str(word) for word in item.command],
        "snapshot": str(item.snapshot or ""),
        "origin": [item.origin.bundle_id, item.origin.runs] if item.origin else None,
        "goal": [item.goal.bundle_id, item.goal.runs],
        "repeated": item.repeated,
    }


def operation(data: dict[str, Any]) -> Operation:
    """An operation from its data."""
    return Operation(
        data["name"],
        data["command"],
        Path(data["snapshot"]) if data["snapshot"] else None,
        State(*data["origin"]) if data["origin"] else None,
        State(*data["goal"]),
        data["repeated"],
    )


if __name__ == "__main__":
    raise SystemExit(main())
