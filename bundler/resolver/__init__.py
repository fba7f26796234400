"""Resolvers: what answers a question with a lock."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from bundler.base.errors import OutputFailed, ResolutionFailed
from bundler.lock.lockfile import Locked
from wheelhouse.manifest import Tool
from wheelhouse.target import Target

_FULL = ("No space left on device", "Disk quota exceeded")


@dataclass(frozen=True)
class Question:
    """What to resolve: requirements (PEP 508) for a target, under constraints or as of a date (RFC 3339).

    `later` are packages with a date of their own, `without` names that are left out whoever asks for them.
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


def failure(words: str) -> OutputFailed | ResolutionFailed:
    """What a resolver that gave up has met, in its own words."""
    if any(sign in words for sign in _FULL):
        return OutputFailed(
            "The resolver cannot write: the disk is full.",
            found=words,
            hint="Free space there, or set XDG_CACHE_HOME (for temporary files TMPDIR) to another folder.",
        )
    return ResolutionFailed(
        "No set of packages meets all requirements.",
        found=words,
        hint="With constraints every version is fixed by them: drop the requirement that disagrees, choose "
        "another Airflow release, or another constraint file.",
    )


class Resolver(Protocol):
    """Something that resolves."""

    @property
    def tool(self) -> Tool:
        """The program and its version, for the manifest."""

    def resolve(self, question: Question) -> tuple[Locked, ...]:
        """Every package that is needed, with its files; raises ResolutionFailed in the resolver's words."""
