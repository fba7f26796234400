"""What a bundle was made from, as an in-toto statement: a builder's word, for another one to compare with.

The statement is in-toto v1 with SLSA's provenance v1 (https://slsa.dev/spec/v1.0/provenance). It has no time
of the build: whoever makes the same bundle gets the same statement, but for the builder's name.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from wheelhouse import codec
from wheelhouse.manifest import Manifest, Package

TYPE = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "urn:airferry:bundle:1"
UNNAMED = "urn:airferry:builder:unnamed"


def render(file: str, sha256: str, manifest: Manifest, builder: str) -> bytes:
    """The statement on the file of that name and sha256; `builder` is a URI."""
    constraints = codec.encode(manifest.constraints)
    predicate = {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "airflow": manifest.airflow,
                "extras": list(manifest.extras),
                "requirements": list(manifest.requirements),
                "python": manifest.target.python,
                "platform": manifest.target.platform,
                "constraints": {name: value for name, value in constraints.items() if value},
                **({"base": manifest.base} if manifest.base else {}),
            },
            "internalParameters": {"resolver": codec.encode(manifest.resolver), "created": manifest.created},
            "resolvedDependencies": list(_dependencies(manifest)),
        },
        "runDetails": {
            "builder": {"id": builder or UNNAMED, "version": {"airferry": manifest.airferry}},
            "metadata": {"invocationId": manifest.bundle_id},
        },
    }
    statement = {
        "_type": TYPE,
        "subject": [{"name": file, "digest": {"sha256": sha256}}],
        "predicateType": PREDICATE,
        "predicate": predicate,
    }
    return codec.dumps(statement).encode()


def _dependencies(manifest: Manifest) -> Iterator[dict[str, Any]]:
    constraints = manifest.constraints
    yield _resource("constraints", constraints.url, constraints.sha256)
    server = (manifest.postgres.package,) if manifest.postgres else ()
    for package in (*manifest.packages, *manifest.tools, *manifest.services, *server):
        yield _package(package)
    if manifest.python:
        yield _resource(manifest.python.path, manifest.python.url, manifest.python.sha256)


def _package(package: Package) -> dict[str, Any]:
    source = package.built_from
    if source is None:
        found = _resource(package.filename, package.url, package.sha256)
    else:
        name = source.url.rpartition("/")[2] or f"{package.name} {package.version}"
        found = _resource(name, source.url, source.sha256)
        found["annotations"] = {
            "wheel": package.filename,
            "wheelSha256": package.sha256,
            "buildRequires": list(source.build_requires),
        }
    purl = f"pkg:pypi/{package.name}@{package.version.replace('+', '%2B').replace('!', '%21')}"
    return {**found, "uri": purl}


def _resource(name: str, url: str, sha256: str) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "digest": {"sha256": sha256}}
    return {**found, "downloadLocation": url} if url else found
