"""Fetching: parallel, resumable, checked; every file lands once in the cache, named by its sha256."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import queue
import re
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

from bundler.base.digest import file_digest
from bundler.base.errors import DownloadFailed, HashMismatch, OutputFailed
from bundler.index.cache import Cache, used
from bundler.index.transport import CONNECTIONS, NoAnswer, Session, pieces, without_credentials
from bundler.lock.lockfile import Artifact

if TYPE_CHECKING:
    from requests import Response

_CHUNK = 1 << 18
_ATTEMPTS = 6
_SHA256 = re.compile("[0-9a-f]{64}")


class Listener(Protocol):
    """Gets the bytes of each chunk that arrived, from any thread."""

    def __call__(self, amount: int, /) -> object:
        """Count `amount` bytes."""


class Stopped(Exception):
    """Another file failed, or the user interrupted: this one is left where it is."""


class Fetcher:
    """Gets artifacts into the cache. Two processes may share one cache: each file is locked while written."""

    def __init__(self, session: Session, cache: Cache, *, offline: bool = False) -> None:
        self._session = session
        self._folder = cache.files
        self._offline = offline
        self._stop = threading.Event()

    def abandon(self) -> None:
        """Stop all that is being fetched, from any thread: something else has failed."""
        self._stop.set()

    def fetch(self, artifacts: Sequence[Artifact], advance: Listener = lambda _: None) -> dict[str, Path]:
        """Get all artifacts; returns their paths by sha256.

        Raises :class:`DownloadFailed`, :class:`HashMismatch` or :class:`OutputFailed` for the first that
        fails, Stopped when it was abandoned; nothing can be fetched with this one afterwards. What was got
        until then, also by half, stays in the cache and is used next time.
        """
        work: queue.SimpleQueue[Artifact] = queue.SimpleQueue()
        # The largest first, or one of them runs alone at the end.
        unique = {item.sha256: item for item in artifacts}
        for item in sorted(unique.values(), key=lambda item: -item.size):
            work.put(item)
        found: dict[str, Path] = {}
        failures: list[BaseException] = []
        stop = self._stop

        def loop() -> None:
            while not stop.is_set():
                try:
                    item = work.get_nowait()
                except queue.Empty:
                    return
                try:
                    found[item.sha256] = self._get(item, advance, stop)
                except Stopped:
                    return
                except BaseException as error:  # noqa: BLE001 - raised again in the caller's thread
                    failures.append(error)
                    stop.set()

        # Daemons: after Ctrl-C nothing waits for a server that does not answer.
        threads = [threading.Thread(target=loop, daemon=True) for _ in range(min(CONNECTIONS, len(unique)))]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                while thread.is_alive() and not stop.is_set():
                    thread.join(0.2)
        except BaseException:
            stop.set()
            raise
        if failures:
            raise failures[0]
        if stop.is_set():
            raise Stopped
        return found

    def _get(self, item: Artifact, advance: Listener, stop: threading.Event) -> Path:
        if item.path is not None:
            return _check_local(item, advance)
        if not _SHA256.fullmatch(item.sha256):  # of an address: it is the file's name in the cache
            raise DownloadFailed(f"{item.filename} has no sha256.", found=item.sha256[:100])
        final = self._folder / item.sha256
        if _cached(final, item.sha256):
            used(final)
            advance(item.size)
            return final
        if self._offline:
            raise DownloadFailed(
                f"{item.filename} is not in the cache.",
                needed="every file in the cache (--offline fetches nothing)",
                hint="Make the bundle once without --offline.",
            )
        try:
            with _locked(final.with_name(f"{item.sha256}.part"), stop) as part:
                if _cached(final, item.sha256):
                    Path(part.name).unlink()
                    advance(item.size)
                else:
                    self._download(item, part, advance, stop)
                    Path(part.name).replace(final)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            raise OutputFailed(
                f"{item.filename} cannot be written to the cache: {error.strerror}.",
                found=str(self._folder),
                hint="Free space there, or set XDG_CACHE_HOME to a folder with more." if full else "",
            ) from error
        return final

    def _download(self, item: Artifact, part: BinaryIO, advance: Listener, stop: threading.Event) -> None:
        hasher = hashlib.sha256()
        part.seek(0)
        resumed = have = 0
        for chunk in iter(lambda: part.read(_CHUNK), b""):
            hasher.update(chunk)
            resumed = have = have + len(chunk)
        advance(have)
        problem = ""
        for attempt in range(_ATTEMPTS):
            if attempt and stop.wait(min(0.2 * 2**attempt, 10)):
                raise Stopped
            headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
            try:
                answer = self._session.get(item.url, headers=headers, stream=True)
            except NoAnswer as error:
                problem = str(error)
                break  # the session has tried again already
            with answer:
                if answer.status_code not in (200, 206, 416):
                    problem = f"HTTP {answer.status_code}"
                    break
                if have and not _continues(answer, have):
                    # The server starts over, or has no such range: so do we.
                    advance(-have)
                    hasher, resumed, have = hashlib.sha256(), 0, 0
                    part.seek(0)
                    part.truncate()
                    if answer.status_code != 200:
                        continue
                try:
                    for chunk in pieces(answer, _CHUNK):
                        if stop.is_set():
                            raise Stopped
                        part.write(chunk)
                        hasher.update(chunk)
                        have += len(chunk)
                        advance(len(chunk))
                except NoAnswer as error:
                    problem = f"the connection was lost after {have:,} bytes ({error})"
                    continue
            if hasher.hexdigest() == item.sha256:
                part.flush()
                return
            part.seek(0)
            part.truncate()
            advance(-have)
            if not resumed:
                Path(part.name).unlink()
                raise HashMismatch(
                    f"{item.filename} is not the file that was locked; the copy was removed.",
                    found=f"sha256 {hasher.hexdigest()} ({have:,} bytes)\n"
                    f"from {without_credentials(item.url)}",
                    needed=f"sha256 {item.sha256}",
                    hint="Try again; if it happens again, the index or a proxy in between changes files.",
                )
            # The piece from an earlier run may have been the bad one: once more from the beginning.
            hasher, resumed, have = hashlib.sha256(), 0, 0
        raise DownloadFailed(
            f"{item.filename} cannot be fetched.",
            found=f"{problem} from {without_credentials(item.url)}",
            hint="The downloaded part is kept: the same command resumes from there.",
        )


def _continues(answer: Response, have: int) -> bool:
    given = answer.headers.get("Content-Range", "")
    return answer.status_code == 206 and given.startswith(f"bytes {have}-")


def _cached(path: Path, sha256: str) -> bool:
    """Whether the cache has the file; one that was damaged there is removed."""
    try:
        if file_digest(path) == sha256:
            return True
    except FileNotFoundError:
        return False
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    return False


def _check_local(item: Artifact, advance: Listener) -> Path:
    assert item.path is not None
    try:
        found = file_digest(item.path)
    except OSError as error:
        raise DownloadFailed(f"{item.path} cannot be read: {error.strerror}.") from error
    if found != item.sha256:
        raise HashMismatch(
            f"{item.path} changed while the bundle was made.",
            found=f"sha256 {found}",
            needed=f"sha256 {item.sha256}",
        )
    advance(item.size)
    return item.path


@contextlib.contextmanager
def _locked(path: Path, stop: threading.Event) -> Iterator[BinaryIO]:
    """Open `path` for this process alone; waits while another has it."""
    while True:
        with path.open("a+b") as stream:
            while True:
                try:
                    fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if stop.wait(0.1):
                        raise Stopped from None
            # Whoever had the lock before may have renamed or removed the file that was opened here.
            try:
                same = path.samefile(f"/proc/self/fd/{stream.fileno()}")
            except FileNotFoundError:
                continue
            if same:
                yield stream
                return
