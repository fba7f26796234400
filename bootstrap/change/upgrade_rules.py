"""Which upgrades can be made, and by which way: pure, from the receipt that is there and the new one."""

from __future__ import annotations

from typing import List

from bootstrap.airflow import differences
from bootstrap.airflow.release import release_for
from bootstrap.airflow.revisions import FIRST_TO_3, LAST_STOP
from bootstrap.state import clusters
from bootstrap.state.receipt import Receipt
from wheelhouse.errors import AirferryError


class UpgradeRefused(AirferryError):
    """This installation cannot be brought to that bundle in one step; nothing was changed."""

    reference = "upgrade-refused"
    exit_code = 84


def check(old: Receipt, new: Receipt) -> None:
    """Refuse a step down, a step too long, and a login that the new release lacks.

    Raises :class:`UpgradeRefused`.
    """
    before, after = differences.numbers(old.airflow), differences.numbers(new.airflow)
    airferry = f"{old.home}/bin/airferry"
    if after < before:
        back = f"To undo the last upgrade: {airferry} rollback. " if old.previous else ""
        raise UpgradeRefused(
            f"install does not downgrade Airflow ({old.airflow} to {new.airflow}).",
            found=f"Airflow {old.airflow} in {old.home}",
            needed=f"a bundle of Airflow {old.airflow} or newer",
            hint=f"{back}To install the older Airflow beside it, with its own database: --home PATH",
        )
    if after >= (3, 0, 0) and before < FIRST_TO_3:
        raise UpgradeRefused(
            f"Airflow {old.airflow} is not upgraded to {new.airflow} in one step.",
            found=f"Airflow {old.airflow} in {old.home}",
            needed=f"Airflow {'.'.join(map(str, FIRST_TO_3))} or newer, for an upgrade to Airflow 3",
            hint=f"Install a bundle of Airflow {LAST_STOP} into this home first, then this one. On the"
            f" internet host: airferry bundle --airflow {LAST_STOP} --python {_python(old)}",
        )
    if clusters.crosses(old, new) and clusters.major(new.database.server) < clusters.major(
        old.database.server
    ):
        raise UpgradeRefused(
            "The bundle carries an older PostgreSQL than the one that holds the database.",
            found=f"PostgreSQL {old.database.server} in {old.home}",
            needed=f"a bundle with PostgreSQL {clusters.major(old.database.server)} or newer",
            hint="The bundle was made for a host with an older glibc. For this host: airferry"
            " bundle --like NAME",
        )
    managers = release_for(new.airflow).auth_managers
    if old.auth not in managers:
        raise UpgradeRefused(
            f"Airflow {new.airflow} does not support --auth {old.auth}.", needed=" or ".join(managers)
        )


def advice(old: Receipt, new: Receipt, database_size: int) -> List[str]:
    """What to know about an upgrade that can be made, a sentence each."""
    found = []
    if not release_for(new.airflow).known:
        found.append(
            f"Airflow {new.airflow} is newer than {differences.NEWEST}, the newest that this airferry was"
            " tested with."
        )
    before, after = differences.numbers(old.airflow), differences.numbers(new.airflow)
    if before < (3, 0, 0) <= after:
        found.append(
            "Airflow 3 reads DAG files differently from Airflow 2: files that it cannot import are listed"
            " at the end and left unchanged."
        )
        if database_size > _LARGE:
            found.append(
                f"The database has {database_size >> 20} MB, and all of it is migrated. To shorten this, stop"
                f" here and first run {old.home}/bin/airflow db clean --clean-before-timestamp DATE"
            )
    return found


# A migration to Airflow 3 rewrites the largest tables.
_LARGE = 2 << 30


def _python(old: Receipt) -> str:
    """The minor version that the release in use runs on, from its id (``3.3.2-cp311-...``)."""
    tag = old.bundle_id.split("-")[1] if "-cp" in old.bundle_id else "cp311"
    return f"{tag[2]}.{tag[3:]}"
