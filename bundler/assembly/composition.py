"""From what was resolved and fetched to what a bundle consists of: its manifest and its members."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from bundler.assembly import assemble, payload, runtime
from bundler.assembly.payload import Payload
from bundler.index.cache import Cache
from bundler.index.wheel import Wheel
from bundler.request.spec import BundleRequest
from bundler.resolver.resolution import Resolution
from wheelhouse import __version__, layout, timestamp
from wheelhouse.manifest import SCHEMA, CarriedPostgres, CarriedPython, Manifest, Tool
from wheelhouse.writer import Member, Prepared


@dataclass(frozen=True)
class Composition:
    """All that :func:`bundler.assembly.assemble.write` writes; `moment` is the time that the bundle bears."""

    manifest: Manifest
    members: tuple[Member | Prepared, ...]
    moment: datetime

    @property
    def size(self) -> int:
        """Bytes of all members."""
        return sum(member.size for member in self.members)


def compose(
    request: BundleRequest,
    resolved: Resolution,
    wheels: Sequence[Wheel],
    carried: Payload,
    files: Mapping[str, Path],
    *,
    python: tuple[CarriedPython, Path] | None,
    resolver: Tool,
    notes: Sequence[str],
    cache: Cache,
) -> Composition:
    """Compose a bundle of `wheels` and of what is `carried`, whose `files` are given by sha256."""
    target = request.target
    described = assemble.packages(wheels, resolved.requirements, target, cache)
    tools, services, postgres = (
        assemble.carried(items, files, folder, cache)
        for items, folder in (
            (carried.tools, layout.TOOLS),
            (carried.services, layout.SERVICES),
            ((carried.postgres,) if carried.postgres else (), layout.POSTGRES),
        )
    )
    whole = (*described, *tools, *services, *postgres)
    base = request.base
    moment = assemble.created(
        (*(wheel.uploaded for wheel in wheels), *(item.uploaded for item in carried.artifacts))
    )
    manifest = Manifest(
        schema=SCHEMA,
        airferry=__version__,
        airflow=resolved.release.version,
        target=target,
        floor=assemble.highest_floor(whole, target),
        extras=resolved.extras,
        requirements=resolved.requirements,
        constraints=resolved.constraints,
        resolver=resolver,
        created=timestamp.at(moment.timestamp()),
        packages=described,
        tools=tools,
        services=services,
        postgres=CarriedPostgres(carried.postgres_version, postgres[0]) if postgres else None,
        files=(),
        notes=tuple(notes),
        base=base.identity if base else "",
        made_for=request.settings.made_for,
        python=python[0] if python else None,
    )
    by_hash = {**files, **{wheel.sha256: wheel.path for wheel in wheels}}
    members: tuple[Member | Prepared, ...] = (
        *runtime.members([item.artifact.sha256 for item in carried.runtime], files, cache),
        assemble.pylock(described, target, cache),
        *(() if base else payload.dags()),
        *assemble.members(whole, by_hash),
        *([Member(python[0].path, python[1])] if python else ()),
    )
    return Composition(manifest, members, moment)
