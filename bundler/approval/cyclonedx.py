"""The bundle's components as CycloneDX 1.6 JSON (https://cyclonedx.org/docs/1.6/json/)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from bundler.approval.components import ROOT, SbomComponent
from bundler.approval.dossier import Dossier
from bundler.approval.licences import DeclaredLicence
from wheelhouse import __version__, codec

_HASH = "SHA-256"


def render(dossier: Dossier, components: Sequence[SbomComponent]) -> bytes:
    """The SBOM; the same bundle and day give the same bytes."""
    subject = f"cyclonedx {dossier.sha256} {dossier.written}"
    root = {
        "type": "application",
        "bom-ref": ROOT,
        "name": dossier.file,
        "version": dossier.bundle_id,
        "purl": f"pkg:generic/airferry-bundle@{dossier.bundle_id.replace('+', '%2B')}",
        "hashes": [{"alg": _HASH, "content": dossier.sha256}],
        "properties": [
            {"name": "airferry:size", "value": str(dossier.size)},
            {"name": "airferry:target", "value": dossier.target},
            {"name": "airferry:constraints", "value": dossier.constraints.url},
            {"name": "airferry:constraints:sha256", "value": dossier.constraints.sha256},
            {"name": "airferry:created", "value": dossier.created},
        ],
    }
    data = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, subject)}",
        "version": 1,
        "metadata": {
            "timestamp": dossier.written,
            "lifecycles": [{"phase": "post-build"}],
            "tools": {"components": [{"type": "application", "name": "airferry", "version": __version__}]},
            **({"authors": [{"name": dossier.builder}]} if dossier.builder else {}),
            "component": root,
        },
        "components": [_component(item) for item in components],
        "dependencies": _dependencies(components),
    }
    return codec.dumps(data).encode()


def _component(item: SbomComponent) -> dict[str, Any]:
    found: dict[str, Any] = {"type": item.kind, "bom-ref": item.ref, "name": item.name}
    if item.version:
        found["version"] = item.version
    if item.purl:
        found["purl"] = item.purl
    if item.summary:
        found["description"] = item.summary
    if item.sha256:
        found["hashes"] = [{"alg": _HASH, "content": item.sha256}]
    licences = _licences(item.licence)
    if licences:
        found["licenses"] = licences
    if item.found:
        # what the texts say is evidence, beside what is declared
        found["evidence"] = {"licenses": [{"license": {"name": name}} for name in item.found]}
    if item.origin:
        found["externalReferences"] = [{"type": "distribution", "url": item.origin}]
    properties = {
        "airferry:file": item.file,
        "airferry:size": str(item.size) if item.size else "",
        "airferry:inside": "" if item.inside == ROOT else item.inside,
        "airferry:source": item.source,
        "airferry:provided-by": "host" if item.from_host else "",
    }
    listed = [{"name": name, "value": value} for name, value in properties.items() if value]
    if listed:
        found["properties"] = listed
    return found


def _licences(licence: DeclaredLicence) -> list[dict[str, Any]]:
    if licence.expression:
        return [{"expression": licence.expression, "acknowledgement": "declared"}]
    if licence.words:
        return [{"license": {"name": licence.words, "acknowledgement": "declared"}}]
    return []


def _dependencies(components: Sequence[SbomComponent]) -> list[dict[str, Any]]:
    """What needs what, or has it inside; the bundle needs what nothing else does."""
    needs = {item.ref: set(item.needs) for item in components}
    for item in components:
        if item.inside != ROOT:
            needs[item.inside].add(item.ref)
    needed = {ref for refs in needs.values() for ref in refs}
    needs[ROOT] = {item.ref for item in components} - needed
    return [{"ref": ref, "dependsOn": sorted(needs[ref])} for ref in sorted(needs)]
