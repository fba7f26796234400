"""Certificates as OpenSSL sees them: names, dates, and whether key and chain belong to them.

The standard library alone: the ssl module decodes a certificate, compares it with a key, and verifies a chain
in a handshake that goes through memory.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Optional, Sequence, Tuple

from bootstrap.base.secret import Secret

if TYPE_CHECKING:
    import ssl

_BLOCK = re.compile(
    r"-----BEGIN (?:TRUSTED )?CERTIFICATE-----.+?-----END (?:TRUSTED )?CERTIFICATE-----", re.DOTALL
)
_LONGEST_CHAIN = 10


@dataclass(frozen=True)
class Examined:
    """What OpenSSL says of a certificate, its key and its chain; a `problem` is empty where there is none.

    `starts` and `ends` are in seconds since 1970, `chain` is certificate, intermediates and root as PEM, in
    this order, as far as they were found; `root_from` says where the root was: the file, the authority that
    was given, or the host.
    """

    subject: str = ""
    issuer: str = ""
    names: Tuple[str, ...] = ()
    starts: float = 0.0
    ends: float = 0.0
    chain: str = ""
    root_from: str = ""
    problem: str = ""
    key_problem: str = ""
    chain_problem: str = ""


def names(path: str) -> Tuple[str, ...]:
    """The names and addresses that the first certificate of a PEM file is for; () where it cannot be read."""
    try:
        return _names(path, Path(path).stat().st_mtime_ns)
    except OSError:
        return ()


def covers(known: Sequence[str], host: str) -> bool:
    """Whether one of the names is that of `host`, a wildcard for one label included (RFC 6125)."""
    wanted = host.lower().rstrip(".")
    try:
        return str(ipaddress.ip_address(wanted)) in known
    except ValueError:
        pass
    _, _, parent = wanted.partition(".")
    return wanted in known or bool(parent and f"*.{parent}" in known)


def examine(
    certificate: str,
    key: Optional[Secret],
    authorities: str = "",
    store: str = "",
    *,
    strict: bool = False,
) -> Examined:
    """Judge the texts of PEM files: certificate with intermediates, key, and authorities that are trusted.

    `store` is the path of the host's own authorities, where a root is looked for that is in neither. Without
    a key, key and chain are not judged. `strict` asks of them what Python 3.13 and newer do.
    """
    import ssl  # noqa: PLC0415  (most installations never need it)

    blocks = _BLOCK.findall(certificate)
    if not blocks:
        return Examined(problem=_no_certificate(certificate))
    try:
        leaf = _decode(blocks[0])
    except ValueError as error:
        return Examined(problem=f"the certificate cannot be read ({error})")
    chain, origin, broken = _chain(blocks, authorities, store)
    found = Examined(
        subject=_name(leaf.get("subject", ())),
        issuer=_name(leaf.get("issuer", ())),
        names=_names_in(leaf),
        starts=ssl.cert_time_to_seconds(leaf["notBefore"]),
        ends=ssl.cert_time_to_seconds(leaf["notAfter"]),
        chain="\n".join(chain) + "\n",
        root_from=origin,
    )
    if key is None:
        return found
    problem = _key_problem(blocks, key)
    if not problem and not broken:
        broken = _handshake_problem(chain, key, strict=strict)
    return _with(found, key_problem=problem, chain_problem=broken)


def read(path: Path, key: Path, store: str = "", *, strict: bool = False) -> Examined:
    """As :func:`examine`, of files that hold the whole chain; one that cannot be read is a problem of it."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        return Examined(problem=f"{path}: {error.strerror}")
    try:
        secret: Optional[Secret] = Secret(key.read_text(encoding="utf-8", errors="replace"))
    except OSError as error:
        return _with(examine(text, None, store=store), key_problem=f"{key}: {error.strerror}")
    return examine(text, secret, store=store, strict=strict)


def last(text: str) -> str:
    """The last certificate in the text of a PEM file: the root of a chain that an installation keeps."""
    blocks = _BLOCK.findall(text)
    return f"{blocks[-1]}\n" if blocks else ""


@lru_cache(maxsize=16)
def _names(path: str, changed: int) -> Tuple[str, ...]:
    """As :func:`names`; `changed` has a replaced file read again."""
    try:
        return _names_in(_decoded(path))
    except (OSError, ValueError):
        return ()


def _names_in(found: Dict[str, Any]) -> Tuple[str, ...]:
    listed = []
    for kind, value in found.get("subjectAltName", ()):
        if kind == "DNS":
            listed.append(str(value).lower())
        elif kind == "IP Address":
            with contextlib.suppress(ValueError):
                listed.append(str(ipaddress.ip_address(str(value).strip())))
    return tuple(listed)


def _name(parts: Sequence[Sequence[Tuple[str, str]]]) -> str:
    """A distinguished name in a line, its most telling part first."""
    pairs = {key: value for part in parts for key, value in part}
    for key in ("commonName", "organizationalUnitName", "organizationName"):
        if key in pairs:
            return pairs[key]
    return ", ".join(pairs.values())


def _decoded(path: str) -> Dict[str, Any]:
    """The first certificate of a PEM file, as ``SSLSocket.getpeercert`` shows one; raises ValueError."""
    import ssl  # noqa: PLC0415

    try:
        # the only way of the standard library to read one that nobody has sent; there since Python 2.6
        found: Dict[str, Any] = ssl._ssl._test_decode_cert(path)  # type: ignore[attr-defined]
    except ssl.SSLError as error:
        raise ValueError(_said(error)) from error
    return found


def _decode(block: str) -> Dict[str, Any]:
    with _nameless(block) as path:
        return _decoded(path)


@contextlib.contextmanager
def _nameless(text: str) -> Iterator[str]:
    """A path for OpenSSL to a file that has no name, so that a key is never left behind."""
    with tempfile.TemporaryFile() as stream:
        stream.write(text.encode("utf-8"))
        stream.flush()
        yield f"/proc/self/fd/{stream.fileno()}"


def _no_certificate(text: str) -> str:
    if "-----BEGIN PKCS7" in text:
        return "it is PKCS 7, not PEM: openssl pkcs7 -print_certs -in FILE -out FILE.pem"
    if "PRIVATE KEY-----" in text:
        return "it holds a key and no certificate: are the two files exchanged?"
    return (
        "there is no BEGIN CERTIFICATE in it. DER becomes PEM with: openssl x509 -inform der -in FILE -out"
        " FILE.pem"
    )


def _key_problem(blocks: Sequence[str], key: Secret) -> str:
    import ssl  # noqa: PLC0415

    text = key.reveal()
    if "PRIVATE KEY-----" not in text:
        return (
            "there is no BEGIN PRIVATE KEY in it. Out of a .p12 or .pfx: openssl pkcs12 -in FILE -nocerts"
            " -nodes"
        )
    if "ENCRYPTED" in text:
        return (
            "the key is protected by a password, and nobody is there to type it when Airflow starts."
            " Without one: openssl pkey -in FILE -out FILE.pem"
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        _load(context, blocks, key)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            return "the key belongs to another certificate"
        return f"OpenSSL takes the two not: {_said(error)}"
    return ""


def _load(context: ssl.SSLContext, blocks: Sequence[str], key: Secret) -> None:
    with _nameless("\n".join(blocks) + "\n") as certificates, _nameless(key.reveal()) as secret:
        # without a callback OpenSSL would ask on the terminal
        context.load_cert_chain(certificates, secret, password=lambda: "")


def _chain(blocks: Sequence[str], authorities: str, store: str) -> Tuple[List[str], str, str]:
    """The way from the first certificate to its root, where the root was, and what is missing."""
    given = _BLOCK.findall(authorities)
    known: List[Tuple[str, str, str]] = [(block, "file", _subject(block)) for block in blocks[1:]]
    known += [(block, "authority", _subject(block)) for block in given]
    chain, origin = [blocks[0]], "file"
    for _ in range(_LONGEST_CHAIN):
        last = _decode(chain[-1])
        if last.get("issuer") == last.get("subject"):
            return chain, origin, ""
        wanted = repr(last.get("issuer"))
        following = [item for item in known if item[2] == wanted] or _of_store(store, wanted)
        if not following:
            missing = _name(last.get("issuer", ()))
            return chain, "", f"the certificate of the authority {missing!r}, which has signed, is not there"
        chain.append(following[0][0])
        origin = following[0][1]
    return chain, "", f"it has more than {_LONGEST_CHAIN} certificates"


def _subject(block: str) -> str:
    try:
        return repr(_decode(block).get("subject"))
    except ValueError:
        return ""


def _of_store(store: str, wanted: str) -> List[Tuple[str, str, str]]:
    """The authorities of the host of that name, as in :func:`_chain`."""
    import ssl  # noqa: PLC0415

    if not store:
        return []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    try:
        context.load_verify_locations(store)
    except (OSError, ssl.SSLError):
        return []
    pairs = zip(context.get_ca_certs(), context.get_ca_certs(binary_form=True))
    return [
        (ssl.DER_cert_to_PEM_cert(binary).strip(), "host", wanted)
        for shown, binary in pairs
        if repr(shown.get("subject")) == wanted
    ]


def _handshake_problem(chain: Sequence[str], key: Secret, *, strict: bool) -> str:
    """What a client that trusts the root of a chain says to a server that shows it; "" for nothing."""
    import ssl  # noqa: PLC0415

    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    if strict:
        client.verify_flags |= ssl.VERIFY_X509_STRICT
    try:
        _load(server, chain, key)
        client.load_verify_locations(cadata=f"{chain[-1]}\n")
        _handshake(server, client)
    except ssl.SSLCertVerificationError as error:
        return error.verify_message
    except ssl.SSLError as error:
        return _said(error)
    return ""


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> None:
    """A handshake through memory; raises SSLError."""
    import ssl  # noqa: PLC0415

    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)]
    for _ in range(10):
        waiting = []
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                waiting.append(end)
        if not waiting:
            return


def _said(error: Any) -> str:
    return str(getattr(error, "reason", "") or error).replace("_", " ").lower()


def _with(found: Examined, **changed: str) -> Examined:
    return Examined(**{**found.__dict__, **changed})
