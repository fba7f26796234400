"""The commands of an installation, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

from bootstrap.state.home import Home

ROOT = Path(__file__).parents[2]
# for a test whose /etc is its own
PLAIN = "import sys; from bootstrap import cli; sys.argv[0] = '.'; sys.exit(cli.main())"
# as tests/support/surroundings.py closes the host for a test's own process; before others import these
CODE = """
import os, sys
from pathlib import Path
from bootstrap.services import control
from bootstrap.state import home, registry, shortcut
folder = Path(os.environ["HOME"])
registry.SYSTEM = folder / "etc" / "airferry" / "installations.d"
home.ROOT_HOMES = folder / "opt"
shortcut.FOLDER = folder / "usr" / "local" / "bin"
control.SYSTEM_UNITS = folder / "etc" / "systemd" / "system"
from bootstrap import cli
sys.argv[0] = "."
sys.exit(cli.main())
"""


def run(home: Home, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CODE, *arguments, "--home", str(home.path)]
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, **more}
    return subprocess.run(command, cwd=ROOT, check=False, **options)
