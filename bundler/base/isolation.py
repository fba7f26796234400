"""Running a command on this machine as on a closed host: in a network namespace of its own, without a route.

network_namespaces(7), user_namespaces(7), netdevice(7).
"""

from __future__ import annotations

import ctypes
import fcntl
import functools
import os
import pwd
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

from bootstrap.base import process
from wheelhouse.errors import AirferryError

_CLONE_NEWUSER = 0x10000000
_CLONE_NEWNET = 0x40000000
_SIOCGIFFLAGS = 0x8913
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 0x1
# isolated, but for the place of this program
_CODE = (
    f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r});"
    " from bundler.base.isolation import main; main(sys.argv[1:])"
)
_COMMAND = (sys.executable, "-I", "-c", _CODE)


class IsolationUnavailable(AirferryError):
    """This machine does not let us make a network namespace."""

    reference = "isolation-unavailable"
    exit_code = 28


def cut_off() -> None:
    """Leave this process, and all that it starts, with a loopback interface and nothing else.

    An ordinary user needs user namespaces and stays the same user inside. Raises
    :class:`IsolationUnavailable`.
    """
    user, group = os.geteuid(), os.getegid()
    flags = _CLONE_NEWNET if user == 0 else _CLONE_NEWNET | _CLONE_NEWUSER
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        reason = os.strerror(ctypes.get_errno())
        raise IsolationUnavailable(
            "This machine does not allow a network namespace.",
            found=f"unshare(2): {reason}",
            needed="root, or unprivileged user namespaces",
            hint="Run it as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1).",
        )
    if user != 0:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", 0)
        (current,) = struct.unpack_from("H", fcntl.ioctl(control, _SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", current | _IFF_UP))


@functools.cache
def unavailable() -> str:
    """Why this machine does not allow a network namespace; empty where it does."""
    try:
        process.run([*_COMMAND, "true"], what="make a network namespace", timeout=60)
    except process.CommandFailed as error:
        return (error.found or error.message).strip()
    return ""


def prefix() -> tuple[str, ...]:
    """What stands before a command that runs without a network; empty where that is not allowed."""
    return () if unavailable() else _COMMAND


def main(arguments: Sequence[str]) -> None:
    """``python -m bundler.base.isolation [--open] [--user NAME] COMMAND...``: cut it off.

    With ``--open`` it is not cut off, and only becomes the user.
    """
    command = list(arguments)
    account = None
    open_ = command[:1] == ["--open"]
    if open_:
        command = command[1:]
    if command[:1] == ["--user"]:
        account = pwd.getpwnam(command[1])
        command = command[2:]
    try:
        if not open_:
            cut_off()
    except IsolationUnavailable as error:
        sys.stderr.write(f"{error.message} {error.found}. {error.hint}\n")
        raise SystemExit(IsolationUnavailable.exit_code) from error
    if account:
        os.setgroups([account.pw_gid])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
    os.execvp(command[0], command)  # noqa: S606


if __name__ == "__main__":
    main(sys.argv[1:])
