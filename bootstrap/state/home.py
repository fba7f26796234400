"""The paths of an installation. HOME is also AIRFLOW_HOME, where Airflow's users expect to find things."""

from __future__ import annotations

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

ROOT_HOMES = Path("/opt")
NAME = "airflow"
# the keys among the secrets
FERNET, SECRET_KEY, JWT = "fernet-key", "secret-key", "jwt-secret"


@dataclass(frozen=True)
class ReleaseFolder:
    """One unpacked bundle below ``releases/``; it never moves, because venvs do not."""

    path: Path

    @property
    def id(self) -> str:
        """The bundle id that it was made from."""
        return self.path.name

    @property
    def runtime(self) -> Path:
        """bootstrap, wheelhouse and their dependencies."""
        return self.path / "runtime"

    @property
    def tools(self) -> Path:
        """uv and pip."""
        return self.path / "tools"

    @property
    def venv(self) -> Path:
        """Airflow and what it needs."""
        return self.path / "venv"

    @property
    def python(self) -> Path:
        """The interpreter of that environment."""
        return self.venv / "bin" / "python"

    @property
    def supervisor(self) -> Path:
        """The venv of the process supervisor."""
        return self.path / "supervisor"

    @property
    def postgres(self) -> Path:
        """The carried PostgreSQL programs (bin, lib, share)."""
        return self.path / "postgres"

    @property
    def staging(self) -> Path:
        """Wheels on their way into a venv; removed when the release is complete."""
        return self.path / "staging"

    @property
    def added(self) -> Path:
        """The packages of add-ons, a folder each."""
        return self.path / "added"

    @property
    def own_python(self) -> Path:
        """A file with the interpreter of airferry's commands, where it is not the receipt's.

        For a release that the account has built: root does not run its interpreter.
        """
        return self.path / "airferry-python"

    @property
    def is_roots(self) -> bool:
        """Whether root has built it: an account cannot make the mark of it."""
        return _owner(self.complete) == 0

    @property
    def manifest(self) -> Path:
        """The bundle's manifest."""
        return self.path / "manifest.json"

    @property
    def complete(self) -> Path:
        """Written last: a release without it is rebuilt."""
        return self.path / "complete"


@dataclass(frozen=True)
class Home:
    """An installation; `path` is absolute."""

    path: Path

    @classmethod
    def default(cls, name: str = "") -> Home:
        """/opt/NAME for root and ~/NAME for anybody else; without a name ``$AIRFLOW_HOME`` comes first."""
        named = os.environ.get("AIRFLOW_HOME")
        if named and not name:
            return cls(Path(named).expanduser().absolute())
        folder = ROOT_HOMES
        if os.getuid() != 0:
            folder = Path(os.environ.get("HOME") or _home_of(os.getuid()))
        return cls((folder / (name or NAME)).absolute())

    def release(self, bundle_id: str) -> ReleaseFolder:
        """Where a bundle's release lies, whether it is there or not."""
        return ReleaseFolder(self.path / "releases" / bundle_id)

    @property
    def is_roots(self) -> bool:
        """Whether code and records are root's; the account owns the data alone."""
        return _owner(self.path) == 0

    def owner_of_data(self) -> int:
        """The uid that the data belongs to; raises OSError."""
        return (self.secrets if self.is_roots else self.path).lstat().st_uid

    @property
    def pythons(self) -> Path:
        """Interpreters that bundles carried, each in a folder named by version and checksum."""
        return self.path / "python"

    @property
    def current_link(self) -> Path:
        """The link to the release in use."""
        return self.path / "current"

    @property
    def bin(self) -> Path:
        """The commands for daily use."""
        return self.path / "bin"

    @property
    def manual(self) -> Path:
        """A link to the manual of the release in use."""
        return self.path / "doc"

    @property
    def airflow_cfg(self) -> Path:
        """Airflow's configuration file."""
        return self.path / "airflow.cfg"

    @property
    def dags(self) -> Path:
        """The DAG files."""
        return self.path / "dags"

    @property
    def logs(self) -> Path:
        """Airflow's task logs, and ours below ``airferry/``."""
        return self.path / "logs"

    @property
    def own_logs(self) -> Path:
        """The install log and the components' logs."""
        return self.logs / "airferry"

    @property
    def install_log(self) -> Path:
        """The whole output of every program that an install ran."""
        return self.own_logs / "install.log"

    @property
    def cluster(self) -> Path:
        """The PostgreSQL data directory."""
        return self.path / "postgres"

    @property
    def secrets(self) -> Path:
        """Passwords and keys, each a file of mode 0600."""
        return self.path / "secrets"

    @property
    def admin_password(self) -> Path:
        """The password of Airflow's admin account."""
        return self.secrets / "admin-password"

    @property
    def postgres_password(self) -> Path:
        """The password of the database role ``airflow``."""
        return self.secrets / "postgres-password"

    @property
    def run(self) -> Path:
        """Sockets and process ids."""
        return self.path / "run"

    @property
    def etc(self) -> Path:
        """Generated configuration of the services."""
        return self.path / "etc"

    @property
    def receipt(self) -> Path:
        """What was installed."""
        return self.path / "receipt.json"

    @property
    def backups(self) -> Path:
        """Database dumps with the configuration and keys that belong to them, a private folder each."""
        return self.path / "backups"

    @property
    def journal(self) -> Path:
        """What happened when, a JSON object a line."""
        return self.path / "journal.jsonl"

    @property
    def own_journal(self) -> Path:
        """What the account's own commands note where the journal is root's."""
        return self.own_logs / "journal.jsonl"

    @property
    def receipts(self) -> Path:
        """Every receipt that root has written, a JSON object a line."""
        return self.etc / "receipts.jsonl"

    @property
    def bytecode(self) -> Path:
        """Where Python keeps what it compiles, where the code is root's."""
        return self.run / "bytecode"

    @property
    def lock(self) -> Path:
        """Held while an install changes the home."""
        return self.path / ".airferry.lock"


def site_before(home: Home) -> Path:
    """The list of what a change of site settings has replaced: it is there until they are proven."""
    return home.run / "site-before" / "before.json"


def _home_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_dir
    except KeyError:  # in containers there are numbers without a name
        return "/"


def _owner(path: Path) -> int:
    """The uid of a file or folder; -1 for none, and for a file that may be another's under a second name."""
    try:
        found = path.lstat()
    except OSError:
        return -1
    return -1 if stat.S_ISREG(found.st_mode) and found.st_nlink > 1 else found.st_uid
