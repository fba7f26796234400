"""From one bundle to a newer one: built and tried beside, saved, switched, proven; or undone as a whole."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Dict, List, Optional

from bootstrap.airflow import metadata
from bootstrap.backups import databases
from bootstrap.base import channel, discard
from bootstrap.base.secret import Secret
from bootstrap.change import cluster_rules, upgrade_rules
from bootstrap.change.reversal import undone_on_failure
from bootstrap.change.steps import (
    AsideStep,
    FillStep,
    MoveStep,
    SaveStep,
    StopStep,
    SwitchStep,
    forget_proofs,
    servers,
    tidy,
)
from bootstrap.change.upgrade_steps import KeysStep, TrialStep
from bootstrap.installed.database_running import airflow_runs, database_running
from bootstrap.installed.installation import Installation
from bootstrap.python import carried
from bootstrap.services import strays
from bootstrap.services.manager import NONE
from bootstrap.state import backup as backups
from bootstrap.state import change_record, clusters, plan, receipt
from bootstrap.state.change_record import Change
from bootstrap.state.home import Home
from bootstrap.state.journal import Journal
from bootstrap.state.plan import Done, Progress, Step
from bootstrap.state.receipt import Receipt
from bootstrap.steps.airflow import MigrationStep, PipelinesStep, ProofStep, StartStep
from bootstrap.steps.configuration import ConfigurationStep
from bootstrap.steps.packages import UNFINISHED, LinkStep, ReleaseStep
from bootstrap.steps.python import python_steps
from bootstrap.steps.secrets import FoldersStep
from bootstrap.steps.services import RestStep, ServicesStep
from wheelhouse import timestamp
from wheelhouse.errors import AirferryError
from wheelhouse.reader import Bundle


class NoRoom(AirferryError):
    """The disk has no room for what must be kept beside during a change."""

    reference = "no-room"
    exit_code = 86


@dataclass(frozen=True)
class Upgraded:
    """The new receipt, each step, and what to know."""

    receipt: Receipt
    steps: List[Done]
    notes: List[str] = field(default_factory=list)


def upgrade(
    old: Receipt,
    new: Receipt,
    bundle: Bundle,
    password: Optional[Secret],
    progress: Progress,
    journal: Journal,
    *,
    patience: Optional[float] = None,
) -> Upgraded:
    """Bring a whole installation to another bundle; the lock is held, and no change is under way.

    `patience` is how long running tasks may go on, in seconds.

    Until the new release is there and starts, nothing of the old one is touched. Raises
    :class:`~bootstrap.change.upgrade_rules.UpgradeRefused` and :class:`NoRoom` with nothing changed, and
    :class:`~bootstrap.change.reversal.UpgradeFailed` when the old one was brought back.
    """
    upgrade_rules.check(old, new)
    cluster_rules.check_engine(old, new, bundle.manifest)
    cluster_rules.check_spread(old)
    cluster_rules.check_drained(Installation(old), "the upgrade of their head")
    # what was proven before counts until the new proof: a password that was changed since is no failure
    new = replace(new, previous=old.bundle_id, completed=old.completed)
    before, after = Installation(old, patience), Installation(new)
    home = before.home
    done = plan.execute(_prepare(after, bundle, password), progress, journal)
    running = airflow_runs(before)
    with database_running(before):
        size = databases.size(before)
        check_room(home, size)
        broken = metadata.import_errors(before.database.query)
    notes = upgrade_rules.advice(old, new, size)
    change = Change(change_record.SCHEMA, "upgrade", old, new, timestamp.now(), running=running)
    change_record.begin(home, change)
    with undone_on_failure(change, progress):
        forget_proofs(after)
        done += plan.execute(_forward(before, after, bundle, change), progress, journal)
        finished = _finish(change, progress, journal, after_steps=done)
    with database_running(after):
        errors = metadata.import_errors(after.database.query)
    new_errors = {name: problem for name, problem in errors.items() if name not in broken}
    more = [*_left_out(finished.receipt), *_left_behind(old), *_broken_dags(new_errors)]
    return replace(finished, notes=[*notes, *finished.notes, *more])


def describe(old: Receipt, new: Receipt, bundle: Bundle) -> List[str]:
    """The steps as lines; raises :class:`~bootstrap.change.upgrade_rules.UpgradeRefused`."""
    upgrade_rules.check(old, new)
    cluster_rules.check_engine(old, new, bundle.manifest)
    cluster_rules.check_spread(old)
    before, after = Installation(old), Installation(new)
    change = Change(change_record.SCHEMA, "upgrade", old, new, "", running=True)
    steps = [*_prepare(after, bundle, None), *_forward(before, after, bundle, change), *_last(after)]
    return [step.describe() for step in steps]


def _finish(
    change: Change, progress: Progress, journal: Journal, *, after_steps: Optional[List[Done]] = None
) -> Upgraded:
    """Start and prove what is in its new place, and keep it; raises whatever a step raises."""
    after = Installation(change.new)
    home = after.home
    done = list(after_steps or [])
    done += plan.execute(_last(after), progress, journal)
    kept = replace(change.new, completed=timestamp.now())
    receipt.save(home.receipt, kept)
    change_record.end(home)
    return Upgraded(kept, done, _tidy(Installation(kept)))


def resume(change: Change, progress: Progress, journal: Journal) -> Upgraded:
    """Finish an upgrade that was interrupted after the switch; undone when it does not come up."""
    with undone_on_failure(change, progress):
        return _finish(change, progress, journal)


def _prepare(after: Installation, bundle: Bundle, password: Optional[Secret]) -> List[Step]:
    own = python_steps(after, bundle)
    folders = FoldersStep(after.home, password, by_root=after.receipt.is_roots)
    return [folders, *own, ReleaseStep(after, bundle), TrialStep(after)]


def _forward(before: Installation, after: Installation, bundle: Bundle, change: Change) -> List[Step]:
    crossing = clusters.crosses(before.receipt, after.receipt)
    return [
        StopStep(before),
        SaveStep(before, change),
        MoveStep(before) if crossing else AsideStep(before),
        LinkStep(after),
        ServicesStep(after),
        *servers(after),
        *([FillStep(after)] if crossing else []),
        KeysStep(before, after),
        ConfigurationStep(after),
        MigrationStep(after),
        PipelinesStep(after, bundle),
        SwitchStep(after),
    ]


def _last(after: Installation) -> List[Step]:
    rest = [RestStep(after)] if after.receipt.services == NONE else []
    return [StartStep(after), ProofStep(after), *rest]


def check_room(home: Home, size: int) -> None:
    """Whether a database of `size` bytes can be kept twice; raises :class:`NoRoom`."""
    needed = 2 * size + (64 << 20)  # the copy that is set aside, and the backup
    free = shutil.disk_usage(str(home.path)).free
    if free < needed:
        raise NoRoom(
            f"{home.path} has not enough space for the old and the new database.",
            found=f"{free >> 20} MB free",
            needed=f"{needed >> 20} MB: the database takes {size >> 20} MB",
            hint=f"Make room, for example: {home.bin}/airflow db clean --clean-before-timestamp DATE, or"
            f" remove old backups in {home.backups}.",
        )


def _left_out(found: Receipt) -> List[str]:
    """What the backup that a rollback goes back to does not hold."""
    place = backups.of_last_upgrade(Installation(found).home.backups, found)
    if not place or not place.left_out:
        return []
    return [f"The backup was made without files that cannot be read: {', '.join(place.left_out)}."]


def _left_behind(old: Receipt) -> List[str]:
    """Add-ons belong to the release that they were made for."""
    names = [name for item in old.added for name in item.packages]
    if not names:
        return []
    said = f"The add-ons of Airflow {old.airflow} are not carried over: {', '.join(names)}."
    return [
        f"{said} Include them in the next bundle, or make an add-on to this one: airferry bundle --onto FILE"
    ]


def _broken_dags(errors: Dict[str, str]) -> List[str]:
    return [f"{name} can no longer be imported: {text}" for name, text in errors.items()]


def _tidy(installation: Installation) -> List[str]:
    """Remove what is not needed any more; what cannot be removed is no reason to call an upgrade failed."""
    home = installation.home
    try:
        tidy(installation)
        prune(installation)
        backups.rotate(home.backups, backups.KEEP, installation.receipt)
    except (AirferryError, OSError) as error:
        return [f"An old file could not be removed: {error}"]
    return []


def superfluous(installation: Installation) -> List[Path]:
    """The releases that are neither in use nor the one before."""
    return _unused(installation.home, installation.receipt)


def prune(installation: Installation) -> None:
    """Remove releases that are neither in use nor the one before; root's are removed by root."""
    home = installation.home
    if installation.receipt.is_roots:
        # of components that were started through the link; the next release is at the same path
        shutil.rmtree(f"{home.bytecode}{home.current_link}", ignore_errors=True)
    for release in superfluous(installation):
        strays.kill_users(release)
        if installation.receipt.is_roots:
            shutil.rmtree(f"{home.bytecode}{release}", ignore_errors=True)
    if installation.receipt.is_roots:
        channel.ask("prune")
    else:
        delete_unused(home, installation.receipt)


def _unused(home: Home, kept: Receipt) -> List[Path]:
    """The releases that are neither in use nor the one before."""
    names = (kept.bundle_id, kept.previous)
    return [
        path
        for path in home.release(kept.bundle_id).path.parent.iterdir()
        if path.name not in names and not path.name.startswith(UNFINISHED) and path.is_dir()
    ]


def delete_unused(home: Home, kept: Receipt) -> None:
    """Delete them, and interpreters that nothing uses."""
    for release in _unused(home, kept):
        discard.set_aside(release, UNFINISHED)
    discard.sweep(home.release(kept.bundle_id).path.parent, UNFINISHED)
    carried.remove_unused(home, kept)
