"""The plan of a worker: an install without database, pages and scheduler, which ends with a task that ran."""

from __future__ import annotations

from typing import List, Optional

from bootstrap.installed.installation import Installation
from bootstrap.services.manager import NONE
from bootstrap.state.cluster import Join
from bootstrap.state.plan import Step
from bootstrap.steps.configuration import ConfigurationStep
from bootstrap.steps.packages import LinkStep, ReleaseStep
from bootstrap.steps.python import python_steps
from bootstrap.steps.secrets import FoldersStep
from bootstrap.steps.services import RestStep, ServicesStep
from bootstrap.steps.worker import DagLinkStep, HeadStep, JoinStep, PinnedDagStep, RegisterStep
from bootstrap.steps.worker_proof import WorkerProofStep
from wheelhouse.reader import Bundle


def steps(installation: Installation, bundle: Bundle, join: Optional[Join]) -> List[Step]:
    """All of it, in order; `join` is what it is told."""
    return [
        FoldersStep(
            installation.home,
            None,
            private_logs=installation.version.opens_logs,
            by_root=installation.receipt.is_roots,
            keys=False,
        ),
        DagLinkStep(installation),
        JoinStep(installation, join),
        HeadStep(installation),
        *python_steps(installation, bundle),
        ReleaseStep(installation, bundle),
        LinkStep(installation),
        ServicesStep(installation),
        ConfigurationStep(installation),
        PinnedDagStep(installation),
        RegisterStep(installation),
        WorkerProofStep(installation),
        *([RestStep(installation)] if installation.receipt.services == NONE else []),
    ]
