"""What lies on its way from the old Airflow into the new one: a private folder below the new home's run/."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bootstrap.state.home import Home

# The entries of an archive: plain files, and folders of plain files.
CONFIGURATION, DATABASE, KEY, LOOK = "airflow.cfg", "airflow.db", "fernet-key", "old.json"
DAGS, PLUGINS, LOGS = "dags", "plugins", "logs"
# of a server: a file of COPY's text for each table, and the list of all with columns and rows, as JSON
TABLES, CONTENTS = "tables", "tables.json"
FILES = (CONFIGURATION, DATABASE, KEY, LOOK, CONTENTS)
FOLDERS = (DAGS, PLUGINS, LOGS, TABLES)


@dataclass(frozen=True)
class Staging:
    """The folder of a home's, and the files by which a step knows that it is done."""

    home: Home

    @property
    def path(self) -> Path:
        """The folder."""
        return self.home.run / "takeover"

    @property
    def complete(self) -> Path:
        """Everything has been unpacked, and DAGs, plugins and logs are in their places."""
        return self.path / "complete"

    @property
    def settings(self) -> Path:
        """What became of the settings of the old airflow.cfg, as JSON."""
        return self.path / "settings.json"

    @property
    def proved(self) -> Path:
        """A DAG of the old one was found on the pages with its history."""
        return self.path / "proved.json"

    @property
    def database(self) -> Path:
        """The copy of SQLite's file."""
        return self.path / DATABASE

    @property
    def tables(self) -> Path:
        """The folder with the tables of a server's."""
        return self.path / TABLES

    @property
    def contents(self) -> Path:
        """The list of these tables."""
        return self.path / CONTENTS

    @property
    def configuration(self) -> Path:
        """The old airflow.cfg."""
        return self.path / CONFIGURATION

    @property
    def key(self) -> Path:
        """The old fernet key; an empty file where there is none."""
        return self.path / KEY

    @property
    def look(self) -> Path:
        """What was found at the look, as JSON."""
        return self.path / LOOK
