"""Verifying a whole bundle before anything is written on the host."""

from __future__ import annotations

from collections import Counter
from typing import Callable, List, Optional, Tuple

from wheelhouse import agreement, header, layout
from wheelhouse.errors import BundleDamaged
from wheelhouse.reader import Bundle

_HINT = "Nothing was changed. Copy the file again from the medium and compare: sha256sum -c FILE.sha256"


def verify(bundle: Bundle, progress: Optional[Callable[[int], None]] = None) -> Tuple[str, ...]:
    """Check the whole file, its list of members, and that its parts agree; returns what was not compared.

    Members that are damaged, missing, or not listed in the manifest are all named; the seal covers every
    other byte of the file. `progress` gets the bytes of each chunk read. Raises :class:`BundleDamaged`.
    """
    sealed = header.digest(bundle.stream, bundle.seal.offset, progress) == bundle.seal.sha256
    # with sizes that do not agree no member is unpacked: it could be any number of bytes
    problems = [*_membership(bundle), *(agreement.sizes(bundle) or _damaged(bundle))]
    problems = problems or agreement.problems(bundle)
    if not sealed and not problems:
        problems = ["the bytes between the members (header or directory) were changed"]
    if problems:
        raise BundleDamaged(
            f"{bundle.path} is damaged.",
            found="\n".join(problems[:20]),
            needed=f"{len(bundle.manifest.files)} members, each with the sha256 in the manifest",
            hint=_HINT,
        )
    return agreement.notes(bundle)


def structure(bundle: Bundle) -> None:
    """Check that the parts of the file agree, without reading the members; raises :class:`BundleDamaged`."""
    problems = [*_membership(bundle), *agreement.sizes(bundle), *agreement.problems(bundle)]
    if problems:
        raise BundleDamaged(
            f"{bundle.path} is not a valid bundle.", found="\n".join(problems[:20]), hint=_HINT
        )


def _membership(bundle: Bundle) -> List[str]:
    names = bundle.names()
    listed = {file.path for file in bundle.manifest.files} | {layout.MANIFEST}
    problems = [f"{name}: not listed in the manifest" for name in sorted(set(names) - listed)]
    problems += [f"{name}: missing" for name in sorted(listed - set(names))]
    problems += [f"{name}: duplicate" for name, count in sorted(Counter(names).items()) if count > 1]
    problems += [f"{name!r}: unsafe name" for name in names if not layout.is_safe(name)]
    return problems


def _damaged(bundle: Bundle) -> List[str]:
    problems = []
    present = set(bundle.names())
    for file in bundle.manifest.files:
        if file.path in present:
            try:
                bundle.check(file.path)
            except BundleDamaged as error:
                problems.append(error.message)
    return problems
