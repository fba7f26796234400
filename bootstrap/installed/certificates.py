"""Certificates of an installation: made by its own authority, or given by an admin for an install."""

from __future__ import annotations

import json
import pkgutil
import re
import socket
from pathlib import Path
from typing import Dict, Optional

from bootstrap.airflow.config import Option
from bootstrap.airflow.differences import BASE_URL
from bootstrap.base import process
from bootstrap.base.secret import Secret
from bootstrap.facts.network import address_for_others
from bootstrap.facts.security import authorities
from bootstrap.installed.installation import Installation
from bootstrap.installed.site_edits import AUTHORITY, AUTHORITY_KEY, Edit, text_of, tls_edit, url_edit
from bootstrap.site import certificates, settings
from bootstrap.site.asked import SiteAsked
from bootstrap.state.receipt import Receipt

_STRICT = 13


def is_strict(bundle_id: str) -> bool:
    """Whether the Python of a bundle asks more of certificates, as 3.13 and newer do."""
    found = re.search(r"-cp3(\d+)", bundle_id)
    return bool(found and int(found[1]) >= _STRICT)


def known_authorities(receipt: Receipt) -> str:
    """The file with the authorities that this host trusts; "" where none is found."""
    return receipt.ca_file or authorities()


def edit_of(installation: Installation, asked: SiteAsked) -> Edit:
    """What an install was asked to set of its site; its certificate was judged before.

    Raises CommandFailed.
    """
    edit = Edit()
    if asked.self_signed:
        edit = made_here(installation, settings.hostname(asked.url))
    elif asked.key:
        found = certificates.examine(
            asked.certificate, asked.key, asked.authorities, known_authorities(installation.receipt)
        )
        edit = tls_edit(installation, found.chain, asked.key)
    place = BASE_URL.at(installation.version.numbers)
    if not asked.url or place is None:
        return edit
    if not asked.tls:
        return url_edit(installation, asked.url)[0]
    options: Dict[Option, Optional[str]] = {**edit.options, place: asked.url}
    return Edit(options, edit.files)


def made_here(installation: Installation, host: str = "") -> Edit:
    """Have the installation's own authority, made if it is not there, sign a new certificate.

    It is for `host`, or that of the URL, this host's name and address, and this host itself. Raises
    CommandFailed.
    """
    home, site = installation.home, installation.site
    authority, key = text_of(home.path / AUTHORITY), text_of(home.path / AUTHORITY_KEY)
    found = [host or (site.host if site.chosen else ""), socket.gethostname(), address_for_others()]
    names = list(dict.fromkeys(name for name in [*found, "localhost", "127.0.0.1", "::1"] if name))
    asked = {"title": f"Airflow {installation.receipt.name} on {socket.gethostname()}", "names": names}
    if authority and key:
        asked.update(authority=authority, authority_key=key)
    said = process.run(
        [installation.release.python, "-I", "-W", "ignore", "-c", _source()],
        what="make a certificate",
        env=installation.airflow.environment(),
        stdin=Secret(json.dumps(asked)),
        timeout=120,
    ).stdout
    result = json.loads(said)
    chain = f"{result['certificate']}{result['authority']}"
    return tls_edit(
        installation,
        chain,
        Secret(result["key"]),
        (result["authority"], Secret(result["authority_key"])),
    )


def authority(installation: Installation) -> Optional[str]:
    """The certificate that browsers must trust, as PEM: the root of the chain in use; None without HTTPS."""
    site = installation.site
    return certificates.last(text_of(Path(site.certificate)) or "") if site.tls else None


def _source() -> str:
    found = pkgutil.get_data("bootstrap.site", "authority.py")
    assert found is not None  # it lies beside the module that is imported
    return found.decode("utf-8")
