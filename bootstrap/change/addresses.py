"""What a new address for browsers changes."""

from __future__ import annotations

from typing import List, Optional, Tuple

from bootstrap.airflow.differences import BASE_URL
from bootstrap.change.site import Edit
from bootstrap.installed.installation import Installation
from bootstrap.site import settings


def url_edit(installation: Installation, url: Optional[str]) -> Tuple[Edit, Tuple[str, ...]]:
    """What setting the address writes, and what the admin should know; raises SiteSettingInvalid."""
    place = BASE_URL.at(installation.version.numbers)
    assert place is not None  # every release has it
    site, receipt = installation.site, installation.receipt
    notes: List[str] = []
    if url is not None and site.tls and not url.startswith("https://"):
        raise settings.SiteSettingInvalid(
            "The web server speaks HTTPS, and this address does not.",
            found=url,
            needed=f"https://{url.partition('://')[2]}",
            hint=f"To have it speak plain HTTP again: {installation.home.bin}/airferry site tls --off",
        )
    if url is not None and url.startswith("https://") and not site.tls:
        notes.append(
            "Airflow now trusts a proxy with HTTPS in front of it: see airferry site proxy. For HTTPS without"
            " one: airferry site tls"
        )
    elif url is not None and settings.port_of(url) != receipt.web_port:
        notes.append(
            f"Browsers go to port {settings.port_of(url)}, and the web server listens on {receipt.web_port}:"
            " something has to pass connections on from the one to the other. To change the latter: sh FILE"
            " install --port N"
        )
    return Edit({place: url}), tuple(notes)
