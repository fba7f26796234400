"""What an old Airflow reads: its airflow.cfg, and the variables that win over it."""

from __future__ import annotations

import pwd
from dataclasses import dataclass
from pathlib import Path
from typing import Mapping, Optional, Tuple

from bootstrap.airflow import config
from bootstrap.facts.remnants import variables_of

SQLITE = "sqlite"
LARGEST_CFG = 4 << 20
_CONN = (("database", "sql_alchemy_conn"), ("core", "sql_alchemy_conn"))


@dataclass(frozen=True)
class InForce:
    """What the old Airflow reads: its airflow.cfg and variables that win over it."""

    home: Path
    person: str
    text: str
    own: Mapping[str, str]

    def value(self, *places: Tuple[str, str]) -> Optional[str]:
        """The first of these options that is set."""
        for section, option in places:
            name = f"AIRFLOW__{section}__{option}".upper()
            if name in self.own:
                return self.own[name]
        found = (config.get(self.text, *place) for place in places)
        return next((item for item in found if item is not None), None)

    def expanded(self, value: str) -> str:
        """A path as Airflow expands it."""
        value = value.replace("{AIRFLOW_HOME}", str(self.home)).replace("$AIRFLOW_HOME", str(self.home))
        value = value.replace("${AIRFLOW_HOME}", str(self.home)).replace("$HOME", self.person)
        return self.person + value[1:] if value == "~" or value.startswith("~/") else value

    def folder(self, option: str, default: str) -> Path:
        """A folder of [core]."""
        return Path(self.expanded(self.value(("core", option)) or str(self.home / default)))

    @property
    def logs(self) -> Path:
        """Where the task logs lie."""
        value = self.value(("logging", "base_log_folder"), ("core", "base_log_folder"))
        return Path(self.expanded(value or str(self.home / "logs")))

    @property
    def fernet_key(self) -> str:
        """The key of stored passwords; "" where there is none, or a command or a vault gives it."""
        return (self.value(("core", "fernet_key")) or "").strip()

    @property
    def database_url(self) -> str:
        """The SQLAlchemy URL of the metadata database, password included."""
        return self.expanded((self.value(*_CONN) or f"sqlite:///{self.home}/airflow.db").strip())

    @property
    def from_elsewhere(self) -> str:
        """The option by which a command or a vault gives the URL; "" where it is known."""
        if self.value(*_CONN) is not None:
            return ""
        places = (
            (section, f"{option}{ending}") for section, option in _CONN for ending in ("_cmd", "_secret")
        )
        return next((f"[{place[0]}] {place[1]}" for place in places if self.value(place)), "")

    @property
    def database_file(self) -> Optional[Path]:
        """The file of SQLite's; None for a server."""
        scheme, _, rest = self.database_url.partition("://")
        if scheme.partition("+")[0] != SQLITE:
            return None
        return Path(self.home, rest.partition("?")[0][1:])


def in_force(home: Path, person: str = "") -> InForce:
    """What is in force there; raises OSError, ConfigurationError when airflow.cfg cannot be read."""
    path = home / "airflow.cfg"
    if path.stat().st_size > LARGEST_CFG or not path.is_file():
        raise PermissionError(1, "It is no regular file, or too large", str(path))
    person = person or person_of(home.stat().st_uid)
    return InForce(home, person, config.read(path), dict(variables_of(home, person)))


def person_of(uid: int) -> str:
    """The home folder of an account; / where it has none."""
    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:
        return "/"
