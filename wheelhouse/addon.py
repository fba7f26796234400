"""Add-ons: small bundles that bring packages to an installation, and nothing that could run alone."""

from __future__ import annotations

from wheelhouse.errors import AirferryError
from wheelhouse.manifest import Manifest


class IsAddOn(AirferryError):
    """The file only adds packages to an installation that is there."""

    reference = "is-add-on"
    exit_code = 50


def refuse(name: str, manifest: Manifest) -> None:
    """Raise :class:`IsAddOn` unless the bundle in the file `name` installs by itself."""
    if manifest.base:
        packages = ", ".join(f"{package.name} {package.version}" for package in manifest.packages)
        raise IsAddOn(
            f"{name} is an add-on: it brings packages to an installation that is there, and installs none.",
            found=f"{len(manifest.packages)} packages: {packages}",
            needed=f"an installation of {manifest.base}",
            hint=f"In that installation's home (/opt/airflow, ~/airflow): bin/airferry add {name}",
        )
