"""Runs in a bare root: look for what a package needs to be built, or build it; prints JSON.

The package is built from its source distribution, whatever wheels it has.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from packaging.version import Version

from bundler.base.errors import BuildFailed
from bundler.build.wheels import Builder
from bundler.index.cache import Cache
from bundler.index.fetch import Fetcher
from bundler.index.simple import PYPI, Index
from bundler.index.transport import Session
from bundler.lock import shortage
from bundler.lock.lockfile import Artifact, Locked
from bundler.request import platforms
from bundler.resolver import Question
from bundler.resolver.uv import Uv
from wheelhouse.target import Target


def main(name: str, version: str, glibc: str) -> None:
    """Judge, and build when nothing is missing; `version` is empty for the newest."""
    cache = Cache(Path("/var/cache/airferry"))
    target = Target.parse(f"{sys.version_info[0]}.{sys.version_info[1]}", platforms.platform_tag(glibc=glibc))
    with Session((PYPI,)) as session:
        index = Index(PYPI, session)
        sources = [
            item
            for item in index.files(name)
            if not item.is_wheel
            and item.filename.endswith(".tar.gz")
            and (item.version == Version(version) if version else not item.version.is_prerelease)
        ]
        found = max(sources, key=lambda item: item.version)
        sdist = Artifact(found.filename, found.url, found.sha256, found.size, found.uploaded)
        package = Locked(name, str(found.version), (), sdist)
        builder = Builder(
            Question((f"{name}=={found.version}",), target, PYPI),
            cache,
            Fetcher(session, cache),
            Uv(cache),
            lambda item: shortage.explain((), target),
            as_of=found.uploaded,
        )
        try:
            builder.check([package])
            built = builder.build(package)
        except BuildFailed as error:
            said = {
                "needed": error.needed,
                "hint": error.hint,
                "found": error.found,
                "message": error.message,
            }
            print(json.dumps(said))
            return
    print(json.dumps({"wheel": str(built.path)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
