"""Settings of the host that would reach into an installation: variables (names only) and pip's files."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Optional, Tuple

PREFIXES = ("PIP_", "UV_", "PYTHON", "AIRFLOW", "VIRTUAL_ENV", "CONDA_", "LD_PRELOAD", "LD_LIBRARY_PATH")
POSTGRES = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGDATA", "PGOPTIONS")


@dataclass(frozen=True)
class Environment:
    """`names` of the variables that matter to Python, pip, uv, PostgreSQL and Airflow; never their values.

    `files` are the configuration files of pip and uv that are there.
    """

    names: Tuple[str, ...] = ()
    files: Tuple[str, ...] = ()


def collect(environ: Optional[Mapping[str, str]] = None) -> Environment:
    """Read the names of the variables and look for the files."""
    environ = os.environ if environ is None else environ
    home = Path(environ.get("HOME") or "/nonexistent")
    configuration = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    places = (
        Path("/etc/pip.conf"),
        Path("/etc/xdg/pip/pip.conf"),
        home / ".pip/pip.conf",
        configuration / "pip/pip.conf",
        Path("/etc/uv/uv.toml"),
        configuration / "uv/uv.toml",
    )
    return Environment(
        tuple(sorted(name for name in environ if name.startswith(PREFIXES) or name in POSTGRES)),
        tuple(str(place) for place in places if os.path.exists(place)),  # noqa: PTH110  (never raises)
    )
