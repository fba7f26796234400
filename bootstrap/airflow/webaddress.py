"""Where this host itself reaches a web server of Airflow's."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

# What Airflow 2 writes into a new file, and an install of ours. Airflow 3 would send browsers there.
NO_ADDRESS = re.compile(r"https?://localhost(:\d+)?/?")


@dataclass(frozen=True)
class WebAddress:
    """Host and port, the `path` that it serves below, and the PEM file of the certificate that it shows.

    `path` has no slash at its end and is "" for the root; `certificate` is "" for plain HTTP.
    """

    host: str
    port: int
    path: str = ""
    certificate: str = ""

    @property
    def scheme(self) -> str:
        """``http`` or ``https``."""
        return "https" if self.certificate else "http"

    @property
    def url(self) -> str:
        """``scheme://host:port/path``."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    @property
    def root(self) -> WebAddress:
        """The same server without the path."""
        return replace(self, path="")


def reachable(host: str) -> str:
    """The address at which this host itself reaches a server bound to `host`."""
    return {"0.0.0.0": "127.0.0.1", "": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104


def port_of(url: str) -> int:
    """The port of a URL that was checked, as browsers have it."""
    parts = urlsplit(url)
    return parts.port or (443 if parts.scheme == "https" else 80)
