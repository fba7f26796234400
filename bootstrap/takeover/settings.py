"""The settings that a site changed in its old airflow.cfg: taken, managed here, moved, or gone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Dict, List, Tuple

from bootstrap.airflow import config, managed_options, old_options, option_tables
from bootstrap.airflow.config import ConfigurationError, Option, Setting
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.installation import Installation

TAKEN, MANAGED, GONE, REFUSED = "taken", "managed", "gone", "refused"
# Folders of the old home: what is in them is copied, and the new home has its own.
_FOLDERS = (
    ("core", "dags_folder"), ("core", "plugins_folder"), ("core", "base_log_folder"),
    ("logging", "base_log_folder"), ("logging", "dag_processor_manager_log_location"),
    ("core", "dag_processor_manager_log_location"), ("scheduler", "child_process_log_directory"),
    ("logging", "dag_processor_child_process_log_directory"), ("webserver", "config_file"),
    ("core", "simple_auth_manager_passwords_file"), ("fab", "config_file"),
)  # fmt: skip
# What an old default file says otherwise than airferry does, and no site has chosen.
_NOT_CHOSEN = (
    ("core", "load_examples"), ("core", "load_default_connections"), ("core", "sql_alchemy_conn"),
    ("database", "load_default_connections"), ("database", "sql_alchemy_conn"), ("core", "fernet_key"),
    # of the old database alone
    ("core", "sql_alchemy_schema"), ("database", "sql_alchemy_schema"),
    ("core", "sql_alchemy_connect_args"), ("database", "sql_alchemy_connect_args"),
    ("core", "hostname_callable"), ("webserver", "secret_key"), ("api", "secret_key"),
    ("api_auth", "jwt_secret"), ("webserver", "base_url"), ("api", "base_url"), ("core", "executor"),
)  # fmt: skip
# The login of the pages, which the install chooses.
_LOGIN = (("api", "auth_backend"), ("api", "auth_backends"), ("core", "auth_manager"))


@dataclass(frozen=True)
class SettingTaken:
    """An option that was not at its default: it `became` taken, managed, gone or refused."""

    section: str
    option: str
    value: str
    became: str
    where: str = ""

    @property
    def text(self) -> str:
        """One line."""
        name = f"[{self.section}] {self.option} = {self.value}"
        if self.became == TAKEN:
            moved = f", now {self.where}" if self.where else ""
            return f"{name}: taken{moved}"
        return f"{name}: {self.where}"


def taken_over(
    installation: Installation, old: str, old_home: str, new: str
) -> Tuple[str, List[SettingTaken]]:
    """The new airflow.cfg with what it takes from the old one, and what became of each option."""
    tables = option_tables.of_environment(installation.release.venv) or option_tables.Tables({}, set(), {})
    managed = {
        **{(item.section, item.option): _OURS for item in ManagedSettings(installation).settings()},
        **managed_options.managed_options(installation.version, installation.executor),
        **dict.fromkeys((*_FOLDERS, *_NOT_CHOSEN, *_LOGIN), _OURS),
    }
    # without one Airflow's is UTC, whatever the host's is: schedules must not shift
    zone = config.get(old, *_ZONE) or "utc"
    new = config.edit(new, [Setting(*_ZONE, zone)])
    result = [SettingTaken(*_ZONE, zone, TAKEN)]
    logs = old_options.remote_logs(old)
    folders = _imported_from(installation)
    for place, value in old_options.changed(old, old_home):
        if place == _ZONE:
            continue
        older = tables.older.get(place)
        now = older.now if older else place
        shown = managed_options.shown(place[1], value) or ""
        if place in managed or (now in managed if now else False):
            why = managed.get(place) or managed.get(now or place, _OURS)
            result.append(SettingTaken(*place, shown, MANAGED, why))
        elif now is None or not _is_known(tables, now):
            result.append(SettingTaken(*place, shown, GONE, "no option of this release"))
        elif old_options.missing(place, value, logs, folders):
            module = old_options.missing(place, value, logs, folders)
            result.append(SettingTaken(*place, shown, REFUSED, f"not taken, the bundle has no {module}"))
        else:
            try:
                new = config.edit(new, [Setting(*now, value)])
            except ConfigurationError as error:
                result.append(SettingTaken(*place, shown, REFUSED, error.message))
            else:
                where = f"[{now[0]}] {now[1]}" if now != place else ""
                result.append(SettingTaken(*place, shown, TAKEN, where))
    return new, result


_OURS = "airferry sets it"
_ZONE = ("core", "default_timezone")


def _imported_from(installation: Installation) -> List[Path]:
    """The folders from which Airflow imports what its options name."""
    home = installation.home
    packages = list(installation.release.venv.glob("lib/python3*/site-packages"))
    return [*packages, home.path / "plugins", home.path / "config", home.dags]


def _is_known(tables: option_tables.Tables, place: Option) -> bool:
    section, option = place
    return option in tables.sections.get(section, set()) or place in tables.providers


def counted(found: List[SettingTaken]) -> Dict[str, int]:
    """How many options became what."""
    counts: Dict[str, int] = {}
    for item in found:
        counts[item.became] = counts.get(item.became, 0) + 1
    return counts
