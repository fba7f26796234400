"""The certificate of the web server as it lies there, and who can reach the server without one."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

from bootstrap.facts import network
from bootstrap.installed.certificates import is_strict, known_authorities
from bootstrap.installed.installation import Installation
from bootstrap.installed.site_edits import AUTHORITY, text_of
from bootstrap.site import certificates
from bootstrap.site.certificates import Examined


@dataclass(frozen=True)
class Tls:
    """The certificate at `path`, None where the web server speaks plain HTTP.

    `host` is that of the address for browsers, `own_host` the one by which tasks reach the web server, if
    `tasks` do so over HTTPS; `resolved` says whether that name is found here. `exposed` is the address that
    logins cross the network to unencrypted, "" for none, `bypass` the same past a proxy; `own_authority` says
    that the certificate is one of the installation's own. `now` is the time here, in seconds since 1970.
    """

    path: str = ""
    examined: Optional[Examined] = None
    host: str = ""
    tasks: bool = False
    own_host: str = ""
    resolved: Optional[bool] = None
    exposed: str = ""
    bypass: str = ""
    own_authority: bool = False
    now: float = 0.0


def collect(installation: Installation) -> Tls:
    """Look at the files that airflow.cfg names."""
    site, receipt = installation.site, installation.receipt
    if not site.tls:
        open_to = exposed(receipt.web_host, receipt.web_port)
        return Tls(bypass=open_to) if site.proxied else Tls(exposed=open_to)
    found = certificates.read(
        Path(site.certificate),
        Path(site.key),
        known_authorities(receipt),
        strict=is_strict(receipt.bundle_id),
    )
    authority = text_of(installation.home.path / AUTHORITY)
    own, tasks = site.own_host(receipt.web_host), installation.version.numbers >= (3, 0, 0)
    return Tls(
        path=site.certificate,
        examined=found,
        host=site.host if site.chosen else "",
        tasks=tasks,
        own_host=own,
        resolved=network.is_found(own) if tasks else None,
        own_authority=certificates.last(found.chain) == certificates.last(authority or ""),
        now=time.time(),
    )


def exposed(host: str, port: int) -> str:
    """Where a web server can be reached from other hosts; "" for one that listens on this host alone."""
    if host.startswith("127.") or host in ("localhost", "::1"):
        return ""
    everywhere = host in ("0.0.0.0", "::", "")  # noqa: S104 - compared, not bound
    return f"every address of this host, port {port}" if everywhere else f"{host}, port {port}"
