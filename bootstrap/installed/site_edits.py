"""What a change of site settings writes: options of airflow.cfg and private files, as one value."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, List, Mapping, Optional, Tuple

from bootstrap.airflow import config
from bootstrap.airflow.config import Option, Setting
from bootstrap.airflow.differences import BASE_URL, WEB_TLS, WEB_TLS_KEY
from bootstrap.airflow.managed_options import is_secret
from bootstrap.airflow.webaddress import port_of
from bootstrap.base import secret
from bootstrap.base.secret import Secret
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.installation import Installation
from bootstrap.site import certificates, settings
from bootstrap.state.home import Home

# Below the home; the certificate with all of its chain, because tasks of Airflow 3 trust what is in it.
CERTIFICATE, KEY = "secrets/tls-certificate.pem", "secrets/tls-key.pem"
# The installation's own authority, where it has one.
AUTHORITY, AUTHORITY_KEY = "secrets/tls-authority.pem", "secrets/tls-authority-key.pem"


@dataclass(frozen=True)
class Edit:
    """What a change writes, all of it together.

    `options` of airflow.cfg have their new value, None takes one out. `files` are texts by their path below
    the home, None removes one; each gets mode 0600. `connections` of Airflow's are JSON objects by their
    names, None removes one. `components` have to be started again (None: all of them, because running tasks
    read it, too).
    """

    options: Mapping[Option, Optional[str]] = field(default_factory=dict)
    files: Mapping[str, Optional[Secret]] = field(default_factory=dict)
    components: Optional[Tuple[str, ...]] = None
    connections: Mapping[str, Optional[Secret]] = field(default_factory=dict)


def edited(managed: ManagedSettings, text: str, options: Mapping[Option, Optional[str]]) -> str:
    """The text with these options, and with all that is derived from them."""
    for (section, option), value in options.items():
        if value is None:
            text = config.remove(text, section, option)
        else:
            text = config.edit(text, [Setting(section, option, value, is_secret(option))])
    return managed.followed(text)


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
    elif url is not None and port_of(url) != receipt.web_port:
        notes.append(
            f"Browsers go to port {port_of(url)}, and the web server listens on {receipt.web_port}:"
            " something has to pass connections on from the one to the other. To change the latter: sh FILE"
            " install --port N"
        )
    return Edit({place: url}), tuple(notes)


def tls_edit(
    installation: Installation, chain: str, key: Secret, authority: Optional[Tuple[str, Secret]] = None
) -> Edit:
    """What a certificate writes: `chain` down to its root, its key, and the authority of our own behind it.

    Where it stays trusted by what running tasks have read, the web server alone is started again.
    """
    home, numbers = installation.home, installation.version.numbers
    options = _tls_options(installation, str(home.path / CERTIFICATE), str(home.path / KEY))
    site = installation.site
    if site.chosen and site.url.startswith("http://"):
        place = BASE_URL.at(numbers)
        assert place is not None  # every release has it
        options[place] = f"https://{site.url[len('http://') :]}"
    files: Dict[str, Optional[Secret]] = {CERTIFICATE: Secret(chain), KEY: key}
    if authority:
        files.update({AUTHORITY: Secret(authority[0]), AUTHORITY_KEY: authority[1]})
    before = text_of(home.path / CERTIFICATE) if site.tls else None
    same = before is not None and certificates.last(before) == certificates.last(chain)
    web = installation.version.web_component
    return Edit(options, files, (web,) if same or (site.tls and numbers < (3, 0, 0)) else None)


def plain_edit(installation: Installation) -> Edit:
    """What it takes to have the web server speak plain HTTP again; the authority of our own stays."""
    site, options = installation.site, _tls_options(installation, None, None)
    if site.chosen and site.url.startswith("https://"):
        place = BASE_URL.at(installation.version.numbers)
        assert place is not None  # every release has it
        options[place] = f"http://{site.url[len('https://') :]}"
    return Edit(options, {CERTIFICATE: None, KEY: None})


def _tls_options(
    installation: Installation, certificate: Optional[str], key: Optional[str]
) -> Dict[Option, Optional[str]]:
    found: Dict[Option, Optional[str]] = {}
    for row, value in ((WEB_TLS, certificate), (WEB_TLS_KEY, key)):
        place = row.at(installation.version.numbers)
        if place:
            found[place] = value
    return found


def write(home: Home, files: Mapping[str, Optional[Secret]]) -> None:
    """Write the files of an edit, each in one step and with mode 0600."""
    for name, value in files.items():
        if value is None:
            with contextlib.suppress(FileNotFoundError):
                (home.path / name).unlink()
        else:
            secret.write(home.path / name, Secret(value.reveal().rstrip("\n")))


def is_written(home: Home, files: Mapping[str, Optional[Secret]]) -> bool:
    """Whether all files of an edit are as they should be."""
    return all(_is(home, name, value) for name, value in files.items())


def _is(home: Home, name: str, value: Optional[Secret]) -> bool:
    return text_of(home.path / name) == (None if value is None else value.reveal().rstrip("\n"))


def text_of(path: Path) -> Optional[str]:
    """The text of a file without line ends after it; None where there is none."""
    try:
        return path.read_text(encoding="utf-8").rstrip("\n")
    except FileNotFoundError:
        return None
