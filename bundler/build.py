"""Wheels from source distributions."""

from __future__ import annotations

from bundler.assemble import Wheel
from bundler.cache import Cache
from bundler.errors import NoFittingWheel
from bundler.fetch import Fetcher
from bundler.lock import Locked
from bundler.resolver import Resolver
from bundler.spec import BundleRequest


class Builder:
    """Builds."""

    def __init__(
        self, request: BundleRequest, cache: Cache, fetcher: Fetcher, resolver: Resolver, *, as_of: str
    ) -> None:
        self._request = request

    def build(self, package: Locked) -> Wheel:
        """Build one."""
        raise NoFittingWheel(
            f"{package.name} {package.version} has no wheel for {self._request.target.label}.",
            found=", ".join(item.filename for item in package.wheels) or "only a source distribution",
        )
