"""``HOME/bin/airferry env``: the environment for shells and cron."""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Optional

import typer

from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.shared import HOME, JSON, home_of
from bootstrap.installed.installation import Installation
from bootstrap.state import receipt

# They belong to whoever runs the shell, or only to airferry itself.
_OTHERS = ("HOME", "USER", "LOGNAME", "TERM", "TMPDIR", "XDG_RUNTIME_DIR", "TZ", "LC_ALL", "PYTHONUTF8")
_CRON_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class EnvironmentVariables:
    """The variables of the installation's environment, by name."""

    variables: Dict[str, str]


def env(
    home: Optional[Path] = HOME,
    cron: bool = typer.Option(False, "--cron", help="Lines for a crontab: NAME=value, nothing to expand."),
    json: bool = JSON,
) -> Result[EnvironmentVariables]:
    """Print the environment of this installation for a shell: eval "$(HOME/bin/airferry env)".

    Afterwards `airflow` and `python` are this installation's. There is no secret in it: the database's
    address stays in airflow.cfg, which only the installation's account can read.
    """
    installation = Installation(receipt.load(home_of(home).receipt))
    variables = _variables(installation, _CRON_PATH if cron else os.environ.get("PATH") or _CRON_PATH)
    if cron:
        lines = [f"{name}={value}" for name, value in variables.items()]
    else:
        lines = [f"unset {name}" for name in _leaking()]
        lines += [f"export {name}={shlex.quote(value)}" for name, value in variables.items()]

    def show(console: Console) -> None:
        for line in lines:
            console.command(line, indent=0)

    return Result(EnvironmentVariables(variables), show)


def _variables(installation: Installation, path: str) -> Dict[str, str]:
    found = {name: value for name, value in installation.airflow.environment().items() if name not in _OTHERS}
    home = installation.home
    own = [str(home.bin), str(home.current_link / "venv" / "bin")]
    # told twice, the same
    found["PATH"] = os.pathsep.join([*own, *(item for item in path.split(os.pathsep) if item not in own)])
    for name in ("NO_PROXY", "no_proxy"):
        if name in found:
            theirs = [item for item in os.environ.get(name, "").split(",") if item]
            ours = [item for item in found[name].split(",") if item not in theirs]
            found[name] = ",".join([*theirs, *ours])
    return dict(sorted(found.items()))


def _leaking() -> List[str]:
    """What this shell has set that would win over airflow.cfg, or reach into the interpreter."""
    return sorted(name for name in os.environ if name.startswith(("AIRFLOW__", "PYTHONPATH", "PYTHONHOME")))
