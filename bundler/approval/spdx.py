"""The bundle's components as SPDX 2.3 JSON (https://spdx.github.io/spdx-spec/v2.3/)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import quote

from bundler.approval.components import ROOT, SbomComponent
from bundler.approval.dossier import Dossier
from wheelhouse import __version__, codec

_UNKNOWN = "NOASSERTION"
_PURPOSES = {
    "application": "APPLICATION", "framework": "FRAMEWORK", "library": "LIBRARY", "container": "CONTAINER",
    "operating-system": "OPERATING-SYSTEM", "device": "DEVICE", "firmware": "FIRMWARE", "file": "FILE",
}  # fmt: skip
# What spdx-tools, the reference, takes for one: no address of a mirror without a domain (http://10.0.0.5/).
_LOCATION = re.compile(
    r"https?://[a-z0-9]+([-.][a-z0-9]+)*\.[a-z]{2,5}(:[0-9]{1,5})?(/[\x21-\x7e]*)?", re.IGNORECASE
)
_REF = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")
_UNFIT = re.compile(r"[^A-Za-z0-9.-]+")


def render(dossier: Dossier, components: Sequence[SbomComponent]) -> bytes:
    """The SBOM; the same bundle and day give the same bytes."""
    subject = uuid.uuid5(uuid.NAMESPACE_URL, f"spdx {dossier.sha256} {dossier.written}")
    refs = {ROOT: "SPDXRef-bundle"}
    for number, item in enumerate(components, 1):
        refs[item.ref] = f"SPDXRef-{number}-{_UNFIT.sub('-', item.name)}"
    creators = [f"Tool: airferry-{__version__}"]
    if dossier.builder:
        creators.append(f"Person: {re.sub(r'[()]', '', dossier.builder)}")
    data = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": dossier.file,
        "documentNamespace": f"https://spdx.org/spdxdocs/{quote(dossier.file, safe='')}-{subject}",
        "creationInfo": {"created": dossier.written, "creators": creators},
        "hasExtractedLicensingInfos": [_own_licence(name) for name in _own_licences(components)],
        "packages": [_bundle(dossier), *(_package(item, refs[item.ref]) for item in components)],
        "relationships": list(_relationships(components, refs)),
    }
    return codec.dumps(data).encode()


def _own_licences(components: Sequence[SbomComponent]) -> list[str]:
    """The licences that are no SPDX ones, which a document has to describe itself."""
    return sorted({name for item in components for name in _REF.findall(item.licence.expression)})


def _own_licence(name: str) -> dict[str, str]:
    text = "The package declares it under this name; its text, where there is one, lies in the package."
    return {"licenseId": name, "extractedText": text}


def _bundle(dossier: Dossier) -> dict[str, Any]:
    purl = f"pkg:generic/airferry-bundle@{dossier.bundle_id.replace('+', '%2B')}"
    return {
        "SPDXID": "SPDXRef-bundle",
        "name": dossier.file,
        "versionInfo": dossier.bundle_id,
        "packageFileName": dossier.file,
        "downloadLocation": _UNKNOWN,
        "filesAnalyzed": False,
        "checksums": [{"algorithm": "SHA256", "checksumValue": dossier.sha256}],
        "externalRefs": [_purl(purl)],
        "licenseConcluded": _UNKNOWN,
        "licenseDeclared": _UNKNOWN,
        "copyrightText": _UNKNOWN,
        "primaryPackagePurpose": "INSTALL",
        "comment": f"For {dossier.target}; versions by {dossier.constraints.url}, "
        f"sha256 {dossier.constraints.sha256}; created {dossier.created}.",
    }


def _package(item: SbomComponent, ref: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "SPDXID": ref,
        "name": item.name,
        "downloadLocation": item.origin if _LOCATION.fullmatch(item.origin) else _UNKNOWN,
        "filesAnalyzed": False,
        "licenseConcluded": _UNKNOWN,
        "licenseDeclared": item.licence.expression or _UNKNOWN,
        "copyrightText": _UNKNOWN,
        "primaryPackagePurpose": _PURPOSES.get(item.kind, "OTHER"),
    }
    if item.version:
        found["versionInfo"] = item.version
    if item.file:
        found["packageFileName"] = item.file
    if item.summary:
        found["summary"] = item.summary
    if item.origin and found["downloadLocation"] == _UNKNOWN:
        found["sourceInfo"] = f"Fetched from {item.origin}"
    if item.sha256:
        found["checksums"] = [{"algorithm": "SHA256", "checksumValue": item.sha256}]
    if item.purl:
        found["externalRefs"] = [_purl(item.purl)]
    licences = []
    if item.licence.words and item.licence.words != item.licence.expression:
        licences.append(f"Declared as: {item.licence.words}.")
    if item.found:
        licences.append(f"By phrases of its texts: {', '.join(item.found)}.")
    if licences:
        found["licenseComments"] = " ".join(licences)
    if item.from_host:
        found["comment"] = "Not carried: the host has to have it."
    elif item.source:
        found["comment"] = f"As told by {item.source}."
    return found


def _purl(purl: str) -> dict[str, str]:
    return {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": purl}


def _relationships(components: Sequence[SbomComponent], refs: dict[str, str]) -> Iterator[dict[str, str]]:
    yield _relationship("SPDXRef-DOCUMENT", "DESCRIBES", refs[ROOT])
    for item in components:
        if item.from_host:
            yield _relationship(refs[ROOT], "DEPENDS_ON", refs[item.ref])
        else:
            yield _relationship(refs[item.inside], "CONTAINS", refs[item.ref])
        for other in item.needs:
            yield _relationship(refs[item.ref], "DEPENDS_ON", refs[other])


def _relationship(of: str, kind: str, to: str) -> dict[str, str]:
    return {"spdxElementId": of, "relationshipType": kind, "relatedSpdxElement": to}
