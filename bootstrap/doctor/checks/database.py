"""A PostgreSQL server that was given as a URL, and the database there."""

from __future__ import annotations

import ipaddress
from typing import Iterator, List, Optional, Tuple

from bootstrap.airflow import differences, revisions
from bootstrap.doctor import remedies
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.needs import Needs, WantedServer
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.facts.host import Facts
from bootstrap.facts.server import Asked, DatabaseFacts, Refusal, ServerFacts
from bootstrap.postgres import refusal
from bootstrap.postgres.external import name

OLDEST = 12
_SHOWN = 5
_CLOCK = 60
# What is in every Airflow's database, and together in no other.
_AIRFLOW = ("alembic_version", "dag", "dag_run", "task_instance")


def check(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Whether Airflow can live there, and nobody else does."""
    server, asked, wanted = facts.server, facts.request.server, needs.server
    if server is None or asked is None or wanted is None:
        return
    problems = list(_problems(server, asked, wanted, needs.airflow))
    yield from problems
    if not any(problem.severity == BLOCKER for problem in problems):
        tls = server.tls or "not encrypted"
        yield Finding("database-server-ok", OK, f"PostgreSQL {server.version} at {server.address}, {tls}")


def _problems(server: ServerFacts, asked: Asked, wanted: WantedServer, airflow: str) -> Iterator[Finding]:
    """Everything that is not as it should be."""
    if not server.number:
        yield _refused(server, asked)
        return
    if server.number // 10000 < OLDEST:
        yield Finding(
            "database-version", BLOCKER, f"PostgreSQL {server.version} at {server.address}",
            f"PostgreSQL {OLDEST} or newer",
            "Have the server upgraded, or take another, or leave --postgres out: the bundle carries one.",
        )  # fmt: skip
        return
    yield from _itself(server, asked, wanted)
    if server.database is None or server.refusals:
        yield from _to_be_made(server, asked)
    if server.database is not None:
        yield from _database(server.database, server, asked)
        yield from _contents(server.database, asked, wanted, airflow)


def _refused(server: ServerFacts, asked: Asked) -> Finding:
    """Nobody was let in: the administrator's own failure counts, when one was named and asked."""
    last = server.refusals[-1]
    said = f"{server.address}: {last.said}"
    if last.kind == refusal.FULL:
        return Finding(
            "database-connections", BLOCKER, said, "a free connection",
            "Have max_connections raised, or connections of others ended.",
        )  # fmt: skip
    if last.kind == refusal.TLS:
        return Finding(
            "database-tls", BLOCKER, said, f"a connection with sslmode={asked.sslmode or 'prefer'}",
            "Set sslmode and sslrootcert in the URL as whoever runs the server says; for verify-full the"
            f" certificate must bear the name {asked.host}.",
        )  # fmt: skip
    if len(server.refusals) > 1:
        return Finding(
            "database-administrator", BLOCKER, f"{last.user}: {last.said}", "a login of the administrator",
            "Check --postgres-admin-user and --postgres-admin-password-file.",
        )  # fmt: skip
    return _login(server, asked, last)


def _login(server: ServerFacts, asked: Asked, last: Refusal) -> Finding:
    if last.kind == refusal.MISSING:
        return Finding(
            "database-missing", BLOCKER, f"{server.address}: {last.said}", f"a database of {asked.user}'s",
            "Check its name, give an administrator (--postgres-admin-user), or have it made:",
            (_psql(asked, f"CREATE DATABASE {name(asked.database)} OWNER {name(asked.user)} ENCODING 'UTF8'"
                          " TEMPLATE template0"),),
        )  # fmt: skip
    if last.kind == refusal.LOGIN:
        return Finding(
            "database-login", BLOCKER, f"{server.address}: {last.said}", f"a login of {asked.user}",
            "Check role and password: --postgres-password-file FILE, or a line in ~/.pgpass (mode 0600). If"
            " it is about pg_hba.conf, whoever runs the server has to allow this host there.",
        )  # fmt: skip
    return Finding(
        "database-unreachable", BLOCKER, f"{server.address}: {last.said}", "a PostgreSQL server that answers",
        "Check host and port, that the server runs and listens there, and the firewalls on the way.",
    )  # fmt: skip


def _to_be_made(server: ServerFacts, asked: Asked) -> Iterator[Finding]:
    """What the administrator saw, when the role was not let in."""
    if not server.refusals:
        return
    if server.role:
        # it is there, so the install will not make it: its password must be the right one
        yield _login(server, asked, server.refusals[0])
        return
    if not server.makes:
        yield Finding(
            "database-administrator", BLOCKER, f"{asked.admin} may not make roles and databases",
            "CREATEROLE and CREATEDB, or a superuser",
            "Name another administrator, or have these rights given:",
            (_psql(asked, f"ALTER ROLE {name(asked.admin)} CREATEROLE CREATEDB"),),
        )  # fmt: skip
        return
    if not server.found:
        yield Finding(
            "database-made",
            NOTE,
            f"the role {asked.user} and its database {asked.database} at {server.address}",
        )


def _itself(server: ServerFacts, asked: Asked, wanted: WantedServer) -> Iterator[Finding]:
    room = server.room
    if room:
        free = room.limit if wanted.own else room.free
        if free < wanted.connections:
            yield Finding(
                "database-connections", BLOCKER if free < wanted.least else WARNING,
                f"{free} free of {room.limit}", f"{wanted.connections} for the parallelism that was chosen",
                "Have max_connections of the server raised (or the role's and the database's limit), or"
                " choose fewer tasks at once: --parallelism.",
            )  # fmt: skip
    if abs(server.clock) > _CLOCK:
        lead = "ahead of" if server.clock > 0 else "behind"
        yield Finding(
            "database-clock", WARNING, f"the server's is {abs(server.clock):.0f} s {lead} this host's",
            f"within {_CLOCK} s", "Set the clock that is wrong, and have it kept (chrony, ntpd).",
            needs_root=True,
        )  # fmt: skip
    if not server.tls and not _is_local(asked.host):
        yield Finding(
            "database-open", WARNING, f"{server.address} without TLS", "",
            "Where the server offers it, put sslmode=verify-full&sslrootcert=FILE into the URL.",
        )  # fmt: skip


def _database(found: DatabaseFacts, server: ServerFacts, asked: Asked) -> Iterator[Finding]:
    if found.encoding != "UTF8":
        yield Finding(
            "database-encoding", BLOCKER, f"{asked.database} is {found.encoding}", "UTF8",
            "Have another database made, and name it in the URL:",
            (_psql(asked, f"CREATE DATABASE airflow_utf8 OWNER {name(asked.user)} ENCODING 'UTF8' TEMPLATE"
                          " template0"),),
        )  # fmt: skip
    if not found.owned:
        # until 15 everybody may make tables in the schema public
        yield Finding(
            "database-owner", WARNING if found.creates else BLOCKER,
            f"{asked.database} belongs to {found.owner}", f"a database of {asked.user}'s",
            "Have it given to the role, or name a database of its own:",
            (_psql(asked, f"ALTER DATABASE {name(asked.database)} OWNER TO {name(asked.user)}"),),
        )  # fmt: skip
    if server.refusals:
        return  # the rest can be seen only from inside
    if found.owned and not found.creates and not found.read_only:
        where = (
            f"no CREATE on schema {found.schema}" if found.schema else "no schema of its search_path exists"
        )
        yield Finding(
            "database-schema", BLOCKER, f"{asked.user} has {where}", "the right to make tables",
            "Have it given (or search_path of the role mended):",
            (_psql(asked, f"GRANT ALL ON SCHEMA {name(found.schema or 'public')} TO {name(asked.user)}",
                   asked.database),),
        )  # fmt: skip
    if found.read_only:
        yield Finding(
            "database-read-only", BLOCKER, f"{asked.database} at {server.address}", "a database to write to",
            "Name the primary server, or have default_transaction_read_only switched off.",
        )  # fmt: skip


def _contents(found: DatabaseFacts, asked: Asked, wanted: WantedServer, airflow: str) -> Iterator[Finding]:
    """Tables that are there already."""
    if not found.tables or wanted.own:
        return
    if not all(f"{found.schema}.{table}" in found.tables for table in _AIRFLOW):
        more = f" and {len(found.tables) - _SHOWN} more" if len(found.tables) > _SHOWN else ""
        yield Finding(
            "database-foreign", BLOCKER, ", ".join(found.tables[:_SHOWN]) + more, "an empty database",
            "Name another database in the URL; this one is not touched.",
        )  # fmt: skip
        return
    version = revisions.FIRST.get(found.revision)
    what = f"Airflow {version}" if version else f"an Airflow (revision {found.revision or 'unknown'})"
    if found.alive:
        yield Finding(
            "database-in-use", BLOCKER, f"{what} on {', '.join(found.alive)}, alive within the last minute",
            "an Airflow that is stopped", "Stop all its components, wait a minute, and try again.",
        )  # fmt: skip
    if version is None or differences.numbers(version) > differences.numbers(airflow):
        yield Finding(
            "database-newer", BLOCKER, what, f"a schema of Airflow {airflow} or older",
            "Take a bundle of that Airflow or a newer one.",
        )  # fmt: skip
    elif not wanted.adopt:
        yield Finding(
            "database-airflow", BLOCKER, f"{what} in {asked.database}", "an empty database",
            "Name another database; or take it over, after a backup, with --adopt-database.",
        )  # fmt: skip
    else:
        yield Finding("database-airflow", NOTE, f"{what} in {asked.database} is taken over")
        if found.encrypted and not found.opens:
            here = "no key is here" if found.opens is None else "the key that is here does not open them"
            yield Finding(
                "database-fernet", BLOCKER,
                f"{found.encrypted} connections and variables are encrypted, and {here}",
                "the fernet key of the Airflow that wrote them",
                "Copy that Airflow's airflow.cfg into the home first: its keys are taken over. Or go on"
                " without (--ignore database-fernet) and enter these passwords anew.",
            )  # fmt: skip


def _psql(asked: Asked, sql: str, database: str = "postgres") -> str:
    """A command for whoever runs the server."""
    where: Tuple[str, ...] = ("-h", asked.host, "-p", str(asked.port), "-U", asked.admin or "postgres")
    words: List[str] = ["psql", *where, "-d", database, "-c", sql]
    return " ".join(remedies.quoted(word) for word in words)


def _is_local(host: str) -> bool:
    address: Optional[ipaddress._BaseAddress] = None
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    return address.is_loopback
