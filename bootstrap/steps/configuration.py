"""airflow.cfg: written by Airflow itself, then edited in place for an offline installation."""

from __future__ import annotations

from pathlib import Path
from typing import Tuple

from bootstrap.airflow import config, moves
from bootstrap.airflow.differences import ASYNC_DATABASE_URL, DATABASE_URL
from bootstrap.base import secret
from bootstrap.base.columns import listed
from bootstrap.installed import pool
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.installation import Installation
from bootstrap.state.home import FERNET, JWT, SECRET_KEY
from wheelhouse import timestamp

# Values that stand in a default file and are no key that an admin chose.
_NO_KEY = ("", "temporary_key")
_MOST = 40  # options in a line
# What Celery keeps in the database, or in it as the broker.
_OF_CELERY = (("celery", "result_backend"), ("celery", "broker_url"))


class ConfigurationStep:
    """Write the settings of ours; everything else in an airflow.cfg that is there already stays.

    What was written is remembered: see :class:`~bootstrap.installed.configuration.ManagedSettings`.
    """

    name = "configuration"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.path = installation.home.airflow_cfg
        self.managed = ManagedSettings(installation)
        self.notes: Tuple[str, ...] = ()

    def describe(self) -> str:
        """One line for the admin."""
        kept = "Edit" if self.path.exists() else "Write"
        if self.installation.is_worker:
            return f"{kept} {self.path}: what its head has told"
        executor = self.installation.executor.name
        marked = "; its byte order mark is taken away" if self._marked() else ""
        if self._is_foreign():
            marked += "; options of other releases get their places, and the file is kept as it was"
        zone = self.installation.receipt.timezone
        parts = [
            "PostgreSQL",
            executor,
            *([f"time zone {zone}"] if zone else []),
            "no example DAGs",
            "its keys",
        ]
        return f"{kept} {self.path}: {', '.join(parts)}{marked}"

    def done(self) -> bool:
        """Whether the file is there and no intended value has changed."""
        return self.path.is_file() and not self._marked() and not self.managed.changed()

    def apply(self) -> None:
        """Edit the file in one step; one that airferry did not make is copied first."""
        if self._is_foreign():
            self._fit(self._keep_copy())
            self._adopt_keys()
        self.installation.airflow.write_config()
        text = config.read(self.path)
        config.write(self.path, config.edit(text, self.managed.changed()))
        # whoever runs has read the old file; the start step brings all back
        self.installation.stop(self.installation.components)
        before = self.managed.known().get("[core] parallelism", "")
        if before.isdigit() and int(before) != self.installation.receipt.parallelism:
            pool.fit(self.installation, int(before))
        self.managed.remember_all()

    def correct_database(self) -> None:
        """Have a file that came from a backup name the database as it is reached now."""
        numbers = self.installation.version.numbers
        places = [DATABASE_URL.at(numbers), ASYNC_DATABASE_URL.at(numbers), *_OF_CELERY]
        urls = [item for item in self.managed.settings() if (item.section, item.option) in places]
        config.write(self.path, config.edit(config.read(self.path), urls))

    def _marked(self) -> bool:
        return self.path.is_file() and config.read(self.path).startswith(config.BOM)

    def _is_foreign(self) -> bool:
        return self.path.exists() and not self.managed.found.exists()

    def _keep_copy(self) -> Path:
        copy = Path(f"{self.path}.{timestamp.compact(timestamp.now())}.bak")
        config.write(copy, config.read(self.path))
        return copy

    def _fit(self, copy: Path) -> None:
        """Give the options of another release their places here, as an upgrade does."""
        installation, text = self.installation, config.read(self.path)
        found = moves.fit(text, installation.version, installation.release.venv)
        if found.text != text:
            config.write(self.path, found.text)
        airflow = f"Airflow {installation.receipt.airflow}"
        parts = (
            (f"Moved in airflow.cfg for {airflow}", found.moved),
            (f"Commented out in airflow.cfg, {airflow} does not need it", found.gone),
            (f"Not known to {airflow}, left in airflow.cfg", found.unknown),
        )
        told = [f"{what}: {listed(names, _MOST, ', ')}" for what, names in parts if names]
        self.notes = (*told, f"airflow.cfg as it was is kept: {copy}") if told else ()

    def _adopt_keys(self) -> None:
        text, secrets = config.read(self.path), self.installation.home.secrets
        for item in self.managed.settings():
            name = {"fernet_key": FERNET, "secret_key": SECRET_KEY, "jwt_secret": JWT}.get(item.option)
            value = config.get(text, item.section, item.option)
            if name and value not in (None, *_NO_KEY):
                secret.write(secrets / name, secret.Secret(value or ""))
