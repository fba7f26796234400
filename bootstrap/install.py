"""Turning a bundle into a running Airflow: verify, preflight, plan, execute."""

from __future__ import annotations

import contextlib
import os
from dataclasses import replace
from pathlib import Path
from typing import Iterator, List, Optional

from bootstrap import handoff, last_steps
from bootstrap.base import account, channel, lock
from bootstrap.change import site as sites
from bootstrap.change import upgrade as upgrades
from bootstrap.change import upgrade_rules
from bootstrap.change import worker as workers
from bootstrap.change.steps import tidy, undo
from bootstrap.handoff import Given
from bootstrap.installed import early, status
from bootstrap.installed.certificates import edit_of
from bootstrap.installed.drift import of_configuration
from bootstrap.installed.external import Handed
from bootstrap.installed.installation import Installation
from bootstrap.installed.options import Options
from bootstrap.python import carried
from bootstrap.services.manager import NONE
from bootstrap.site.asked import SiteAsked
from bootstrap.state import change_record, plan, receipt, registry, shortcut
from bootstrap.state.home import Home
from bootstrap.state.journal import Journal
from bootstrap.state.outcome import Drift, Outcome, Planned
from bootstrap.state.plan import Progress, Step
from bootstrap.state.receipt import WORKER, Receipt
from bootstrap.steps import worker_plan
from bootstrap.steps.airflow import MigrationStep, PipelinesStep, ProofStep, StartStep
from bootstrap.steps.configuration import ConfigurationStep
from bootstrap.steps.database import ClusterStep, DatabaseStep
from bootstrap.steps.external import ExternalDatabaseStep
from bootstrap.steps.packages import LinkStep, ReleaseStep
from bootstrap.steps.python import python_steps
from bootstrap.steps.secrets import FoldersStep
from bootstrap.steps.services import RestStep, ServicesStep
from bootstrap.steps.site import SiteStep
from bootstrap.takeover.plan import taken_over, with_take_over
from wheelhouse import codec, timestamp
from wheelhouse.errors import AirferryError
from wheelhouse.reader import Bundle


def steps(installation: Installation, bundle: Bundle, given: Given) -> List[Step]:
    """The whole plan, in order; a finished installation is told of its site later, with a way back."""
    if installation.is_worker:
        return worker_plan.steps(installation, bundle, given.join)
    site = given.site
    every: List[Step] = [
        FoldersStep(
            installation.home,
            given.admin_password,
            given.database.role,
            private_logs=installation.version.opens_logs,
            by_root=installation.receipt.is_roots,
        ),
        *python_steps(installation, bundle),
        ReleaseStep(installation, bundle),
        LinkStep(installation),
        ServicesStep(installation),
        *_database(installation, given.database),
        ConfigurationStep(installation),
        *([SiteStep(installation, site)] if site and not installation.receipt.completed else []),
        MigrationStep(installation),
        PipelinesStep(installation, bundle),
        StartStep(installation),
        ProofStep(installation),
        *([RestStep(installation)] if installation.receipt.services == NONE else []),
    ]
    return with_take_over(every, installation, given.taking)


def _database(installation: Installation, handed: Handed) -> List[Step]:
    if installation.servers:
        return [ClusterStep(installation), DatabaseStep(installation)]
    return [ExternalDatabaseStep(installation, handed)]


def planned(chosen: Receipt, bundle: Bundle, options: Options) -> Planned:
    """What an install would do; nothing is changed, and root looks at a home as its owner."""
    home = Home(Path(chosen.home))
    given = handoff.given(options)
    lines: List[str] = []
    if os.geteuid() == 0:
        lines.append(f"Create the account {chosen.account} unless it exists, and {home.path} for it")
        if home.receipt.exists() and not home.is_roots:
            lines.append(f"Make code and records in {home.path} root's; the data stays {chosen.account}'s")
        lines += shortcut.plan(home, chosen.name)
        owner = _owner(home, chosen)
        if owner:
            return _planned_by_owner(owner, home, chosen, bundle, given, lines)
    return Planned((*lines, *describe(chosen, bundle, given)), drift(chosen), chosen)


def _owner(home: Home, chosen: Receipt) -> Optional[account.Account]:
    """Whoever the data in a home belongs to, where there is one and it is not root."""
    if not home.path.is_dir():
        return None
    found = home.path.lstat()
    if found.st_uid != 0:
        return account.Account("", found.st_uid, found.st_gid)
    return account.find(chosen.account)


def _planned_by_owner(
    owner: account.Account,
    home: Home,
    chosen: Receipt,
    bundle: Bundle,
    given: Given,
    lines: List[str],
) -> Planned:
    earlier = other_bundle(home, chosen)
    if earlier:
        upgrade_rules.check(earlier, chosen)
    early.import_all()

    def look() -> str:
        found = tuple(describe(chosen, bundle, given))
        return codec.dumps(Planned(found, drift(chosen), chosen))

    text = account.look_as(owner, look)
    try:
        found = codec.loads(Planned, text or "")
    except codec.Malformed:
        unseen = f"Complete missing steps in {home.path} (it cannot be read now)"
        return Planned((*lines, unseen), None, chosen)
    return replace(found, plan=(*lines, *found.plan), receipt=chosen)


def drift(chosen: Receipt) -> Optional[Drift]:
    """What would change in an airflow.cfg that is there; None when there is none that can be looked at."""
    try:
        return of_configuration(Installation(chosen))
    except (AirferryError, OSError):
        return None


def describe(chosen: Receipt, bundle: Bundle, given: Given) -> List[str]:
    """The plan as lines for ``--dry-run``; nothing is changed."""
    home = Home(Path(chosen.home))
    if home.path.exists() and not os.access(str(home.path), os.R_OK | os.X_OK):
        return [f"Complete missing steps in {home.path} (it cannot be read now)"]
    earlier, last = other_bundle(home, chosen), []
    if given.site and (earlier or chosen.completed):
        last = [SiteStep(Installation(chosen), given.site).describe()]
    last += last_steps.describe(given.following)
    if earlier:
        return [*upgrades.describe(earlier, chosen, bundle), *last]
    every = steps(Installation(chosen), bundle, given)
    return [*(step.describe() + ("" if _todo(step) else " (already done)") for step in every), *last]


def _todo(step: Step) -> bool:
    # before anything is unpacked, a step that looks through a carried program finds none
    try:
        return not step.done()
    except (AirferryError, OSError):
        return True


def install(chosen: Receipt, bundle: Bundle, given: Given, progress: Progress) -> Outcome:
    """Execute the plan as the service account, which this process runs as.

    A finished installation of another bundle is upgraded. Raises :class:`~bootstrap.base.lock.HomeBusy`,
    UpgradeRefused, UpgradeFailed, and whatever a step raises; after any of them the same command again
    completes the work.
    """
    home = Home(Path(chosen.home))
    home.path.mkdir(parents=True, exist_ok=True)
    with lock.held(home.lock):
        home.own_logs.mkdir(parents=True, exist_ok=True)
        journal = Journal(home.journal)
        about = {"airflow": chosen.airflow, "bundle": chosen.bundle_id}
        change = change_record.find(home)
        if change and change_record.is_switched(home) and change.new.bundle_id == chosen.bundle_id:
            with journal.recorded("upgrade", **about):
                return _outcome(upgrades.resume(change, progress, journal), change.old.airflow)
        if change:
            with journal.recorded("undo", change=change.kind):
                undo(change, progress, run=True)
        earlier = other_bundle(home, chosen)
        if earlier:
            with journal.recorded("upgrade", **about, before=earlier.airflow):
                upgraded = upgrades.upgrade(
                    earlier, chosen, bundle, given.admin_password, progress, journal, patience=given.patience
                )
            if not channel.available():
                registry.save(registry.record_of(chosen))
            _change_site(Installation(upgraded.receipt), given.site, progress, journal)
            last_steps.follow(Installation(upgraded.receipt), given.following, progress, journal)
            return _outcome(upgraded, earlier.airflow)
        _tell_of_unfinished(home, progress)
        before = workers.earlier(home, chosen) if chosen.role == WORKER else None
        if before:
            workers.begin(before, chosen, given.join)
        receipt.save(home.receipt, chosen)
        if not channel.available():
            registry.save(registry.record_of(chosen))
        with journal.recorded("install", **about):
            installation = Installation(chosen)
            with _telling_what_runs_on(installation, progress):
                every = steps(installation, bundle, given)
                try:
                    done = plan.execute(every, progress, journal)
                finally:
                    installation.airflow.end_warm_up()
            told = (step.notes for step in every if isinstance(step, ConfigurationStep))
            notes = (*next(told, ()), *taken_over(installation, every))
            if chosen.role != WORKER:
                tidy(Installation(chosen))
            chosen = _with_version(chosen)
            finished = bool(chosen.completed)
            if not finished:
                chosen = replace(chosen, completed=timestamp.now())
            receipt.save(home.receipt, chosen)
            if chosen.is_roots:
                channel.ask("prune")
            else:
                carried.remove_unused(home, chosen)
        if finished:
            _change_site(Installation(chosen), given.site, progress, journal)
        last_steps.follow(Installation(chosen), given.following, progress, journal)
    return Outcome(chosen, tuple(done), notes, before.airflow if before else "")


def _change_site(
    installation: Installation, asked: Optional[SiteAsked], progress: Progress, journal: Journal
) -> None:
    """Tell a finished installation of its site; raises SiteChangeFailed, with the old settings back."""
    if asked is None:
        return
    with journal.recorded("site", group="install"):
        sites.undo_unfinished(installation, progress)
        if not SiteStep(installation, asked).done():
            sites.apply(installation, edit_of(installation, asked), progress)


def _tell_of_unfinished(home: Home, progress: Progress) -> None:
    """Say what an install that was broken off has left running; it runs until it is stopped."""
    earlier = receipt.find(home.receipt)
    if earlier is None or earlier.completed or earlier.removed:
        return
    with progress.step("Look for what an unfinished install has left running") as shown:
        shown.outcome = _runs(Installation(earlier)) or "nothing runs"


@contextlib.contextmanager
def _telling_what_runs_on(installation: Installation, progress: Progress) -> Iterator[None]:
    try:
        yield
    except BaseException:
        with contextlib.suppress(Exception):
            runs = "" if installation.receipt.completed else _runs(installation)
            if runs:
                with progress.step("Look for what goes on running all the same") as shown:
                    shown.outcome = runs
        raise


def _runs(installation: Installation) -> str:
    names = status.running(installation)
    return f"running: {', '.join(names)}. To stop them: {status.stop_command(installation)}" if names else ""


def _with_version(chosen: Receipt) -> Receipt:
    """The receipt with the version of an external server, which may have been upgraded since."""
    installation = Installation(chosen)
    if installation.servers or installation.is_worker:
        return chosen
    version = installation.database.query("SHOW server_version").split()[0]
    return replace(chosen, database=replace(chosen.database, server=version))


def other_bundle(home: Home, chosen: Receipt) -> Optional[Receipt]:
    """The finished installation that is there, when it came from another bundle."""
    earlier = receipt.find(home.receipt)
    if chosen.role == WORKER:
        return None  # it has no data that a backup would save: the plan of an install is its upgrade
    return earlier if earlier and earlier.completed and earlier.bundle_id != chosen.bundle_id else None


def _outcome(upgraded: upgrades.Upgraded, before: str) -> Outcome:
    return Outcome(upgraded.receipt, tuple(upgraded.steps), tuple(upgraded.notes), before)
