"""Reading a bundle, by path or from a file that is open already."""

from __future__ import annotations

import contextlib
import hashlib
import os
import zipfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Callable, Dict, Iterator, List, Optional, Type

from wheelhouse import header, layout
from wheelhouse.errors import BundleDamaged, BundleUnsupported
from wheelhouse.manifest import File, Manifest, Package

_COPY_AGAIN = "Nothing was changed. Copy the file again from the medium and compare: sha256sum -c FILE.sha256"
_CHUNK = 1 << 20


class Bundle:
    """An open bundle. A context manager; reading is by member name, extraction checks every hash."""

    def __init__(self, stream: BinaryIO, path: Path) -> None:
        """Take an open binary file; `path` is its name for messages.

        Raises :class:`BundleUnsupported` for a file that is no bundle, :class:`BundleDamaged` for one that
        is not whole.
        """
        self.path = path
        self.stream = stream
        found = header.read_seal(stream)
        if found is None and header.is_text(stream):
            raise BundleDamaged(
                f"{path} was transferred as text: its line ends were changed.",
                hint="Copy it again, in binary mode. Nothing was changed.",
            )
        if found is None:
            raise BundleUnsupported(
                f"{path} is not an airferry bundle.",
                needed="a file that airferry bundle made, such as airflow-3.3.2-cp311-….run",
            )
        self.seal = found
        size = stream.seek(0, os.SEEK_END)
        if size != found.size:
            raise BundleDamaged(
                f"{path} has the wrong size.",
                found=f"{size:,} bytes",
                needed=f"{found.size:,} bytes",
                hint=_COPY_AGAIN,
            )
        try:
            self._archive = zipfile.ZipFile(stream)
            self.text = self._manifest().decode()
        except Exception as error:
            raise BundleDamaged(f"{path} is damaged.", found=str(error), hint=_COPY_AGAIN) from error
        self.manifest = Manifest.loads(self.text)
        self._files: Dict[str, File] = {file.path: file for file in self.manifest.files}

    @classmethod
    def open(cls, path: Path, *, named: Optional[Path] = None) -> Bundle:
        """Open the file at `path`; raises as the constructor, and OSError when it cannot be read.

        `named` is its name for messages, where `path` is that of a descriptor.
        """
        stream = path.open("rb")
        try:
            return cls(stream, named or path)
        except BaseException:
            stream.close()
            raise

    def __enter__(self) -> Bundle:
        return self

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self._archive.close()
        self.stream.close()

    def _manifest(self) -> bytes:
        info = self._archive.getinfo(layout.MANIFEST)
        _check_method(info)
        if info.file_size > layout.MAX_MANIFEST:
            raise ValueError(
                f"its manifest has {info.file_size:,} bytes, at most {layout.MAX_MANIFEST:,} fit"
            )
        return self._archive.read(info)

    def names(self) -> List[str]:
        """The names of all members as the archive lists them."""
        return self._archive.namelist()

    @property
    def infos(self) -> List[zipfile.ZipInfo]:
        """The members as the archive lists them, in its order."""
        return self._archive.infolist()

    def offset(self, name: str) -> int:
        """Where the content of a stored member begins, in bytes of the file; 0 when there is none."""
        found = [info for info in self._archive.infolist() if info.filename == name]
        return found[0].header_offset + 30 + len(name.encode()) if found else 0

    def read(self, name: str) -> bytes:
        """A member's content, checked against the manifest; raises :class:`BundleDamaged`."""
        chunks: List[bytes] = []
        self._copy(name, chunks.append)
        return b"".join(chunks)

    def check(self, name: str) -> None:
        """Read a member to its end and compare its hash; raises :class:`BundleDamaged`."""
        self._copy(name, len)

    def extract(self, name: str, destination: Path, mode: int = 0o644) -> None:
        """Write a member to `destination`, checked against the manifest; raises :class:`BundleDamaged`.

        The parent folder must exist. A file that fails the check is removed.
        """
        try:
            with destination.open("wb") as stream:
                self._copy(name, stream.write)
        except BaseException:
            with contextlib.suppress(OSError):
                destination.unlink()
            raise
        destination.chmod(mode)

    def extract_package(self, package: Package, folder: Path) -> Path:
        """Write a package's wheel into `folder`, checked against the package itself too."""
        file = self._files.get(package.path)
        if file is not None and file.sha256 != package.sha256:
            raise BundleDamaged(
                f"{package.path} in {self.path} is not the file that its package names.",
                found=f"sha256 {file.sha256}",
                needed=f"sha256 {package.sha256}",
                hint=_COPY_AGAIN,
            )
        destination = folder / package.filename
        self.extract(package.path, destination)
        return destination

    def extract_folder(self, prefix: str, destination: Path) -> None:
        """Write all members below `prefix` (ending in a slash) below `destination`."""
        for name in self._files:
            if name.startswith(prefix):
                if not layout.is_safe(name):
                    raise BundleDamaged(f"{self.path} has a member with an unsafe name.", found=name)
                target = destination / name[len(prefix) :]
                target.parent.mkdir(parents=True, exist_ok=True)
                self.extract(name, target)

    def _copy(self, name: str, write: Callable[[bytes], object]) -> None:
        file = self._files.get(name)
        if file is None:
            raise BundleDamaged(f"{self.path} has no member {name}.", hint=_COPY_AGAIN)
        hasher = hashlib.sha256()
        for chunk in self._chunks(name):
            hasher.update(chunk)
            write(chunk)
        if hasher.hexdigest() != file.sha256:
            raise BundleDamaged(
                f"{name} in {self.path} was changed.",
                found=f"sha256 {hasher.hexdigest()}",
                needed=f"sha256 {file.sha256}",
                hint=_COPY_AGAIN,
            )

    def _chunks(self, name: str) -> Iterator[bytes]:
        try:
            _check_method(self._archive.getinfo(name))
            with self._archive.open(name) as member:
                while True:
                    chunk = member.read(_CHUNK)
                    if not chunk:
                        return
                    yield chunk
        # A changed byte may say "encrypted", "lzma" or "version 14.8": zipfile raises RuntimeError and
        # NotImplementedError then, and lets the errors of its decompressors through.
        except Exception as error:
            raise BundleDamaged(
                f"{name} in {self.path} is damaged.", found=str(error), hint=_COPY_AGAIN
            ) from error


def _check_method(info: zipfile.ZipInfo) -> None:
    # the decompressors of bzip2 and LZMA have no bound, and no bundle uses them
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"compressed by method {info.compress_type}")
