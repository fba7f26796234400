"""A bundle as a folder, a tar or a zip, for gates that refuse programs: the same content, member by member.

``sh airferry/install.sh`` puts the bundle together again, byte for byte, and runs it. The wheels can be
installed by plain pip as well. ``SHA256SUMS`` lists every file.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from bundler.approval import papers, pieces
from bundler.approval.kinds import Shape
from bundler.approval.pieces import Packed
from bundler.base.digest import file_digest
from bundler.base.errors import InvalidRequest, OutputFailed
from bundler.inspection import whole
from wheelhouse.manifest import Manifest
from wheelhouse.reader import Bundle

FOLDER = "airferry"
FRAME = "frame.bin"
SUMS = "SHA256SUMS"
_README = """\
{label} for CPython {python}, as a folder.

Inside the closed network, one of:

    sh airferry/install.sh doctor
    sh airferry/install.sh

The script puts {name} (sha256 {sha256})
together from these files, and runs it. Or with pip alone, without PostgreSQL, services
and doctor:

    python{python} -m venv airflow-venv
    airflow-venv/bin/pip install --no-index --find-links airferry/wheels \\
        --require-hashes -r airferry/requirements.txt

Compare the files first: cd airferry && sha256sum -c SHA256SUMS
"""


@dataclass(frozen=True)
class FolderFile:
    """A file of the folder: its name below it, and a member of the bundle or bytes."""

    name: str
    content: bytes | None = None


def path_of(file: Path, shape: Shape) -> Path:
    """Where that shape of a bundle is written: ``airferry/`` beside it, or ``FILE.tar``, ``FILE.zip``."""
    return file.with_name(FOLDER) if shape is Shape.FOLDER else papers.beside(file, f".{shape.value}")


def make(file: Path, shape: Shape) -> Path:
    """Write that shape of `file` beside it, whole or not at all; returns its path.

    Raises the errors of verifying it, :class:`InvalidRequest` when something else is there, OutputFailed.
    """
    papers.check_name(file)
    path = path_of(file, shape)
    if shape is Shape.FOLDER and path.exists() and not (path / SUMS).is_file():
        raise InvalidRequest(
            f"{path} is there, and is no folder of a bundle.",
            hint="Name another folder for both: --output DIR",
        )
    try:
        with (
            whole.opened(file) as found,
            tempfile.TemporaryDirectory(dir=file.parent, prefix=".shape-") as near,
        ):
            made = Path(near) / path.name
            content = list(_content(found.bundle, file))
            if shape is Shape.FOLDER:
                _folder(found.bundle, content, made)
                made.chmod(0o755)
                if path.exists():
                    path.rename(Path(near) / "before")
            else:
                with made.open("xb") as output:
                    (_tar if shape is Shape.TAR else _zip)(found.bundle, content, output)
                    output.flush()
                    os.fsync(output.fileno())
            made.rename(path)
    except OSError as error:
        raise OutputFailed(
            f"{path} cannot be written: {error.strerror}.",
            hint="The bundle itself is whole. Make room beside it, and give the same command again.",
        ) from error
    if shape is not Shape.FOLDER:
        papers.write(path, {".sha256": f"{file_digest(path)}  {path.name}\n".encode()})
    return path


def _content(bundle: Bundle, file: Path) -> Iterator[FolderFile]:
    """Every file of the folder: what is made here, and the members; the sums are last."""
    manifest, stream = bundle.manifest, bundle.stream
    name, sha256 = file.name, file_digest(file)
    found = pieces.compose(stream, _stored)
    values = {
        "LABEL": f"Apache Airflow {manifest.airflow}",
        "NAME": pieces.quoted(name),
        "SIZE": str(bundle.seal.size),
        "SHA256": sha256,
        "PIECES": "\n".join(f"{item.offset} {item.length} {item.source}".rstrip() for item in found),
    }
    made = [
        FolderFile("install.sh", pieces.script("install.sh.in", values)),
        FolderFile(FRAME, b"".join(pieces.carried(stream, found))),
        FolderFile("README.txt", _readme(manifest, name, sha256)),
        FolderFile("requirements.txt", _requirements(manifest)),
    ]
    listed = {item.name: hashlib.sha256(item.content or b"").hexdigest() for item in made}
    listed.update({item.path: item.sha256 for item in manifest.files})
    listed["manifest.json"] = hashlib.sha256(bundle.text.encode()).hexdigest()
    yield from made
    yield FolderFile("manifest.json", bundle.text.encode())
    yield from (FolderFile(item.path) for item in manifest.files)
    yield FolderFile(SUMS, "".join(f"{listed[name]}  {name}\n" for name in sorted(listed)).encode())


def _stored(item: Packed, stream: BinaryIO) -> tuple[str, int] | None:
    return None if item.deflated else (item.name, 0)


def _readme(manifest: Manifest, name: str, sha256: str) -> bytes:
    label = f"Apache Airflow {manifest.airflow}"
    return _README.format(label=label, python=manifest.target.python, name=name, sha256=sha256).encode()


def _requirements(manifest: Manifest) -> bytes:
    lines = (f"{item.name}=={item.version} --hash=sha256:{item.sha256}\n" for item in manifest.packages)
    return "".join(lines).encode()


def _folder(bundle: Bundle, content: list[FolderFile], path: Path) -> None:
    path.mkdir()
    for item in content:
        target = path / item.name
        target.parent.mkdir(parents=True, exist_ok=True)
        if item.content is None:
            bundle.extract(item.name, target)
        else:
            target.write_bytes(item.content)


def _tar(bundle: Bundle, content: list[FolderFile], output: BinaryIO) -> None:
    """Names, owners and times are the same wherever and whenever it is made."""
    with tarfile.open(fileobj=output, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for item in content:
            info = tarfile.TarInfo(f"{FOLDER}/{item.name}")
            data = bundle.read(item.name) if item.content is None else item.content
            info.size, info.mtime = len(data), 315532800  # 1980, the earliest that a zip can tell
            archive.addfile(info, BytesIO(data))


def _zip(bundle: Bundle, content: list[FolderFile], output: BinaryIO) -> None:
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as archive:
        for item in content:
            info = zipfile.ZipInfo(f"{FOLDER}/{item.name}")
            info.create_system, info.external_attr = 3, 0o100644 << 16
            archive.writestr(info, bundle.read(item.name) if item.content is None else item.content)
