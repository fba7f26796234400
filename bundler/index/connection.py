"""What makes HTTP requests: a session of requests, set up as pip has it.

Imported when the first request is made: it takes longer than all of a run that needs none.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPBasicAuth
from requests.utils import get_netrc_auth
from urllib3.util.retry import Retry

from wheelhouse import __version__

Failure = requests.RequestException
_CONNECTIONS = 16
_TRANSIENT = (408, 429, 500, 502, 503, 504)


def connect(known: Mapping[str, tuple[str, str]], retries: int) -> requests.Session:
    """Make a session that threads may share, with the credentials `known` for hosts."""
    session = requests.Session()
    session.headers["User-Agent"] = f"airferry/{__version__}"
    session.auth = _HostAuth(known)
    if os.environ.get("PIP_CERT"):
        session.verify = os.environ["PIP_CERT"]
    retry = Retry(
        total=retries,
        connect=min(retries, 2),
        status_forcelist=_TRANSIENT,
        backoff_factor=0.3,
        backoff_max=20,
        respect_retry_after_header=True,
        raise_on_status=False,
    )
    session.mount("https://", _Adapter(retry, ssl.create_default_context()))
    session.mount("http://", _Adapter(retry, None))
    return session


def reason(error: Failure) -> str:
    """What a failed request came down to, in one line without the library's nesting."""
    cause: BaseException = error
    for _ in range(6):
        nested = [getattr(cause, "reason", None), *cause.args]
        inner = next((item for item in nested if isinstance(item, BaseException)), None)
        if inner is None:
            break
        cause = inner
    # urllib3 puts the connection's address in memory, or its repr, in front.
    text = re.sub(r"^(<[^>]*>|\w+\(host=[^)]*\)): ", "", str(cause))
    return f"the proxy: {text}" if isinstance(error, requests.exceptions.ProxyError) else text


class _Adapter(HTTPAdapter):
    """Trusts the system's authorities besides the ones that requests brings."""

    def __init__(self, retry: Retry, context: ssl.SSLContext | None) -> None:
        self._context = context
        super().__init__(pool_connections=8, pool_maxsize=_CONNECTIONS, max_retries=retry, pool_block=False)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **options)

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._context, **options)


class _HostAuth(AuthBase):
    """Basic authentication by host: from the index URLs, else from netrc."""

    def __init__(self, known: Mapping[str, tuple[str, str]]) -> None:
        self._known = known

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        pair = self._known.get(urlsplit(request.url or "").netloc) or get_netrc_auth(request.url or "")
        # in UTF-8, as uv and browsers send them (RFC 7617): of text requests takes Latin-1
        return HTTPBasicAuth(pair[0].encode(), pair[1].encode())(request) if pair else request
