"""Bytecode that a full disk or a power cut has cut off: found, and removed, for Python makes it anew.

An interpreter keeps what it has compiled beside each module (PEP 3147). Until 3.12.8 and 3.13.1 it did not
notice that only a part of it fitted on the disk; then the module cannot be imported any more, for ever:
``EOFError: marshal data too short``.
"""

from __future__ import annotations

from pathlib import Path
from typing import List

from bootstrap.base import process
from bootstrap.installed.installation import Installation

# only what this very interpreter would read; one of another magic number is left alone by Python, too
_SCRIPT = """
import marshal, os, sys
from _frozen_importlib_external import MAGIC_NUMBER
ending = "." + sys.implementation.cache_tag + ".pyc"
for root in sys.argv[2:]:
    for folder, _, names in os.walk(root):
        if os.path.basename(folder) != "__pycache__" and os.path.basename(root) != "bytecode":
            continue
        for name in names:
            if not name.endswith(ending):
                continue
            path = os.path.join(folder, name)
            try:
                with open(path, "rb") as stream:
                    content = stream.read()
                if content[:4] != MAGIC_NUMBER:
                    continue
                try:
                    marshal.loads(content[16:])
                except (EOFError, ValueError, TypeError):
                    if sys.argv[1] == "remove":
                        os.unlink(path)
                    print(path)
            except OSError:
                pass
"""


def damaged(installation: Installation) -> List[str]:
    """The files with bytecode that this installation's interpreter cannot read; none when it does not run."""
    return _look(installation, "find")


def mend(installation: Installation) -> List[str]:
    """Remove those files, and return them; what cannot be removed stays."""
    return _look(installation, "remove")


def compile_runtime(installation: Installation, log: Path) -> None:
    """Compile airferry's own modules: nothing is written there later, and no full disk can harm them."""
    runtime = installation.release.runtime
    process.run(
        [installation.release.python, "-I", "-S", "-m", "compileall", "-q", runtime],
        what="compile airferry's own modules",
        env=installation.services.env,
        log=log,
    )
    _run(installation, "remove", [runtime])


def _look(installation: Installation, what: str) -> List[str]:
    home, carried = installation.home, installation.receipt.carried_python
    own = [home.dags, home.path / "plugins"]
    if installation.receipt.is_roots:
        return _run(installation, what, [home.bytecode, *own])
    folders = [installation.release.path, *own]
    return _run(installation, what, [*folders, carried] if carried else folders)


def _run(installation: Installation, what: str, folders: List[Path]) -> List[str]:
    try:
        ran = process.run(
            [installation.release.python, "-I", "-S", "-B", "-X", "utf8", "-c", _SCRIPT, what, *folders],
            what="look at the bytecode",
            env=installation.services.env,
        )
    except process.CommandFailed:
        return []  # without an interpreter there is nothing that would read it
    return ran.stdout.splitlines()
