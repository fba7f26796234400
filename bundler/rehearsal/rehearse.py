"""Rehearsing a bundle on the internet host: the real install, without a network, in a scratch home.

What an admin gets one try for inside is tried here first. The result is written beside the bundle.
"""

from __future__ import annotations

import json
import os
import platform
import pwd
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bootstrap.base import process
from bootstrap.base.process import CommandFailed, Completed
from bootstrap.doctor.checks.home import HOME_VOLATILE
from bootstrap.state.plan import Done
from bundler.base.isolation import IsolationUnavailable
from bundler.rehearsal import guard as guarding
from bundler.rehearsal.outcome import SCHEMA, Rehearsal
from wheelhouse import addon, codec, timestamp
from wheelhouse.errors import AirferryError
from wheelhouse.reader import Bundle
from wheelhouse.verify import verify

# PostgreSQL refuses root, and an account made for a rehearsal would stay behind.
_ACCOUNT = "nobody"
_SECONDS = 1800.0
_GUARD = (
    "guard (weaker than a namespace): connections of Python beyond loopback were refused, those made "
    "by compiled code were not seen"
)
# The child's environment is ours to make, so it is told where this package lies.
_CUT_OFF = (
    "import sys; sys.path.insert(0, sys.argv.pop(1));"
    " from bundler.base.isolation import main; main(sys.argv[1:])"
)


class RehearsalFailed(AirferryError):
    """The bundle did not install or run here; the log lies beside it."""

    reference = "rehearsal-failed"
    exit_code = 46


def rehearse(file: Path, python: str = "") -> Rehearsal:
    """Install the bundle in a scratch home, run the example pipeline, stop, and remove everything.

    `python` names the interpreter (default: as on the closed host, the one that fits). Raises
    BundleDamaged, :class:`RehearsalFailed`.
    """
    with Bundle.open(file) as bundle:
        addon.refuse(file.name, bundle.manifest)
        verify(bundle)
        identity, digest = bundle.manifest.bundle_id, bundle.seal.sha256
    scratch = Path(tempfile.mkdtemp(prefix="airferry-rehearsal-", dir="/var/tmp"))
    try:
        started = time.monotonic()
        isolation, said = _install(file, scratch, python)
        seconds = time.monotonic() - started
        rehearsal = Rehearsal(
            schema=SCHEMA,
            ok=True,
            file=file.name,
            bundle_id=identity,
            sha256=digest,
            isolation=isolation,
            host=f"{platform.machine()}, {' '.join(platform.libc_ver())}",
            python=said["receipt"]["python"],
            finished=timestamp.now(),
            seconds=round(seconds, 1),
            steps=tuple(codec.decode(Done, step) for step in said["steps"]),
        )
    except CommandFailed as error:
        raise _failed(file, scratch, error) from error
    finally:
        _clear(scratch)
    _beside(file, ".rehearsal.json").write_text(rehearsal.dumps(), encoding="utf-8")
    return rehearsal


def _install(file: Path, scratch: Path, python: str) -> tuple[str, dict[str, Any]]:
    home = scratch / "home"
    home.mkdir()
    user: list[str] = []
    if os.geteuid() == 0:
        account = pwd.getpwnam(_ACCOUNT)
        scratch.chmod(0o755)
        os.chown(home, account.pw_uid, account.pw_gid)
        # the bundle may lie where only root can look
        file = Path(shutil.copy(file, scratch / file.name))
        file.chmod(0o644)
        user = ["--user", _ACCOUNT]
    options = ["install", "--home", str(home), "--json", "--ignore", HOME_VOLATILE.id]
    named = ["--python", python] if python else []
    env = process.environment({"HOME": str(home)})
    start = [sys.executable, "-c", _CUT_OFF, str(Path(__file__).resolve().parents[1])]

    def run(arguments: list[str], *ok: int) -> Completed:
        what = "install the bundle in the rehearsal"
        return process.run(
            [*start, *arguments], what=what, env=env, cwd=scratch, timeout=_SECONDS, ok=(0, *ok)
        )

    result = run([*user, "sh", str(file), *options, *named], IsolationUnavailable.exit_code)
    isolation = "namespace"
    if result.status == IsolationUnavailable.exit_code:
        isolation = f"{_GUARD} ({result.stderr.strip()})"
        guard = Path(shutil.copy(guarding.__file__, scratch / "guard.py"))
        # The one that the bundle would choose is asked for, and started with the guard before the bundle.
        plan = run(["--open", *user, "sh", str(file), *options, *named, "--dry-run"])
        chosen = json.loads(plan.stdout)["result"]["receipt"]["python"]
        guarded = [chosen, "-I", "-S", "-X", "utf8", str(guard), str(home), str(file)]
        result = run(["--open", *user, *guarded, *options, "--python", chosen])
    said: dict[str, Any] = json.loads(result.stdout)["result"]
    return isolation, said


def _failed(file: Path, scratch: Path, error: CommandFailed) -> RehearsalFailed:
    log = scratch / "home" / "logs" / "airferry" / "install.log"
    kept = _beside(file, ".rehearsal.log")
    if log.exists():
        shutil.copy(log, kept)
    return RehearsalFailed(
        f"{file.name} does not install and run on this machine.",
        found=error.found,
        hint=(f"The log of the install is {kept}. " if log.exists() else "")
        + "A bundle for another machine is rehearsed on a machine like that one.",
    )


def _clear(scratch: Path) -> None:
    command = scratch / "home" / "bin" / "airferry"
    if command.exists():
        env = process.environment()
        process.run([command, "stop"], what="stop the rehearsal", env=env, ok=range(256), timeout=120)
    shutil.rmtree(scratch, ignore_errors=True)


def _beside(file: Path, suffix: str) -> Path:
    return file.with_name(file.name + suffix)
