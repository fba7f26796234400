"""Bundles changed with knowledge of the format: any member and any manifest, sealed anew."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from wheelhouse import archive, header, layout
from wheelhouse.archive import ArchiveMember
from wheelhouse.reader import Bundle
from wheelhouse.writer import Member, prepare


@dataclass
class Forgery:
    """The parts of a bundle, to be changed; :meth:`write` puts them together as the writer does."""

    script: bytes
    contents: dict[str, bytes]
    stamp: archive.Stamp
    carried: str = ""
    deflated: frozenset[str] = field(default_factory=frozenset)

    @classmethod
    def of(cls, path: Path) -> Forgery:
        with Bundle.open(path) as bundle, zipfile.ZipFile(path) as zipped:
            infos = bundle.infos
            python = bundle.manifest.python
            return cls(
                path.read_bytes()[: infos[0].header_offset],
                {info.filename: zipped.read(info) for info in infos},
                infos[0].date_time,
                python.path if python else "",
                frozenset(info.filename for info in infos if info.compress_type),
            )

    @property
    def manifest(self) -> dict[str, Any]:
        data = json.loads(self.contents[layout.MANIFEST])
        assert isinstance(data, dict)
        return data

    def tell(self, change: Callable[[dict[str, Any]], object]) -> None:
        data = self.manifest
        change(data)
        self.say(data)

    def say(self, data: object) -> None:
        text = json.dumps(data, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        self.contents[layout.MANIFEST] = text.encode("utf-8", "surrogatepass")

    def agree(self, name: str, before: bytes) -> None:
        """Have manifest and lock say what the member `name` is now, where they said what it was `before`."""
        old, new = (hashlib.sha256(content).hexdigest() for content in (before, self.contents[name]))
        size = len(self.contents[name])
        if name != layout.LOCK:
            lock = self.contents[layout.LOCK]
            text = lock.replace(old.encode(), new.encode())
            if text != lock:
                self.contents[layout.LOCK] = text.replace(
                    f"size = {len(before)}\n".encode(), f"size = {size}\n".encode()
                )
                self.agree(layout.LOCK, lock)
        data = self.manifest
        roles = ("packages", "tools", "services", "files")
        rows = [row for role in roles for row in data[role]]
        rows += [data["postgres"]["package"]] if data["postgres"] else []
        for row in rows:
            if row["path"] == name:
                row.update(size=size, sha256=new)
        self.say(data)

    def write(self, path: Path, renamed: Mapping[str, str] | None = None) -> Path:
        """`renamed` members go in under another name."""
        names = renamed or {}
        prepared = [prepare(Member(name, content)) for name, content in self.contents.items()]
        entries: list[ArchiveMember] = []
        with path.open("w+b") as stream:
            stream.write(self.script)
            for item in prepared:
                entry = ArchiveMember(
                    names.get(item.name, item.name), item.entry.size, item.entry.packed, item.entry.crc,
                    item.entry.deflated,
                )  # fmt: skip
                entries.append(entry)
                stream.write(entry.header(self.stamp))
                for chunk in item.source.chunks():
                    stream.write(chunk)
            for part in archive.directory(entries, self.stamp, len(self.script)):
                stream.write(part)
            header.seal(stream)
        return path
