"""Packages that a release needs and that came out after it: each gets a later date of its own."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

from bundler.base.errors import ResolutionFailed
from bundler.lock.lockfile import Locked
from bundler.resolver import Question, Resolver
from wheelhouse import timestamp

# Beyond that it is another release's package.
_AT_MOST = timedelta(days=30)
_MOST = 5
# uv's own advice, with the white space of its lines made one blank
_LATE = re.compile(r"`([A-Za-z0-9._-]+)` was filtered by `exclude-newer`.*?published at ([0-9TZ:.+-]+)")


def resolve(resolver: Resolver, question: Question) -> tuple[tuple[Locked, ...], tuple[str, ...]]:
    """Resolve as of a date, and for packages that the resolver names as of the day on which they came.

    Returns what is told about it as well. Raises the ResolutionFailed of the resolver for anything else.
    """
    told: list[str] = []
    while True:
        try:
            return resolver.resolve(question), tuple(told)
        except ResolutionFailed as error:
            found = _LATE.search(" ".join(error.found.split()))
            if not (found and question.exclude_newer) or len(told) == _MOST:
                raise
            name, came = found[1], timestamp.parse(found[2].rstrip("."))
            if came - timestamp.parse(question.exclude_newer) > _AT_MOST or name in dict(question.later):
                raise
        # what came at that very moment still counts
        until = timestamp.at(came.timestamp() + 1)
        question = replace(question, later=(*question.later, (name, until)))
        told.append(
            f"{name} came out after this release, on {came.date().isoformat()}, and the release needs it: "
            "that date holds for this package alone."
        )
