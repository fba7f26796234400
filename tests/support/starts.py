"""Starts of a bundle's file, under every shell that there is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# every shell that there is; sh is mostly one of the others
SHELLS = {
    os.path.realpath(path): [path, *words[1:]]
    for words in (["sh"], ["dash"], ["bash"], ["busybox", "sh"], ["ksh"], ["mksh"], ["yash"])
    if (path := shutil.which(words[0]))
}
# what the header calls beside a Python
PROGRAMS = ["sh", "sed", "wc", "tr", "tail", "head", "sha256sum", "basename", "id", "ls", "readlink"]


@dataclass(frozen=True)
class Ran:
    """What a start of the file gave; `said` is what its command line saw, None when it was never reached."""

    status: int
    said: dict[str, Any] | None
    err: str

    def stopped(self) -> str:
        """The sentence on which it stopped, with the exit status of a bundle or Python that does not do."""
        assert self.status == 10, self
        assert self.said is None
        assert "Traceback" not in self.err
        assert self.err.startswith("airferry: "), self.err
        return self.err

    def seen(self) -> dict[str, Any]:
        """What the command line saw."""
        assert self.status == 0, self
        assert self.said is not None, self
        return self.said


def start(
    command: Sequence[str | Path | bytes],
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    path: str | None = None,
) -> Ran:
    """Run a command in a small environment; `env` is added to it."""
    whole = {"PATH": os.environ["PATH"] if path is None else path, "HOME": "/nonexistent", **(env or {})}
    done = subprocess.run(command, check=False, capture_output=True, env=whole, cwd=cwd, timeout=60)
    said = json.loads(done.stdout) if done.stdout.startswith(b"{") else None
    return Ran(done.returncode, said, done.stderr.decode("utf-8", "replace"))
