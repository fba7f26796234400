"""Airflow itself: schema and admin account, example DAGs, components, and a real run as the proof."""

from __future__ import annotations

import os
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import List

from bootstrap.airflow import health, metadata
from bootstrap.airflow.api import ApiSession, LoginFailed
from bootstrap.base import secret
from bootstrap.base.process import CommandFailed
from bootstrap.installed import bytecode, meeting, outdated, pool
from bootstrap.installed.carried import EXAMPLES
from bootstrap.installed.installation import Installation
from bootstrap.postgres import locks
from bootstrap.state import marker
from bootstrap.state.journal import Journal
from bootstrap.state.marker import MIGRATED, PROVED
from wheelhouse import layout
from wheelhouse.errors import AirferryError
from wheelhouse.reader import Bundle

PROOF_DAG = "airferry_pipeline"


class PipelineFailed(AirferryError):
    """The example pipeline did not run to success."""

    reference = "pipeline-failed"
    exit_code = 34


class MigrationFailed(AirferryError):
    """The schema is not what this release needs after its own migration."""

    reference = "migration-failed"
    exit_code = 42


class MigrationStep:
    """Create the schema and the admin account."""

    name = "migration"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.marker = marker.path(installation.home, MIGRATED, installation.receipt.bundle_id)

    def describe(self) -> str:
        """One line for the admin."""
        return f"Create Airflow's tables and the account {self.installation.receipt.admin_user}"

    def done(self) -> bool:
        """Whether this bundle's migration has ended well before."""
        return self.marker.exists()

    def apply(self) -> None:
        """Migrate, make the account, and look at the schema: the command's own word is not enough."""
        receipt, airflow = self.installation.receipt, self.installation.airflow
        password = secret.read(self.installation.home.admin_password)
        try:
            said = airflow.initialise_and_create_admin(
                receipt.admin_user, password, receipt.auth, create=not self._has_accounts()
            ).stdout
        except CommandFailed as error:
            locks.blame(error, self.installation.database.query)
            raise
        if "issues in your airflow.cfg" in said and "No issues" not in said:
            # settings that an admin had written: they still hold, so this is for the record
            Journal(self.installation.home.journal).write(
                "airflow-cfg-issues", see="logs/airferry/install.log"
            )
        missing = metadata.missing_tables(self.installation.database.query, receipt.auth)
        if missing:
            raise MigrationFailed(
                "Airflow reported a finished migration, but the schema is incomplete.",
                found=f"no table {', '.join(missing)}",
                hint=f"Its output is in {self.installation.home.install_log}. Run the same command again.",
            )
        pool.fit(self.installation)
        self.marker.write_text("", encoding="utf-8")

    def _has_accounts(self) -> bool:
        """Whether any account can log in: an account that was removed on purpose is not made again."""
        query = self.installation.database.query
        return bool(query("SELECT to_regclass('ab_user')")) and query("SELECT count(*) FROM ab_user") != "0"


class PipelinesStep:
    """Copy the example DAGs; a file that is there stays as it is."""

    name = "pipelines"

    def __init__(self, installation: Installation, bundle: Bundle) -> None:
        self.installation = installation
        self.bundle = bundle

    @property
    def folder(self) -> Path:
        """Where Airflow reads them."""
        return self.installation.folders.pipelines / EXAMPLES

    def describe(self) -> str:
        """One line for the admin."""
        return f"Copy the example pipelines to {self.folder}"

    def done(self) -> bool:
        """Whether every file is there."""
        return all(target.exists() for _, target in self._files())

    def apply(self) -> None:
        """Copy what is missing."""
        missing = [(name, target) for name, target in self._files() if not target.exists()]
        for name, target in missing:
            target.parent.mkdir(parents=True, exist_ok=True)
            self.bundle.extract(name, _beside(target), 0o755 if target.suffix == ".sh" else 0o644)
        os.sync()  # after a power cut a file may be missing, but none is there and empty
        for _, target in missing:
            _beside(target).replace(target)

    def _files(self) -> list[tuple[str, Path]]:
        return [
            (file.path, self.folder / file.path[len(layout.DAGS) :])
            for file in self.bundle.manifest.files
            if file.path.startswith(layout.DAGS)
        ]


def _beside(target: Path) -> Path:
    return target.with_name(target.name + ".new")


class StartStep:
    """Start every component and wait until Airflow itself says that all are healthy."""

    name = "start"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def describe(self) -> str:
        """One line for the admin."""
        return f"Start {', '.join(self.installation.components)}"

    def done(self) -> bool:
        """Whether all run with the settings as they are now, and are healthy."""
        if outdated.components(self.installation):
            return False
        states = self.installation.services.states()
        wanted = [*self.installation.servers, *self.installation.components]
        if any(name not in states or states[name].state != "RUNNING" for name in wanted):
            return False
        return health.fetch(self.installation.version, self.installation.web).healthy

    def apply(self) -> None:
        """Start, wait for health, and log in as the admin; what has read older settings is started anew."""
        stale = outdated.components(self.installation)
        if stale:
            self.installation.services.stop(stale)
        start(self.installation)
        receipt = self.installation.receipt
        # in a database that was taken over, the account may be there with a password of its own
        if not receipt.completed and not receipt.database.adopted:
            _login(self.installation)


class ProofStep:
    """Run the example pipeline: green health proves little, a run proves the install."""

    name = "proof"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.marker = marker.path(installation.home, PROVED, installation.receipt.bundle_id)

    def describe(self) -> str:
        """One line for the admin."""
        return f"Run the example pipeline {PROOF_DAG} to its end"

    def done(self) -> bool:
        """Whether a run of it has succeeded under this bundle."""
        return self.marker.exists()

    def apply(self) -> None:
        """Trigger a run for yesterday's date and wait for success."""
        prove(self.installation)
        self.marker.write_text("", encoding="utf-8")


def start(installation: Installation, seconds: float = 300) -> None:
    """Start PostgreSQL, then all components together, and wait for health; on a worker it alone."""
    if installation.is_worker:
        from bootstrap.steps.worker import start as start_worker  # noqa: PLC0415

        start_worker(installation)
        return
    services = installation.services
    bytecode.mend(installation)
    services.configure(installation.programs())
    services.launch()
    services.start(installation.servers, settle=False)
    installation.database.wait()
    meeting.ensure(installation)
    # the last sign of life of a killed scheduler counts as healthy for half a minute
    since = datetime.now(timezone.utc)
    services.start(installation.components)
    health.wait(installation.version, installation.web, seconds, since=since)
    services.start(installation.helpers, settle=False)


def prove(installation: Installation, seconds: float = 300, *, tries: int = 2) -> None:
    """Trigger a run of the example pipeline and wait until it has succeeded; one that fails is tried again.

    On a busy host the first task of 3.x may wait in vain for the API server, which is only just up.
    Raises :class:`PipelineFailed` with the states of its tasks and where their logs lie.
    """
    query = installation.database.query
    deadline = time.monotonic() + seconds
    while not metadata.dag_is_known(query, PROOF_DAG):
        if time.monotonic() > deadline:
            raise _failed(installation, "never read by Airflow", _import_errors(installation))
        time.sleep(0.2)
    now = datetime.now(timezone.utc)
    run_id = f"airferry_proof_{now.strftime('%Y%m%dT%H%M%S')}"
    _trigger(installation, run_id, now - timedelta(days=1))
    state = ""
    while state not in ("success", "failed"):
        if time.monotonic() > deadline:
            break
        time.sleep(0.2)
        state = metadata.run_state(query, PROOF_DAG, run_id)
    if state == "failed" and tries > 1:
        prove(installation, seconds, tries=tries - 1)
    elif state != "success":
        tasks = metadata.task_states(query, PROOF_DAG, run_id)
        found = [f"task {task}: {task_state or 'not started'}" for task, task_state in tasks.items()]
        raise _failed(installation, state or "not started", found)


def _trigger(installation: Installation, run_id: str, logical_date: datetime) -> None:
    try:
        session = _login(installation)
    except LoginFailed:
        # The password was changed in Airflow itself; its own command needs none, and seconds instead.
        installation.airflow.unpause_and_trigger(PROOF_DAG, run_id, logical_date)
        return
    session.unpause(PROOF_DAG)
    session.trigger(PROOF_DAG, run_id, logical_date)


def _login(installation: Installation) -> ApiSession:
    receipt = installation.receipt
    return health.login(
        installation.version,
        installation.web,
        receipt.admin_user,
        secret.read(installation.home.admin_password),
    )


def _failed(installation: Installation, state: str, found: List[str]) -> PipelineFailed:
    home, logs = installation.home, installation.folders.logs
    return PipelineFailed(
        f"The example pipeline {PROOF_DAG} did not succeed: {state}.",
        found="\n".join(found) or "no task was started",
        needed="a run that ends in success",
        hint=f"The task logs are below {logs}, the components' in {home.own_logs}. Everything else is"
        " installed; running the install again repeats only this step.",
    )


def _import_errors(installation: Installation) -> List[str]:
    errors = metadata.import_errors(installation.database.query)
    return [f"{name}: {problem}" for name, problem in errors.items()]
