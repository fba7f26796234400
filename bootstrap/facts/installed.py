"""An installation as it is: its files, its configuration and its components. Nothing is changed."""

from __future__ import annotations

import configparser
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import List, Optional, Tuple
from urllib.parse import urlsplit

from bootstrap import lifecycle, process
from bootstrap.airflow import config
from bootstrap.facts.host import SECONDS, Failure, run
from bootstrap.installation import Installation
from bootstrap.installer import Venv
from bootstrap.steps.configuration import ConfigurationStep
from wheelhouse.errors import AirferryError

HIDDEN = "***"
ANOTHER = "another value"


@dataclass(frozen=True)
class Files:
    """What is on disk: whether the release is complete and `current` leads to it.

    `damaged` are lines on files that are missing or changed (RECORD), `python_error` says why the
    environment's Python does not start, `open_secrets` are files that other accounts may read, with modes.
    """

    complete: bool
    linked: bool
    damaged: Tuple[str, ...] = ()
    python_error: str = ""
    open_secrets: Tuple[str, ...] = ()


@dataclass(frozen=True)
class Option:
    """An option of airflow.cfg that the installation wrote; a secret shows as ``***`` or "another value"."""

    section: str
    name: str
    wanted: str
    found: Optional[str]


@dataclass(frozen=True)
class Configuration:
    """airflow.cfg: the `options` that this installation needs, or the `problem` that Airflow has with it."""

    path: str
    problem: str = ""
    options: Tuple[Option, ...] = ()


@dataclass(frozen=True)
class Component:
    """A component: its state (RUNNING, STOPPED, ...), Airflow's own word on its health, and a remark."""

    name: str
    state: str
    health: str = ""
    note: str = ""


@dataclass(frozen=True)
class Installed:
    """An installation. A part is None when it could not be looked at, which then is in `failures`."""

    home: str
    airflow: str
    bundle_file: str
    completed: bool
    files: Optional[Files] = None
    configuration: Optional[Configuration] = None
    components: Optional[Tuple[Component, ...]] = None
    failures: Tuple[Failure, ...] = ()


def collect(installation: Installation, *, seconds: float = SECONDS) -> Installed:
    """Look at everything; never raises, and ends after `seconds`."""
    receipt = installation.receipt
    found, failures = run(
        {
            "files": lambda: files(installation),
            "configuration": lambda: configuration(installation),
            "components": lambda: components(installation),
        },
        seconds,
    )
    return Installed(
        receipt.home,
        receipt.airflow,
        receipt.bundle_file,
        bool(receipt.completed),
        **found,
        failures=failures,
    )


def files(installation: Installation) -> Files:
    """The release folder and the secrets."""
    home, release = installation.home, installation.release
    link = home.current_link
    python = Venv(release.venv, Path(installation.receipt.python))
    return Files(
        complete=release.complete.is_file(),
        linked=link.is_symlink() and link.resolve() == release.path.resolve(),
        damaged=tuple(python.damaged()),
        python_error=_python_error(python.interpreter),
        open_secrets=tuple(_open_secrets([home.secrets, *sorted(home.secrets.glob("*")), home.airflow_cfg])),
    )


def configuration(installation: Installation) -> Configuration:
    """airflow.cfg, read as Airflow does."""
    path = installation.home.airflow_cfg
    try:
        text = config.read(path)
    except OSError as error:
        return Configuration(str(path), str(error))
    problem = _problem(text)
    if problem:
        return Configuration(str(path), problem)
    options = []
    for setting in ConfigurationStep(installation).settings():
        found = config.get(text, setting.section, setting.option)
        wanted = HIDDEN if setting.secret else setting.value
        if setting.secret and found is not None:
            found = HIDDEN if found == setting.value else _harmless(found)
        options.append(Option(setting.section, setting.option, wanted, found))
    return Configuration(str(path), "", tuple(options))


def components(installation: Installation) -> Tuple[Component, ...]:
    """What runs, and how it is."""
    return tuple(
        Component(item.name, item.state, item.health, item.note)
        for item in lifecycle.status(installation).components
    )


def _python_error(python: Path) -> str:
    try:
        process.run(
            [python, "-I", "-c", "import ctypes, ssl"], what="start the environment's Python", timeout=5
        )
    except AirferryError as error:
        return (error.found.strip().splitlines() or [error.message])[-1]
    return ""


def _open_secrets(paths: List[Path]) -> List[str]:
    found = []
    for path in paths:
        try:
            mode = stat.S_IMODE(path.stat().st_mode)
        except OSError:
            continue  # a missing one is another matter
        if mode & 0o077:
            found.append(f"{path} (mode {mode:04o})")
    return found


def _problem(text: str) -> str:
    """Why Airflow cannot read the file: it parses strictly and expands ``%`` in every value."""
    parser = configparser.ConfigParser()
    try:
        parser.read_string(text, "airflow.cfg")
    except configparser.ParsingError as error:
        # the message would show the lines, and with them perhaps a password
        lines = [error.lineno] if hasattr(error, "lineno") else [number for number, _ in error.errors]
        return f"cannot be parsed: line {', '.join(map(str, lines))}"
    except configparser.Error as error:
        return " ".join(str(error).split())
    for section in parser.sections():
        for option in parser.options(section):
            try:
                parser.get(section, option)
            except configparser.InterpolationMissingOptionError:
                continue  # %(name)s of something that Airflow fills in
            except configparser.InterpolationError:
                # the message would show the value, which may be a password
                return f"[{section}] {option}: a % stands alone in its value"
    return ""


def _harmless(value: str) -> str:
    """A secret that is not the wanted one, without the secret: where a database is, or nothing."""
    if "://" not in value:
        return ANOTHER if value else ""
    parts = urlsplit(value)
    if parts.scheme.startswith("sqlite"):
        return f"{parts.scheme}://{parts.path}"
    try:
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        port = ""
    return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"
