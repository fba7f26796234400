"""The logs of wheels that were built from source: they stay in the cache of the machine that built them."""

from __future__ import annotations

import hashlib
import json

from bootstrap.base.secret import masked
from bundler.approval.dossier import BuiltHere
from bundler.index.cache import Cache
from wheelhouse.manifest import Source
from wheelhouse.text import is_plain

_MOST = 1 << 22  # bytes of a log


def built_here(source: Source, sha256: str, cache: Cache) -> BuiltHere:
    """How the wheel with that sha256 was built, with its log if it was built on this machine."""
    found = BuiltHere(source.url, source.sha256, source.build_requires)
    for record in sorted(cache.wheels.glob("*/build.json")):
        try:
            same = json.loads(record.read_bytes())["sha256"] == sha256
            with record.with_name("build.log").open("rb") as stream:
                content = stream.read(_MOST) if same else b""
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if same:
            text = masked(content.decode("utf-8", "replace")).replace("\r\n", "\n").replace("\r", "\n")
            lines = ("".join(letter if is_plain(letter) else "\ufffd" for letter in line)
                     for line in text.expandtabs(4).split("\n"))  # fmt: skip
            log = "\n".join(lines)
            digest = hashlib.sha256(content).hexdigest()
            return BuiltHere(source.url, source.sha256, source.build_requires, log, digest)
    return found
