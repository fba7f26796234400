"""The password of an index from the keyring of whoever runs this, as pip and uv ask for it.

pip's ``--keyring-provider subprocess`` and uv's ``UV_KEYRING_PROVIDER=subprocess``: the program ``keyring``,
for a URL that names a user and no password; for the whole URL first, then for its host.
"""

from __future__ import annotations

import os
import shutil
from urllib.parse import quote, urlsplit, urlunsplit

from bootstrap.base import process
from bootstrap.base.process import CommandFailed
from bundler.index.transport import credentials, without_credentials

_SECONDS = 60.0  # it may have to be unlocked first


def with_password(url: str) -> str:
    """The URL with the password that netrc or the keyring has for its user; as it is where none is known.

    netrc comes first, as with pip: what it has for the host is found without a user in the URL.
    """
    pair = credentials(url) if "://" in url else None
    if pair is None or not pair[0] or pair[1]:
        return url
    from requests.utils import get_netrc_auth  # noqa: PLC0415  (takes long, and is seldom needed)

    bare = without_credentials(url)
    if get_netrc_auth(bare):
        return bare
    parts = urlsplit(bare)
    for service in (bare, parts.netloc):
        password = _ask(service, pair[0])
        if password:
            login = f"{quote(pair[0], safe='')}:{quote(password, safe='')}"
            return urlunsplit(parts._replace(netloc=f"{login}@{parts.netloc}"))
    return url


def _ask(service: str, user: str) -> str:
    program = shutil.which("keyring")
    if program is None:
        return ""
    try:
        done = process.run(
            [program, "get", service, user],
            what="ask the keyring",
            env=os.environ,
            ok=range(256),
            timeout=_SECONDS,
        )
    except CommandFailed:
        return ""
    return done.stdout.rstrip("\r\n") if done.status == 0 else ""
