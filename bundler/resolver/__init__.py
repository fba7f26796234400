"""Resolvers: what answers a question with a lock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from bundler.lock.lockfile import Locked
from wheelhouse.manifest import Tool
from wheelhouse.target import Target

# in the place of a package's date: it may be of any time
NO_DATE = "false"


@dataclass(frozen=True)
class Question:
    """What to resolve: requirements (PEP 508) for a target, under constraints or as of a date (RFC 3339).

    `later` are packages with a date of their own or :data:`NO_DATE`, `without` names that are left out
    whoever asks for them.
    """

    requirements: tuple[str, ...]
    target: Target
    index_url: str = field(repr=False)
    constraints: str = ""
    exclude_newer: str = ""
    extra_index_urls: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    offline: bool = False
    later: tuple[tuple[str, str], ...] = ()
    without: tuple[str, ...] = ()


class Resolver(Protocol):
    """Something that resolves."""

    @property
    def tool(self) -> Tool:
        """The program and its version, for the manifest."""

    def resolve(self, question: Question) -> tuple[Locked, ...]:
        """Every package that is needed, with its files; raises ResolutionFailed in the resolver's words."""
