"""The guard of rehearsals: what it refuses is what a host without a network refuses."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

from bundler.rehearsal import guard
from tests.support import pythons

# What a bundle would do: make a virtual environment, and start its Python; the network is tried in both.
TRY = """
import errno, json, socket, sys

def outcome(work):
    try:
        work()
    except socket.gaierror as error:
        return "gaierror " + str(error.errno == socket.EAI_AGAIN)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "ok"

def datagram(host):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(b"x", (host, 9))

server = socket.create_server(("127.0.0.1", 0))
port = server.getsockname()[1]
tries = {
    "loopback": outcome(lambda: socket.create_connection(("127.0.0.1", port), 5).close()),
    "localhost": outcome(lambda: socket.create_connection(("localhost", port), 5).close()),
    "own name": outcome(lambda: socket.getaddrinfo(socket.gethostname(), 80)),
    "address": outcome(lambda: socket.create_connection(("192.0.2.1", 80), 5).close()),
    "address 6": outcome(lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 80))),
    "datagram": outcome(lambda: datagram("192.0.2.1")),
    "name": outcome(lambda: socket.create_connection(("example.test", 80), 5).close()),
    "old name": outcome(lambda: socket.gethostbyname("example.test")),
}
"""
BUNDLE = (
    TRY
    + """
import subprocess, venv
from pathlib import Path
place = Path(sys.argv[2]) / "releases" / "1" / "venv"
venv.create(str(place), symlinks=True, with_pip=False)
command = [str(place / "bin" / "python"), "-I", sys.argv[3]]
inside = subprocess.run(command, stdout=subprocess.PIPE, check=True)
print(json.dumps({"argv": sys.argv[1:2], "outside": tries, "inside": json.loads(inside.stdout)}))
"""
)
ENDS = [*pythons.fitting()[:1], *pythons.fitting()[1:][-1:]]


@pytest.mark.parametrize("python", ENDS, ids=lambda item: item.minor)
def test_only_loopback_is_left_in_every_python(python: pythons.Python, tmp_path: Path) -> None:
    bundle = tmp_path / "b.run"
    with bundle.open("wb") as stream:
        stream.write(b"#!/bin/sh\n")
        with zipfile.ZipFile(stream, "a") as archive:
            archive.writestr("__main__.py", BUNDLE)
    tries = tmp_path / "tries.py"
    tries.write_text(TRY + "print(json.dumps(tries))\n")
    alone = shutil.copy(guard.__file__, tmp_path / "guard.py")
    home = tmp_path / "home"
    command = [python.path, "-I", "-S", "-X", "utf8", alone, home, bundle, "install", home, tries]
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["argv"] == ["install"]
    expected = {
        "loopback": "ok",
        "localhost": "ok",
        "own name": "ok",
        "address": "ENETUNREACH",
        "address 6": "ENETUNREACH",
        "datagram": "ENETUNREACH",
        "name": "gaierror True",
        "old name": "gaierror True",
    }
    assert said["outside"] == expected
    assert said["inside"] == expected


def test_what_is_near() -> None:
    near = ("127.0.0.1", "127.8.9.1", "::1", "::", "0.0.0.0", "localhost", b"localhost", None, "")
    far = ("fe80::1%eth0", "10.0.0.1", "localhost.example.test", b"example.test", "127.1")
    assert [host for host in (*near, *far) if guard.is_near(host)] == list(near)
