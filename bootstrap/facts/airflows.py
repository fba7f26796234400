"""Airflows that are here already: homes, installed packages, running components."""

from __future__ import annotations

import glob
import os
import re
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Dict, Iterator, Mapping, Optional, Sequence, Tuple

from bootstrap.base import smallfile
from bootstrap.facts.processes import Process
from bootstrap.facts.processes import collect as processes
from wheelhouse import codec

SECONDS = 1.0  # for all the folders together: a home of many folders is not worth more
HOMES = ("/opt/*", "/srv/*", "/var/lib/*", "/usr/local/*", "/home/*/*", "~/*")
PACKAGES = (
    "/usr/lib/python3*/*-packages",
    "/usr/local/lib/python3*/*-packages",
    "/usr/local/lib64/python3*/*-packages",
    "/opt/*/lib/python3*/site-packages",
    "/opt/*/*/lib/python3*/site-packages",
    "/srv/*/lib/python3*/site-packages",
    "/srv/*/*/lib/python3*/site-packages",
    "/home/*/.local/lib/python3*/site-packages",
    "/home/*/*/lib/python3*/site-packages",
    "~/.local/lib/python3*/site-packages",
    "~/.pyenv/versions/*/lib/python3*/site-packages",
    "~/*/lib/python3*/site-packages",
    "~/*/*/lib/python3*/site-packages",
)


@dataclass(frozen=True)
class AirflowPlace:
    """A folder with an Airflow: a home (airflow.cfg) or packages; `version` is empty when unknown.

    `airferry` says that this project's installer made it.
    """

    path: str
    version: str = ""
    airferry: bool = False


@dataclass(frozen=True)
class Airflows:
    """Homes, folders with the package apache-airflow, and running components."""

    homes: Tuple[AirflowPlace, ...] = ()
    packages: Tuple[AirflowPlace, ...] = ()
    running: Tuple[Process, ...] = ()


def collect(
    environ: Optional[Mapping[str, str]] = None,
    *,
    homes: Optional[Sequence[str]] = None,
    packages: Optional[Sequence[str]] = None,
) -> Airflows:
    """Look into the usual folders, for :data:`SECONDS`, and at what runs."""
    homes = HOMES if homes is None else homes
    packages = PACKAGES if packages is None else packages
    environ = os.environ if environ is None else environ
    deadline = time.monotonic() + SECONDS
    named = [glob.escape(environ["AIRFLOW_HOME"])] if environ.get("AIRFLOW_HOME") else []
    found: Dict[str, AirflowPlace] = {}
    for path in _matches([*named, *homes], "airflow.cfg", environ, deadline):
        folder = str(path.parent)
        found.setdefault(os.path.realpath(folder), _home(path.parent))
    installed: Dict[str, AirflowPlace] = {}
    for path in _matches(packages, "apache_airflow-*.dist-info", environ, deadline):
        version = re.sub(r"^apache_airflow-|\.dist-info$", "", path.name)
        installed.setdefault(os.path.realpath(path), AirflowPlace(str(path.parent), version))
    running = tuple(item for item in processes() if item.kind == "airflow")
    return Airflows(tuple(found.values()), tuple(installed.values()), running)


def _matches(
    folders: Sequence[str], name: str, environ: Mapping[str, str], deadline: float
) -> Iterator[Path]:
    home = environ.get("HOME", "")
    for folder in folders:
        if folder.startswith("~") and not home:
            continue
        pattern = folder.replace("~", glob.escape(home), 1) if folder.startswith("~") else folder
        for path in glob.iglob(f"{pattern}/{name}"):  # noqa: PTH207  (stops at no unreadable folder)
            if time.monotonic() > deadline:
                return
            yield Path(path)


def _home(path: Path) -> AirflowPlace:
    try:
        receipt = codec.parse(smallfile.text(path / "receipt.json", largest=1 << 20))
        return AirflowPlace(str(path), str(receipt["airflow"]), airferry=True)
    except (OSError, codec.Malformed, KeyError, TypeError):
        return AirflowPlace(str(path))
