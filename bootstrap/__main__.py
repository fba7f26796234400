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


def stop(what, hint):
    sys.stderr.write("airferry: %s\n" % what)
    sys.stderr.write("  found:  %s is Python %d.%d.%d\n" % ((sys.executable,) + tuple(sys.version_info[:3])))
    sys.stderr.write("  needed: CPython %d.%d or newer with its whole standard library\n" % NEEDED)
    sys.stderr.write("  %s\n" % hint)
    raise SystemExit(10)


def isolate():
    """Start again without the host's Python settings, unless started that way."""
    flags = sys.flags
    if flags.isolated and flags.no_site and flags.utf8_mode:
        return
    # sys.argv[0] is the file (or folder) that Python was asked to run.
    command = [sys.executable, "-I", "-S", "-X", "utf8", sys.argv[0]] + sys.argv[1:]
    os.execv(sys.executable, command)


def main():
    if sys.version_info < NEEDED:
        stop(
            "this Python is too old to run it (python-version); nothing was changed",
            "Use sh instead of python: it looks for a Python that fits. Or name one: sh FILE --python PATH",
        )
    missing = []
    for name in ("zlib", "zipfile", "json", "shutil", "tempfile", "subprocess", "typing"):
        try:
            __import__(name)
        except ImportError as error:
            missing.append("%s (%s)" % (name, error))
    if missing:
        stop(
            "this Python lacks parts of its standard library (python-incomplete): %s" % ", ".join(missing),
            "On Debian install python3 and not only python3-minimal; a Python compiled by hand needs the"
            " headers of zlib (zlib1g-dev, zlib-devel) when it is built.",
        )
    isolate()
    if os.path.isfile(HERE):
        sys.path.insert(0, os.path.join(HERE, "runtime"))
    from bootstrap.cli import main as run

    raise SystemExit(run())


if __name__ == "__main__":
    main()
