"""Deliveries changed at random, and the program that admits: python -m tests.attacks.approvals COUNT.

Each changes the list, a signature, an anchor of the host's trust, a part or the file, and must be refused
with a code of its kind, in one of the shells that are here. What means the same as before is not counted: a
signature written otherwise, another name for a key.
"""

from __future__ import annotations

import base64
import hashlib
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from bundler.approval import papers, signing
from bundler.approval.signing import Role
from tests.support import bundles, deliveries
from tests.support.deliveries import SHELLS

# what ls and the kernel know of a mode: others, or the group, may write
_OPEN_MODES = (0o664, 0o646, 0o666, 0o777, 0o602, 0o620)
_LINE = re.compile(rb"[0-9a-f]{64}  [^/\x00-\x1f\x7f]+")


class Skipped(Exception):
    """The change has changed nothing, or nothing that it means."""


class Approvals:
    """Changes of one signed delivery or of the host's trust, and what the program says of each."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.source = random.Random(seed)
        keys = folder / "keys"
        keys.mkdir()
        self.site = deliveries.site(deliveries.made(keys), folder)
        self.kept = {path: path.read_bytes() for path in self._files()}
        self.older = self._older(folder / "older")
        self.seen: Counter[tuple[str, int]] = Counter()

    def run(self, count: int) -> None:
        """Make and try so many; AssertionError names the first that is admitted, or refused wrongly."""
        kinds: dict[str, Callable[[], set[int]]] = {
            "list": self._list,
            "signature": self._signature,
            "anchor": self._anchor,
            "part": self._part,
            "file": self._file,
        }
        number = 0
        while number < count:
            kind = self.source.choice(tuple(kinds))
            try:
                expected = kinds[kind]()
            except Skipped:
                self._restore()
                continue
            shell = SHELLS[number % len(SHELLS)]
            ran = self.site.admit(str(self.site.listing), "install", shell=shell)
            label = f"change {number} ({kind}, {' '.join(shell)}): {ran}"
            assert ran.returncode in expected, f"{label}: expected {expected}"
            assert f"REFUSED {ran.returncode}-" in ran.stderr and not ran.stdout, label
            assert self.site.admitted() == [], label
            self.seen[kind, ran.returncode] += 1
            self._restore()
            number += 1
        ran = self.site.admit(str(self.site.listing))
        assert ran.returncode == 0, f"what was not changed is admitted: {ran}"

    def _list(self) -> set[int]:
        path, text = self.site.listing, self.kept[self.site.listing]
        lines = text.splitlines(keepends=True)
        how = self.source.choice(("bits", "bits", "bits", "cut", "lines", "anew", "older", "gone"))
        if how == "gone":
            path.unlink()
            return {16}
        if how == "bits":
            changed = self._flipped(text)
        elif how == "cut":
            changed = text[: self.source.randrange(len(text))]
        elif how == "lines":
            lines.insert(self.source.randrange(len(lines)), self.source.choice(lines))
            if self.source.random() < 0.5:
                del lines[self.source.randrange(len(lines))]
            changed = b"".join(lines)
        elif how == "older":
            changed = self.older[path.name]
        else:  # a file of another builder, with a list that fits
            content = self._flipped(self.kept[self.site.file])
            self._write(self.site.file, content)
            before, after = (
                hashlib.sha256(one).hexdigest().encode() for one in (self.kept[self.site.file], content)
            )
            changed = text.replace(before, after)
        if changed == text:
            raise Skipped
        self._write(path, changed)
        found = changed.split(b"\n")[: -1 if changed.endswith(b"\n") else None]
        named = sum(line.partition(b"  ")[2] == self.site.file.name.encode() for line in found)
        return {13} if all(map(_LINE.fullmatch, found)) and named == 1 else {15}

    def _signature(self) -> set[int]:
        role = self.source.choice(tuple(Role))
        path = self._signature_of(role)
        good = self.kept[path]
        other = self.kept[self._signature_of(Role.BUILDER if role is Role.APPROVER else Role.APPROVER)]
        how = self.source.choice(("bits",) * 4 + ("cut", "other", "older", "key", "role", "asc", "gone"))
        if how == "gone":
            path.unlink()
            return {12}
        if how == "asc":
            path.rename(path.with_suffix(".asc"))
            return {13}
        if how == "bits":
            self._write(path, self._flipped(good))
        elif how == "cut":
            self._write(path, good[: self.source.randrange(len(good))])
        elif how == "other":
            self._write(path, other)
        elif how == "older":
            self._write(path, self.older[path.name])
        else:  # a stranger's key, or the right one in another role
            key = self.source.choice(("choi", "park")) if how == "key" else self._key(role)
            signer = role if how == "key" else Role.BUILDER if role is Role.APPROVER else Role.APPROVER
            made = signing.sign(self.site.listing, signer, str(self.site.keys / key)).path
            if made != path:
                made.replace(path)
                self._write(made, self.kept[made])
        if meaning(path.read_bytes()) == meaning(good):
            raise Skipped
        return {13}

    def _anchor(self) -> set[int]:
        path = self.source.choice([self.site.trust / "roles", self.site.trust / "signers"])
        how = self.source.choice(
            ("bits",) * 4 + ("mode", "owner", "link", "gone", "empty", "folder", "revoked")
        )
        if how == "mode":
            path.chmod(self.source.choice(_OPEN_MODES))
        elif how == "owner":
            os.chown(path, self.source.randrange(1, 65535), 0)
        elif how == "folder":
            folder = self.source.choice([self.site.trust, self.site.root])
            if self.source.random() < 0.5:
                folder.chmod(self.source.choice((0o775, 0o757, 0o777)))
            else:
                os.chown(folder, self.source.randrange(1, 65535), 0)
        elif how == "link":
            path.rename(self.site.root / "else")
            path.symlink_to(self.site.root / "else")
        elif how == "gone":
            path.unlink()
            return {11, 13}
        elif how == "empty":
            self._write(path, b"")
            return {11, 13}
        elif how == "revoked":
            keys = [self.site.public(self._key(role)) for role in Role]
            (self.site.trust / "revoked").write_text(self.source.choice(keys) + "\n")
            return {13}
        else:
            changed = self._flipped(self.kept[path])
            self._write(path, changed)
            if path.name == "roles":
                # a line that is empty or a comment by now is no role: that is another policy
                if any(line[:1] in (b"", b"#") for line in changed.split(b"\n")):
                    raise Skipped
                return {11, 12, 13}
            if keys_of(changed) == keys_of(self.kept[path]):
                raise Skipped
            return {11, 13}
        return {11}

    def _part(self) -> set[int]:
        """The bundle itself is not there: its parts are all that there is."""
        self.site.file.unlink()
        parts = [papers.beside(self.site.file, f".{number:03d}") for number in (1, 2, 3)]
        path = self.source.choice(parts)
        good = self.kept[path]
        how = self.source.choice(("bits", "bits", "cut", "tail", "swapped", "older", "gone"))
        if how == "gone":
            path.unlink()
            return {16}
        if how == "bits":
            self._write(path, self._flipped(good))
        elif how == "cut":
            self._write(path, good[: self.source.randrange(len(good))])
        elif how == "tail":
            self._write(path, good + bytes(self.source.randrange(256) for _ in range(9)))
        elif how == "older":
            self._write(path, self.older[path.name])
        else:
            other = self.source.choice([item for item in parts if item != path])
            self._write(path, self.kept[other])
            self._write(other, good)
        return {17}

    def _file(self) -> set[int]:
        path, good = self.site.file, self.kept[self.site.file]
        how = self.source.choice(("bits", "bits", "cut", "tail", "splice", "older"))
        changed = {
            "bits": lambda: self._flipped(good),
            "cut": lambda: good[: self.source.randrange(len(good))],
            "tail": lambda: good + bytes(self.source.randrange(256) for _ in range(9)),
            "splice": lambda: good[-50:] + good[50:],
            "older": lambda: self.older[path.name],
        }[how]()
        self._write(path, changed)
        return {17}

    def _flipped(self, content: bytes) -> bytes:
        changed = bytearray(content)
        for _ in range(self.source.choice((1, 1, 1, 2, 8))):
            changed[self.source.randrange(len(changed))] ^= 1 << self.source.randrange(8)
        if bytes(changed) == content:
            raise Skipped
        return bytes(changed)

    def _older(self, folder: Path) -> dict[str, bytes]:
        """Another bundle of that name, which both have signed once, with its parts: by file name."""
        folder.mkdir()
        keys = folder / "keys"
        shutil.copytree(self.site.keys, keys)
        bundles.write(keys / deliveries.FILE, deliveries.PYTHON, deliveries.noise(8))
        made = deliveries.site(keys, folder)
        return {path.name: path.read_bytes() for path in made.medium.iterdir()}

    def _files(self) -> list[Path]:
        return [path for place in (self.site.medium, self.site.trust) for path in place.iterdir()]

    def _restore(self) -> None:
        """All as it was, by what differs."""
        for folder in (self.site.root, self.site.trust):
            os.chown(folder, 0, 0)
            folder.chmod(0o755)
        for path in self._files():
            if path not in self.kept or path.is_symlink():
                path.unlink()
        for path, content in self.kept.items():
            if not path.exists() or path.read_bytes() != content:
                path.write_bytes(content)
            os.chown(path, 0, 0)
            path.chmod(0o644)

    def _signature_of(self, role: Role) -> Path:
        return self.site.medium / f"{self.site.listing.name}.{role.value}.sig"

    @staticmethod
    def _key(role: Role) -> str:
        return {Role.BUILDER: "kim", Role.APPROVER: "lee"}[role]

    @staticmethod
    def _write(path: Path, content: bytes) -> None:
        path.write_bytes(content)


def meaning(armored: bytes) -> list[bytes]:
    """Key, namespace, hash and signature of an SSHSIG (PROTOCOL.sshsig), however it is written."""
    inside = b"".join(line for line in armored.splitlines() if not line.startswith(b"-----"))
    try:
        blob = base64.b64decode(inside)
    except ValueError:
        return []
    found, at = [], len(b"SSHSIG") + 4
    while at + 4 <= len(blob):
        length = int.from_bytes(blob[at : at + 4], "big")
        found.append(blob[at + 4 : at + 4 + length])
        at += 4 + length
    return found[:2] + found[3:5]


def keys_of(signers: bytes) -> list[bytes]:
    """What follows the name on each line of the signers."""
    return [line.partition(b" ")[2] for line in signers.splitlines()]


def main() -> None:
    """So many, from this seed on."""
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20261128
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        made = Approvals(Path(name), seed)
        made.run(count)
    sys.stdout.write(f"{count} changes, seed {seed}, {time.monotonic() - started:.0f} s, 0 admitted\n")
    for (kind, code), number in sorted(made.seen.items()):
        sys.stdout.write(f"{number:7,} {kind}: refused with {code}\n")


if __name__ == "__main__":
    main()
