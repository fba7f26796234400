"""Where transcripts are made: a terminal and a page for each language, and what is typed."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.terminal import Terminal

ROOT = Path(__file__).resolve().parent.parent
MEDIUM, HOME = Path("/opt/usb"), Path("/opt/airflow")


@dataclass(frozen=True)
class Verb:
    """A command line, and what is typed when it asks: a part of the question, and the answer."""

    title: str
    command: str
    answers: Sequence[tuple[str, str]] = ()
    both: bool = False  # it is shown in Korean, too


@dataclass(frozen=True)
class Scene:
    """A page by its file's name, its first lines by language, and what is played for it."""

    page: str
    heads: dict[str, str]
    play: Callable[[Stage], None]
    outside: bool = False  # airferry itself is on PATH


@dataclass
class Page:
    """A page that grows."""

    path: Path
    parts: list[str] = field(default_factory=list)

    def add(self, title: str, screen: str) -> None:
        """Add a transcript, and write what is there so far."""
        self.parts.append(f"## {title}\n\n```console\n{screen}\n```\n")
        self.path.write_text("\n".join(self.parts), encoding="utf-8")


class Stage:
    """A host of its own with the bundle on a medium, and both languages."""

    def __init__(self, scene: Scene, bundle: Path, older: Path | None, pictures: Path | None) -> None:
        self.scene, self._pictures = scene, pictures
        self.bundle, self.older = bundle.name, older.name if older else ""
        MEDIUM.mkdir(parents=True)
        for path in (bundle, older):
            if path:
                shutil.copy(path, MEDIUM)
        folders = {"en": ROOT / "docs" / "reference", "ko": ROOT / "docs" / "ko"}
        self._pages = {
            code: Page(folders[code] / f"{scene.page}.md", [head]) for code, head in scene.heads.items()
        }
        programs = Path(sys.executable).parent if scene.outside else None
        self._terminals = {code: Terminal(code, programs) for code in scene.heads}
        self.enter(MEDIUM)

    def enter(self, folder: Path) -> None:
        """Change the folder of all terminals."""
        for terminal in self._terminals.values():
            terminal.run(f"cd {folder}")

    def show(self, verb: Verb, *languages: str) -> None:
        """Type a verb and keep what it shows; in `languages`, else as the verb says."""
        for code in languages or self._pages:
            if code == "en" or verb.both or languages:
                screen = self._terminals[code].run(verb.command, verb.answers)
                title = verb.title if code == "en" else f"`{verb.command.partition(';')[0]}`"
                self._pages[code].add(title, screen)
                if self._pictures:
                    name = re.sub(r"\W+", "-", verb.command).strip("-")[:60]
                    path = self._pictures / f"{code}-{name}.ansi"
                    path.write_text(self._terminals[code].coloured(), encoding="utf-8")

    def unseen(self, *command: str) -> None:
        """Run what belongs to no page; it has to succeed."""
        ran = subprocess.run(command, cwd=MEDIUM, capture_output=True, text=True, check=False)
        if ran.returncode:
            raise RuntimeError(f"{command}: {ran.returncode}\n{ran.stdout}{ran.stderr}")

    def close(self) -> None:
        """End the shells."""
        for terminal in self._terminals.values():
            terminal.close()
