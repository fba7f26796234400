"""The directory that an installation takes its logins from: what is set, and a look at it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Tuple

from bootstrap.airflow import login_modules
from bootstrap.airflow.command import source
from bootstrap.base import process, secret
from bootstrap.base.secret import Secret
from bootstrap.installed.installation import Installation
from bootstrap.site import directory
from bootstrap.site.directory import Directory


@dataclass(frozen=True)
class Person:
    """An account that was looked up: the entry's `dn` ("" where there is not exactly one), and `roles`."""

    name: str
    dn: str
    entries: int
    roles: Tuple[str, ...]


@dataclass(frozen=True)
class Look:
    """What the directory has said. `problem` is a kind ("": none) and `said` its words.

    Kinds are module, server, tls, credentials, base, filter and rights. `kind` is ad or ldap, `uid` the
    attribute with the name at the login, `groups` have the number of their members, -1 where there is none.
    """

    problem: str = ""
    said: str = ""
    kind: str = ""
    uid: str = ""
    groups: Dict[str, int] = field(default_factory=dict)
    people: Tuple[Person, ...] = ()


def text(installation: Installation) -> str:
    """``webserver_config.py`` as it is; "" for none."""
    with contextlib.suppress(FileNotFoundError):
        return (installation.home.path / login_modules.FILE).read_text(encoding="utf-8")
    return ""


def settings(installation: Installation) -> Optional[Directory]:
    """What is set; None for nothing of ours. Raises ValueError for a block that cannot be read."""
    found = text(installation)
    return directory.read(found) if directory.BEGIN in found else None


def look(
    installation: Installation,
    found: Directory,
    password: Optional[Secret] = None,
    names: Tuple[str, ...] = (),
) -> Look:
    """Bind, look at the groups, and look up people; raises CommandFailed where the Python does not start.

    Without `password` it is the one that is kept.
    """
    kept = password or secret.read(installation.home.path / directory.PASSWORD)
    asked: Dict[str, Any] = {
        "server": found.url,
        "start_tls": found.start_tls,
        "ca": found.ca,
        "base": found.base,
        "bind_user": found.bind_user,
        "bind_password": kept.reveal(),
        "uid": found.uid,
        "kind": found.kind,
        "filter": found.filter,
        "groups": found.mapping,
        "users": list(names),
        "seconds": 5,
    }
    said = process.run(
        [installation.release.python, "-I", "-c", source("ldapdirectory.py")],
        what="look at the directory",
        env=installation.airflow.environment(),
        stdin=Secret(json.dumps(asked)),
        secrets=[kept],
        timeout=60,
    ).stdout
    answer: Dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    if "problem" in answer:
        return Look(answer["problem"], answer["said"])
    people = tuple(_person(found, name, entry) for name, entry in answer["users"].items())
    return Look(kind=answer["kind"], uid=answer["uid"], groups=answer["groups"], people=people)


def _person(found: Directory, name: str, entry: Dict[str, Any]) -> Person:
    roles: List[str] = [found.mapping[dn] for dn in entry["groups"]]
    return Person(name, entry["dn"], entry["entries"], tuple(dict.fromkeys([*roles, found.others])))
