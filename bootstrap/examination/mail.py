"""The mail server that an installation sends to, as it answers now."""

from __future__ import annotations

from dataclasses import dataclass

from bootstrap.facts import mail as facts
from bootstrap.installed import mail
from bootstrap.installed.installation import Installation


@dataclass(frozen=True)
class MailFacts:
    """The `server` ("": none is set), what is wrong with it (`said`), and whether the provider is missing."""

    server: str = ""
    said: str = ""
    lacks_provider: bool = False


def collect(installation: Installation) -> MailFacts:
    """Connect, and send nothing."""
    found = mail.server(installation)
    if found is None:
        return MailFacts()
    place = f"{found.host} port {found.port}"
    return MailFacts(place, facts.problem(found), mail.lacks_provider(installation))
