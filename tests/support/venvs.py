"""Virtual environments with packages from the index, made once a session."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from uv import find_uv_bin


def make(folder: Path, *requirements: str) -> Path:
    """Make a venv of the interpreter that runs the tests, and return its Python; needs an index."""
    uv = find_uv_bin()
    # The index may need a certificate that only this machine knows (the switch has had two names).
    env = {**os.environ, "UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"}
    base = getattr(sys, "_base_executable", sys.executable)
    for command in (
        [uv, "venv", "--quiet", "--python", base, str(folder)],
        [uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *requirements],
    ):
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=env)
        if done.returncode:
            raise RuntimeError(f"{command}: {done.stderr}")
    return folder / "bin" / "python"
