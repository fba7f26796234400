"""Facts as a text file: collected inside, carried out, judged outside."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List

from bootstrap.base import smallfile
from bootstrap.facts.host import SCHEMA, Facts
from wheelhouse import codec, text
from wheelhouse.errors import AirferryError

# accounts that every host has, and that say nothing about who works there
_COMMON = {"", "root", "airflow", "postgres", "nobody"}

_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){0,4}[A-Za-z0-9.+~_-]{0,60}")
_MOST = 2**22  # bytes; a host of many programs has some 100,000


class FactsUnreadable(AirferryError):
    """A file that holds no facts, or those of a newer airferry."""

    reference = "facts-unreadable"
    exit_code = 2


def save(facts: Facts, path: Path, *, redacted: bool = False) -> None:
    """Write the facts to `path`, replacing the file; raises :class:`FactsUnreadable` when it cannot be."""
    try:
        # a file name that is no text stands in JSON's own escapes, and comes back from them
        text = codec.dumps(redact(facts) if redacted else facts)
        smallfile.write(path, text, errors="backslashreplace")
    except OSError as error:
        raise FactsUnreadable(
            f"The facts cannot be written to {path}.", found=str(error), hint="Name another file with --save."
        ) from error


def load(path: Path) -> Facts:
    """Read facts that :func:`save` wrote, here or elsewhere, process ids left out (0).

    Raises :class:`FactsUnreadable`.
    """
    try:
        data = codec.parse(codec.read(path, _MOST))
        schema = data.get("schema") if isinstance(data, dict) else None
        if isinstance(schema, int) and schema > SCHEMA:
            raise FactsUnreadable(
                f"{path} was written by a newer airferry than the one that reads it.",
                found=f"facts schema {schema}",
                needed=f"facts schema {SCHEMA} or older",
                hint="Read it with that version, or collect the facts again with this one.",
            )
        found = codec.decode(Facts, data)
        problems = _problems(found)
        if problems:
            raise codec.Malformed(problems)
        return _without_numbers(found)
    except (OSError, UnicodeDecodeError, codec.Malformed) as error:
        problems = error.problems[:10] if isinstance(error, codec.Malformed) else [str(error)]
        raise FactsUnreadable(
            f"{path} does not contain the facts of a host.",
            found="\n".join(problems),
            needed="a file that was written with: doctor --save FILE",
            hint="Copy it again; it is JSON text, and no editor may have changed it.",
        ) from error


def _problems(facts: Facts) -> List[str]:
    """Versions that are none: they are compared by their numbers, and name what is asked for elsewhere."""
    named = [(f"facts.pythons[{index}]", item.version) for index, item in enumerate(facts.pythons or ())]
    named += [
        (f"facts.pythons[{index}].sqlite", item.sqlite) for index, item in enumerate(facts.pythons or ())
    ]
    named += [("facts.libc", facts.libc.version)] if facts.libc else []
    return [
        f"{where}: not a version: {text.shown(version)}"
        for where, version in named
        if version and not _VERSION.fullmatch(version)
    ]


def _without_numbers(facts: Facts) -> Facts:
    """The facts without process ids: by now each may be that of another process."""
    airflows, postgres = facts.airflows, facts.postgres
    if airflows:
        airflows = replace(airflows, running=tuple(replace(item, pid=0) for item in airflows.running))
    if postgres:
        postgres = replace(postgres, servers=tuple(replace(item, pid=0) for item in postgres.servers))
    return replace(facts, airflows=airflows, postgres=postgres)


def redact(facts: Facts) -> Facts:
    """The facts without the names of the host and of the account, and without addresses.

    Paths stay readable: where a name stands in one, a placeholder takes its place. Passwords and the values
    of settings are never collected at all.
    """
    hidden: Dict[str, str] = {}
    people = [facts.account.me.name] if facts.account else []
    people += [port.user for port in facts.ports or ()]
    people += [item.user for item in facts.postgres.servers] if facts.postgres else []
    people += [item.user for item in facts.airflows.running] if facts.airflows else []
    hidden.update({name: "USER" for name in people if name not in _COMMON})
    if facts.network:
        own = facts.network.own.name
        hidden.update({name: "HOST" for name in (own, own.split(".")[0]) if name not in ("", "localhost")})
        hidden.update(dict.fromkeys(facts.network.own.addresses, "ADDRESS"))
    asked = facts.request.server
    if asked:
        hidden[asked.host] = "DATABASE-SERVER"
        hidden.update({name: "ROLE" for name in (asked.user, asked.admin) if name not in _COMMON})
    if not hidden:
        return facts
    names = sorted(hidden, key=len, reverse=True)
    pattern = re.compile(r"(?<![\w.-])(?:" + "|".join(map(re.escape, names)) + r")(?![\w-])")

    def clean(data: Any) -> Any:
        if isinstance(data, str):
            return pattern.sub(lambda match: hidden[match.group()], data)
        if isinstance(data, list):
            return [clean(item) for item in data]
        if isinstance(data, dict):
            return {key: clean(item) for key, item in data.items()}
        return data

    return codec.decode(Facts, clean(codec.encode(facts)))
