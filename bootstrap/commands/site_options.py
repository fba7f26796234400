"""The options of an install that tell it of its site."""

from __future__ import annotations

from pathlib import Path
from typing import Optional
from urllib.parse import urlsplit

import typer

from bootstrap.airflow import webaddress
from bootstrap.base.secret import Secret
from bootstrap.installed.options import InvalidOption
from bootstrap.site import settings
from bootstrap.site.asked import SiteAsked

SITE = "The site"

URL = typer.Option(
    None,
    "--url",
    help="How browsers reach it: https://host[:port][/path] (later: airferry site url).",
    rich_help_panel=SITE,
)
TLS_CERT = typer.Option(
    None,
    "--tls-cert",
    exists=True,
    dir_okay=False,
    help="The web server's certificate in PEM, its intermediates after it: it speaks HTTPS.",
    rich_help_panel=SITE,
)
TLS_KEY = typer.Option(
    None,
    "--tls-key",
    exists=True,
    dir_okay=False,
    help="The key of the certificate in PEM, without a password; it is copied.",
    rich_help_panel=SITE,
)
TLS_CA = typer.Option(
    None,
    "--tls-ca",
    exists=True,
    dir_okay=False,
    help="The root of its authority in PEM, where this host does not know it.",
    rich_help_panel=SITE,
)
TLS_SELF_SIGNED = typer.Option(
    False,
    "--tls-self-signed",
    help="Speak HTTPS with a certificate that is made here (later: airferry site tls).",
    rich_help_panel=SITE,
)
# Below it only root opens ports.
_ORDINARY = 1024


def asked_of(
    url: Optional[str],
    cert: Optional[Path],
    key: Optional[Path],
    ca: Optional[Path],
    *,
    self_signed: bool,
) -> Optional[SiteAsked]:
    """The options as one value, files read; None where none is given.

    Raises InvalidOption, SiteSettingInvalid.
    """
    if not (url or cert or key or ca or self_signed):
        return None
    if bool(cert) != bool(key) or (ca and not cert) or (cert and self_signed):
        raise InvalidOption(
            "The options for HTTPS do not go together.",
            needed="--tls-cert FILE and --tls-key FILE (and --tls-ca FILE), or --tls-self-signed",
        )
    found = SiteAsked(
        settings.checked(url) if url else "",
        _text(cert),
        Secret(_text(key)) if key else None,
        _text(ca),
        str(cert or ""),
        self_signed,
    )
    if found.tls and found.url.startswith("http://"):
        raise InvalidOption(
            f"The web server shall speak HTTPS, and --url {url} does not.",
            needed=f"--url https://{found.url[len('http://') :]}",
        )
    return found


def port_of(asked: Optional[SiteAsked], port: Optional[int]) -> Optional[int]:
    """The port to listen on: the one that was named, else that of a URL that leads to the web server itself.

    Raises InvalidOption for one that an ordinary account cannot open.
    """
    if port or not asked or not asked.url:
        return port
    wanted = webaddress.port_of(asked.url)
    if asked.tls and wanted < _ORDINARY:
        raise InvalidOption(
            f"Browsers would go to port {wanted}, which only root can open; Airflow does not run as root.",
            needed=f"another port in the URL, such as https://{settings.hostname(asked.url)}:8443",
            hint="Where something passes that port on to another one: name the other one with --port.",
        )
    itself = asked.tls or asked.url.startswith("http://")
    return wanted if itself and urlsplit(asked.url).port and wanted >= _ORDINARY else None


def _text(path: Optional[Path]) -> str:
    return path.read_text(encoding="utf-8", errors="replace") if path else ""
