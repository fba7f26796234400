"""Rights for one account beside owner and group (acl(5)): for what is root's, and that account may use."""

from __future__ import annotations

import grp
import os
import pwd
import struct

from bootstrap.base.account import Account, AccountError

READ, ALL = 4, 7
_ATTRIBUTE = "system.posix_acl_access"
# as the kernel has it (linux/posix_acl_xattr.h): a version, then tag, rights and number of each entry
_VERSION = struct.pack("<I", 2)
_ENTRY = struct.Struct("<HHI")
_OWNER, _USER, _GROUP, _MASK, _OTHERS = 0x01, 0x02, 0x04, 0x10, 0x20
_NOBODY = 0xFFFFFFFF


def share(descriptor: int, mode: int, account: Account, rights: int) -> None:
    """Make an open file or folder root's with `mode`, and give `account` these rights in it and nobody else.

    Where the filesystem has no such entries, the account's group gets them, if the account is alone in it.
    Raises AccountError.
    """
    os.fchown(descriptor, 0, 0)
    os.fchmod(descriptor, mode)
    owner, group, others = mode >> 6 & 7, mode >> 3 & 7, mode & 7
    entries = (
        (_OWNER, owner, _NOBODY),
        (_USER, rights, account.uid),
        (_GROUP, group, _NOBODY),
        (_MASK, rights | group, _NOBODY),
        (_OTHERS, others, _NOBODY),
    )
    try:
        os.setxattr(descriptor, _ATTRIBUTE, _VERSION + b"".join(_ENTRY.pack(*item) for item in entries))
    except OSError as error:
        if not is_alone(account):
            raise AccountError(
                f"Root cannot share {os.readlink(f'/proc/self/fd/{descriptor}')} with {account.name} alone.",
                found=f"no access control lists there ({error.strerror}), and others in the group of"
                f" {account.name}",
                needed="a filesystem with such lists (acl(5)), or an account with a group of its own",
                hint="Choose another folder with --home, or another account with --account.",
            ) from error
        os.fchown(descriptor, 0, account.gid)
        os.fchmod(descriptor, mode | rights << 3)


def is_alone(account: Account) -> bool:
    """Whether nobody else is in the account's own group, as far as this host lists its accounts."""
    try:
        members = set(grp.getgrgid(account.gid).gr_mem)
    except KeyError:
        members = set()
    same = {entry.pw_name for entry in pwd.getpwall() if entry.pw_gid == account.gid}
    return (members | same) <= {account.name}
