from __future__ import annotations

import io
import json
import sys
import zipfile
from pathlib import Path

from bundler.approval import binaries, nested


def _wheel(**files: bytes) -> zipfile.ZipFile:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return zipfile.ZipFile(stream)


def _read(name: str, content: object) -> nested.NestedSbom:
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    (found,) = nested.read(_wheel(**{f"a-1.dist-info/sboms/{name}": text, "a-1.dist-info/sboms/": b""}))
    return found


def test_cyclonedx_of_a_rust_package() -> None:
    found = _read(
        "a.cyclonedx.json",
        {
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "metadata": {
                "component": {
                    "type": "application",
                    "bom-ref": "path+file:///home/kim/a#1.0",
                    "name": "a",
                    "version": "1.0",
                    "purl": "pkg:cargo/a@1.0?download_url=file://.",
                    "components": [
                        {"type": "library", "name": "a", "purl": "pkg:cargo/a@1.0?x=1#src/lib.rs"}
                    ],
                }
            },
            "components": [
                {
                    "type": "library",
                    "bom-ref": "b",
                    "name": "b",
                    "version": "2.0",
                    "purl": "pkg:cargo/b@2.0",
                    "hashes": [{"alg": "SHA-256", "content": "AB" * 32}],
                    "licenses": [{"expression": "MIT OR Apache-2.0"}],
                }
            ],
            "dependencies": [{"ref": "path+file:///home/kim/a#1.0", "dependsOn": ["b"]}],
        },
    )
    own, other = found.components
    assert (found.format, found.problem) == ("CycloneDX 1.5", "")
    assert (own.purl, own.needs) == ("pkg:cargo/a@1.0", ("b",))
    assert (other.purl, other.sha256, other.licence.expression) == (
        "pkg:cargo/b@2.0",
        "ab" * 32,
        "MIT OR Apache-2.0",
    )


def test_spdx_2() -> None:
    found = _read(
        "a.spdx.json",
        {
            "spdxVersion": "SPDX-2.3",
            "packages": [
                {
                    "SPDXID": "SPDXRef-z",
                    "name": "zlib",
                    "versionInfo": "1.3.1",
                    "licenseDeclared": "Zlib",
                    "checksums": [{"algorithm": "SHA256", "checksumValue": "cd" * 32}],
                    "externalRefs": [{"referenceType": "purl", "referenceLocator": "pkg:generic/zlib@1.3.1"}],
                }
            ],
            "relationships": [],
        },
    )
    (item,) = found.components
    assert (item.name, item.version, item.purl) == ("zlib", "1.3.1", "pkg:generic/zlib@1.3.1")
    assert (item.sha256, item.licence.expression, found.format) == ("cd" * 32, "Zlib", "SPDX 2.3")


def test_what_cannot_be_merged_is_named() -> None:
    cases = {
        "not JSON": (b"<bom/>", "cannot be read"),
        "a list": ([], "cannot be read"),
        "too deep": (b"[" * 100_000, "cannot be read"),
        "no name": ({"bomFormat": "CycloneDX", "components": [{"type": "library"}]}, "cannot be read"),
        "SPDX 3": (
            {"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld"},
            "neither CycloneDX nor SPDX 2",
        ),
    }
    wrong = {}
    for name, (content, expected) in cases.items():
        found = _read("a.json", content)
        if expected not in found.problem or found.components:
            wrong[name] = found
    assert wrong == {}


def test_programs_tell_what_they_link() -> None:
    program = Path(sys.executable).resolve().read_bytes()
    wheel = _wheel(
        **{"a/bin/python": program, "a/bin/python3": program, "a/bin/text": b"#!/bin/sh", "a/x.py": b""}
    )
    (found,) = binaries.read(wheel)
    assert found.path == "a/bin/python3"
    assert "libc.so.6" in found.needs


def test_program_that_is_damaged_links_nothing() -> None:
    (found,) = binaries.read(_wheel(**{"a/bin/x": b"\x7fELF" + bytes(range(200))}))
    assert (found.size, found.needs) == (204, ())
