"""``sh FILE verify``: every byte of the file against what was bundled."""

from __future__ import annotations

from dataclasses import dataclass

from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.shared import JSON, open_bundle
from wheelhouse.verify import verify as verify_bundle


@dataclass(frozen=True)
class Verified:
    """The bundle is whole."""

    bundle_id: str


def verify_command(json: bool = JSON) -> Result[Verified]:
    """Check every byte of this file against what was bundled."""
    console = Console(quiet=json)
    with open_bundle() as bundle:
        with console.progress(bundle.seal.size, "Verify the bundle") as advance:
            verify_bundle(bundle, advance)
        name, identity = bundle.path.name, bundle.manifest.bundle_id
    return Result(Verified(identity), lambda console: console.print(f"{name} is whole: {identity}"))
