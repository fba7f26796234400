"""Whether a directory (LDAP) can be reached from this host, with its encryption; nobody is looked up."""

from __future__ import annotations

import contextlib
import socket
from urllib.parse import urlsplit

_SECONDS = 10.0
# An extended request for StartTLS (RFC 4511, 4.12 and 4.14.1), with the message id 1.
_NAME = b"1.3.6.1.4.1.1466.20037"
_START_TLS = bytes([0x30, len(_NAME) + 7, 2, 1, 1, 0x77, len(_NAME) + 2, 0x80, len(_NAME)]) + _NAME


def problem(url: str, authorities: str = "", store: str = "", *, start_tls: bool = False) -> str:
    """What stands in the way of a connection to ``ldap://HOST`` or ``ldaps://HOST``; "" for nothing.

    `authorities` are trusted, the text of a PEM file; without them those in the file `store`.
    """
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme == "ldaps"
    try:
        plain = socket.create_connection((host, parts.port or (636 if secure else 389)), _SECONDS)
    except socket.gaierror as error:
        return f"{host} is not known here ({error.strerror})"
    except UnicodeError as error:  # what no name can be: dc..corp.example
        return f"{host} is not known here ({error})"
    except OSError as error:
        return f"{host} port {parts.port or (636 if secure else 389)}: {error.strerror or error}"
    with contextlib.closing(plain):
        return _encrypted(plain, host, authorities, store, start_tls=start_tls) if secure or start_tls else ""


def _encrypted(plain: socket.socket, host: str, authorities: str, store: str, *, start_tls: bool) -> str:
    import ssl  # noqa: PLC0415  (most installs never need it)

    try:
        context = ssl.create_default_context(
            cafile=(store or None) if not authorities else None, cadata=authorities or None
        )
    except (OSError, ssl.SSLError, ValueError) as error:
        return f"the certificate of its authority cannot be read ({error})"
    # as the library of the login: what Python 3.13 asks of an authority is not asked there
    context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", ssl.VerifyFlags.VERIFY_DEFAULT)
    try:
        if start_tls:
            plain.sendall(_START_TLS)
            answer = plain.recv(4096)
            # resultCode, an enumerated value: 0 is success
            if b"\x0a\x01\x00" not in answer:
                return "it does not begin with TLS (StartTLS)"
        context.wrap_socket(plain, server_hostname=host).close()
    except ssl.SSLError as error:
        return getattr(error, "verify_message", "") or error.reason or str(error)
    except OSError as error:
        return str(error.strerror or error)
    return ""
