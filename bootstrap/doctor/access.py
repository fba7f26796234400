"""Whether an account gets past the folders on the way to a path."""

from __future__ import annotations

from typing import Optional, Sequence, Tuple

from bootstrap.facts.access import Gate
from bootstrap.facts.account import AccountFacts, User
from bootstrap.facts.host import Facts


def service_user(facts: Facts, account: str) -> Tuple[bool, Optional[User]]:
    """Whether another account than the one that asks will run everything, and that account if it is there."""
    accounts = facts.account or AccountFacts(User("", 0, 0))
    if account in ("", accounts.me.name):
        return False, accounts.me
    return True, accounts.service


def closed(gates: Sequence[Gate], user: Optional[User], needed: int = 0o1) -> Optional[Gate]:
    """The first gate that `user` cannot pass; None for the user means an account that will be made.

    `needed` are the permission bits: 1 to pass, 3 to make files there.
    """
    for gate in gates:
        if user is not None and user.uid == 0:
            return None
        if user is not None and user.uid == gate.uid:
            passes = gate.mode >> 6 & needed
        elif user is not None and gate.gid in (user.gid, *user.groups):
            passes = gate.mode >> 3 & needed
        else:
            passes = 0
        if passes != needed:
            return gate
    return None
