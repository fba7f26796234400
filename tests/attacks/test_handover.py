"""What a caller's environment says to root: nothing in it may stand for a verification that was not made."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

_MAIN = "import sys; from bootstrap import cli; sys.argv = sys.argv[1:]; sys.exit(cli.main())"
_NAMES = (
    "AIRFERRY_BUNDLE_FD", "AIRFERRY_PASSWORD_FD", "AIRFERRY_POSTGRES_FD", "AIRFERRY_POSTGRES_ADMIN_FD",
    "AIRFERRY_POSTGRES_CERTIFICATE_FD", "AIRFERRY_SERVICES_FD",
)  # fmt: skip


def test_a_variable_skips_no_verification(tmp_path: Path, tiny_bundle: Path) -> None:
    """A changed member; AIRFERRY_BUNDLE_FD once said that root had read it all already."""
    damaged = tmp_path / "airflow.run"
    shutil.copy(tiny_bundle, damaged)
    content = bytearray(damaged.read_bytes())
    place = content.index(b"def main():")  # of the runtime that the bundle carries
    content[place] ^= 1
    damaged.write_bytes(content)
    home = tmp_path / "home"
    with damaged.open("rb") as stream:
        said = {name: str(stream.fileno()) for name in _NAMES}
        done = subprocess.run(
            [sys.executable, "-c", _MAIN, damaged, "install", "--home", home, ],
            env={**os.environ, **said, "AIRFERRY_BUNDLE_NAME": str(damaged), "AIRFERRY_PYTHON_FROM": "host",
                 "AIRFERRY_CA_FILE": ""},
            check=False, capture_output=True, text=True, pass_fds=(stream.fileno(),), timeout=120,
        )  # fmt: skip
    assert "[bundle-damaged]" in done.stderr
    assert not home.exists()
