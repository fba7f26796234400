"""Small files that are replaced as a whole: whoever reads one finds the old or the new text, never half."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Optional


def write(path: Path, text: str, mode: Optional[int] = None, *, errors: str = "strict") -> None:
    """Replace `path` by `text` in UTF-8, which is on the disk before it has the name.

    `mode` is for files whose mode must not depend on the umask. With `errors` ``backslashreplace`` what is
    no UTF-8 in a path is written as JSON writes it.
    """
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8", errors=errors) as stream:
        stream.write(text)
        stream.flush()
        os.fsync(stream.fileno())
    if mode is not None:
        temporary.chmod(mode)
    temporary.replace(path)
