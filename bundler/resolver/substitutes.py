"""A package without wheels, and another that holds the same code as one: it takes the first one's place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bundler.request.requirements import Wanted
from bundler.resolver import Question

# The same sources and the same module; the second has libpq inside (psycopg docs, "Installation").
SOURCE, WHEEL = "psycopg2", "psycopg2-binary"
_PIN = re.compile(r"^psycopg2\s*==\s*([^\s;#]+)", re.MULTILINE)
_PINNED = re.compile(r"^psycopg2[-_.]binary\s*==", re.MULTILINE)


def put_in(question: Question, wanted: Sequence[Wanted]) -> Question:
    """Ask for ``psycopg2-binary`` where packages ask for ``psycopg2``, in the version that is pinned.

    A user who asks for psycopg2 by its name is not given the other.
    """
    if any(item.name == SOURCE for item in wanted):
        return question
    pin, constraints = _PIN.search(question.constraints), question.constraints
    if pin and not _PINNED.search(constraints):
        constraints += f"\n{WHEEL}=={pin[1]}\n"
    return replace(question, without=(*question.without, SOURCE), constraints=constraints)


def told(versions: Mapping[str, str], askers: Sequence[str]) -> tuple[str, ...]:
    """What is to be said of it: `versions` are those that were chosen, `askers` who asks for psycopg2."""
    if WHEEL not in versions or SOURCE in versions or not askers:
        return ()
    text = (
        f"{WHEEL} {versions[WHEEL]} replaces {SOURCE}, which has no wheel: it is the same code, "
        f"with the PostgreSQL client library inside. {', '.join(askers)} asked for {SOURCE}."
    )
    return (text,)
