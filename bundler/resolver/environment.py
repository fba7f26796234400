"""What a resolver may take from this host: the way to the index, and nothing else."""

from __future__ import annotations

import os

from bootstrap.base.secret import Secret
from bundler.index.transport import credentials
from bundler.resolver import Question

_VARIABLES = (
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSL_CLIENT_CERT",
    "REQUESTS_CA_BUNDLE",
    "NETRC",
)


def network() -> dict[str, str]:
    """Proxies, certificate authorities and netrc of this host."""
    kept = {name: os.environ[name] for name in _VARIABLES if name in os.environ}
    certificates = os.environ.get("PIP_CERT") or os.environ.get("REQUESTS_CA_BUNDLE")
    if certificates:
        kept.setdefault("SSL_CERT_FILE", certificates)
    return kept


def secrets(question: Question) -> list[Secret]:
    """The passwords in a question's URLs, to be masked wherever a program repeats them."""
    urls = (question.index_url, *question.extra_index_urls, *question.find_links)
    pairs = [credentials(url) for url in urls if "://" in url]
    return [Secret(pair[1]) for pair in pairs if pair and pair[1]]
