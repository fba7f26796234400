"""webserver_config.py against the environment: which modules that it needs are not there."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Tuple

from bootstrap.airflow import login_modules
from bootstrap.airflow.command import source
from bootstrap.airflow.login_modules import FILE
from bootstrap.base import process
from bootstrap.base.secret import Secret
from bootstrap.installed.installation import Installation

_SECONDS = 8.0


@dataclass(frozen=True)
class Login:
    """`missing` are lines that need `modules` which cannot be imported, each with what Python says."""

    path: str
    missing: Tuple[str, ...] = ()
    modules: Tuple[str, ...] = ()


def collect(installation: Installation) -> Login:
    """Have the release's own Python try the modules, as the account; the file itself is not run.

    Raises CommandFailed where that Python does not start.
    """
    path = installation.home.path / FILE
    if installation.receipt.auth != "fab" or not path.is_file():
        return Login(str(path))
    text = path.read_bytes()
    needed = login_modules.needed(text)
    if not needed or b"sys.path" in text:
        return Login(str(path))  # whatever it does to the path is known to it alone
    names = list(dict.fromkeys(item.module for item in needed))
    own = [str(installation.home.path / name) for name in ("config", "plugins", "dags")]
    said = process.run(
        [installation.release.python, "-I", "-c", source("imports.py")],
        what=f"import what {FILE} needs",
        env=installation.airflow.environment(),
        stdin=Secret(json.dumps({"modules": names, "paths": own})),
        timeout=_SECONDS,
    ).stdout
    problems = json.loads(said.strip().splitlines()[-1])
    missing = [item for item in needed if item.module in problems]
    return Login(
        str(path),
        tuple(f"line {item.line}, {item.why}: {problems[item.module]}" for item in missing),
        tuple(dict.fromkeys(item.module for item in missing)),
    )
