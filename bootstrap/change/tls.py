"""A certificate for the web server: an admin's own, judged before it is used, or one that is made here."""

from __future__ import annotations

from typing import List, Tuple

from bootstrap.airflow.differences import BASE_URL
from bootstrap.base.secret import Secret
from bootstrap.doctor.checks import tls as checks
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.severity import BLOCKER
from bootstrap.examination import tls as examination
from bootstrap.facts import network
from bootstrap.installed.certificates import is_strict, known_authorities, made_here
from bootstrap.installed.installation import Installation
from bootstrap.installed.site_edits import Edit, tls_edit
from bootstrap.site import certificates, settings
from wheelhouse.errors import AirferryError


class CertificateRefused(AirferryError):
    """A certificate that cannot be used; nothing was changed."""

    reference = "certificate-refused"
    exit_code = 112


def given(
    installation: Installation, certificate: str, key: Secret, authorities: str, place: str, url: str = ""
) -> Tuple[Edit, Tuple[str, ...]]:
    """What an admin's own certificate changes, and what is to be known of it.

    `place` is the file that the admin named, `url` a new address for browsers, if there is one. Raises
    :class:`CertificateRefused`.
    """
    receipt = installation.receipt
    strict = is_strict(receipt.bundle_id)
    found = certificates.examine(certificate, key, authorities, known_authorities(receipt), strict=strict)
    site = installation.site
    host = settings.hostname(url) or (site.host if site.chosen else "")
    tasks = installation.version.numbers >= (3, 0, 0)
    own = settings.own_host(found.names, host, receipt.web_host)
    wanted = checks.WantedTls(host, tasks, own, network.is_found(own) if tasks else None, whole=True)
    findings = list(checks.judge(found, place, wanted))
    refuse(findings)
    notes = tuple(f"{item.title}: {item.found}" for item in findings)
    return with_url(installation, tls_edit(installation, found.chain, key), url), notes


def with_url(installation: Installation, edit: Edit, url: str) -> Edit:
    """The edit with a new address for browsers beside it; "" for none."""
    place = BASE_URL.at(installation.version.numbers)
    return Edit({**edit.options, place: url}, edit.files) if url and place else edit


def for_address(installation: Installation, url: str, edit: Edit) -> Edit:
    """What a new address writes, with a new certificate where the one in use is of our own authority.

    Raises :class:`CertificateRefused` where an admin's own is not for that host, CommandFailed.
    """
    site, host = installation.site, settings.hostname(url)
    if not site.tls or certificates.covers(certificates.names(site.certificate), host):
        return edit
    if examination.collect(installation).own_authority:
        return with_url(installation, made_here(installation, host), url)
    raise CertificateRefused(
        f"The certificate of the web server is not for {host}; nothing was changed.",
        found=", ".join(certificates.names(site.certificate)) or "no name",
        needed=host,
        hint=f"Give a certificate for it as well: {installation.home.bin}/airferry site tls --url {url}"
        " --cert FILE --key FILE",
    )


def refuse(findings: List[Finding]) -> None:
    """Raise :class:`CertificateRefused` where one of the findings blocks."""
    blockers = [item for item in findings if item.severity == BLOCKER]
    if not blockers:
        return
    first = blockers[0]
    raise CertificateRefused(
        f"{first.title}; nothing was changed.",
        found="\n".join(f"{item.id}: {item.found}" for item in blockers),
        needed=first.needed,
        hint=" ".join([first.remedy, *first.commands]).strip(),
    )
