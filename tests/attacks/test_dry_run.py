"""``install --dry-run`` by root looks at a home that the account owns: it runs and reads nothing as root."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base import account
from bootstrap.installed.installation import Installation
from bootstrap.state import receipt as receipts
from tests.support import bundles
from tests.support import receipts as samples
from tests.support.accounts import NOBODY, Folder

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has more to lose than the account")

_PLAN = """
import sys
from pathlib import Path
from bootstrap import install
from bootstrap.installed.options import Options
from bootstrap.state import receipt
from bootstrap.state.home import Home
from wheelhouse.reader import Bundle
home = Home(Path(sys.argv[2]))
with Bundle.open(Path(sys.argv[1])) as bundle:
    chosen = receipt.load(home.receipt)
    for line in install.planned(chosen, bundle, Options(home)).plan:
        print(line)
"""


@pytest.fixture
def home() -> Iterator[Path]:
    with Folder() as folder:
        path = folder / "home"
        path.mkdir()
        yield path


def give(path: Path) -> None:
    """All of it to the account."""
    for part in (path, *path.rglob("*")):
        os.chown(part, NOBODY, NOBODY, follow_symlinks=False)


def plan(bundle: Path, home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _PLAN, bundle, home], check=True, capture_output=True, text=True, timeout=300
    )
    return done.stdout


def test_programs_of_the_home_run_as_its_owner(home: Path, tmp_path: Path) -> None:
    """The release's Python is asked for bytecode that a full disk has cut off."""
    bundle = bundles.write(tmp_path / "airflow.run")
    found = replace(samples.sample(home), account="nobody", added=())
    installation = Installation(found)
    receipts.save(home / "receipt.json", found)
    python = installation.release.python
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\nid -u >>{home}/who\nexit 1\n")
    python.chmod(0o755)
    installation.release.complete.touch()
    give(home)
    said = plan(bundle, home)
    assert "Create the account nobody" in said
    assert "root's; the data stays nobody's" in said
    assert set((home / "who").read_text().split()) == {str(NOBODY)}


def test_a_pipe_in_the_home_holds_root_for_no_longer_than_said(home: Path, tmp_path: Path) -> None:
    os.mkfifo(home / "airflow.cfg")
    give(home)
    assert account.look_as_owner(home, (home / "airflow.cfg").read_text, seconds=1) is None
    assert account.look_as_owner(home, lambda: str(os.geteuid())) == str(NOBODY)
    secret = tmp_path / "secret"
    secret.write_text("r00t")
    secret.chmod(0o600)
    assert account.look_as_owner(home, secret.read_text) is None
