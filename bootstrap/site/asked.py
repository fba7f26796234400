"""What an install is asked to set of its site."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Optional

from bootstrap.base.secret import Secret


@dataclass(frozen=True)
class SiteAsked:
    """The address for browsers, and a certificate with its key and authorities, the texts of PEM files.

    `place` is the file that the admin named for the certificate; with `self_signed` one is made.
    """

    url: str = ""
    certificate: str = ""
    key: Optional[Secret] = None
    authorities: str = ""
    place: str = ""
    self_signed: bool = False

    @property
    def tls(self) -> bool:
        """Whether the web server shall speak HTTPS."""
        return self.self_signed or self.key is not None

    @property
    def whole(self) -> Secret:
        """All of it as a text that :func:`parse` reads; it holds the key."""
        given = {**self.__dict__, "key": self.key.reveal() if self.key else None}
        return Secret(json.dumps(given))


def parse(text: Secret) -> SiteAsked:
    """What :attr:`SiteAsked.whole` was made from."""
    given = json.loads(text.reveal())
    given["key"] = Secret(given["key"]) if given["key"] is not None else None
    return SiteAsked(**given)
