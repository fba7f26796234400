"""The folders that Airflow uses: those of the home, unless airflow.cfg or etc/local.env says otherwise."""

from __future__ import annotations

import json
import os
import pwd
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Iterator, List, Mapping, Optional, Set, Tuple

from bootstrap.airflow import config
from bootstrap.airflow.differences import (
    DAG_BUNDLES,
    DAGS_FOLDER,
    LOG_FOLDER,
    PARSER_LOG_FOLDER,
    PLUGINS_FOLDER,
    OptionPlace,
    Row,
    Version,
)
from bootstrap.installed import in_force
from bootstrap.state.home import Home

# What is read by 2.x from where 1.10 had it.
_OLD_LOG_FOLDER = ("core", "base_log_folder")
_LOCAL_BUNDLE = "LocalDagBundle"
_VARIABLE = re.compile(r"\$(?:(\w+)|\{([^}]*)\})")


def walk(top: Path, onerror: Optional[Callable[[OSError], None]] = None) -> Iterator[Path]:
    """Every entry below a folder of DAG files or plugins that is no folder, without ``__pycache__``.

    Links to folders are followed as Airflow follows them (``airflow.utils.file``), each folder once.
    `onerror` is called with the error of a folder that cannot be listed.
    """
    walked: Set[str] = set()
    for folder, folders, files in os.walk(str(top), onerror=onerror, followlinks=True):
        walked.add(os.path.realpath(folder))
        below = [item for item in sorted(folders) if item != "__pycache__"]
        folders[:] = [item for item in below if os.path.realpath(Path(folder, item)) not in walked]
        yield from (Path(folder, item) for item in sorted(files))


@dataclass(frozen=True)
class FolderOption:
    """An option that names a folder: `value` as it stands, `path` what it means to the account."""

    section: str
    option: str
    value: str
    path: str


@dataclass(frozen=True)
class Folders:
    """The folders of an Airflow of that `version` in `home`, run by `account`.

    `text` is airflow.cfg, `own` are the variables of etc/local.env.
    """

    home: Home
    version: Version
    account: str
    text: str
    own: Mapping[str, str]

    @property
    def dags(self) -> Path:
        """Where DAG files are read."""
        return self._path(DAGS_FOLDER, self.home.dags)

    @property
    def plugins(self) -> Path:
        """Where plugins are read."""
        return self._path(PLUGINS_FOLDER, self.home.path / "plugins")

    @property
    def logs(self) -> Path:
        """Where task logs are written."""
        return self._path(LOG_FOLDER, self.home.logs)

    @property
    def pipelines(self) -> Path:
        """Where a DAG file is read for certain: ``dags``, or the first local place that DAG bundles name."""
        places = self._bundles()
        if places is None or any(not place for place in places):
            return self.dags
        return Path(self.expanded(places[0])) if places else self.dags

    @property
    def bundles_problem(self) -> str:
        """Why no DAG file of a folder would be read; empty when one is."""
        try:
            places = self._bundles()
        except ValueError as error:
            return f"it cannot be read: {error}"
        return "it names no local folder" if places == [] else ""

    def _bundles(self) -> Optional[List[str]]:
        """The folders of local DAG bundles, "" for dags_folder; None where no bundles are set."""
        text = self.value(DAG_BUNDLES)
        if text is None or not text.strip():
            return None
        found = json.loads(text)
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise ValueError("no list of objects")
        local = (item for item in found if str(item.get("classpath", "")).endswith(_LOCAL_BUNDLE))
        return [str((item.get("kwargs") or {}).get("path") or "") for item in local]

    def value(self, row: Row[OptionPlace]) -> Optional[str]:
        """What the option is set to; None where Airflow's default holds."""
        place = row.at(self.version)
        if place is None:
            return None
        if in_force.variable(place) in self.own:
            return self.own[in_force.variable(place)]
        return config.get(self.text, *place)

    def named(self) -> List[FolderOption]:
        """Every option that is set."""
        found = []
        for row in (DAGS_FOLDER, PLUGINS_FOLDER, LOG_FOLDER, PARSER_LOG_FOLDER):
            value, place = self.value(row), row.at(self.version)
            if row is LOG_FOLDER and value is None and self.version < (3, 0, 0):
                value, place = config.get(self.text, *_OLD_LOG_FOLDER), _OLD_LOG_FOLDER
            if value and place:
                found.append(FolderOption(*place, value, self.expanded(value)))
        return found

    def expanded(self, value: str) -> str:
        """A value as Airflow expands it (``expand_env_var`` in its configuration parser)."""
        variables: Dict[str, str] = {**self.own, "AIRFLOW_HOME": str(self.home.path), "HOME": self._person()}
        before = None
        while before != value and len(value) < _LONGEST:
            before = value
            value = _VARIABLE.sub(lambda found: variables.get(found[1] or found[2], found[0]), value)
            if value == "~" or value.startswith("~/"):
                value = self._person() + value[1:]
        return value

    def _person(self) -> str:
        """The home folder of the account itself."""
        try:
            return pwd.getpwnam(self.account).pw_dir
        except KeyError:
            return str(self.home.path)  # it will be made so

    def _path(self, row: Row[OptionPlace], default: Path) -> Path:
        place = row.at(self.version)
        named = (item.path for item in self.named() if place and item.option == place[1])
        return Path(next(named, str(default)))


_LONGEST = 4096


def of(home: Home, version: Version, account: str) -> Folders:
    """Those of an installation as it is; what cannot be read counts as not there."""
    return Folders(home, version, account, in_force.text_of(home.airflow_cfg), in_force.variables(home))


def outside(folders: Folders) -> Tuple[FolderOption, ...]:
    """The named folders that are not those which an install makes in the home."""
    own = {str(path) for path in (folders.home.dags, folders.home.path / "plugins", folders.home.logs)}
    inside = f"{folders.home.logs}/"
    return tuple(
        item
        for item in folders.named()
        if item.path.rstrip("/") not in own and not item.path.startswith(inside)
    )
