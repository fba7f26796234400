"""A seeded few of the changed deliveries; ``python -m tests.attacks.approvals 10000`` makes many."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.attacks.approvals import Approvals


@pytest.mark.skipif(os.geteuid() != 0, reason="only root admits")
@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen (openssh-client) is here")
def test_nothing_that_was_changed_is_admitted(tmp_path: Path) -> None:
    made = Approvals(tmp_path, seed=20261128)
    made.run(80)
    assert {kind for kind, _ in made.seen} == {"list", "signature", "anchor", "part", "file"}
    assert {code for _, code in made.seen} >= {11, 12, 13, 15, 16, 17}
