"""HTTP as pip has it: proxies, netrc, custom authorities, credentials in URLs, retries."""

# ruff: noqa: PLC0415  (what makes requests is imported with the first of them; a warm run makes none)

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator, Mapping
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

if TYPE_CHECKING:
    from requests import Response
    from requests import Session as Connection

CONNECTIONS = 16
TIMEOUT = (5.0, 30.0)  # seconds to connect, seconds without a byte


class NoAnswer(Exception):
    """A request failed, after all tries; the text is why, in one line."""


class Session:
    """Makes requests. Threads may share one; a context manager that closes its connections.

    Transient answers (408, 429, 5xx) and broken connections are tried again with back-off, other 4xx never.
    """

    def __init__(self, urls: Iterable[str] = (), *, retries: int = 4) -> None:
        """Take URLs whose credentials hold for everything on their hosts, and how often to try again."""
        pairs = {urlsplit(without_credentials(url)).netloc: credentials(url) for url in urls}
        self._known = {host: pair for host, pair in pairs.items() if pair}
        self._retries = retries
        self._lock = threading.Lock()
        self._opened: Connection | None = None

    def get(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: tuple[float, float] = TIMEOUT,
        stream: bool = False,
    ) -> Response:
        """Get an address; of a stream only the head, see :func:`pieces`. Raises :class:`NoAnswer`."""
        return self._request("GET", url, headers, timeout, stream=stream)

    def exists(self, url: str, timeout: tuple[float, float] = TIMEOUT) -> bool:
        """Whether the address answers with 200."""
        try:
            return self._request("HEAD", url, None, timeout, stream=False).status_code == 200
        except NoAnswer:
            return False

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened:
            self._opened.close()

    def _request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None,
        timeout: tuple[float, float],
        *,
        stream: bool,
    ) -> Response:
        from bundler.index.connection import Failure, connect, reason

        with self._lock:
            if self._opened is None:
                self._opened = connect(self._known, self._retries)
        try:
            return self._opened.request(
                method, url, headers=dict(headers or {}), timeout=timeout, stream=stream, allow_redirects=True
            )
        except Failure as error:
            raise NoAnswer(reason(error)) from error


def pieces(answer: Response, size: int) -> Iterator[bytes]:
    """The content of a streamed answer, in pieces of at most `size` bytes; raises :class:`NoAnswer`."""
    from bundler.index.connection import Failure, reason

    try:
        yield from answer.iter_content(size)
    except Failure as error:
        raise NoAnswer(reason(error)) from error


def without_credentials(url: str) -> str:
    """The URL with any ``user:password@`` removed: the only form that is shown or stored."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def recorded(url: str) -> str:
    """The URL as a bundle names it: without ``user:password@`` and query, which may be secret."""
    return urlunsplit(urlsplit(without_credentials(url))._replace(query=""))


def credentials(url: str) -> tuple[str, str] | None:
    """User and password in a URL; None without them."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return None
    return unquote(parts.username or ""), unquote(parts.password or "")
