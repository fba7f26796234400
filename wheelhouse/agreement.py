"""Whether the parts of a bundle say the same: header, archive, and the manifest's packages and files.

The digest in the header is written by whoever makes the file. What is compared here holds of every file that
this program writes: neither another header, nor bytes between the members, nor another file under a package's
name can hide behind a manifest that reads well.
"""

from __future__ import annotations

import zipfile
from typing import Dict, Iterator, List, Tuple

from wheelhouse import __version__, archive, header, layout
from wheelhouse.archive import ArchiveMember
from wheelhouse.manifest import File, Manifest, Package
from wheelhouse.names import normal_version
from wheelhouse.reader import Bundle
from wheelhouse.tags import parse_wheel_name

# Text alone is packed: some megabytes. All else lies in the file as it is.
_MOST_UNPACKED = 2**28
_WHEELS = (layout.WHEELS, layout.TOOLS, layout.SERVICES, layout.POSTGRES)


def problems(bundle: Bundle) -> List[str]:
    """Everything that does not agree beside :func:`sizes`, a line each."""
    manifest, infos = bundle.manifest, bundle.infos
    found = list(_packages(manifest))
    before = infos[0].header_offset if infos else 0
    if not _is_as_written(bundle, infos, before):
        found.append("the archive is not as it is written: its directory, or bytes between the members")
    if manifest.airferry == __version__ and not _is_own_header(bundle, before):
        found.append(f"the header is not the one that airferry {__version__} writes")
    if manifest.airferry == __version__ and bundle.text != manifest.dumps():
        found.append(f"the manifest is not written as airferry {__version__} writes it")
    return found


def sizes(bundle: Bundle) -> List[str]:
    """Members of another size than the manifest says, or packed where none is: nothing is to be unpacked."""
    return list(_sizes(bundle.manifest, bundle.infos))


def notes(bundle: Bundle) -> Tuple[str, ...]:
    """What could not be compared."""
    made_by = bundle.manifest.airferry
    if made_by == __version__:
        return ()
    text = (
        f"The header is that of another airferry, {made_by}: this is {__version__}, and did not compare it."
    )
    return (f"{text} airferry {made_by} does.",)


def _sizes(manifest: Manifest, infos: List[zipfile.ZipInfo]) -> Iterator[str]:
    listed = {file.path: file.size for file in manifest.files}
    unpacked = 0
    for info in infos:
        if info.filename in listed and info.file_size != listed[info.filename]:
            yield f"{info.filename}: {info.file_size:,} bytes, and {listed[info.filename]:,} in the manifest"
        if info.compress_type != zipfile.ZIP_STORED:
            unpacked += info.file_size
            if info.filename.startswith((*_WHEELS, layout.PYTHON)):
                yield f"{info.filename}: packed again"
    if unpacked > _MOST_UNPACKED:
        yield f"{unpacked:,} bytes of packed members, at most {_MOST_UNPACKED:,} fit"


def _packages(manifest: Manifest) -> Iterator[str]:
    files = {file.path: file for file in manifest.files}
    known: Dict[str, Tuple[int, str]] = {}
    for package in packages(manifest):
        known[package.path] = (package.size, package.sha256)
        if normal_version(parse_wheel_name(package.filename).version) != package.version:
            yield f"{package.path}: said to be {package.name} {package.version}"
    if manifest.python:
        known[manifest.python.path] = (manifest.python.size, manifest.python.sha256)
    for path, expected in known.items():
        yield from _agrees(path, expected, files)
    for path in files:
        if path.startswith((*_WHEELS, layout.PYTHON)) and path not in known:
            yield f"{path}: belongs to no package"


def packages(manifest: Manifest) -> Tuple[Package, ...]:
    """All packages: Airflow's, the tools', the services', and the PostgreSQL server's."""
    server = (manifest.postgres.package,) if manifest.postgres else ()
    return (*manifest.packages, *manifest.tools, *manifest.services, *server)


def _agrees(path: str, expected: Tuple[int, str], files: Dict[str, File]) -> Iterator[str]:
    file = files.get(path)
    if file is None:
        yield f"{path}: a package names it, and it is not among the files"
    elif (file.size, file.sha256) != expected:
        yield f"{path}: not the file that its package names"


def _is_as_written(bundle: Bundle, infos: List[zipfile.ZipInfo], before: int) -> bool:
    """Whether every byte outside of the contents is what :mod:`wheelhouse.archive` writes."""
    if not infos:
        return False
    stamp, stream, place = infos[0].date_time, bundle.stream, before
    entries = []
    for info in infos:
        deflated = info.compress_type == zipfile.ZIP_DEFLATED
        entry = ArchiveMember(info.filename, info.file_size, info.compress_size, info.CRC, deflated)
        try:
            expected = entry.header(stamp)
        except (ValueError, ArithmeticError, archive.OutOfRange):
            return False
        stream.seek(place)
        if info.header_offset != place or stream.read(len(expected)) != expected:
            return False
        place += len(expected) + entry.packed
        entries.append(entry)
    stream.seek(place)
    end = b"".join(archive.directory(entries, stamp, before))
    return stream.read(len(end) + 1) == end


def _is_own_header(bundle: Bundle, before: int) -> bool:
    manifest, seal = bundle.manifest, bundle.seal
    script = header.render(manifest.airflow, manifest.target, manifest.python)
    if manifest.python:
        script = header.placed(script, bundle.offset(manifest.python.path))
    bundle.stream.seek(0)
    return bundle.stream.read(before) == header.sealed(script, seal)
