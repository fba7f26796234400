"""Signatures of publishers (PEP 740), where the index has them and pypi-attestations is installed.

They say which workflow of which repository has published a file. Which one that should be nobody says: the
papers show it, and whoever reads them judges. Without the extra, and with an index that tells nothing of
attestations, a package reads "not checked".
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urljoin, urlsplit

from bundler.approval.licences import shortened
from bundler.index.simple import IndexFile
from bundler.index.transport import CONNECTIONS, NoAnswer, Session

NOT_INSTALLED = "signatures of publishers are checked with the extra: pip install airferry[provenance]"
SILENT = "the index tells nothing of signatures"
NONE_PUBLISHED = "none published"
SIGNED, WRONG = "signed by ", "does not verify: "
_LARGEST = 4 << 20
_ACCEPT = "application/vnd.pypi.integrity.v1+json"
_TIMEOUT = (5.0, 20.0)

Key = tuple[str, str, str]
Verify = Callable[[bytes, str, str], str]


def verifier() -> Verify | None:
    """What tells who has signed a file, of its provenance, name and sha256; None without the extra.

    The keys that are trusted are those that sigstore has with it: nobody is asked for them.
    """
    try:
        import pypi_attestations as attestations  # noqa: PLC0415 - an extra, and a second to import
    except ImportError:
        return None
    # it says for each file that it works offline
    logging.getLogger("sigstore").setLevel(logging.ERROR)

    def verify(text: bytes, name: str, sha256: str) -> str:
        try:
            bundles = attestations.Provenance.model_validate_json(text).attestation_bundles
            file = attestations.Distribution(name=name, digest=sha256)
            for bundle in bundles:
                for attestation in bundle.attestations:
                    attestation.verify(bundle.publisher, file, offline=True)
        except (ValueError, attestations.AttestationError) as error:
            return WRONG + shortened(str(error), 160)
        signed = [bundle for bundle in bundles if bundle.attestations]
        return SIGNED + ", ".join(_publisher(item.publisher) for item in signed) if signed else NONE_PUBLISHED

    return verify


def check(
    session: Session, index: str, files: Mapping[Key, IndexFile], verify: Verify
) -> tuple[dict[Key, str], str]:
    """What each file's provenance says, by name, version and sha256; and why nobody was asked.

    Whoever is missing was not checked: the index gave no answer, or named another host for it.
    """
    if not any(file.provenance for file in files.values()):
        return {}, SILENT  # an index that knows PEP 740 has some

    def one(file: IndexFile) -> str:
        if not file.provenance:
            return NONE_PUBLISHED
        url = urljoin(f"{index}/", file.provenance)
        if urlsplit(url)[:2] != urlsplit(index)[:2]:
            return ""
        try:
            answer = session.get(url, headers={"Accept": _ACCEPT}, timeout=_TIMEOUT)
        except NoAnswer:
            return ""
        if answer.status_code != 200 or len(answer.content) > _LARGEST:
            return ""
        return verify(answer.content, file.filename, file.sha256)

    with ThreadPoolExecutor(CONNECTIONS) as pool:
        said = dict(zip(files, pool.map(one, files.values()), strict=True))
    return {key: text for key, text in said.items() if text}, ""


def _publisher(publisher: Any) -> str:
    """``GitHub apache/airflow (release.yml)``, or whatever the publisher is known by."""
    data = publisher.model_dump()
    who = data.get("repository") or data.get("email") or data.get("vcs_origin") or data.get("sub") or "?"
    where = data.get("workflow") or data.get("workflow_filepath") or ""
    return shortened(f"{data.get('kind', '')} {who}{f' ({where})' if where else ''}".strip(), 120)
