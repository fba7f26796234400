"""A certificate for the web server: an admin's own, judged before it is used, or one that is made here."""

from __future__ import annotations

from typing import List, Tuple

from bootstrap.base.secret import Secret
from bootstrap.doctor.checks import tls as checks
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.severity import BLOCKER
from bootstrap.facts import network
from bootstrap.installed.certificates import is_strict, known_authorities
from bootstrap.installed.installation import Installation
from bootstrap.installed.site_edits import Edit, tls_edit
from bootstrap.site import certificates, settings
from bootstrap.site.settings import Site
from wheelhouse.errors import AirferryError


class CertificateRefused(AirferryError):
    """A certificate that cannot be used; nothing was changed."""

    reference = "certificate-refused"
    exit_code = 112


def given(
    installation: Installation, certificate: str, key: Secret, authorities: str, place: str
) -> Tuple[Edit, Tuple[str, ...]]:
    """What an admin's own certificate changes, and what is to be known of it.

    `place` is the file that the admin named. Raises :class:`CertificateRefused`.
    """
    receipt = installation.receipt
    strict = is_strict(receipt.bundle_id)
    found = certificates.examine(certificate, key, authorities, known_authorities(receipt), strict=strict)
    site = installation.site
    tasks = installation.version.numbers >= (3, 0, 0)
    own = own_host(site, receipt.web_host, found.names)
    wanted = checks.WantedTls(
        site.host if site.chosen else "", tasks, own, network.is_found(own) if tasks else None
    )
    findings = list(checks.judge(found, place, wanted))
    refuse(findings)
    notes = tuple(f"{item.title}: {item.found}" for item in findings)
    return tls_edit(installation, found.chain, key), notes


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


def own_host(site: Site, listening: str, names: Tuple[str, ...]) -> str:
    """The host by which tasks will reach the web server, with a certificate for these names."""
    return settings.own_host(names, site.host if site.chosen else "", listening)
