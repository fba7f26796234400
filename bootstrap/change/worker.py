"""A worker from one bundle to another and back: it has no data, so the way back is its release of before."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import List, Optional

from bootstrap.base import channel, smallfile
from bootstrap.base.lock import held
from bootstrap.change.restore import NothingToRollBack, Restored
from bootstrap.installed.installation import Installation
from bootstrap.services.manager import NONE
from bootstrap.state import cluster, marker, plan, receipt
from bootstrap.state.cluster import Join, JoinFileRefused
from bootstrap.state.home import Home
from bootstrap.state.journal import Journal
from bootstrap.state.plan import Progress, Step
from bootstrap.state.receipt import WORKER, Receipt
from bootstrap.steps.configuration import ConfigurationStep
from bootstrap.steps.packages import LinkStep
from bootstrap.steps.services import RestStep, ServicesStep
from bootstrap.steps.worker import HeadStep, PinnedDagStep, RegisterStep
from bootstrap.steps.worker_proof import WorkerProofStep, can_ask
from wheelhouse import codec, timestamp


def earlier(home: Home, chosen: Receipt) -> Optional[Receipt]:
    """The finished worker of another bundle that an install would replace; None where there is none."""
    found = receipt.find(home.receipt)
    if found is None or found.role != WORKER or not found.completed:
        return None
    return found if found.bundle_id != chosen.bundle_id else None


def begin(before: Receipt, chosen: Receipt, told: Optional[Join]) -> None:
    """See that its head runs that release already, and keep the receipt of before.

    Raises HeadUnusable where the head does not: a worker never runs ahead of it, nor behind; JoinFileRefused
    where no task could prove it. Nothing is changed then.
    """
    after = Installation(chosen)
    _check_proof(after, told or cluster.joined(after.home))
    HeadStep(after, told).apply()
    smallfile.write(_kept(after.home), codec.dumps(before), 0o600)
    marker.path(after.home, marker.PROVED, chosen.bundle_id).unlink(missing_ok=True)


def rollback(installation: Installation, progress: Progress) -> Restored:
    """Go back to the release of before the last upgrade; the head must have gone back already.

    Interrupted, the same command finishes it. Raises NothingToRollBack, JoinFileRefused and HeadUnusable with
    nothing changed, and whatever a step raises.
    """
    home = installation.home
    with Journal(home.journal).recorded("rollback", role=WORKER), held(home.lock):
        target = _target(installation)
        after = Installation(target)
        _check_proof(after, cluster.joined(home))
        HeadStep(after).apply()
        if installation.receipt.bundle_id != target.bundle_id:
            if target.is_roots:
                channel.ask("known", receipt=codec.encode(target))
            marker.path(home, marker.PROVED, target.bundle_id).unlink(missing_ok=True)
            installation.stop(installation.components)
            receipt.save(home.receipt, target)
        every: List[Step] = [
            LinkStep(after),
            ServicesStep(after),
            ConfigurationStep(after),
            PinnedDagStep(after),
            RegisterStep(after),
            WorkerProofStep(after),
            *([RestStep(after)] if target.services == NONE else []),
        ]
        done = plan.execute(every, progress, Journal(home.journal))
        kept = replace(target, completed=timestamp.now())
        receipt.save(home.receipt, kept)
        _kept(home).unlink()
    return Restored(kept, list(done))


def _check_proof(after: Installation, join: Join) -> None:
    """See that the task which proves this worker can be asked for; raises JoinFileRefused."""
    if can_ask(after, join):
        return
    raise JoinFileRefused(
        f"This worker needs a new join file of {join.host}: what the one it has asked with was used up.",
        found=f"a worker with {join.engine}, whose join file is for one install",
        needed="a join file that was made after the head has changed its release",
        hint=f"On {join.host}: bin/airferry workers invite {join.name} --out FILE. Then here:"
        f" sh {after.receipt.bundle_file} install --join FILE",
    )


def _target(installation: Installation) -> Receipt:
    home, now = installation.home, installation.receipt
    found = receipt.find(_kept(home))
    if found is None or not home.release(found.bundle_id).complete.exists():
        raise NothingToRollBack(
            "There is no upgrade of this worker to undo.",
            found=f"Airflow {now.airflow} ({now.bundle_id})",
            hint="To have another release here, install from its bundle file, once the head runs it.",
        )
    return replace(found, previous="", services=now.services)


def _kept(home: Home) -> Path:
    """Where the receipt of before the last upgrade is kept."""
    return home.run / "before.json"
