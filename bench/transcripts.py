"""Transcripts of every verb: real runs in a terminal of 80x24, written as pages of docs/.

``python -m bench.transcripts SCENE FILE`` (root, tmux, unshare) goes into namespaces of its own, with no
network and no other Airflow in sight, types each verb as an admin would, and writes what tmux shows. The
scenes are in bench/scenes.py: ``daily``, ``site`` (slapd, krb5kdc; a bundle with python-ldap), ``workers``
(one with Edge), ``takeover``, ``upgrade`` (``--older``: an older bundle) and ``approval``.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.scenes import SCENES
from bench.stage import ROOT, Stage


def prepare(scratch: Path, *, outside: bool) -> None:
    """Make this mount namespace look like a fresh host: nothing below /opt, /root, /usr/local; a name."""
    # what airferry itself runs on may lie below /root
    for place in ("/etc", "/usr/local", "/opt", *([] if outside else ["/root"]), "/home", "/var/lib"):
        upper, work = (
            scratch / place.strip("/").replace("/", "-"),
            scratch / f"{place.strip('/').replace('/', '-')}.work",
        )
        lower = place if place in ("/etc", "/var/lib") else str(scratch / "empty")
        for folder in (upper, work, scratch / "empty"):
            folder.mkdir(exist_ok=True)
        options = f"lowerdir={lower},upperdir={upper},workdir={work}"
        subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", place], check=True)
    # too small a disk, of which doctor speaks
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=300m,mode=755", "tmpfs", "/srv"], check=True)
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    network = "link add lan type veth peer name far", "addr add 10.20.30.40/24 dev lan"
    for words in (*network, "link set lan up", "link set far up"):
        subprocess.run(["ip", *words.split()], check=True)
    subprocess.run(["hostname", "airflow-01"], check=True)
    with Path("/etc/hosts").open("a", encoding="utf-8") as stream:
        stream.write("10.20.30.40 airflow-01\n127.0.0.1 mail.example\n")
    for path in ("/etc/pip.conf", "/etc/xdg/pip/pip.conf"):
        Path(path).unlink(missing_ok=True)


def main() -> int:
    """Enter namespaces of our own, and record there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scene", choices=SCENES)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--older", type=Path, help="a bundle of an older Airflow, which is upgraded")
    parser.add_argument("--pictures", type=Path, help="a folder for the screens with their colours")
    parser.add_argument("--keep", action="store_true", help="wait for a line on stdin before the end")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inside:
        scene = SCENES[given.scene]
        prepare(given.inside, outside=scene.outside)
        stage = Stage(scene, given.bundle, given.older, given.pictures)
        try:
            scene.play(stage)
            if given.keep:
                sys.stdin.readline()
        finally:
            stage.close()
        return 0
    with tempfile.TemporaryDirectory(prefix="airferry-transcripts-", dir="/var/tmp") as scratch:
        Path(scratch).chmod(0o755)
        again = [sys.executable, "-m", "bench.transcripts", given.scene, str(given.bundle.resolve())]
        again += ["--inside", scratch, *(["--keep"] if given.keep else [])]
        for option, path in (("--older", given.older), ("--pictures", given.pictures)):
            again += [option, str(path.resolve())] if path else []
        spaces = ["unshare", "--mount", "--net", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc"]
        return subprocess.run([*spaces, *again], check=False, cwd=ROOT).returncode


if __name__ == "__main__":
    raise SystemExit(main())
