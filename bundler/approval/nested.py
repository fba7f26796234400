"""SBOMs inside wheels (PEP 770, ``.dist-info/sboms/``): what was compiled or copied into a package."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bundler.approval.licences import DeclaredLicence, declared_as, shortened

_FOLDER = re.compile(r"[^/]+\.dist-info/sboms/.+")
_MOST = 1 << 25  # bytes of an SBOM; that of uv has 0.8 MB
_PURL = re.compile(r"pkg:[a-z][a-z0-9.+-]*/[\x21-\x7e]+")
_KINDS = (
    "application", "framework", "library", "container", "platform", "operating-system", "device",
    "device-driver", "firmware", "file", "machine-learning-model", "data", "cryptographic-asset",
)  # fmt: skip


@dataclass(frozen=True)
class NestedComponent:
    """A component that an SBOM in a wheel names; `ref` is unique in that SBOM, `sha256` may be empty."""

    ref: str
    kind: str
    name: str
    version: str
    purl: str
    sha256: str
    licence: DeclaredLicence
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class NestedSbom:
    """An SBOM in a wheel: its member, format (as ``CycloneDX 1.5``), components, or why it is not merged."""

    path: str
    sha256: str
    format: str
    components: tuple[NestedComponent, ...]
    problem: str = ""


def read(wheel: zipfile.ZipFile) -> tuple[NestedSbom, ...]:
    """The SBOMs of a wheel, in the order of their names."""
    infos = [info for info in wheel.infolist() if _FOLDER.fullmatch(info.filename) and not info.is_dir()]
    return tuple(_sbom(wheel, info) for info in sorted(infos, key=lambda info: info.filename))


def _sbom(wheel: zipfile.ZipFile, info: zipfile.ZipInfo) -> NestedSbom:
    path = shortened(info.filename, 200)
    if info.file_size > _MOST:
        return NestedSbom(path, "", "", (), "too large")
    content = wheel.read(info)
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        data = json.loads(content)
        if data.get("bomFormat") == "CycloneDX":
            kind = f"CycloneDX {shortened(str(data.get('specVersion')), 10)}"
            return NestedSbom(path, sha256, kind, tuple(_cyclonedx(data)))
        if str(data.get("spdxVersion", "")).startswith("SPDX-2"):
            kind = shortened(str(data["spdxVersion"]).replace("-", " "), 10)
            return NestedSbom(path, sha256, kind, tuple(_spdx(data)))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return NestedSbom(path, sha256, "", (), f"cannot be read ({shortened(repr(error), 80)})")
    return NestedSbom(path, sha256, "", (), "neither CycloneDX nor SPDX 2 as JSON")


def _cyclonedx(data: Mapping[str, Any]) -> Iterator[NestedComponent]:
    needs = {str(item["ref"]): item.get("dependsOn", []) for item in data.get("dependencies", [])}
    own = data.get("metadata", {}).get("component")
    # what it has in itself are targets of the same build
    if own:
        yield _of_cyclonedx(own, needs)
    waiting = list(data.get("components", []))
    seen: set[str] = {str(own.get("bom-ref", ""))} if own else set()
    while waiting:
        item = waiting.pop(0)
        waiting += item.get("components", [])
        found = _of_cyclonedx(item, needs)
        if found.ref not in seen:
            seen.add(found.ref)
            yield found


def _of_cyclonedx(item: Mapping[str, Any], needs: Mapping[str, Any]) -> NestedComponent:
    name, version = shortened(str(item["name"])), shortened(str(item.get("version") or ""), 80)
    ref = str(item.get("bom-ref") or item.get("purl") or f"{name}@{version}")
    hashes = {str(entry["alg"]): str(entry["content"]).lower() for entry in item.get("hashes", [])}
    words = []
    for entry in item.get("licenses", []):
        named = entry.get("license", {})
        words.append(str(entry.get("expression") or named.get("id") or named.get("name") or ""))
    return NestedComponent(
        ref=ref,
        kind=item["type"] if item.get("type") in _KINDS else "library",
        name=name,
        version=version,
        purl=_purl(item.get("purl")),
        sha256=_sha256(hashes.get("SHA-256")),
        licence=declared_as(" AND ".join(filter(None, words))),
        needs=tuple(str(other) for other in needs.get(ref, [])),
    )


def _spdx(data: Mapping[str, Any]) -> Iterator[NestedComponent]:
    needs: dict[str, list[str]] = {}
    for item in data.get("relationships", []):
        if item["relationshipType"] in ("DEPENDS_ON", "CONTAINS"):
            needs.setdefault(str(item["spdxElementId"]), []).append(str(item["relatedSpdxElement"]))
    for item in data.get("packages", []):
        hashes = {entry["algorithm"]: entry["checksumValue"] for entry in item.get("checksums", [])}
        purls = [
            entry["referenceLocator"]
            for entry in item.get("externalRefs", [])
            if entry.get("referenceType") == "purl"
        ]
        licence = str(item.get("licenseDeclared") or "")
        yield NestedComponent(
            ref=str(item["SPDXID"]),
            kind="library",
            name=shortened(str(item["name"])),
            version=shortened(str(item.get("versionInfo") or ""), 80),
            purl=_purl(purls[0] if purls else None),
            sha256=_sha256(hashes.get("SHA256")),
            licence=declared_as("" if licence in ("NOASSERTION", "NONE") else licence),
            needs=tuple(needs.get(str(item["SPDXID"]), ())),
        )


def _purl(value: object) -> str:
    text = str(value or "")
    # what names a path of the machine that it was built on is of no use elsewhere
    text = text.partition("#")[0] if "download_url=file:" in text else text
    text = re.sub(r"[?&]download_url=file:[^&#]*", "", text)
    return text if _PURL.fullmatch(text) else ""


def _sha256(value: object) -> str:
    return value.lower() if isinstance(value, str) and re.fullmatch(r"[0-9a-fA-F]{64}", value) else ""
