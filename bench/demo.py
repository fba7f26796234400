"""What ``make demo`` runs: the whole crossing on one machine, the inside half with the network cut off."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from bundler.base.isolation import IsolationUnavailable, cut_off

ROOT = Path(__file__).resolve().parent.parent
SCRATCH = ROOT / ".demo"


def main() -> int:
    """Bundle, cut off, install, then start again with the network back so that a browser reaches it."""
    # root's half makes a system account, which cannot see into a private checkout
    home = Path("/opt/airferry-demo") if os.geteuid() == 0 else SCRATCH / "home"
    say("1. Outside: airferry bundle")
    run([sys.executable, "-m", "bundler", "bundle", "--output", str(SCRATCH)])
    bundle = max(SCRATCH.glob("*.run"), key=lambda path: path.stat().st_mtime)

    say(f"2. Inside, without a network: sh {bundle.name} install --home {home}")
    child = os.fork()
    if child == 0:
        try:
            cut_off()
        except IsolationUnavailable as error:
            say(f"   The network is NOT cut off: {error.found}. {error.hint}")
        os.execvp("sh", ["sh", str(bundle), "install", "--home", str(home), "--yes"])
    _, status = os.waitpid(child, 0)
    if status:
        return os.waitstatus_to_exitcode(status)

    say("3. The same installation with the network back, so that a browser on this machine reaches it")
    run([str(home / "bin" / "airferry"), "stop"])
    run([str(home / "bin" / "airferry"), "start"])
    run([str(home / "bin" / "airferry"), "status"])
    password = (home / "secrets" / "admin-password").read_text(encoding="utf-8").strip()
    say(f"Log in as admin with the password {password}")
    say(f"To end the demonstration: {home}/bin/airferry uninstall --purge --yes; rm -rf {SCRATCH}")
    return 0


def run(command: list[str]) -> None:
    """Run one command of the demonstration; its failure is ours."""
    finished = subprocess.run(command, check=False)
    if finished.returncode:
        raise SystemExit(finished.returncode)


def say(text: str) -> None:
    """Print a headline."""
    print(text, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
