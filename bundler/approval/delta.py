"""``NEW.delta.run``: what a bundle has that an older one has not, and the script that makes NEW of both."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from bundler.approval import papers, pieces
from bundler.base.digest import file_digest, stream_digest
from bundler.base.errors import InvalidRequest, OutputFailed
from bundler.inspection import whole
from bundler.inspection.whole import Whole

SUFFIX = ".delta.run"


@dataclass(frozen=True)
class Delta:
    """A delta: its `path`, `size` in bytes, sha256, and the sha256 of the file that it needs."""

    path: Path
    size: int
    sha256: str
    base: str
    base_sha256: str


def path_of(new: Path) -> Path:
    """``airflow-3.3.2-….delta.run`` for ``airflow-3.3.2-….run``."""
    stem = new.name[: -len(".run")] if new.name.endswith(".run") else new.name
    return new.with_name(stem + SUFFIX)


def make(older: Whole, new: Path) -> Delta:
    """Write the delta from a bundle that is open to `new`, beside the latter, with ``.sha256``.

    Raises the errors of verifying `new`, :class:`InvalidRequest` when they are the same, OutputFailed.
    """
    old = older.bundle.path
    papers.check_name(new)
    older.bundle.stream.seek(0)
    base, wanted = stream_digest(older.bundle.stream), file_digest(new)
    if base == wanted:
        raise InvalidRequest(
            f"{new.name} is the same file as {old.name}: there is no difference to carry.",
            found=f"sha256 {base}",
        )
    with whole.opened(new) as newer:
        there = pieces.digests(older.bundle.stream)
        stream = newer.bundle.stream
        found = pieces.compose(stream, pieces.known_in(there, "old"))
        listed = "\n".join(f"{item.source or 'new'} {item.offset} {item.length}" for item in found)
        labels = [f"Apache Airflow {item.bundle.manifest.airflow}" for item in (newer, older)]
        values = {
            "NEW_LABEL": labels[0], "OLD_LABEL": labels[1],
            "OLD_NAME": pieces.quoted(old.name), "OLD_SHA256": base,
            "NEW_NAME": pieces.quoted(new.name), "NEW_SIZE": str(new.stat().st_size), "NEW_SHA256": wanted,
            "PIECES": listed,
        }  # fmt: skip
        literals = sum(item.length for item in found if not item.source)
        script = _with_places(values, literals)
        path = path_of(new)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.part")
        try:
            with temporary.open("xb") as output:
                output.write(script)
                output.writelines(pieces.carried(stream, found))
                output.flush()
                os.fsync(output.fileno())
            temporary.chmod(new.stat().st_mode & 0o777)
            temporary.replace(path)
        except OSError as error:
            raise OutputFailed(
                f"{path} cannot be written: {error.strerror}.",
                hint="The bundle itself is whole. Make room beside it, and give the same command again.",
            ) from error
        finally:
            temporary.unlink(missing_ok=True)
    sha256 = file_digest(path)
    papers.write(path, {".sha256": f"{sha256}  {path.name}\n".encode()})
    return Delta(path, path.stat().st_size, sha256, old.name, base)


def _with_places(values: dict[str, str], literals: int) -> bytes:
    """The script that tells its own length: numbers of a fixed width do not change it."""
    wide = pieces.script("delta.sh.in", {**values, "START": "1" * 12, "SIZE": "1" * 12})
    start = len(wide)
    places = {"START": str(start), "SIZE": str(start + literals)}
    padded = {name: value + " " * (12 - len(value)) for name, value in places.items()}
    script = pieces.script("delta.sh.in", {**values, **padded})
    assert len(script) == start
    return script
