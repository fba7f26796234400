"""A package index and constraint server over loopback, with the faults that real ones have."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote

UPLOADED = "2026-01-02T03:04:05.678901Z"


@dataclass
class Faults:
    """What goes wrong with a file: how often, and then it works."""

    break_after: int = 0  # close the connection after so many bytes ...
    breaks: int = 0  # ... so many times
    busy: int = 0  # answer 503 so many times
    lie: bool = False  # send other bytes of the same length
    delay: float = 0.0  # seconds before each 64 KiB
    status: int = 0  # always this


@dataclass
class LocalIndex:
    """Serves wheels and sdists added with :meth:`add`, and texts added with :meth:`put`."""

    uploaded: dict[str, str] = field(default_factory=dict)
    faults: dict[str, Faults] = field(default_factory=dict)
    requests: Counter[str] = field(default_factory=Counter)
    ranges: list[str] = field(default_factory=list)
    fetches: Counter[str] = field(default_factory=Counter)  # of whole files, by others than uv
    login: tuple[str, str] | None = None
    html: bool = False
    hashes: bool = True
    times: bool = True
    releases: set[str] = field(default_factory=set)
    yanked: set[str] = field(default_factory=set)
    provenance: dict[str, str] = field(default_factory=dict)  # the address of a file's attestations
    reasons: dict[str, str] = field(default_factory=dict)
    pythons: dict[str, str] = field(default_factory=dict)  # Requires-Python of a file, else >=3.8
    _files: dict[str, bytes] = field(default_factory=dict)
    _texts: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        index = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                index._answer(self)

            def do_HEAD(self) -> None:
                index._answer(self)

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @property
    def url(self) -> str:
        return f"{self.base}/simple"

    def mirror(self, release: str) -> str:
        """An address below which the release ``release/`` has all files that were added."""
        self.releases.add(release)
        return f"{self.base}/releases"

    def url_with(self, user: str, password: str) -> str:
        return self.url.replace("http://", f"http://{user}:{password}@")

    def add(self, *paths: Path, uploaded: str = UPLOADED) -> None:
        for path in paths:
            self._files[path.name] = path.read_bytes()
            self.uploaded[path.name] = uploaded

    @property
    def names(self) -> list[str]:
        """Every file that was added."""
        return list(self._files)

    def put(self, path: str, text: str) -> str:
        self._texts[path] = text
        return self.base + path

    def fault(self, name: str) -> Faults:
        found = [file for file in self._files if file.startswith(name)]
        assert len(found) == 1, found
        return self.faults.setdefault(found[0], Faults())

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        path = unquote(request.path)
        for release in self.releases:
            path = path.replace(f"/releases/{release}/", "/files/")
        self.requests[path] += 1
        if self.login and not path.startswith("/constraints"):
            wanted = base64.b64encode(":".join(self.login).encode()).decode()
            if request.headers.get("Authorization") != f"Basic {wanted}":
                _send(request, 401, b"", {"WWW-Authenticate": 'Basic realm="index"'})
                return
        if path.startswith("/simple/"):
            self._page(request, path.removeprefix("/simple/").strip("/"))
        elif (
            path.startswith("/files/")
            and path.removeprefix("/files/").removesuffix(".metadata") in self._files
        ):
            self._file(request, path.removeprefix("/files/"))
        elif path in self._texts:
            _send(request, 200, self._texts[path].encode(), {"Content-Type": "text/plain"})
        else:
            _send(request, 404, b"")

    def _page(self, request: BaseHTTPRequestHandler, project: str) -> None:
        names = [name for name in self._files if name.split("-")[0].replace("_", "-").lower() == project]
        if not names:
            _send(request, 404, b"")
            return
        if self.html:
            anchors = [
                f'<a href="../../files/{name}{self._fragment(name)}"'
                f' data-requires-python="{escape(self.pythons.get(name, ">=3.8"))}"'
                f"{' data-yanked' if name in self.yanked else ''}>"
                f"{name}</a>"
                for name in names
            ]
            _send(request, 200, "<br>".join(anchors).encode(), {"Content-Type": "text/html"})
            return
        files = []
        for name in names:
            entry = {
                "filename": name,
                "url": f"{self.base}/files/{name}",
                "hashes": {"sha256": self._sha256(name)} if self.hashes else {},
                "size": len(self._files[name]),
                "requires-python": self.pythons.get(name, ">=3.8"),
                "yanked": self.reasons.get(name, name in self.yanked),
                "provenance": self.provenance.get(name),
            }
            if self.times:
                entry["upload-time"] = self.uploaded[name]
            files.append(entry)
        page = {"meta": {"api-version": "1.1"}, "name": project, "versions": [], "files": files}
        kind = "application/vnd.pypi.simple.v1+json"
        _send(request, 200, json.dumps(page).encode(), {"Content-Type": kind})

    def _fragment(self, name: str) -> str:
        return f"#sha256={self._sha256(name)}" if self.hashes else ""

    def _sha256(self, name: str) -> str:
        return hashlib.sha256(self._files[name]).hexdigest()

    def _file(self, request: BaseHTTPRequestHandler, name: str) -> None:
        content, faults = self._files[name], self.faults.get(name, Faults())
        asked = request.headers.get("Range", "")
        # uv reads metadata with ranges of its own while resolving; faults are for whole files.
        whole = "uv/" not in request.headers.get("User-Agent", "")
        if whole and faults.status:
            _send(request, faults.status, b"")
            return
        if whole and faults.busy:
            faults.busy -= 1
            _send(request, 503, b"", {"Retry-After": "0"})
            return
        if whole and faults.lie:
            content = bytes([content[0] ^ 1]) + content[1:]
        if whole and asked:
            self.ranges.append(asked)
        elif whole:
            self.fetches[name] += 1
        status, headers = 200, {"Accept-Ranges": "bytes"}
        if asked:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            start = int(first) if first else max(len(content) - int(last), 0)
            stop = int(last) + 1 if first and last else len(content)
            if start >= len(content):
                _send(request, 416, b"", {"Content-Range": f"bytes */{len(content)}"})
                return
            headers["Content-Range"] = f"bytes {start}-{min(stop, len(content)) - 1}/{len(content)}"
            content, status = content[start:stop], 206
        if whole and faults.breaks and faults.break_after < len(content):
            faults.breaks -= 1
            _send(request, status, content[: faults.break_after], headers, declared=len(content))
            request.close_connection = True
            return
        _send(request, status, content, headers, delay=faults.delay if whole else 0)


def _send(
    request: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    headers: dict[str, str] | None = None,
    *,
    declared: int | None = None,
    delay: float = 0,
) -> None:
    request.send_response(status)
    for name, value in (headers or {}).items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body) if declared is None else declared))
    request.end_headers()
    if request.command == "HEAD":
        return
    try:
        for start in range(0, len(body), 65536):
            time.sleep(delay)
            request.wfile.write(body[start : start + 65536])
            request.wfile.flush()
    except (BrokenPipeError, ConnectionResetError):
        pass
