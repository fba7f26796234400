"""airflow.cfg: written by Airflow itself, then edited in place for an offline LocalExecutor."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Dict, List, Tuple

from bootstrap import secret, smallfile
from bootstrap.airflow import config, release
from bootstrap.airflow.config import Setting
from bootstrap.airflow.differences import DATABASE_URL
from bootstrap.airflow.reserved import reserved
from bootstrap.installation import Installation
from bootstrap.steps.secrets import FERNET, JWT, SECRET_KEY

# Values that stand in a default file and are no key that somebody chose.
_NO_KEY = ("", "temporary_key")


class ConfigurationStep:
    """Write the settings of ours; everything else in an airflow.cfg that is there already stays.

    What was written is remembered (secrets as ``***``), so that a later run writes only settings whose
    intended value has changed since, and an admin's own edits stay.
    """

    name = "configuration"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.path = installation.home.airflow_cfg
        self.record = installation.home.etc / "airflow-settings.json"

    def describe(self) -> str:
        """One line for the admin."""
        kept = "edit" if self.path.exists() else "write"
        return f"{kept.capitalize()} {self.path}: PostgreSQL, LocalExecutor, no example DAGs, keys"

    def done(self) -> bool:
        """Whether the file is there and no intended value has changed."""
        return self.path.is_file() and not self.changed()

    def apply(self) -> None:
        """Edit the file in one step; one that somebody else made is copied first."""
        foreign = self.path.exists() and not self.record.exists()
        if foreign:
            self._keep_copy()
            self._adopt_keys()
        self.installation.airflow.write_config()
        text = config.read(self.path)
        config.write(self.path, config.edit(text, self.changed()))
        # whoever runs has read the old file; the start step brings all back
        self.installation.services.stop(self.installation.components)
        self._remember(self._fingerprint())

    def forget(self, *options: str) -> None:
        """Have these options written anew: their secret values have changed, which the record cannot show."""
        known = self.known()
        left = {key: shown for key, shown in known.items() if key.rpartition(" ")[2] not in options}
        if left != known:
            self._remember(left)

    def correct_database(self) -> None:
        """Have a file that came from a backup name the database as it is reached now."""
        address = DATABASE_URL.at(self.installation.version.numbers)
        url = [item for item in self.settings() if (item.section, item.option) == address]
        config.write(self.path, config.edit(config.read(self.path), url))

    def settings(self) -> List[Setting]:
        """Every setting that this installation intends."""
        receipt, secrets = self.installation.receipt, self.installation.home.secrets
        urls = self.installation.database_urls()
        parameters = release.Parameters(
            home=self.installation.home.path,
            database_url=urls.sync,
            async_url=urls.async_,
            fernet_key=secret.read(secrets / FERNET),
            secret_key=secret.read(secrets / SECRET_KEY),
            jwt_secret=secret.read(secrets / JWT),
            web_port=receipt.web_port,
            web_host=receipt.web_host,
            log_port=receipt.log_port,
            trigger_log_port=receipt.trigger_log_port,
            parallelism=receipt.parallelism,
            auth=receipt.auth,
            admin_user=receipt.admin_user,
        )
        return list(release.settings(self.installation.version, parameters))

    def changed(self) -> List[Setting]:
        """The settings to write: their intended value is not what was written last, nor set by hand since."""
        known = self.known()
        changed = [item for item in self.settings() if known.get(_key(item)) != _shown(item)]
        return [item for item in changed if not self._by_hand(item, known)]

    def _by_hand(self, item: Setting, known: Dict[str, str]) -> bool:
        """Whether somebody has changed what was written here, and may: it stays, whatever is intended now."""
        place = (item.section, item.option)
        if item.secret or _key(item) not in known or place in reserved(self.installation.version):
            return False
        return config.get(config.read(self.path), *place) != known[_key(item)]

    def _fingerprint(self) -> Dict[str, str]:
        return {_key(item): _shown(item) for item in self.settings()}

    def _remember(self, settings: Dict[str, str]) -> None:
        smallfile.write(self.record, json.dumps(settings, indent=2) + "\n")

    def known(self) -> Dict[str, str]:
        """The record: ``[section] option`` -> value."""
        try:
            found: Dict[str, str] = json.loads(self.record.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return found

    def _keep_copy(self) -> None:
        copy = Path(f"{self.path}.{time.strftime('%Y%m%d-%H%M%S')}.bak")
        config.write(copy, config.read(self.path))

    def _adopt_keys(self) -> None:
        text, secrets = config.read(self.path), self.installation.home.secrets
        for item in self.settings():
            name = {"fernet_key": FERNET, "secret_key": SECRET_KEY, "jwt_secret": JWT}.get(item.option)
            value = config.get(text, item.section, item.option)
            if name and value not in (None, *_NO_KEY):
                secret.write(secrets / name, secret.Secret(value or ""))


def written(installation: Installation) -> Dict[Tuple[str, str], str]:
    """What the last install wrote: section and option -> value, ``***`` for a secret one."""
    record = ConfigurationStep(installation).known()
    pairs = ((key[1:].split("] ", 1), value) for key, value in record.items())
    return {(section, option): value for (section, option), value in pairs}


def _key(item: Setting) -> str:
    return f"[{item.section}] {item.option}"


def _shown(item: Setting) -> str:
    return "***" if item.secret else item.value
