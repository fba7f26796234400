"""DAG files imported as Airflow imports them, by its own Python on this host."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Tuple

from bootstrap.airflow.command import source
from bootstrap.base import process
from bootstrap.installed.installation import Installation


@dataclass(frozen=True)
class DagProblem:
    """What is wrong with a DAG file; `line` is 0 where none is known."""

    file: str
    line: int
    problem: str

    @property
    def text(self) -> str:
        """One line, as compilers write it."""
        return f"{self.file}:{self.line}: {self.problem}" if self.line else f"{self.file}: {self.problem}"


@dataclass(frozen=True)
class CheckedDags:
    """The ids of the DAGs that were found, and what is wrong."""

    dags: Tuple[str, ...]
    problems: Tuple[DagProblem, ...]


def imported(installation: Installation, folder: Path) -> CheckedDags:
    """Import every file of a folder as Airflow does; raises CommandFailed."""
    airflow = installation.airflow
    said = process.run(
        [airflow.venv / "bin" / "python", "-c", source("dagcheck.py")],
        what=f"import the DAG files in {folder}",
        env=airflow.environment(),
        stdin=str(folder),
        log=installation.home.install_log,
    ).stdout
    found: Dict[str, Dict[str, str]] = json.loads(said.strip().rsplit("\n", 1)[-1])
    problems = [problem_of(str(folder / file), text) for file, text in sorted(found["errors"].items())]
    return CheckedDags(tuple(sorted(found["dags"])), tuple(problems))


def problem_of(file: str, text: str) -> DagProblem:
    """The last line of what Python said, and the line of this file that it was about."""
    lines = [line.strip() for line in text.splitlines() if line.strip()] or ["it cannot be imported"]
    numbers = re.findall(rf'File "{re.escape(file)}", line (\d+)', text) or re.findall(r"line (\d+)\)", text)
    return DagProblem(file, int(numbers[-1]) if numbers else 0, lines[-1])
