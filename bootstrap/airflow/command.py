"""Airflow's own commands, run in the release's venv, in an environment free of the host's settings."""

from __future__ import annotations

import json
import os
import pkgutil
import shutil
import socket
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Dict, Iterable, List, Mapping, Optional, Sequence

from bootstrap.airflow import differences
from bootstrap.airflow.config import ConfigurationError
from bootstrap.airflow.release import SIMPLE_PASSWORDS, AirflowRelease
from bootstrap.base import process, secret
from bootstrap.base.process import CommandFailed, Completed
from bootstrap.base.secret import Secret
from bootstrap.postgres import locks
from wheelhouse.errors import AirferryError

# what fabpassword.py ends with
_UNKNOWN = 3
# A migration of a large database takes hours; this is only the end of one that hangs.
_MIGRATION_SECONDS = 24 * 3600.0


_UNUSED_DATABASE = "postgresql+psycopg2://127.0.0.1/unused"
# Releases before 2.8 write it when they are imported.
_WRITE_CONFIG = """
from airflow import configuration
write = getattr(configuration, "write_default_airflow_configuration_if_needed", None)
if write:
    write()
"""


class UnknownLogin(AirferryError):
    """Airflow has no account of that name."""

    reference = "unknown-login"
    exit_code = 91


def unknown_login(user: str, known: str) -> UnknownLogin:
    """The error for an account that is not among `known`."""
    return UnknownLogin(
        f"Airflow has no account {user}.",
        found=f"accounts: {known or 'none'}",
        hint="Create it on the web pages (Security, List Users) or with bin/airflow users create.",
    )


class Airflow:
    """The ``airflow`` of one venv, working on one home."""

    def __init__(
        self,
        release: AirflowRelease,
        venv: Path,
        home: Path,
        log: Optional[Path] = None,
        extra_env: Optional[Mapping[str, str]] = None,
    ) -> None:
        self.release = release
        self.venv = venv
        self.home = home
        self.log = log
        self._extra = dict(extra_env or {})
        self._warming: Optional[process.Background] = None

    def told(self, **variables: str) -> Airflow:
        """The same, with more variables in its environment."""
        return Airflow(self.release, self.venv, self.home, self.log, {**self._extra, **variables})

    def environment(self) -> Dict[str, str]:
        """The whole environment of Airflow's commands and components.

        Without AIRFLOW__* (they would win over airflow.cfg) and without proxies: through one, the tasks of
        3.x cannot reach the API server on this host, and all of them fail.
        """
        base = process.environment()
        direct = f"127.0.0.1,localhost,::1,{socket.gethostname()}"
        own = {
            "AIRFLOW_HOME": str(self.home),
            "PATH": f"{self.venv / 'bin'}:{base['PATH']}",
            "NO_PROXY": direct,
            "no_proxy": direct,
        }
        return process.environment({**own, **self._extra})

    def run(self, *arguments: str, what: str, timeout: float = 600.0, ok: Iterable[int] = (0,)) -> Completed:
        """Run one command, ``airflow ARGUMENTS``; never give it a password."""
        command: List[process.Argument] = [self._python, "-m", "airflow", *arguments]
        return process.run(command, what=what, env=self.environment(), timeout=timeout, ok=ok, log=self.log)

    def run_batch(
        self,
        commands: Sequence[Sequence[str]],
        *,
        what: str,
        timeout: float = 900.0,
        secrets: Iterable[Secret] = (),
        ok: Iterable[int] = (0,),
        lock_seconds: int = 0,
    ) -> Completed:
        """Run several commands in one process, importing Airflow once; stop at the first that fails.

        With `lock_seconds` they wait no longer than that for a table that another session holds.
        Passwords may be in them: they travel on standard input. Name them in `secrets`, so that no log shows
        them.
        """
        return process.run(
            [self._python, "-c", source("batch.py")],
            what=what,
            env=self.environment(),
            stdin=Secret(
                json.dumps({"commands": [list(item) for item in commands], "lock_seconds": lock_seconds})
            ),
            timeout=timeout,
            secrets=secrets,
            ok=ok,
            log=self.log,
        )

    def warm_up(self) -> process.Background:
        """Have Python compile what the components import, beside other work; it is begun once.

        It ends by itself, or when this process does, or with :meth:`end_warm_up`.
        """
        if self._warming is None:
            self._warming = self._warm_up()
        return self._warming

    def end_warm_up(self) -> None:
        """Let nothing of it go on."""
        if self._warming:
            self._warming.end()
        for leftover in (self.home / "run").glob("warmup-*"):
            shutil.rmtree(str(leftover), ignore_errors=True)

    def _warm_up(self) -> process.Background:
        place = self.home / "run"
        self.end_warm_up()
        folder = tempfile.mkdtemp(prefix="warmup-", dir=str(place))
        own = {"AIRFLOW_HOME": folder, self._database_variable: _UNUSED_DATABASE, "_AIRFLOW__AS_LIBRARY": "1"}
        modules = differences.IMPORTS.at(self.release.numbers)
        return process.background(
            [self._python, "-c", source("warmup.py"), str(os.getpid()), *modules],
            what="compile Airflow's modules",
            env={**self.environment(), **own},
        )

    def check_version(self) -> None:
        """Start Airflow in a home that is thrown away; raises CommandFailed when it does not start."""
        place = self.home / "run"
        for leftover in place.glob("trial-*"):
            shutil.rmtree(str(leftover), ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix="trial-", dir=str(place)) as folder:
            own = {"AIRFLOW_HOME": folder, self._database_variable: _UNUSED_DATABASE}
            said = process.run(
                [self._python, "-m", "airflow", "version"],
                what=f"start Airflow {self.release.version}",
                env={**self.environment(), **own},
                log=self.log,
            ).stdout
        if self.release.version not in said:
            raise CommandFailed(
                f"Airflow {self.release.version} reports another version.", found=said.strip()[-300:]
            )

    def write_config(self) -> Path:
        """Have Airflow write its default airflow.cfg, unless there is one."""
        path = self.home / "airflow.cfg"
        if not path.exists():
            # The default database is SQLite, which a Python without _sqlite3 cannot even import.
            process.run(
                [self._python, "-c", _WRITE_CONFIG],
                what="write the default airflow.cfg",
                # of all of Airflow the configuration alone: a command would import the rest as well
                env={
                    **self.environment(),
                    self._database_variable: _UNUSED_DATABASE,
                    "_AIRFLOW__AS_LIBRARY": "1",
                },
                log=self.log,
            )
        if not path.exists():
            raise ConfigurationError(
                f"Airflow did not write {path}.", hint="Check that the folder is writable for this account."
            )
        return path

    def initialise_and_create_admin(
        self, user: str, password: Secret, auth: str = "fab", *, create: bool = True
    ) -> Completed:
        """Create or upgrade the schema, check it, and make the admin account if `create`; safe to repeat.

        An account of that name that exists already keeps its password and roles. Airflow's own check of
        airflow.cfg runs in the same process, where the release has one; the result holds what it said.
        """
        commands: List[Sequence[str]] = [self.release.initialise, self.release.check_schema]
        if self.release.lint:
            commands.append(self.release.lint)
        if auth == "simple":
            self._write_simple_password(user, password, keep=True)
        elif create:
            commands.append(self.release.create_admin(user, password.reveal()))
        what = f"create Airflow's tables and the account {user}"
        return self.run_batch(
            commands,
            what=what,
            secrets=(password,),
            timeout=_MIGRATION_SECONDS,
            lock_seconds=locks.SECONDS,
        )

    def set_password(self, user: str, password: Secret, auth: str = "fab") -> None:
        """Give `user` a new password; its roles stay.

        Raises :class:`UnknownLogin` for an account that FAB does not have; for the simple auth manager it is
        written all the same: which accounts there are is said in airflow.cfg.
        """
        if auth == "simple":
            self._write_simple_password(user, password, keep=False)
            return
        asked = {
            "database": differences.DATABASE_URL.at(self.release.numbers),
            "user": user,
            "password": password.reveal(),
        }
        result = process.run(
            [self._python, "-c", source("fabpassword.py")],
            what=f"set the password of {user}",
            env=self.environment(),
            stdin=Secret(json.dumps(asked)),
            secrets=(password,),
            ok=(0, _UNKNOWN),
            log=self.log,
        )
        if result.status == _UNKNOWN:
            raise unknown_login(user, result.stdout.strip().split("\n")[-1])

    def schema_problem(self) -> Optional[str]:
        """What is wrong with the revision of the schema; None when it is that of this release's code.

        It says nothing of the tables themselves: see ``metadata.missing_tables``.
        """
        try:
            self.run(*self.release.check_schema, what="check the revision of the schema", timeout=120)
        except CommandFailed as error:
            # SQLAlchemy ends with an address on the internet
            lines = [line for line in error.found.splitlines() if line and not line.startswith("(Background")]
            return lines[-1].strip() if lines else error.message
        return None

    def unpause(self, dag_id: str) -> None:
        """Let the scheduler run a DAG that it knows."""
        self.run("dags", "unpause", dag_id, what=f"unpause the DAG {dag_id}")

    def trigger(self, dag_id: str, run_id: str, logical_date: datetime) -> None:
        """Start one run of a DAG that the scheduler knows; `logical_date` has a time zone."""
        command = self.release.trigger(dag_id, run_id, logical_date)
        self.run(*command, what=f"trigger the DAG {dag_id}")

    def unpause_and_trigger(self, dag_id: str, run_id: str, logical_date: datetime) -> None:
        """Both in one process."""
        commands = [("dags", "unpause", dag_id), self.release.trigger(dag_id, run_id, logical_date)]
        self.run_batch(commands, what=f"trigger the DAG {dag_id}")

    @property
    def _database_variable(self) -> str:
        return "__".join(("AIRFLOW", *(differences.DATABASE_URL.at(self.release.numbers) or ()))).upper()

    @property
    def _python(self) -> Path:
        return self.venv / "bin" / "python"

    def _write_simple_password(self, user: str, password: Secret, *, keep: bool) -> None:
        # Without this file the simple auth manager makes one that everybody can read, and logs the password.
        path = self.home / SIMPLE_PASSWORDS
        known: Dict[str, str] = {}
        if path.exists():
            known = json.loads(path.read_text(encoding="utf-8") or "{}")
        if not (keep and user in known):
            known[user] = password.reveal()
        path.parent.mkdir(mode=0o700, exist_ok=True)
        secret.write(path, Secret(json.dumps(known)))


def source(name: str) -> str:
    """The text of a module that Airflow's own Python runs; ours may lie inside an archive."""
    source = pkgutil.get_data("bootstrap.airflow", name)
    if source is None:  # pragma: no cover  # only a loader without get_data
        raise FileNotFoundError(f"bootstrap/airflow/{name}")
    return source.decode("utf-8")


def program(name: str, *parts: str) -> str:
    """The text of a module that Airflow's own Python runs, with further ones of this room that it imports."""
    lines = ["import sys, types"]
    for part in parts:
        module = f"bootstrap.airflow.{part[: -len('.py')]}"
        lines += [f"part = sys.modules[{module!r}] = types.ModuleType({module!r})"]
        lines += [f"exec(compile({source(part)!r}, {part!r}, 'exec'), part.__dict__)"]
    return "\n".join([*lines, source(name)])
