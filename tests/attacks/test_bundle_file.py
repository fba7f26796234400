"""The bundle is exchanged between the check and the run: what was verified is what runs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import bundles
from tests.support.accounts import NOBODY, Folder
from wheelhouse import header, writer
from wheelhouse.manifest import CarriedPython
from wheelhouse.writer import Member

# the other file takes the name as soon as the digest was taken
_HASH = """#!/bin/sh
{openssl} "$@"
mv -f {evil} {bundle} 2>/dev/null
exit 0
"""


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl on this machine")
def test_file_that_is_exchanged_after_its_digest_is_not_run(tmp_path: Path) -> None:
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    bundle = bundles.write(tmp_path / "airflow.run", minor)
    evil = tmp_path / "evil.run"
    command_line = bundles.CLI.replace(b'"argv"', b'"evil"')
    writer.write(evil, bundles.manifest(minor), bundles.members(command_line), timestamp=bundles.STAMP)
    # it says the digest of the other: whoever believes sh believes that
    with bundle.open("rb") as stream:
        seal = header.read_seal(stream)
    assert seal
    content = evil.read_bytes()
    content = content[: seal.offset] + seal.sha256.encode() + content[seal.offset + 64 :]
    evil.write_bytes(content)
    programs = tmp_path / "bin"
    programs.mkdir()
    text = _HASH.format(openssl=shutil.which("openssl"), evil=evil, bundle=bundle)
    (programs / "openssl").write_text(text)
    (programs / "openssl").chmod(0o755)
    done = subprocess.run(
        ["sh", bundle, f"--python={sys.executable}", "doctor"],
        env={"PATH": f"{programs}:{os.environ['PATH']}", "HOME": "/nonexistent"},
        check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert not evil.exists()
    assert bundle.read_bytes() == content
    said = json.loads(done.stdout)
    assert "evil" not in said
    assert said["file"] == str(bundle)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has more to lose than the account")
def test_root_unpacks_no_interpreter_into_a_folder_of_the_accounts(tmp_path: Path) -> None:
    """Beside the home, where the account could exchange it between the check and the start."""
    with Folder() as folder:
        os.chown(folder, NOBODY, -1)
        tar = tmp_path / "tar"
        watched = tmp_path / "where"
        tar.write_text(f"#!/bin/sh\npwd >>{watched}\nexit 1\n")
        tar.chmod(0o755)
        content = b"an archive"
        name = "python/cpython-3.11.9.tar.gz"
        digest = hashlib.sha256(content).hexdigest()
        carried = CarriedPython("3.11.9", name, len(content), digest, "", 3000, "")
        bundle = bundles.write(tmp_path / "airflow.run", extra=[Member(name, content)], carried=carried)
        subprocess.run(
            ["sh", bundle, "install", "--python", "carried", f"--home={folder}/home"],
            env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": "/nonexistent"},
            check=False, capture_output=True, timeout=60,
        )  # fmt: skip
    places = watched.read_text().split()
    assert places
    assert not [place for place in places if place.startswith(str(folder))]
