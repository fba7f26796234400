"""What an airflow.cfg in the home asks of the host, looked at as the account that will run Airflow."""

from __future__ import annotations

import configparser
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

from bootstrap.airflow import config, parsing
from bootstrap.airflow.config import ConfigurationError
from bootstrap.airflow.differences import WEB_TLS, WEB_TLS_KEY, Version, numbers
from bootstrap.airflow.release import release_for
from bootstrap.base import account as accounts
from bootstrap.base import smallfile
from bootstrap.base.account import Account
from bootstrap.facts import carried
from bootstrap.facts.carried import CarriedSettings, NamedFolder
from bootstrap.installed import folders, in_force
from bootstrap.installed.folders import Folders
from bootstrap.state.home import Home
from bootstrap.state.receipt import WORKER, Receipt
from wheelhouse import codec

EXAMPLES = "airferry_examples"
# Nobody: what an account may do that is still to be made, and has no group but its own.
_NOBODY = Account("", 65534, 65534)
_SECONDS = 10
_LARGEST = 16 << 20
_PROVIDER = re.compile(r"\bairflow\.providers(?:\.\w+)+")
# options that name a module which may be the site's own
_MODULES = (
    ("logging", "logging_config_class"), ("core", "xcom_backend"), ("secrets", "backend"),
    ("email", "email_backend"), ("metrics", "stat_name_handler"), ("metrics", "statsd_custom_client_path"),
)  # fmt: skip
# an install sets these itself
_OTHER_EXECUTORS = ("celery", "kubernetes", "local_kubernetes", "dask")
_OURS = ("auth_manager", "auth_backend", "auth_backends", "executor")


def collect(chosen: Receipt) -> Optional[CarriedSettings]:
    """Look at the airflow.cfg in the home of that receipt, installed or not; None when there is none.

    As root, everything is looked at as the account; a file of root's in a home of root's is read by root.
    """
    home, known = Home(Path(chosen.home)), accounts.find(chosen.account)
    release = release_for(chosen.airflow).numbers
    uid = os.geteuid()
    if uid == 0:
        uid = known.uid if known else -1
    empty = CarriedSettings(str(home.airflow_cfg), chosen.home, chosen.account, uid, chosen.services)
    if os.geteuid() == uid:
        return _of_role(_collected(home, empty, release), chosen)
    given: Optional[str] = None
    try:
        # in a home that an install by root has made, the file is the account's
        if home.is_roots and home.airflow_cfg.lstat().st_uid == 0:
            given = smallfile.read(home.airflow_cfg, 0, largest=_LARGEST).decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None
    except OSError as error:
        return replace(empty, closed=error.strerror or str(error))

    def look() -> str:
        found = _collected(home, empty, release, given)
        return codec.dumps(found) if found else ""

    said = accounts.look_as(known or _NOBODY, look, _SECONDS)
    if said is None:
        return replace(empty, closed="it cannot be looked at")
    return _of_role(codec.loads(CarriedSettings, said) if said else None, chosen)


def _of_role(found: Optional[CarriedSettings], chosen: Receipt) -> Optional[CarriedSettings]:
    """A worker gets no example pipelines: it writes nothing among DAG files that hosts share."""
    return replace(found, examples=None) if found and chosen.role == WORKER else found


def _collected(
    home: Home, empty: CarriedSettings, version: Version, given: Optional[str] = None
) -> Optional[CarriedSettings]:
    path = home.airflow_cfg
    try:
        text = config.read(path) if given is None else given
    except FileNotFoundError:
        return None
    except ConfigurationError as error:
        return replace(empty, problem=error.message)
    except OSError as error:
        return replace(empty, closed=f"{error.strerror}{_owner(path)}")
    problem = parsing.problem(text.lstrip(config.BOM))  # an install takes the mark away
    if problem:
        return replace(empty, problem=problem)
    found = Folders(home, version, empty.account, text, in_force.variables(home))
    looked = tuple(_look(item) for item in folders.outside(found))
    bundles = found.bundles_problem
    pipelines = "" if bundles else str(found.pipelines)
    elsewhere = pipelines and pipelines != str(home.dags)
    examples = carried.look("", "", pipelines, f"{pipelines}/{EXAMPLES}") if elsewhere else None
    options = _options(text)
    return replace(
        empty,
        folders=looked,
        examples=examples,
        bundles=bundles,
        providers=tuple(_providers(options)),
        modules=tuple(_missing_modules(options, home, found)),
        remote_logs=_remote_logs(options),
        tls=_tls(options, version),
    )


def _tls(options: Dict[Tuple[str, str], str], version: Version) -> str:
    """What of the web server's certificate and key is missing; "" where it has both, or none."""
    found = []
    for row in (WEB_TLS, WEB_TLS_KEY):
        places = [place for first, place in row.since if place and numbers(first) <= version]
        found.append(next(((place, options[place]) for place in places if options.get(place)), None))
    if not any(found):
        return ""
    certificate, key = found
    if not (certificate and key):
        (section, option), _ = certificate or key or (("", ""), "")
        return f"[{section}] {option} alone"
    for (section, option), value in (certificate, key):
        if not os.access(value, os.R_OK):
            return f"[{section}] {option}: {value} is not there, or not readable"
    return ""


def _look(item: folders.FolderOption) -> NamedFolder:
    return carried.look(item.section, item.option, item.value, item.path)


def _owner(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    return f" (owner {status.st_uid}, mode {status.st_mode & 0o7777:04o})"


def _options(text: str) -> Dict[Tuple[str, str], str]:
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string(text.lstrip(config.BOM))
    return {
        (section, option): parser.get(section, option).strip()
        for section in parser.sections()
        for option in parser.options(section)
    }


def _providers(options: Dict[Tuple[str, str], str]) -> Iterator[str]:
    for (section, option), value in options.items():
        if option not in _OURS and not section.startswith(_OTHER_EXECUTORS):
            for module in dict.fromkeys(_PROVIDER.findall(value)):
                yield f"[{section}] {option} = {module}"


def _missing_modules(options: Dict[Tuple[str, str], str], home: Home, found: Folders) -> Iterator[str]:
    """Modules of the site's own that lie nowhere where Airflow looks for them."""
    places: List[Path] = [home.path / "config", home.path / "plugins", found.dags]
    places += [Path(item.path) for item in found.named() if item.option == "plugins_folder"]
    places += [Path(part) for part in found.own.get("PYTHONPATH", "").split(":") if part]
    for place in _MODULES:
        module = options.get(place, "")
        first = module.partition(".")[0]
        if not re.fullmatch(r"[A-Za-z_]\w*(\.\w+)+", module) or first == "airflow":
            continue
        if not any((folder / first).exists() or (folder / f"{first}.py").exists() for folder in places):
            yield f"[{place[0]}] {place[1]} = {module}"


def _remote_logs(options: Dict[Tuple[str, str], str]) -> str:
    """Where task logs are sent; also as Airflow 1.10 had it, whose place 2.x still reads."""
    for section in ("logging", "core"):
        if options.get((section, "remote_logging"), "").lower() in ("true", "t", "1"):
            return options.get((section, "remote_base_log_folder"), "") or "an external service"
    return ""
