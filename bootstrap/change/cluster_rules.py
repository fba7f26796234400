"""The order of a change over several hosts: workers are drained, then the head, then each worker."""

from __future__ import annotations

from bootstrap.airflow.release import release_for
from bootstrap.change.upgrade_rules import UpgradeRefused
from bootstrap.cluster.celery import OF_DATABASE
from bootstrap.cluster.engine import usable
from bootstrap.installed import crew
from bootstrap.installed.database_running import database_running
from bootstrap.installed.installation import Installation
from bootstrap.state import cluster
from bootstrap.state.receipt import Receipt
from wheelhouse.manifest import Manifest


def check_engine(old: Receipt, new: Receipt, manifest: Manifest) -> None:
    """See that the new bundle can bring tasks to the workers there are.

    Raises EngineUnusable, and UpgradeRefused where the database is their broker, which ends with Airflow 2.
    """
    home = Installation(old).home
    found = cluster.find(home)
    if not found:
        return
    release = release_for(new.airflow)
    usable(found.engine, release, {package.name: package.version for package in manifest.packages})
    if found.broker == OF_DATABASE and release.numbers >= (3, 0, 0):
        raise UpgradeRefused(
            "With Airflow 3 the database cannot be the broker as well.",
            found="workers enabled with --broker database",
            needed="Redis, Valkey or RabbitMQ before the upgrade",
            hint=f"{home.bin}/airferry workers enable celery --broker URL, a new join file for each worker,"
            " then the same command again.",
        )


def check_spread(old: Receipt) -> None:
    """See that tasks which name no executor stay here, as the proof must; raises UpgradeRefused.

    The workers are drained, and of the release before: the head refuses them until they follow.
    """
    home = Installation(old).home
    found = cluster.find(home)
    if found and found.spread:
        raise UpgradeRefused(
            "Tasks that name no executor go to the workers, which take none while their head is upgraded:"
            " the run that proves the upgrade could not end.",
            found="workers enabled with --spread",
            needed="such tasks on this host, for the time of the upgrade",
            hint=f"{home.bin}/airferry workers enable {found.engine} (without --spread), then the same"
            " command again; with --spread when the workers have followed. Where the engine takes all tasks,"
            " stop the workers and disable them for that time: workers disable.",
        )


def check_drained(installation: Installation, title: str) -> None:
    """See that no worker runs tasks, or takes some; raises UpgradeRefused.

    While the head changes, a task on a worker could not report its end, and once it has changed, a worker of
    the version before is refused.
    """
    home = installation.home
    if not cluster.find(home):
        return
    with database_running(installation):
        found = crew.find(installation)  # a database that cannot tell is no reason to keep it
    busy = crew.busy(found) if found else []
    if busy:
        told = ", ".join(f"{item.name} ({item.state}, {item.running} tasks)" for item in busy)
        raise UpgradeRefused(
            f"The workers must be drained before {title}.",
            found=told,
            needed="workers that take no tasks and run none",
            hint=f"{home.bin}/airferry workers drain --all, then the same command again; the workers follow"
            " afterwards, one after the other.",
        )
