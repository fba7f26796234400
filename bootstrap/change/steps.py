"""The steps that every change has: stop, save, set aside; switch; and the way back."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path
from typing import List, Optional

from bootstrap.backups import databases, state
from bootstrap.backups.save import save
from bootstrap.base import channel, smallfile
from bootstrap.installed import database_running
from bootstrap.installed.installation import Installation
from bootstrap.postgres import dump, locks
from bootstrap.services import strays
from bootstrap.state import backup as backups
from bootstrap.state import change_record, clusters, marker
from bootstrap.state import receipt as receipts
from bootstrap.state.change_record import Change
from bootstrap.state.home import Home
from bootstrap.state.journal import Journal
from bootstrap.state.plan import Progress, Step
from bootstrap.state.receipt import Receipt
from bootstrap.steps import packages
from bootstrap.steps.airflow import StartStep, start
from bootstrap.steps.configuration import ConfigurationStep
from bootstrap.steps.database import ClusterStep, DatabaseStep
from wheelhouse import codec


class _Always:
    """A step of a change is never found done: what was interrupted is undone first, then begun anew."""

    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return False


class StopStep(_Always):
    """Stop Airflow; PostgreSQL goes on, because the next steps need it."""

    name = "stop"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def describe(self) -> str:
        """One line for the admin."""
        return f"Stop Airflow {self.installation.receipt.airflow}"

    def apply(self) -> None:
        """Stop every component, see PostgreSQL up, and our tables unused on an external server."""
        self.installation.stop(self.installation.components)
        if not database_running.is_up(self.installation):
            database_running.start(self.installation)
        self.installation.database.wait()
        if not self.installation.servers:
            # our own server is stopped in a moment, and every session with it
            locks.wait(self.installation.database.query)


class SaveStep(_Always):
    """Back up the old state; from the moment that its id is recorded, going back means restoring it."""

    name = "backup"

    def __init__(self, installation: Installation, change: Change) -> None:
        self.installation = installation
        self.change = change

    def describe(self) -> str:
        """One line for the admin."""
        return f"Back everything up to {self.installation.home.backups}"

    def apply(self) -> None:
        """Make the backup and record its id."""
        home = self.installation.home
        place = save(self.installation, reason=self.change.kind, into=self.change.new.bundle_id)
        change_record.save(home, replace(self.change, backup=place.backup.id))


class AsideStep(_Always):
    """Keep the old database beside, and stop its server: the next one belongs to the new release."""

    name = "aside"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def describe(self) -> str:
        """One line for the admin."""
        return "Keep a copy of the database"

    def apply(self) -> None:
        """Copy it inside the cluster."""
        databases.set_aside(self.installation)
        self.installation.services.shut_down()


class MoveStep(_Always):
    """Set the whole cluster aside: the next server is of another major version."""

    name = "cluster-aside"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def describe(self) -> str:
        """One line for the admin."""
        return f"Set the cluster of PostgreSQL {self.installation.receipt.database.server} aside"

    def apply(self) -> None:
        """Stop its server and move it."""
        self.installation.services.shut_down()
        clusters.set_aside(self.installation.home)


class FillStep(_Always):
    """Fill the database of a new cluster from a dump: `source`, or the backup that this change has made."""

    name = "fill"

    def __init__(self, installation: Installation, source: Optional[Path] = None) -> None:
        self.installation = installation
        self.source = source

    def describe(self) -> str:
        """One line for the admin."""
        return f"Load the database into PostgreSQL {self.installation.receipt.database.server}"

    def apply(self) -> None:
        """Restore the dump."""
        home = self.installation.home
        change = change_record.find(home)
        source = self.source or backups.load(home.backups / (change.backup if change else "")).dump
        with self.installation.database.clients() as clients:
            dump.load(clients, source)


class PutInStep(_Always):
    """Put a backup's database in the place of the one that is there, which is set aside."""

    name = "database-restored"

    def __init__(self, installation: Installation, source: Path) -> None:
        self.installation = installation
        self.source = source

    def describe(self) -> str:
        """One line for the admin."""
        return f"Restore the database from {self.source.parent}"

    def apply(self) -> None:
        """Restore beside, then rename."""
        databases.put_in(self.installation, self.source)
        self.installation.services.shut_down()


class StateStep(_Always):
    """Put a backup's configuration, keys and commands back, and the link to its release."""

    name = "state-restored"

    def __init__(self, installation: Installation, source: Path) -> None:
        self.installation = installation
        self.source = source

    def describe(self) -> str:
        """One line for the admin."""
        return (
            f"Restore airflow.cfg, the keys and the commands of Airflow {self.installation.receipt.airflow}"
        )

    def apply(self) -> None:
        """Copy, then switch the link; the receipt comes with the switch."""
        home, bundle_id = self.installation.home, self.installation.receipt.bundle_id
        kept = (
            ["receipt.json"] if self.installation.servers else ["receipt.json", "secrets/postgres-password"]
        )
        _put_back(self.installation, self.source, without=kept, record=False)
        ConfigurationStep(self.installation).correct_database()
        for kind in marker.KINDS:
            marker.path(home, kind, bundle_id).touch()


class SwitchStep(_Always):
    """Write the new receipt and let Airflow start: from here on the change is finished, not undone."""

    name = "switch"

    def __init__(self, installation: Installation, saved: Optional[Path] = None) -> None:
        self.installation = installation
        self.saved = saved

    def describe(self) -> str:
        """One line for the admin."""
        return f"Make Airflow {self.installation.receipt.airflow} the one in use"

    def apply(self) -> None:
        """Save the receipt, or put the one of a backup back byte for byte, then mark."""
        home = self.installation.home
        if self.saved and self.installation.receipt.is_roots:
            _receipt_by_root(self.installation.receipt, self.saved)
        elif self.saved:
            # its release may hold an older airferry, which reads only what it has written itself
            state.copy_back(self.saved, home, without=state.names(self.saved)[:-1])
        else:
            receipts.save(home.receipt, self.installation.receipt)
        change_record.mark_switched(home)


def undo(change: Change, progress: Progress, *, run: bool) -> None:
    """Bring the old state back, exactly; interrupted and done again, it completes the work.

    Airflow is started afterwards if it ran before and `run` says so.
    """
    old, new = Installation(change.old), Installation(change.new)
    home = old.home
    with progress.step(f"Bring Airflow {change.old.airflow} back as it was"):
        change_record.unmark_switched(home)
        recorded = change_record.find(home)
        saved = recorded.backup if recorded else ""
        if saved:  # before that, nothing was changed but that components were stopped
            for installation in (new, old):
                installation.services.shut_down()
            # a migration or a pg_restore that outlived its installer would go on with what is brought back
            strays.kill_users(home.path / "releases")
            place = backups.load(home.backups / saved)
            _put_back(old, place.state, without=[])
            forget_proofs(new)
            moved = clusters.bring_back(home)
            for step in servers(old)[:1]:
                if not step.done():
                    step.apply()
            database_running.start(old)
            if not moved:
                databases.bring_back(old, place.dump)
        change_record.end(home)
    with contextlib.suppress(OSError):  # a full disk may be why it is undone
        Journal(home.journal).write("change-undone", kind=change.kind, airflow=change.old.airflow)
    if run and change.running:
        step = StartStep(old)
        if not step.done():
            with progress.step(f"Start Airflow {change.old.airflow}"):
                start(old)
    elif saved:
        old.services.shut_down()


def _put_back(installation: Installation, source: Path, *, without: List[str], record: bool = True) -> None:
    """Copy a saved state back, with `record` the receipt, too; root writes what is its own, from its own."""
    by_root = installation.has_root_write()
    if by_root:
        roots = [name for name in state.names(source) if name.startswith(("bin/", "etc/"))]
        state.copy_back(source, installation.home, without=[*without, *roots, "receipt.json"])
        _keep(installation, source)
        by_root()
        if record:
            _receipt_by_root(installation.receipt, source)
    else:
        state.copy_back(source, installation.home, without=without)
    if installation.servers:
        installation.cluster.write_pgpass()
    if not by_root:
        packages.switch(installation.home, installation.release)


def _keep(installation: Installation, source: Path) -> None:
    """Data that a saved state has in ``etc/``; of an earlier airferry what it wrote into airflow.cfg, too."""
    name, certificate = "airflow-settings.json", "postgres-ca.pem"
    with contextlib.suppress(FileNotFoundError):
        text = (source / "etc" / certificate).read_text(encoding="utf-8")
        channel.ask("keep", name=certificate, text=text)
    if not (source / "secrets" / name).exists():
        with contextlib.suppress(FileNotFoundError):
            text = (source / "etc" / name).read_text(encoding="utf-8")
            smallfile.write(installation.home.secrets / name, text, 0o600)


def _receipt_by_root(found: Receipt, source: Path) -> None:
    """Have root write the receipt of a saved state to the letter, or what it means where root has not."""
    saved = codec.parse((source / "receipt.json").read_text(encoding="utf-8"))
    try:
        channel.ask("receipt", receipt=saved)
    except channel.RootFailed:
        receipts.save(Home(Path(found.home)).receipt, found)


def servers(installation: Installation) -> List[Step]:
    """The steps for a server of our own: configured, then started with its database."""
    return [ClusterStep(installation), DatabaseStep(installation)] if installation.servers else []


def tidy(installation: Installation) -> None:
    """Remove what a change keeps beside; none is under way."""
    with database_running.database_running(installation):
        databases.tidy(installation)
    clusters.tidy(installation.home)


def forget_proofs(installation: Installation) -> None:
    """Have a bundle migrated and proven anew, whenever it was before."""
    marker.forget(installation.home, installation.receipt.bundle_id)
