"""The interpreter that a bundle carries: unpacked below ``HOME/python/``, compared, shared, removed."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import sys
import tarfile
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Optional, Set, Tuple

from bootstrap.base import process, smallfile
from bootstrap.state.home import Home
from bootstrap.state.receipt import Receipt
from wheelhouse import layout, unpacking
from wheelhouse.errors import AirferryError, BundleDamaged
from wheelhouse.manifest import CarriedPython
from wheelhouse.reader import Bundle

TEMPORARY = ".airferry-python."
_UNFINISHED = ".unfinished-"
_RECORD = "airferry-record.json"
_TOP = "python/"
_CHUNK = 1 << 20
# a run that was killed outright leaves its temporary interpreter; one that unpacks holds no lock yet
_STALE_SECONDS = 3600.0


class InterpreterFailed(AirferryError):
    """The carried interpreter does not start where it was unpacked."""

    reference = "carried-python-failed"
    exit_code = 67


@dataclass(frozen=True)
class Carried:
    """The interpreter of one bundle, in one home, whether it is unpacked there or not."""

    home: Home
    described: CarriedPython

    @property
    def path(self) -> Path:
        """Its folder, which bears version and checksum: bundles with the same interpreter share it."""
        return self.home.pythons / f"{self.described.version}-{self.described.sha256[:10]}"

    @property
    def program(self) -> Path:
        """The interpreter itself."""
        return self.path / "bin" / ("python" + ".".join(self.described.version.split(".")[:2]))

    @property
    def is_roots(self) -> bool:
        """Whether root has unpacked it."""
        return self.path.exists() and self.path.lstat().st_uid == 0

    def problems(self, bundle: Bundle) -> List[str]:
        """What differs between the folder and the archive in the bundle, a line each; all bytes are read."""
        if not self.path.is_dir():
            return [f"{self.path} is not there"]
        with self._archive(bundle) as archive:
            found = (_differs(archive, member, self.path / name) for member, name in _members(archive))
            return [problem for problem in found if problem]

    def unpack(self, bundle: Bundle) -> None:
        """Put the interpreter into its folder, in one step and in place of what is there.

        Raises BundleDamaged, :class:`InterpreterFailed`, OSError.
        """
        mask = os.umask(0o022)  # whatever the caller's is: other accounts may run it too
        try:
            self._unpack(bundle)
        finally:
            os.umask(mask)

    def _unpack(self, bundle: Bundle) -> None:
        self.home.pythons.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=str(self.home.pythons)))
        try:
            made.chmod(0o755)
            with self._archive(bundle) as archive:
                for member, name in _members(archive):
                    _extract(archive, member, made / "new" / name)
            _record(made / "new")
            os.sync()  # after a power cut there may be no folder, but none with empty files either
            # whoever runs on a damaged one finds the same files whole at the same place
            if self.path.exists() or self.path.is_symlink():
                self.path.replace(made / "old")
            (made / "new").replace(self.path)
        finally:
            shutil.rmtree(str(made), ignore_errors=True)
        try:
            process.run([self.program, "-I", "-c", "import ssl, ctypes"], what="start the carried Python")
        except process.CommandFailed as error:
            raise InterpreterFailed(
                f"The Python that the bundle carries does not start in {self.path}.",
                found=error.found or error.message,
                needed=self.described.floor or "a C library of the kind that it was built for",
                hint="Use one of this host: --python host, or --python PATH.",
            ) from error

    @contextlib.contextmanager
    def _archive(self, bundle: Bundle) -> Iterator[tarfile.TarFile]:
        content = io.BytesIO(bundle.read(self.described.path))
        try:
            with tarfile.open(fileobj=content, mode="r:gz") as archive:
                yield archive
        except (tarfile.TarError, EOFError) as error:
            raise BundleDamaged(
                f"The carried Python in {bundle.path} cannot be unpacked.", found=str(error)
            ) from error


def damaged(receipt: Receipt) -> List[str]:
    """What of an installation's carried interpreter is missing or has another size, a line each.

    For when the bundle is not at hand: :meth:`Carried.problems` compares every byte.
    """
    folder = receipt.carried_python
    if folder is None:
        return []
    try:
        listed = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [f"{folder / _RECORD}: {error}"]
    found = []
    for name, size in listed.items():
        try:
            here = (folder / name).stat().st_size
        except OSError:
            found.append(f"{folder / name} is missing")
            continue
        if here != size:
            found.append(f"{folder / name} has {here} bytes, not {size}")
    return found


def _record(folder: Path) -> None:
    """Note the size of every file, for :func:`damaged`."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in files}
    (folder / _RECORD).write_text(json.dumps(sizes, indent=0) + "\n", encoding="utf-8")


def remove_unused(home: Home, receipt: Receipt) -> List[Path]:
    """Remove interpreters that neither the receipt nor any release uses, and return them.

    The caller holds the home's lock.
    """
    if not home.pythons.is_dir():
        return []
    used = set(_used(home, receipt))
    removed = [path for path in sorted(home.pythons.iterdir()) if path.name not in used]
    for path in removed:
        shutil.rmtree(str(path), ignore_errors=True)
    if not used and not receipt.is_roots:
        with contextlib.suppress(OSError):
            home.pythons.rmdir()
    return removed


def _used(home: Home, receipt: Receipt) -> Iterator[str]:
    """The names below ``HOME/python/`` that the receipt's interpreter and every environment come from."""
    places = [receipt.python]
    for own in home.path.glob("releases/*/airferry-python"):
        places.append(_settings(home, own).strip())
    for settings in home.path.glob("releases/*/*/pyvenv.cfg"):
        text = _settings(home, settings)
        places += re.findall(r"^home\s*=\s*(.*?)\s*$", text, re.MULTILINE)
    roots = {home.pythons, home.pythons.resolve()}
    for place in places:
        for root in roots:
            with contextlib.suppress(ValueError):
                yield Path(place).relative_to(root).parts[0]


def _settings(home: Home, path: Path) -> str:
    """A small file of a release; root reads only what is a file of its own or of the account's."""
    if os.geteuid() != 0:
        return path.read_text(encoding="utf-8", errors="replace")
    with contextlib.suppress(OSError):
        return smallfile.read(path, 0).decode("utf-8", "replace")
    with contextlib.suppress(OSError):
        return smallfile.read(path, home.owner_of_data()).decode("utf-8", "replace")
    return ""


def temporary() -> Optional[Path]:
    """The folder of the interpreter that sh unpacked for this run alone; None when another one runs this."""
    named = getattr(sys, "_xoptions", {}).get("unpacked")
    return Path(named) if isinstance(named, str) else None


def hold_temporary() -> None:
    """Keep others from removing this run's temporary interpreter, and remove what killed runs have left."""
    own = temporary()
    if own is None:
        return
    with contextlib.suppress(OSError):
        # the lock ends with the process
        fcntl.flock(os.open(str(own), os.O_RDONLY), fcntl.LOCK_SH)
    for other in own.parent.glob(TEMPORARY + "*"):
        with contextlib.suppress(OSError):
            if other != own and time.time() - other.stat().st_mtime > _STALE_SECONDS:
                _remove_unheld(other)


def _remove_unheld(folder: Path) -> None:
    if folder.is_symlink() or folder.stat().st_uid != os.geteuid():
        return
    descriptor = os.open(str(folder), os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(str(folder), ignore_errors=True)
    finally:
        os.close(descriptor)


def _members(archive: tarfile.TarFile) -> Iterator[Tuple[tarfile.TarInfo, str]]:
    """The members and their paths below the interpreter's folder; raises BundleDamaged for an unsafe one."""
    links: Set[str] = set()
    for member in archive:
        name = member.name
        if name == _TOP.rstrip("/"):
            continue
        if not layout.is_safe(name) or unpacking.unsafe(member, links, _TOP.rstrip("/")):
            raise BundleDamaged("The carried Python contains an unsafe member.", found=repr(name))
        if member.issym():
            links.add(name)
        yield member, name[len(_TOP) :]


def _extract(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(0o755)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if member.issym():
        path.symlink_to(member.linkname)
        return
    source = archive.extractfile(member)
    assert source is not None
    with path.open("wb") as stream:
        shutil.copyfileobj(source, stream, _CHUNK)
    path.chmod(_mode(member))


def _mode(member: tarfile.TarInfo) -> int:
    return 0o755 if member.mode & 0o100 else 0o644


def _differs(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> str:
    """What is wrong with a file on the disk; empty when it is as in the archive."""
    if member.isdir():
        return "" if path.is_dir() else f"{path} is not a folder"
    if member.issym():
        same = path.is_symlink() and os.readlink(str(path)) == member.linkname
        return "" if same else f"{path} is another link than it was"
    if path.is_symlink() or not path.is_file():
        return f"{path} is missing"
    if path.stat().st_mode & 0o777 != _mode(member):
        return f"{path} has another mode"
    source = archive.extractfile(member)
    assert source is not None
    with path.open("rb") as stream:
        same = _digest(source) == _digest(stream)
    return "" if same else f"{path} was changed"


def _digest(stream: object) -> bytes:
    hasher = hashlib.sha256()
    for chunk in iter(lambda: stream.read(_CHUNK), b""):  # type: ignore[attr-defined]
        hasher.update(chunk)
    return hasher.digest()
