"""The bundle itself in the folder of its release, on request: what a later delta is joined with.

It goes as the release goes: with ``clean`` or ``uninstall``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

from bootstrap.base import trust
from bootstrap.state.home import Home
from bootstrap.state.receipt import Receipt
from wheelhouse.errors import AirferryError
from wheelhouse.reader import Bundle

_CHUNK = 1 << 20


class BundleNotKept(AirferryError):
    """Airflow is installed, and its bundle could not be kept beside it."""

    reference = "bundle-not-kept"
    exit_code = 116


def keep(bundle: Bundle, chosen: Receipt) -> Path:
    """Copy the bundle that was installed into its release; returns where it is.

    Raises :class:`BundleNotKept`. Root writes only where nobody else can. What fails leaves nothing.
    """
    folder = Home(Path(chosen.home)).release(chosen.bundle_id).path
    stream, target = bundle.stream, folder / bundle.path.name
    fresh = folder / f"{target.name}.new"
    try:
        why = trust.stranger(str(folder)) if os.geteuid() == 0 else ""
        if why:
            raise PermissionError(why)
        with contextlib.suppress(FileNotFoundError):
            fresh.unlink()
        hasher = hashlib.sha256()
        stream.seek(0)
        with fresh.open("xb") as output:
            for chunk in iter(lambda: stream.read(_CHUNK), b""):
                hasher.update(chunk)
                output.write(chunk)
            output.flush()
            os.fsync(output.fileno())
        if hasher.hexdigest() != chosen.bundle_sha256:
            raise OSError("the file was changed meanwhile")
        fresh.chmod(0o644)
        fresh.replace(target)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink()
        raise BundleNotKept(
            "Airflow is installed and runs. Its bundle was not kept.",
            found=error.strerror or str(error),
            needed=f"room in {folder}, which belongs to who installs",
            hint="Keep the file elsewhere: a later delta asks for it.",
        ) from error
    return target
