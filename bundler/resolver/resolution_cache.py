"""What was resolved before: the same request within minutes, or without a network, is not resolved again."""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bundler.index import constraints
from bundler.index.cache import Cache, replace
from bundler.index.release import Release
from bundler.index.transport import without_credentials
from bundler.lock.lockfile import Artifact, Locked
from bundler.request.spec import BundleRequest
from wheelhouse import codec
from wheelhouse.manifest import Constraints, Tool

# As long as the public index itself lets its pages count as fresh (Cache-Control: max-age=600).
FRESH = 600.0
# Another number leaves alone what an older program wrote.
_SCHEMA = 3


@dataclass(frozen=True)
class CachedAnswer:
    """An earlier answer: what was `locked`, and the date (RFC 3339) after which nothing counted."""

    release: Release
    constraints: Constraints
    exclude_newer: str
    warnings: tuple[str, ...]
    locked: tuple[Locked, ...]


class ResolutionCache:
    """Earlier answers in the cache, by request."""

    def __init__(self, cache: Cache, request: BundleRequest, tool: Tool) -> None:
        self._path = cache.locks / f"{_key(request, tool)}.json"
        self._usable = _is_repeatable(request)

    def recall(self, max_age: float) -> CachedAnswer | None:
        """The earlier answer, if there is one that is at most `max_age` seconds old."""
        if not self._usable:
            return None
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
            if time.time() - float(data["time"]) > max_age:
                return None
            return CachedAnswer(
                Release(**data["release"]),
                codec.decode(Constraints, data["constraints"]),
                data["exclude_newer"],
                tuple(data["warnings"]),
                tuple(_locked(item) for item in data["lock"]),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None  # not there, or cut off: as if it had never been

    def keep(self, answer: CachedAnswer) -> None:
        """Remember an answer."""
        if not self._usable:
            return
        data = {
            "time": time.time(),
            "release": asdict(answer.release),
            "constraints": codec.encode(answer.constraints),
            "exclude_newer": answer.exclude_newer,
            "warnings": answer.warnings,
            "lock": [asdict(item) for item in answer.locked],
        }
        with contextlib.suppress(OSError):  # a full or read-only cache only makes it slower
            replace(self._path, json.dumps(data).encode())


def _locked(data: dict[str, Any]) -> Locked:
    wheels = tuple(Artifact(**item) for item in data["wheels"])
    return Locked(**{**data, "wheels": wheels, "sdist": Artifact(**data["sdist"]) if data["sdist"] else None})


def _key(request: BundleRequest, tool: Tool) -> str:
    said = request.settings
    parts = [
        str(_SCHEMA),
        tool.name,
        tool.version,
        said.airflow,
        repr((said.extras, said.no_default_extras, said.workers)),
    ]
    parts += [request.target.python, request.target.platform, said.constraints]
    parts += [item.text for item in request.requirements]
    parts += [without_credentials(url) for url in (said.index_url, *said.extra_index_urls)]
    parts += request.base.identities if request.base else ()
    path = Path(constraints.fill(said.constraints, said.airflow, request.target.python))
    if path.is_file():
        parts.append(hashlib.sha256(path.read_bytes()).hexdigest())
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _is_repeatable(request: BundleRequest) -> bool:
    """Whether nothing it names can change without telling: folders of this machine can."""
    local = any("file://" in item.text or item.text.startswith("/") for item in request.requirements)
    # Which constraint file it is shows only when the newest release is known.
    unknown = "{airflow}" in request.settings.constraints and not request.settings.airflow
    return not (request.settings.find_links or local or unknown)
