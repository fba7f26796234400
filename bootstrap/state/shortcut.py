"""``airferry`` on root's PATH: a link to the command of an installation that root has made.

Nothing that is there is overwritten, and only a link that leads to that very home is removed.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import List, Optional

from bootstrap.base import trust
from bootstrap.state.home import Home

FOLDER = Path("/usr/local/bin")
# what is there goes with a restart of the host, or is a test's
_PASSING = ("/tmp/", "/var/tmp/", "/dev/shm/", "/run/")  # noqa: S108  (compared, not written to)
_NAME = "airferry"


def plan(home: Home, name: str) -> List[str]:
    """What :func:`make` would do, as lines for ``--dry-run``."""
    if str(home.path).startswith(_PASSING):
        return []
    target = home.bin / _NAME
    if any(_leads_to(link, target) for link in _links(name)):
        return []
    free = [link for link in _links(name) if not os.path.lexists(str(link))]
    return [f"Link {free[0]} to {target}"] if free and FOLDER.is_dir() else []


def make(home: Home, name: str) -> Optional[Path]:
    """As root, link the command under its name, or that of the installation where another one has it.

    None where no link is made: neither name is free, or others than root could exchange what root would run.
    """
    target = home.bin / _NAME
    if str(home.path).startswith(_PASSING) or not target.is_file() or trust.stranger(str(target)):
        return None
    for link in _links(name):
        if _leads_to(link, target):
            return link
        with contextlib.suppress(OSError):  # FileExistsError: it is another's
            link.symlink_to(target)
            return link
    return None


def remove(home: Home) -> None:
    """As root, remove the links to the command of this home."""
    with contextlib.suppress(OSError):
        for link in FOLDER.glob(f"{_NAME}*"):
            if _leads_to(link, home.bin / _NAME):
                link.unlink()


def _links(name: str) -> List[Path]:
    return [FOLDER / _NAME, FOLDER / f"{_NAME}-{name}"]


def _leads_to(link: Path, target: Path) -> bool:
    return link.is_symlink() and os.readlink(str(link)) == str(target)
