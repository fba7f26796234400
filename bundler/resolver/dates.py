"""Packages for which the date of a release does not hold: those that came later, and the site's own."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta

from bundler.base.errors import ResolutionFailed
from bundler.index.simple import Index
from bundler.lock.lockfile import Locked
from bundler.resolver import NO_DATE, Question, Resolver
from wheelhouse import timestamp

# Beyond that it is another release's package.
_AT_MOST = timedelta(days=30)
_MOST = 5


def resolve(
    resolver: Resolver,
    question: Question,
    *,
    asked: Collection[str] = (),
    index: Index,
    further: Sequence[Index] = (),
) -> tuple[tuple[Locked, ...], tuple[str, ...]]:
    """Resolve as of a date, with other dates for packages that need one.

    What `further` indexes alone have, of the names `asked` for and of those that the resolver misses, is the
    site's own and has no date; packages that came days after the release have that day. Returns what is told
    about it as well. Raises the ResolutionFailed of the resolver for anything else.
    """
    told: list[str] = []
    late = 0
    own = dict(_own(asked, index, further, asked=True)) if question.exclude_newer else {}
    while True:
        told += [
            f"{name} is of {url}: the date of the release does not hold for it." for name, url in own.items()
        ]
        question = replace(question, later=(*question.later, *((name, NO_DATE) for name in own)))
        try:
            return resolver.resolve(question), tuple(told)
        except ResolutionFailed as error:
            missed = {name: came for name, came in error.left_out if name not in dict(question.later)}
            own = dict(_own(missed, index, further)) if question.exclude_newer else {}
            if own:
                continue
            name, came = next(iter(missed.items()), ("", ""))
            if not (came and question.exclude_newer) or late == _MOST:
                raise
            moment = timestamp.parse(came)
            if moment - timestamp.parse(question.exclude_newer) > _AT_MOST:
                raise
        late += 1
        # what came at that very moment still counts
        question = replace(question, later=(*question.later, (name, timestamp.at(moment.timestamp() + 1))))
        told.append(
            f"{name} came out after this release, on {moment.date().isoformat()}, and is needed: "
            "that date holds for this package alone."
        )


def _own(
    names: Collection[str], index: Index, further: Sequence[Index], *, asked: bool = False
) -> Iterator[tuple[str, str]]:
    """The names that are the site's own, and the index of each.

    One that the main index has, too, is so only if it was asked for and its own index tells no times.
    """
    for name in names:
        held = ((item, item.offered(name)) for item in further)
        place, files = next((pair for pair in held if pair[1]), (None, ()))
        if place is None:
            continue
        timeless = asked and not any(item.uploaded for item in files)
        if timeless or not index.offered(name):
            yield name, place.url
