"""The lines of a constraint file, read as pip reads them before a resolver answers in words of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from bundler.base.errors import ConstraintsUnavailable, HashMismatch
from bundler.lock.lockfile import Artifact, Locked
from bundler.request import pipoptions
from bundler.request.requirement_files import lines

_SHA256 = re.compile(r"sha256:[0-9a-f]{64}", re.IGNORECASE)
_ONE_EQUALS = re.compile(r"[\w.-]+\s*=\s*[^=\s]+(=\S*)?")
_ELSEWHERE = "give it on the command line, or in a requirement file"
# what has no place in a list of versions
_REFUSED = {
    "--requirement": "put its lines into this file",
    "--constraint": "put its lines into this file",
    "--editable": "name it as a requirement: a folder, without -e",
    **{name: pipoptions.REFUSED[name] for name in ("--no-binary", "--only-binary")},
}


@dataclass(frozen=True)
class Constrained:
    """The `text` for a resolver, without options; the sha256 that each name may have; and what is told."""

    text: str
    hashes: dict[str, frozenset[str]] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def allowed(self, locked: Iterable[Locked]) -> tuple[Locked, ...]:
        """The packages with the files that ``--hash`` allows; raises HashMismatch where none is left."""
        return tuple(self._one(item) for item in locked)

    def _one(self, item: Locked) -> Locked:
        hashes = self.hashes.get(item.name)
        if not hashes:
            return item

        def ours(file: Artifact | None) -> bool:
            return file is not None and file.sha256 in hashes

        left = replace(
            item, wheels=tuple(filter(ours, item.wheels)), sdist=item.sdist if ours(item.sdist) else None
        )
        if not left.wheels and left.sdist is None:
            files = [*item.wheels, *([item.sdist] if item.sdist else [])]
            raise HashMismatch(
                f"No file of {item.name} {item.version} is what the constraint file allows.",
                found="\n".join(
                    f"{file.filename}: sha256 {file.sha256 or 'not told by the index'}" for file in files
                ),
                needed=" or ".join(f"sha256 {value}" for value in sorted(hashes)),
                hint="The constraint file may have been made for another platform or another index.",
            )
        return left


def read(text: str, shown: str) -> Constrained:
    """Read a file that is named `shown`; raises ConstraintsUnavailable with each line that cannot be used."""
    problems: list[str] = []
    warnings: list[str] = []
    kept: list[str] = []
    hashes: dict[str, frozenset[str]] = {}
    for number, written, lost in lines(text):
        where = f"{shown}:{number}: "
        if lost:
            warnings.append(f"{where}a comment swallows the next line, by a backslash at its end: {lost}")
        before = len(problems)
        line, options = pipoptions.split(pipoptions.expand(written, where, problems), where, problems)
        allowed = set()
        for name, value in options:
            if name == pipoptions.HASH and _SHA256.fullmatch(value):
                allowed.add(value.partition(":")[2].lower())
            elif name == pipoptions.HASH:
                problems.append(f"{where}{name} {value}: sha256:<64 hexadecimal digits> is needed")
            elif name in _REFUSED:
                problems.append(f"{where}{name} is not supported in a constraint file: {_REFUSED[name]}")
            else:
                why = {**pipoptions.PASSED_OVER, **pipoptions.REFUSED}.get(name, _ELSEWHERE)
                warnings.append(f"{where}{name} is ignored: {why}.")
        if not line or len(problems) > before:
            continue
        try:
            name = canonicalize_name(Requirement(line).name)
        except InvalidRequirement as error:
            reason = "write == for a version" if _ONE_EQUALS.fullmatch(line) else str(error).splitlines()[0]
            problems.append(f"{where}{pipoptions.shown(line)!r}: {reason}")
            continue
        kept.append(line)
        if allowed:
            hashes[name] = hashes.get(name, frozenset()) | allowed
    if problems:
        raise ConstraintsUnavailable(
            "The constraint file cannot be used.",
            found="\n".join([*problems[:20], *(["..."] if len(problems) > 20 else [])]),
            needed="lines such as alembic==1.20.0",
        )
    return Constrained("".join(f"{line}\n" for line in kept), hashes, tuple(warnings))
