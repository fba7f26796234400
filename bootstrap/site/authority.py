"""A small certificate authority of one installation: run by Airflow's own Python, JSON on stdin and stdout.

cryptography is a requirement of every Airflow. Extensions are those that OpenSSL asks for with
X509_V_FLAG_X509_STRICT, which Python 3.13 sets (RFC 5280).
"""

import datetime
import ipaddress
import json
import sys
from typing import Any, List

from cryptography import x509
from cryptography.hazmat.backends import default_backend
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

# browsers of Apple's take no longer ones
DAYS = 820
AUTHORITY_DAYS = 3650


def main() -> None:
    """Make a certificate for the names, and an authority where none is given."""
    asked = json.load(sys.stdin)
    if asked.get("authority"):
        authority = x509.load_pem_x509_certificate(asked["authority"].encode(), default_backend())
        authority_key = serialization.load_pem_private_key(
            asked["authority_key"].encode(), None, default_backend()
        )
    else:
        authority_key = ec.generate_private_key(ec.SECP256R1(), default_backend())
        name = _name(asked["title"])
        authority = _sign(name, name, authority_key.public_key(), authority_key, AUTHORITY_DAYS, [])
    key = ec.generate_private_key(ec.SECP256R1(), default_backend())
    certificate = _sign(
        _name(asked["names"][0]), authority.subject, key.public_key(), authority_key, DAYS, asked["names"]
    )
    made = {
        "authority": _text(authority),
        "authority_key": _key_text(authority_key),
        "certificate": _text(certificate),
        "key": _key_text(key),
    }
    json.dump(made, sys.stdout)


def _sign(subject: Any, issuer: Any, public: Any, signing: Any, days: int, names: List[str]) -> Any:
    authority = not names
    # old releases of cryptography take no time zone
    now = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)
    usage = dict.fromkeys(
        ("content_commitment", "key_encipherment", "data_encipherment", "key_agreement", "encipher_only",
         "decipher_only"), False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        # clocks of closed networks differ
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=days))
        .add_extension(x509.BasicConstraints(authority, 0 if authority else None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not authority, key_cert_sign=authority, crl_sign=authority, **usage
            ),
            critical=True,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False
        )
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False
        ).add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    return builder.sign(signing, hashes.SHA256(), default_backend())


def _alternative(name: str) -> Any:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(text: str) -> Any:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _text(certificate: Any) -> str:
    return str(certificate.public_bytes(serialization.Encoding.PEM), "ascii")


def _key_text(key: Any) -> str:
    plain = serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    return str(key.private_bytes(serialization.Encoding.PEM, form, plain), "ascii")


main()
