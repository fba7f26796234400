"""The settings of a site as one value, and what follows from them."""

from __future__ import annotations

import re
import socket
from dataclasses import dataclass
from typing import Callable, Optional, Sequence
from urllib.parse import urlsplit

from bootstrap.airflow import differences
from bootstrap.airflow.differences import OptionPlace, Row
from bootstrap.airflow.release import web_path
from bootstrap.airflow.webaddress import NO_ADDRESS, WebAddress, reachable
from bootstrap.site import certificates
from wheelhouse.errors import AirferryError


class SiteSettingInvalid(AirferryError):
    """A setting of the site that cannot be used."""

    reference = "site-setting-invalid"
    exit_code = 2


@dataclass(frozen=True)
class Site:
    """How browsers reach the pages (`url`, "" for no word of it), and the PEM files of the web server.

    Without `certificate` it speaks plain HTTP. airflow.cfg holds all of it: nothing is said twice.
    """

    url: str = ""
    certificate: str = ""
    key: str = ""

    @property
    def tls(self) -> bool:
        """Whether the web server itself speaks HTTPS."""
        return bool(self.certificate and self.key)

    @property
    def host(self) -> str:
        """The host of the URL; "" for none."""
        return hostname(self.url)

    @property
    def path(self) -> str:
        """The path below which the web server serves."""
        return web_path(self.url)

    @property
    def chosen(self) -> bool:
        """Whether an admin has said what the URL is; else it is a default, Airflow's or ours."""
        return bool(self.url) and not NO_ADDRESS.fullmatch(self.url)

    @property
    def secure(self) -> bool:
        """Whether browsers speak HTTPS, to the web server or to a proxy in front of it."""
        return self.tls or (self.chosen and self.url.startswith("https://"))

    @property
    def proxied(self) -> bool:
        """Whether a proxy must be in front: browsers speak HTTPS, and the web server does not."""
        return self.secure and not self.tls

    def web(self, listening: str, port: int) -> WebAddress:
        """Where this host itself reaches the web server that listens there."""
        return WebAddress(reachable(listening), port, self.path, self.certificate if self.tls else "")

    def own_host(self, listening: str) -> str:
        """The host by which tasks reach the web server: an address of this host, one that they can verify."""
        if not self.tls:
            return reachable(listening)
        return own_host(certificates.names(self.certificate), self.host, listening)


def read(get: Callable[[Row[OptionPlace]], Optional[str]]) -> Site:
    """The settings as the option of each row has them."""
    rows = (differences.BASE_URL, differences.WEB_TLS, differences.WEB_TLS_KEY)
    return Site(*(get(row) or "" for row in rows))


def own_host(names: Sequence[str], host: str, listening: str) -> str:
    """The host by which tasks reach a web server with a certificate for `names`: an address if it has one.

    `host` is that of the URL; "" for none.
    """
    near = reachable(listening)
    candidates = [near, *(["localhost"] if near == "127.0.0.1" else []), host, socket.gethostname()]
    for name in candidates:
        if name and certificates.covers(names, name):
            return name
    return host or next((name for name in names if "*" not in name), near)


_LABEL = r"[A-Za-z0-9]([A-Za-z0-9_-]*[A-Za-z0-9])?"
_HOST = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?|\[[0-9A-Fa-f:.]+\]")
_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")


def checked(url: str) -> str:
    """A URL as airflow.cfg takes it, without a slash at its end; raises :class:`SiteSettingInvalid`."""
    text = url.strip()
    problem = _problem(text)
    if problem:
        raise SiteSettingInvalid(
            f"{url} cannot be the address for browsers: {problem}.",
            needed="http:// or https://, host, and where they are needed port and path:"
            " https://airflow.example.com:8443/airflow",
        )
    return text.rstrip("/")


def _problem(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        return str(error)
    place = parts.netloc.rpartition(f":{port}")[0] if port is not None else parts.netloc
    if parts.scheme not in ("http", "https"):
        return "it does not begin with http:// or https://"
    if "@" in parts.netloc:
        return "it holds a user or a password"
    if port == 0 or not _HOST.fullmatch(place):
        return "it names no host that could be one"
    if parts.query or parts.fragment or not _PATH.fullmatch(parts.path.rstrip("/")) or "/.." in parts.path:
        return "its path has more than letters, digits and . _ ~ - between single slashes"
    if NO_ADDRESS.fullmatch(text):
        return "other hosts do not reach this one as localhost"
    return ""


def hostname(url: str) -> str:
    """The host of a URL, in small letters; "" for a text that is no URL."""
    try:
        found: Optional[str] = urlsplit(url.strip()).hostname
    except ValueError:
        return ""
    return found or ""
