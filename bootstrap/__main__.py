"""Stage 0: the first Python that runs, in a bundle or in an unpacked runtime.

It must parse on every Python that an admin may type (2.7 included), so that an old one is told so in a
sentence; it needs nothing but ``sys`` and ``os``, and is stored uncompressed, so that an interpreter
without zlib is told so as well.
"""

import os
import sys

# bundle: FILE/__main__.py, the runtime beside it; unpacked: HOME/releases/ID/runtime/__main__.py
HERE = os.path.dirname(os.path.abspath(__file__))
NEEDED = (3, 8)


def stop(what, found, needed, hint):
    sys.stderr.write("airferry: %s\n" % what)
    sys.stderr.write("  found:  %s\n" % found)
    sys.stderr.write("  needed: %s\n" % needed)
    sys.stderr.write("  %s\n" % hint)
    raise SystemExit(10)


def this_python():
    return "%s is Python %d.%d.%d" % ((sys.executable,) + tuple(sys.version_info[:3]))


def isolate():
    """Start again without the host's Python settings, unless started that way."""
    flags = sys.flags
    if flags.isolated and flags.no_site and flags.utf8_mode:
        return
    # Without PATH in the environment Python does not know its own name.
    python = sys.executable or os.path.realpath("/proc/self/exe")
    # sys.argv[0] is the file (or folder) that Python was asked to run.
    os.execv(python, [python, "-I", "-S", "-X", "utf8", sys.argv[0]] + sys.argv[1:])


def check(path):
    """Compare the file with its seal (wheelhouse/header.py) before anything else in it is believed."""
    import hashlib
    import re

    hasher = hashlib.sha256()
    with open(path, "rb") as stream:
        head = stream.read(65536)
        said = re.search(b"^# airferry-sha256: ([0-9a-f]{64})$", head, re.MULTILINE)
        # the digest that sh took, if it could
        if said and sys._xoptions.get("sealed") == said.group(1).decode():
            return
        start = said.start(1) if said else 0
        hasher.update(head[:start] + b"0" * 64 + head[start + 64 :])
        for chunk in iter(lambda: stream.read(1 << 20), b""):
            hasher.update(chunk)
    if not said or hasher.hexdigest() != said.group(1).decode():
        stop(
            "this file is damaged, nothing was changed (bundle-damaged)",
            "sha256 %s" % hasher.hexdigest(),
            "sha256 %s" % (said.group(1).decode() if said else "in the header"),
            "Copy it again from the medium, then compare: sha256sum -c %s.sha256"
            % os.path.basename(getattr(sys, "_xoptions", {}).get("file", path)),
        )


def clean_up(folder):
    """Remove the interpreter that sh unpacked for this run alone, and that runs this, when it ends."""
    import atexit
    import shutil
    import signal

    owner = os.getpid()

    def remove():
        # a child that root lent to the service account ends before its parent does
        if os.getpid() == owner:
            shutil.rmtree(folder, ignore_errors=True)

    def end(number, frame):
        raise SystemExit(128 + number)

    atexit.register(remove)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, end)


def main():
    unpacked = getattr(sys, "_xoptions", {}).get("unpacked")
    if unpacked:
        clean_up(unpacked)
    whole = "CPython %d.%d or newer with its complete standard library" % NEEDED
    if sys.version_info < NEEDED:
        stop(
            "this Python is too old to run it (python-version); nothing was changed",
            this_python(),
            whole,
            "Use sh instead of python: it looks for a Python that fits. Or name one: sh FILE --python PATH",
        )
    isolate()
    missing = []
    for name in ("zlib", "zipfile", "json", "hashlib", "shutil", "tempfile", "subprocess", "typing"):
        try:
            __import__(name)
        except ImportError as error:
            missing.append("%s (%s)" % (name, error))
    if missing:
        stop(
            "this Python lacks parts of its standard library (python-incomplete): %s" % ", ".join(missing),
            this_python(),
            whole,
            "On Debian install python3 and not only python3-minimal; a Python compiled by hand needs the"
            " headers of zlib (zlib1g-dev, zlib-devel) when it is built.",
        )
    if os.path.isfile(HERE):
        check(HERE)
        sys.path.insert(0, os.path.join(HERE, "runtime"))
    from bootstrap.cli import main as run

    raise SystemExit(run())


if __name__ == "__main__":
    main()
