"""Whether a value was encrypted with a fernet key: its signature tells, nothing is decrypted."""

from __future__ import annotations

import base64
import hashlib
import hmac

from bootstrap.base.secret import Secret

_SIGNATURE = 32


def opens(key: Secret, token: str) -> bool:
    """Whether one of the keys (several are separated by commas, as in airflow.cfg) has signed `token`."""
    try:
        data = base64.urlsafe_b64decode(token)
        keys = [base64.urlsafe_b64decode(part.strip()) for part in key.reveal().split(",")]
    except ValueError:
        return False
    signed, signature = data[:-_SIGNATURE], data[-_SIGNATURE:]
    # the first half of a key signs, the second encrypts
    return any(
        hmac.compare_digest(hmac.new(part[:16], signed, hashlib.sha256).digest(), signature) for part in keys
    )
