"""Airflow itself: schema and admin account, example DAGs, components, and a real run as the proof."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import List

from bootstrap import secret
from bootstrap.airflow import health
from bootstrap.installation import POSTGRES, Installation
from wheelhouse import layout
from wheelhouse.errors import AirferryError
from wheelhouse.reader import Bundle

EXAMPLES = "airferry_examples"
PROOF_DAG = "airferry_pipeline"


class PipelineFailed(AirferryError):
    """The example pipeline did not run to success."""

    reference = "pipeline-failed"
    exit_code = 34


class MigrationStep:
    """Create the schema and the admin account."""

    name = "migration"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.marker = installation.home.run / f"migrated-{installation.receipt.bundle_id}"

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
        airflow.initialise_and_create_admin(receipt.admin_user, password, receipt.auth)
        self.marker.write_text("", encoding="utf-8")


class PipelinesStep:
    """Copy the example DAGs; a file that is there stays as it is."""

    name = "pipelines"

    def __init__(self, installation: Installation, bundle: Bundle) -> None:
        self.installation = installation
        self.bundle = bundle
        self.folder = installation.home.dags / EXAMPLES

    def describe(self) -> str:
        """One line for the admin."""
        return f"Copy the example pipelines to {self.folder}"

    def done(self) -> bool:
        """Whether every file is there."""
        return all(target.exists() for _, target in self._files())

    def apply(self) -> None:
        """Copy what is missing."""
        for name, target in self._files():
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                temporary = target.with_name(target.name + ".new")
                self.bundle.extract(name, temporary, 0o755 if target.suffix == ".sh" else 0o644)
                temporary.replace(target)

    def _files(self) -> list[tuple[str, Path]]:
        return [
            (file.path, self.folder / file.path[len(layout.DAGS) :])
            for file in self.bundle.manifest.files
            if file.path.startswith(layout.DAGS)
        ]


class StartStep:
    """Start every component and wait until Airflow itself says that all are healthy."""

    name = "start"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def describe(self) -> str:
        """One line for the admin."""
        return f"Start {', '.join(self.installation.components)}"

    def done(self) -> bool:
        """Whether all run and are healthy."""
        states = self.installation.services.states()
        wanted = [POSTGRES, *self.installation.components]
        if any(name not in states or states[name].state != "RUNNING" for name in wanted):
            return False
        receipt = self.installation.receipt
        return health.fetch(
            self.installation.version, self.installation.probe_address, receipt.web_port
        ).healthy

    def apply(self) -> None:
        """Start, wait for health, and log in with the admin's password."""
        start(self.installation)
        receipt = self.installation.receipt
        health.login(
            self.installation.version,
            self.installation.probe_address,
            receipt.web_port,
            receipt.admin_user,
            secret.read(self.installation.home.admin_password),
        )


class ProofStep:
    """Run the example pipeline: green health proves little, a run proves the install."""

    name = "proof"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.marker = installation.home.run / f"proved-{installation.receipt.bundle_id}"

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


def start(installation: Installation, seconds: float = 180) -> None:
    """Start PostgreSQL, then all components together, and wait for health."""
    services = installation.services
    services.configure(installation.programs())
    services.launch()
    services.start([POSTGRES], settle=False)
    installation.cluster.wait()
    services.start(installation.components)
    health.wait(installation.version, installation.probe_address, installation.receipt.web_port, seconds)


def prove(installation: Installation, seconds: float = 300) -> None:
    """Trigger one run of the example pipeline and wait until it has succeeded.

    Raises :class:`PipelineFailed` with the states of its tasks and where their logs lie.
    """
    now = datetime.now(timezone.utc)
    day = (now - timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    # an earlier, unfinished proof may have used the same date
    logical = day + timedelta(seconds=now.hour * 3600 + now.minute * 60 + now.second)
    run_id = f"airferry_proof_{now.strftime('%Y%m%dT%H%M%S')}"
    installation.airflow.unpause_and_trigger(PROOF_DAG, run_id, logical)
    deadline = time.monotonic() + seconds
    state = ""
    while time.monotonic() < deadline:
        state = installation.cluster.query(
            f"SELECT state FROM dag_run WHERE dag_id = '{PROOF_DAG}' AND run_id = '{run_id}'"  # noqa: S608
        )
        if state in ("success", "failed"):
            break
        time.sleep(0.2)
    if state != "success":
        raise PipelineFailed(
            f"The example pipeline {PROOF_DAG} ended as {state or 'not started'}.",
            found="\n".join(_tasks(installation, run_id)),
            needed=f"success within {seconds:.0f} seconds",
            hint=f"The task logs are below {installation.home.logs}, the scheduler's is"
            f" {installation.home.own_logs / 'scheduler.log'}. Everything else is installed; running the"
            " install again repeats only this step.",
        )


def _tasks(installation: Installation, run_id: str) -> List[str]:
    rows = installation.cluster.query(
        f"SELECT task_id, state FROM task_instance WHERE run_id = '{run_id}' ORDER BY 1"  # noqa: S608
    )
    return [f"task {row}".replace("\t", ": ") for row in rows.splitlines()] or ["no task was started"]
