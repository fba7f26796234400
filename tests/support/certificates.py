"""Certificates as an authority of a site makes them, by openssl itself."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not on this machine")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, files in PEM."""

    certificate: Path
    key: Path

    @property
    def text(self) -> str:
        return self.certificate.read_text()

    @property
    def key_text(self) -> str:
        return self.key.read_text()


def authority(folder: Path, name: str = "Example Root", by: Pair | None = None) -> Pair:
    """An authority that signs itself, or an intermediate one that another has signed."""
    extensions = "basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\n"
    return _made(folder, name, extensions, by, 3650)


def leaf(
    folder: Path, names: str, by: Pair | None, *, days: int = 400, name: str = "airflow", extra: str = ""
) -> Pair:
    """A certificate for names such as ``DNS:a.example.com,IP:127.0.0.1``; negative days: one that ended."""
    alternative = f"subjectAltName={names}\n" if names else ""
    extensions = f"basicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n{alternative}{extra}"
    return _made(folder, name, extensions, by, days)


def _made(folder: Path, name: str, extensions: str, by: Pair | None, days: int) -> Pair:
    stem = folder / name.replace(" ", "-").lower()
    key, request, certificate, config = (stem.with_suffix(end) for end in (".key", ".csr", ".pem", ".cnf"))
    _openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    _openssl("req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
    identifiers = "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
    config.write_text(f"[all]\n{identifiers if by else 'subjectKeyIdentifier=hash'}\n{extensions}")
    signer: list[str | Path]
    signer = ["-CA", by.certificate, "-CAkey", by.key, "-CAcreateserial"] if by else ["-signkey", key]
    if days < 0:
        # openssl x509 makes none that has ended
        database = folder / "index.txt"
        database.write_text("")
        (folder / "ca.cnf").write_text(
            f"[ca]\ndefault_ca=x\n[x]\ndatabase={database}\nnew_certs_dir={folder}\ndefault_md=sha256\n"
            f"policy=p\nrand_serial=yes\nunique_subject=no\n[p]\ncommonName=supplied\n"
        )
        assert by is not None
        _openssl(
            "ca", "-batch", "-notext", "-config", folder / "ca.cnf", "-extfile", config, "-extensions", "all",
            "-startdate", "20200101000000Z", "-enddate", "20210101000000Z", "-in", request,
            "-cert", by.certificate, "-keyfile", by.key, "-out", certificate,
        )  # fmt: skip
        return Pair(certificate, key)
    _openssl(
        "x509", "-req", "-in", request, *signer, "-days", str(days), "-extfile", config, "-extensions", "all",
        "-out", certificate,
    )  # fmt: skip
    return Pair(certificate, key)


def _openssl(*arguments: str | Path) -> None:
    ran = subprocess.run(
        ["openssl", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
