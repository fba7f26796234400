"""A picture of a terminal: ``python -m bench.pictures SCREEN.ansi PICTURE.png`` (chromium, a Korean font).

SCREEN is what bench/transcripts.py keeps with ``--pictures``: a screen of tmux with its escape sequences.
"""

from __future__ import annotations

import html
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from rich.cells import cell_len

COLUMNS = 80
_CELL = 9, 20  # pixels
_COLOURS = {
    "31": "#f2777a",
    "32": "#8fd18a",
    "33": "#ffcc66",
    "34": "#6699cc",
    "35": "#cc99cc",
    "36": "#66cccc",
}
_PAGE = """<!DOCTYPE html><meta charset="utf-8"><style>
body {{ margin: 0; padding: 12px; background: #1e1e1e; color: #d8d8d8 }}
pre {{ margin: 0; line-height: {height}px; font-size: 15px; font-family: "Noto Sans Mono CJK KR", monospace }}
i {{ display: inline-block; width: {width}px; font-style: normal; white-space: pre }}
i.w {{ width: {wide}px }}
</style><pre>{text}</pre>"""


def _box(letter: str) -> str:
    if letter == "\n":
        return letter
    wide = " class=w" if cell_len(letter) > 1 else ""
    return f"<i{wide}>{html.escape(letter)}</i>"


def markup(screen: str) -> str:
    """The screen as HTML; every letter stands in a box as wide as its cells."""
    parts, style = [], ""
    for part in re.split(r"(\x1b\[[\d;]*m|\x1b\([B0]|\x0f)", screen):
        if part.startswith("\x1b["):
            codes = part[2:-1].split(";")
            if codes in ([""], ["0"]):
                style = ""
            for code in codes:
                style += f"color:{_COLOURS[code]};" if code in _COLOURS else ""
                style += "font-weight:bold;" if code == "1" else ""
                style = style if code not in ("39", "22") else ""
        elif not part.startswith(("\x1b", "\x0f")):
            boxes = "".join(_box(letter) for letter in part)
            parts.append(f'<span style="{style}">{boxes}</span>' if style else boxes)
    return "".join(parts)


def main() -> int:
    """Draw one picture."""
    screen, picture = Path(sys.argv[1]), Path(sys.argv[2]).resolve()
    width, height = _CELL
    lines = screen.read_text(encoding="utf-8").rstrip("\n").splitlines()
    text = markup("\n".join(lines))
    with tempfile.TemporaryDirectory() as scratch:
        page = Path(scratch) / "screen.html"
        page.write_text(_PAGE.format(width=width, wide=2 * width, height=height, text=text), encoding="utf-8")
        size = f"--window-size={COLUMNS * width + 24},{len(lines) * height + 24}"
        command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", size]
        command += [f"--user-data-dir={scratch}/profile", f"--screenshot={picture}", page.as_uri()]
        return subprocess.run(command, check=False, capture_output=True).returncode


if __name__ == "__main__":
    raise SystemExit(main())
