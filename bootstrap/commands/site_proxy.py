"""``HOME/bin/airferry site proxy``: what nginx or Apache in front of Airflow has to be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional, Tuple

import typer

from bootstrap.base.console import Console
from bootstrap.base.result import Result
from bootstrap.commands.shared import HOME, JSON, home_of
from bootstrap.commands.site_results import entered
from bootstrap.installed.options import InvalidOption
from bootstrap.site import proxy as texts
from bootstrap.site.settings import SiteSettingInvalid

_SERVERS = (texts.NGINX, texts.APACHE)


@dataclass(frozen=True)
class ProxyConfiguration:
    """The `lines` of a configuration file for a `server` (nginx, apache) in front of the web server.

    `url` is what browsers are given, `target` where the server passes requests on to.
    """

    server: str
    url: str
    target: str
    lines: Tuple[str, ...]


def proxy(
    server: str = typer.Argument(texts.NGINX, metavar="[SERVER]", help="nginx (default), or apache."),
    home: Optional[Path] = HOME,
    json: bool = JSON,
) -> Result[ProxyConfiguration]:
    """Print the configuration of a proxy in front of Airflow, for the address that site url has set.

    Nothing is changed: Airflow trusts a proxy on this host since site url https://... was given.
    """
    if server not in _SERVERS:
        raise InvalidOption(f"{server} is no server that this is known for.", needed=" or ".join(_SERVERS))
    installation = entered(home_of(home))
    site, web = installation.site, installation.web
    if not site.chosen:
        raise SiteSettingInvalid(
            "The address that browsers are given is not known.",
            needed="the URL at which the proxy serves Airflow",
            hint=f"{installation.home.bin}/airferry site url https://airflow.example.com/airflow",
        )
    lines = texts.named(server, site, web)
    found = ProxyConfiguration(server, site.url, web.root.url, tuple(lines))

    def show(console: Console) -> None:
        for line in found.lines:
            console.command(line, indent=0)

    return Result(found, show)
