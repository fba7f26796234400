"""What a bundle has been through in this home: an empty file below ``run/`` for each."""

from __future__ import annotations

from pathlib import Path

from bootstrap.state.home import Home

# Its migration has ended well; a run of the example pipeline has succeeded under it.
MIGRATED, PROVED = KINDS = ("migrated", "proved")


def path(home: Home, kind: str, bundle_id: str) -> Path:
    """The file that says so of one bundle."""
    return home.run / f"{kind}-{bundle_id}"


def forget(home: Home, bundle_id: str = "*") -> None:
    """Have a bundle migrated and proven anew; every one unless it is named."""
    for kind in KINDS:
        for found in home.run.glob(f"{kind}-{bundle_id}"):
            found.unlink()
