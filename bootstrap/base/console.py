"""Everything that people see, on both sides of the gap: errors, steps, progress, tables, JSON.

Results go to `out` (stdout), everything else to `stream` (stderr), so that a pipe holds only results.
rich is imported at the first use: a start from inside a ZIP compiles it anew, which takes 0.2 s.
"""

# ruff: noqa: PLC0415  (rich is imported at the first use)

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import time
from typing import (
    TYPE_CHECKING,
    Any,
    Callable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    TextIO,
    Tuple,
)

from bootstrap.base import language
from bootstrap.base.columns import cells, fitted, laid_out, wrap
from bootstrap.base.moving import BAR, moving
from bootstrap.base.terminal import Stream, charset, inert, printable
from wheelhouse.errors import AirferryError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import Progress

WIDTH = 80  # of a terminal that does not tell
UNBOUNDED = 1 << 20  # of a pipe or a file: what reads it looks for whole lines
# what stands beside the text of a moving line: spinner and time; spinner, bar, bytes and speed
_BESIDE_STEP = 14
_BESIDE_BAR = BAR + 32
_ENDING = 24  # of a step: how it ended, and in how many seconds
WIDEST = 110  # a longer line is hard to read, however wide the window


class ShownStep:
    """A step that is being shown; `outcome` is the word it ends with."""

    def __init__(self, describe: Callable[[str], None]) -> None:
        self.outcome = "done"
        self.detail = describe


class Console:
    """A terminal, a pipe or a file to show things on; `quiet` leaves out steps, progress and notes.

    Colour, wrapped lines and moving parts only on a terminal (not with TERM=dumb; no colour with NO_COLOR);
    ASCII only where the locale's charset is not UTF-8; 80 columns when a terminal's width is unknown. What
    is shown is in the language of the environment, but for commands, pages and JSON.
    """

    def __init__(
        self,
        stream: Optional[TextIO] = None,
        out: Optional[TextIO] = None,
        *,
        quiet: bool = False,
        environ: Optional[Mapping[str, str]] = None,
    ) -> None:
        self.quiet = quiet
        self._environ = os.environ if environ is None else environ
        codec, self._symbols = charset(self._environ)
        self.language = language.chosen(self._environ)
        self._stream = Stream(sys.stderr if stream is None else stream, codec, symbols=self._symbols)
        self._out = Stream(sys.stdout if out is None else out, codec, symbols=self._symbols)
        self._riches: List[Tuple[Stream, RichConsole]] = []
        self._line_open = False
        self._live: Optional[Progress] = None

    # what people read: messages

    def error(self, error: AirferryError) -> None:
        """Show an expected failure: message, found, needed, hint and reference; never a traceback."""
        say = self.language
        self._block(say.word("error"), "bold red", f"{say.text(error.message)} [{error.reference}]")
        for label, text in (("found", error.found), ("needed", error.needed), ("hint", error.hint)):
            if text:
                self._block(f"  {say.word(label)}", "bold", say.text(text), align=10)

    def warning(self, text: str) -> None:
        """Show what the user should know although the work goes on."""
        self._block(self.language.word("warning"), "bold yellow", self.language.text(text))

    def note(self, text: str) -> None:
        """Show what may interest the user."""
        if not self.quiet:
            self._block(self.language.word("note"), "bold cyan", self.language.text(text))

    # what people wait for

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[ShownStep]:
        """Show a step while it runs and how it ended; what it raises passes through.

        Set ``outcome`` of the value to end with another word than "done"; ``detail(text)`` shows what it
        is doing just now (on a terminal only).
        """
        title = printable(self.language.text(title))
        if self._moving and self._live is None:
            with self._progress(["spinner", "text", "elapsed"]) as live:
                room = self._width(self._stream) - _BESIDE_STEP
                task = live.add_task(fitted(title, room), total=None)

                def detail(text: str) -> None:
                    said = printable(self.language.text(text))
                    live.update(task, description=fitted(f"{title}: {said}", room))

                step = ShownStep(detail)
                yield from self._timed(title, step)
            return
        if not (self.quiet or self._live or self._line_open):
            self._stream.write("\n".join(wrap(f"{title} ...", self._width(self._stream) - _ENDING)))
            self._stream.flush()
            self._line_open = True
        yield from self._timed(title, ShownStep(lambda text: None))

    @contextlib.contextmanager
    def progress(self, total: Optional[int], title: str) -> Iterator[Callable[[int], None]]:
        """Show the progress of `total` bytes (None: unknown); the value is called with each further bytes."""
        title = printable(self.language.text(title))
        if not self._moving or self._live is not None:
            seen = [0]

            def count(size: int) -> None:
                seen[0] += size

            with self.step(title) as step:
                yield count
                step.outcome = f"{size_text(seen[0])} {self.language.word('done')}"
            return
        columns = ["spinner", "text", "bar", "bytes", "speed"] if total else ["spinner", "text", "bytes"]
        with self._progress(columns) as live:
            task = live.add_task(fitted(title, self._width(self._stream) - _BESIDE_BAR), total=total)
            step = ShownStep(lambda text: None)

            def advance(size: int) -> None:
                live.advance(task, size)
                step.outcome = f"{size_text(int(live.tasks[0].completed))} {self.language.word('done')}"

            for _ in self._timed(title, step):
                yield advance

    # results

    def print(self, text: str = "", style: str = "", *, indent: int = 0) -> None:
        """Print text on stdout, wrapped between words; a long word (a path) stays whole."""
        for line in wrap(self.language.text(text), self._width(self._out) - indent):
            self._put(self._out, [(" " * indent if line else "", ""), (line, style)])

    def command(self, text: str, *, indent: int = 4, label: str = "") -> None:
        """Print a command to be copied, on one line however long, from column `indent` on."""
        head = f"  {self.language.word(label)}:" if label else ""
        head += " " * (indent - cells(head))
        self._put(self._out, [(head, "bold"), (text, "")])

    def labelled(
        self, label: str, text: str, *, style: str = "bold", align: int = 0, indent: int = 0
    ) -> None:
        """Print ``label: text`` on stdout, continued under the text, which starts at column `align`."""
        say = self.language
        self._block(" " * indent + say.word(label), style, say.text(text), align=align, target=self._out)

    def summary(self, rows: Sequence[Tuple[str, str]], title: str = "") -> None:
        """Print a block of keys and values, aligned; values are never cut."""
        say = self.language
        if title:
            self._put(self._out, [(say.word(title), "bold")])
        keys = [say.word(key) for key, _ in rows]
        align = max(map(cells, keys), default=0) + 4
        for key, (_, value) in zip(keys, rows):
            head = f"  {key}" + " " * (align - 2 - cells(key))
            for line in wrap(say.text(value), self._width(self._out) - align):
                self._put(self._out, [(head if line else head.rstrip(), "bold"), (line, "")])
                head = " " * align

    def table(
        self,
        columns: Sequence[str],
        rows: Sequence[Sequence[str]],
        title: str = "",
        *,
        words: Sequence[str] = (),
    ) -> None:
        """Print a table; where the window is too narrow, cells are wrapped, and words stay whole.

        `words` are the columns whose cells are words of ours, such as a state, and no names.
        """
        say = self.language
        if title:
            self._put(self._out, [(say.word(title), "bold")])
        shown = [[printable(say.word(cell)) for cell in columns]]
        for row in rows:
            pairs = zip(columns, row)
            shown.append([printable((say.word if name in words else say.text)(cell)) for name, cell in pairs])
        head, *lines = laid_out(shown, self._width(self._out), "\u2500" if self._symbols else "-")
        self._put(self._out, [(head, "bold")])
        for line in lines:
            self._put(self._out, [(line, "")])

    def page(self, markdown: str) -> None:
        """Print a page: laid out on a terminal, else its text as it stands."""
        if not self._out.terminal or self._environ.get("TERM") == "dumb":
            for line in markdown.splitlines():
                self._put(self._out, [(line, "")])
            return
        from rich.markdown import Markdown

        self._rich(self._out).print(Markdown(markdown, code_theme="ansi_dark", hyperlinks=False))

    def json(self, data: Any) -> None:
        """Print JSON on stdout; the caller prints nothing else there."""
        self._out.write(inert(json.dumps(data, indent=2, ensure_ascii=not self._symbols)) + "\n")
        self._out.flush()

    # machinery

    @property
    def _moving(self) -> bool:
        return self._stream.terminal and self._environ.get("TERM") != "dumb" and not self.quiet

    def _width(self, target: Stream) -> int:
        if not target.terminal:
            return UNBOUNDED
        return min(shutil.get_terminal_size((WIDTH, 24)).columns or WIDTH, WIDEST)

    def _rich(self, target: Stream) -> RichConsole:
        from rich.console import Console as RichConsole

        for known, console in self._riches:
            if known is target:
                return console
        dumb = self._environ.get("TERM") == "dumb"
        console = RichConsole(
            file=target,  # type: ignore[arg-type]  # the five methods that rich calls are there
            force_terminal=target.terminal and not dumb,
            no_color=bool(self._environ.get("NO_COLOR")),
            width=min(self._width(target), WIDEST),
            markup=False,
            emoji=False,
            highlight=False,
        )
        self._riches.append((target, console))
        return console

    @contextlib.contextmanager
    def _progress(self, columns: Sequence[str]) -> Iterator[Progress]:
        live = moving(columns, self._rich(self._stream), symbols=self._symbols)
        with live:
            self._live = live
            try:
                yield live
            finally:
                self._live = None

    def _timed(self, title: str, step: ShownStep) -> Iterator[ShownStep]:
        started = time.monotonic()
        try:
            yield step
        except KeyboardInterrupt:
            self._finish(title, "interrupted", "yellow", started)
            raise
        except BaseException:
            self._finish(title, "FAILED", "bold red", started)
            raise
        self._finish(title, step.outcome, "green", started)

    def _finish(self, title: str, outcome: str, style: str, started: float) -> None:
        seconds = time.monotonic() - started
        if self.quiet:
            return
        head = "" if self._line_open else f"{title} ..."
        self._line_open = False
        took, outcome = f" ({seconds:.1f} s)", self.language.word(outcome)
        *lines, last = wrap(head, self._width(self._stream) - max(cells(outcome + took) + 1, _ENDING))
        for line in lines:
            self._put(self._stream, [(line, "")])
        self._put(self._stream, [(f"{last} ", ""), (outcome, style), (took, "dim")])

    def _block(
        self, label: str, style: str, text: str, *, align: int = 0, target: Optional[Stream] = None
    ) -> None:
        target = target or self._stream
        align = align or cells(label) + 2
        padding = " " * (align - cells(label) - 1)
        for index, line in enumerate(wrap(text, self._width(target) - align)):
            if index == 0:
                self._put(target, [(f"{label}:", style), (padding + line, "")])
            else:
                self._put(target, [(" " * align + line if line else "", "")])

    def _put(self, target: Stream, parts: Sequence[Tuple[str, str]]) -> None:
        if self._line_open and target is self._stream:
            self._stream.write("\n")
            self._line_open = False
        if target.terminal and self._environ.get("TERM") != "dumb":
            from rich.text import Text

            text = Text()
            for part, style in parts:
                text.append(printable(part), style=style)
            self._rich(target).print(text, soft_wrap=True)
        else:
            target.write("".join(printable(part) for part, _ in parts) + "\n")
        target.flush()


def size_text(size: float) -> str:
    """A size in bytes for people, in powers of 1000 as disks and package indexes count: ``85.3 MB``."""
    for unit in ("bytes", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"
