"""SCRAM-SHA-256, with which PostgreSQL proves passwords (RFC 5802, RFC 7677); no password crosses."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import stringprep
import unicodedata
from typing import Dict

from bootstrap.base.secret import Secret

ITERATIONS = 4096
# More than any server asks for; a hostile one would keep us computing.
_MOST_ITERATIONS = 1_000_000


class Refused(Exception):
    """The other side does not keep to the protocol, or does not know the password."""


class Client:
    """One login: :meth:`first`, then :meth:`final` on the server's challenge, then :meth:`verify`."""

    def __init__(self, password: Secret, nonce: str = "") -> None:
        self._password = password
        self._nonce = nonce or base64.b64encode(os.urandom(18)).decode("ascii")
        self._signature = b""

    def first(self) -> bytes:
        """The client's first message: PostgreSQL takes the user from the start of the connection."""
        return f"n,,{self._bare()}".encode()

    def final(self, challenge: bytes) -> bytes:
        """The answer to the server's challenge; raises :class:`Refused`."""
        fields = _fields(challenge)
        nonce, iterations = fields.get("r", ""), fields.get("i", "")
        if not nonce.startswith(self._nonce) or not iterations.isdigit():
            raise Refused("the server's challenge is malformed")
        if not 0 < int(iterations) <= _MOST_ITERATIONS:
            raise Refused(f"the server asks for {iterations} iterations")
        salted = _salted(self._password, base64.b64decode(fields.get("s", "")), int(iterations))
        bare = f"c=biws,r={nonce}"
        signed = f"{self._bare()},{challenge.decode()},{bare}".encode()
        key = _hmac(salted, b"Client Key")
        proof = bytes(a ^ b for a, b in zip(key, _hmac(hashlib.sha256(key).digest(), signed)))
        self._signature = _hmac(_hmac(salted, b"Server Key"), signed)
        return f"{bare},p={base64.b64encode(proof).decode('ascii')}".encode()

    def verify(self, last: bytes) -> None:
        """Check that the server knows the password too; raises :class:`Refused`."""
        if not hmac.compare_digest(base64.b64decode(_fields(last).get("v", "")), self._signature):
            raise Refused("the server could not prove that it knows the password")

    def _bare(self) -> str:
        return f"n=,r={self._nonce}"


def verifier(password: Secret) -> Secret:
    """What a server stores of a password: given as one, ``CREATE ROLE`` shows no password to any log."""
    salt = os.urandom(16)
    salted = _salted(password, salt, ITERATIONS)
    stored = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    parts = [base64.b64encode(part).decode("ascii") for part in (salt, stored, _hmac(salted, b"Server Key"))]
    return Secret(f"SCRAM-SHA-256${ITERATIONS}:{parts[0]}${parts[1]}:{parts[2]}")


def _salted(password: Secret, salt: bytes, iterations: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", _prepared(password.reveal()).encode(), salt, iterations)


def _prepared(password: str) -> str:
    """SASLprep (RFC 4013); PostgreSQL takes a password that is not allowed there as it is."""
    if password.isascii():
        return password
    mapped = "".join(
        " " if stringprep.in_table_c12(letter) else letter
        for letter in password
        if not stringprep.in_table_b1(letter)
    )
    normal = unicodedata.normalize("NFKC", mapped)
    forbidden = (
        stringprep.in_table_c21_c22, stringprep.in_table_c3, stringprep.in_table_c4, stringprep.in_table_c5,
        stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8, stringprep.in_table_c9,
        stringprep.in_table_a1,
    )  # fmt: skip
    return password if any(check(letter) for letter in normal for check in forbidden) else normal


def _fields(message: bytes) -> Dict[str, str]:
    return {part[:1]: part[2:] for part in message.decode("utf-8", "replace").split(",")}


def _hmac(key: bytes, text: bytes) -> bytes:
    return hmac.new(key, text, "sha256").digest()
