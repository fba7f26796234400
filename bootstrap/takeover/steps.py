"""The steps of an install that bring an old Airflow in: its files, settings, tables, rows and accounts."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import List, Optional

from bootstrap.airflow import config
from bootstrap.base import secret, smallfile
from bootstrap.facts.old_airflow import OldAirflow
from bootstrap.installed.installation import Installation
from bootstrap.installed.taking import Taking
from bootstrap.state.home import FERNET
from bootstrap.takeover import archive, rows, settings
from bootstrap.takeover.archive import TakeOverFailed
from bootstrap.takeover.settings import SettingTaken
from bootstrap.takeover.staging import DAGS, LOGS, PLUGINS, Staging
from wheelhouse import codec


def wanted(installation: Installation, taking: Optional[Taking]) -> bool:
    """Whether this install takes one over: it was asked to, or was interrupted while it did."""
    staging = Staging(installation.home)
    return (taking is not None or staging.path.is_dir()) and not staging.proved.exists()


class FilesStep:
    """Unpack what was packed, put the files into their places, and take the fernet key."""

    name = "take-over-files"

    def __init__(self, installation: Installation, taking: Optional[Taking]) -> None:
        self.installation = installation
        self.taking: Optional[Taking] = taking
        self.staging = Staging(installation.home)

    def describe(self) -> str:
        """One line for the admin."""
        where = self.taking.place if self.taking else "the old Airflow"
        return f"Copy DAG files, plugins, task logs, keys and the database from {where}"

    def done(self) -> bool:
        """Whether all of it is in its place."""
        return self.staging.complete.exists()

    def apply(self) -> None:
        """Unpack, then move; a file that is there stays. Raises :class:`TakeOverFailed`."""
        if self.taking is None:
            raise TakeOverFailed(
                "An install that takes an old Airflow over was interrupted before it had read it.",
                hint="Run it again with the same --take-over.",
            )
        if self.staging.path.exists():
            shutil.rmtree(str(self.staging.path))
        self.staging.path.mkdir(mode=0o700)
        archive.unpack(self.taking.archive, self.staging.path)
        home = self.installation.home
        for name, target in ((DAGS, home.dags), (PLUGINS, home.path / "plugins"), (LOGS, home.logs)):
            _move(self.staging.path / name, target)
        key = secret.read(self.staging.key)
        if key.reveal():
            secret.write(home.secrets / FERNET, key)
        os.sync()
        self.staging.complete.touch()


def _move(source: Path, target: Path) -> None:
    for folder, _, names in os.walk(str(source)):
        for name in names:
            path = Path(folder, name)
            place = target / path.relative_to(source)
            place.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            if not place.exists():
                path.chmod(0o750 if path.stat().st_mode & 0o100 else 0o640)
                shutil.move(str(path), str(place))
    shutil.rmtree(str(source), ignore_errors=True)


class SettingsStep:
    """Take the settings that the site has changed into the new airflow.cfg."""

    name = "take-over-settings"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.staging = Staging(installation.home)

    def describe(self) -> str:
        """One line for the admin."""
        return f"Take the changed settings into {self.installation.home.airflow_cfg}"

    def done(self) -> bool:
        """Whether it was done before."""
        return self.staging.settings.exists()

    def apply(self) -> None:
        """Edit the file in one step, and remember what became of each."""
        path = self.installation.home.airflow_cfg
        old = look(self.installation)
        found: List[SettingTaken] = []
        if old.home:  # the airflow.cfg of a database alone is not known
            text = config.read(self.staging.configuration)
            new, found = settings.taken_over(self.installation, text, old.home, config.read(path))
            config.write(path, new)
        smallfile.write(self.staging.settings, json.dumps(codec.encode(tuple(found)), indent=2) + "\n", 0o600)


class OldSchemaStep:
    """Make the tables as the old release had them."""

    name = "take-over-schema"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def describe(self) -> str:
        """One line for the admin."""
        return "Make Airflow's tables as the old release has them"

    def done(self) -> bool:
        """Whether the rows are there already, and with them the tables."""
        return rows.copied(self.installation) is not None

    def apply(self) -> None:
        """Have Airflow make them; raises :class:`TakeOverFailed` where another history is there."""
        if rows.has_history(self.installation):
            raise TakeOverFailed(
                "The new database has runs already, and they are not those of the old Airflow.",
                hint="Take the old one over into another home: --home PATH.",
            )
        rows.make_schema(self.installation, look(self.installation).database.revision)


class RowsStep:
    """Copy every row, and compare the counts."""

    name = "take-over-rows"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.staging = Staging(installation.home)

    def describe(self) -> str:
        """One line for the admin."""
        return "Copy the rows of the old database: history, connections, variables, pools, users"

    def done(self) -> bool:
        """Whether they are there, all of them: it was one transaction."""
        found = rows.copied(self.installation)
        return found is not None and not found.unexplained()

    def apply(self) -> None:
        """Copy them; what was in plain text is encrypted. Raises :class:`TakeOverFailed`."""
        found = rows.copy(self.installation, self.staging, encrypt=True)
        lost = found.unexplained()
        if lost:
            raise TakeOverFailed(
                "The rows in the new database are not those of the old one.", found="\n".join(lost)
            )


class AccountStep:
    """Make the admin's account unless the old Airflow had one of that name, which keeps its password."""

    name = "take-over-account"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def describe(self) -> str:
        """One line for the admin."""
        user = self.installation.receipt.admin_user
        return f"Make the account {user}, unless the old Airflow had it: then its password stays"

    def done(self) -> bool:
        """Whether it is there; the simple auth manager has no accounts of its own in the database."""
        receipt = self.installation.receipt
        return receipt.auth != "fab" or rows.has_account(self.installation, receipt.admin_user)

    def apply(self) -> None:
        """Make it."""
        password = secret.read(self.installation.home.admin_password)
        command = self.installation.version.create_admin(
            self.installation.receipt.admin_user, password.reveal()
        )
        self.installation.airflow.run_batch(
            [command], what=f"make the account {self.installation.receipt.admin_user}", secrets=(password,)
        )


def look(installation: Installation) -> OldAirflow:
    """What was found at the look before."""
    return codec.loads(OldAirflow, smallfile.text(Staging(installation.home).look))
