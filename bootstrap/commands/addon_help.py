"""What an add-on file says of itself: it installs nothing alone."""

from __future__ import annotations

import shlex

from bootstrap.base.console import Console
from bootstrap.commands.shared import bundle_file, open_bundle
from bootstrap.state.home import Home

NO_ADD_ON = -1


def show(console: Console) -> int:
    """Show the help of the file that runs, where it is an add-on, and return 0; else :data:`NO_ADD_ON`."""
    with open_bundle() as bundle:
        manifest = bundle.manifest
    if not manifest.base:
        return NO_ADD_ON
    file, program = shlex.quote(str(bundle_file())), shlex.quote(f"{Home.default().bin}/airferry")
    packages = ", ".join(f"{package.name} {package.version}" for package in manifest.packages)
    console.print(f"{bundle_file().name} is an add-on: it brings packages to an Airflow that is there.")
    console.summary([("Packages", packages), ("Adds to", manifest.base)])
    console.print("To bring them in, and to take them out again:")
    console.command(f"{program} add {file}")
    console.command(f"{program} add --remove {file}")
    console.print("To check every byte of the file:")
    console.command(f"sh {file} verify")
    return 0
