"""Source distributions: unpacking them, and making built wheels the same on every machine."""

from __future__ import annotations

import shutil
import tarfile
import zipfile
from pathlib import Path

from bundler.base.errors import BuildFailed
from wheelhouse import unpacking


def unpack(archive: Path, filename: str, folder: Path) -> Path:
    """Unpack a source distribution (``.tar.gz`` or ``.zip``) and return its top folder.

    Raises :class:`BuildFailed` for an archive that is broken or would write outside of `folder`.
    """
    try:
        if filename.endswith(".zip"):
            with zipfile.ZipFile(archive) as source:
                source.extractall(folder)  # noqa: S202 - zipfile drops parent references itself
        else:
            with tarfile.open(archive) as source:
                _extract(source, folder)
    except (tarfile.TarError, zipfile.BadZipFile, EOFError, OSError) as error:
        raise BuildFailed(f"{filename} cannot be unpacked.", found=str(error)) from error
    if any((folder / name).is_file() for name in ("pyproject.toml", "setup.py")):
        return folder  # packed without a folder of its own; pip takes it, too
    tops = [path for path in folder.iterdir() if path.is_dir()]
    if len(tops) != 1:
        raise BuildFailed(
            f"{filename} is not a source distribution.", found=f"{len(tops)} folders at its top"
        )
    return tops[0]


def _extract(archive: tarfile.TarFile, folder: Path) -> None:
    """Extract with the data filter of PEP 706; what it refuses is refused here for a Python without it.

    Those are 3.10 before 3.10.12 and 3.11 before 3.11.4, such as Debian 12's.
    """
    if hasattr(tarfile, "data_filter"):
        archive.extractall(folder, filter="data")
        return
    members = archive.getmembers()
    links = unpacking.symlinks(members)
    for item in members:
        if unpacking.unsafe(item, links):
            raise tarfile.ExtractError(f"{item.name!r} would be written outside of its folder")
    archive.extractall(folder)  # noqa: S202 - checked


def copy_project(project: Path, folder: Path) -> Path:
    """Copy a project's folder, so that building leaves nothing behind in it; returns the copy."""
    ignore = shutil.ignore_patterns(
        ".git", ".hg", "__pycache__", "*.egg-info", "build", "dist", ".venv", "venv"
    )
    return Path(shutil.copytree(project, folder / project.name, ignore=ignore))


def normalise(wheel: Path, timestamp: tuple[int, int, int, int, int, int]) -> None:
    """Rewrite a wheel in place: members sorted, one time for all, plain modes; contents untouched.

    RECORD holds the contents' hashes only, so it stays true.
    """
    temporary = wheel.with_name(wheel.name + ".new")
    with zipfile.ZipFile(wheel) as source, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as target:
        for info in sorted(source.infolist(), key=lambda info: info.filename):
            if info.is_dir():
                continue
            plain = zipfile.ZipInfo(info.filename, timestamp)
            plain.compress_type = zipfile.ZIP_DEFLATED
            plain.create_system = 3
            executable = (info.external_attr >> 16) & 0o111
            plain.external_attr = (0o100755 if executable else 0o100644) << 16
            target.writestr(plain, source.read(info))
    temporary.replace(wheel)
