"""A PostgreSQL server that was given as a URL, and the database there."""

from __future__ import annotations

import ipaddress
from typing import Iterator, List, Optional, Tuple

from bootstrap.doctor import remedies
from bootstrap.doctor.checks.database_contents import contents
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.needs import Needs, WantedServer
from bootstrap.doctor.severity import BLOCKER, NOTE, OK, WARNING
from bootstrap.facts.host import Facts
from bootstrap.facts.server import Asked, DatabaseFacts, Refusal, ServerFacts
from bootstrap.postgres import refusal
from bootstrap.postgres.quoting import name

DATABASE_SERVER_OK = Entry("database-server-ok", OK, "The database can be used")
DATABASE_UNREACHABLE = Entry(
    "database-unreachable",
    BLOCKER,
    "The database server cannot be reached",
    "Airflow keeps everything in its database: without it no command and no component works.",
    "The address was tried from this host, with a time limit of a few seconds. 'Connection refused' means"
    " that the host answers and nothing listens on that port; no answer at all usually means a firewall.",
)
DATABASE_TLS = Entry(
    "database-tls",
    BLOCKER,
    "The encrypted connection to the database fails",
    "Airflow's connections use the same sslmode and root certificate as this one.",
    "sslmode=require encrypts; verify-ca also checks the issuer of the server's certificate (sslrootcert),"
    " verify-full its host name, too.",
)
DATABASE_LOGIN = Entry(
    "database-login",
    BLOCKER,
    "The database server refuses the role's login",
    "Airflow logs in with this role and password.",
    "The server's pg_hba.conf says which roles may log in from where, and how. A password comes from"
    " --postgres-password-file, from the file that PGPASSFILE names or ~/.pgpass, or is asked for.",
)
DATABASE_MISSING = Entry(
    "database-missing",
    BLOCKER,
    "The database does not exist",
    "The install creates one only with an administrator of the server (--postgres-admin-user).",
)
DATABASE_ADMINISTRATOR = Entry(
    "database-administrator",
    BLOCKER,
    "The server's administrator cannot create role and database",
    "This account is used once to create both; its password is not stored.",
)
DATABASE_MADE = Entry(
    "database-made",
    NOTE,
    "Role and database will be created",
    "The role owns the database, which is UTF-8; nothing else on the server is changed.",
)
DATABASE_VERSION = Entry(
    "database-version",
    BLOCKER,
    "The database server is too old",
    "Releases before 12 lack what Airflow's migrations use.",
)
DATABASE_ENCODING = Entry(
    "database-encoding",
    BLOCKER,
    "The database's encoding is not UTF-8",
    "Logs and names of tasks contain characters that it refuses; Airflow then loses the state of the task.",
    "The encoding of a database cannot be changed: a new database has to be created, from template0.",
)
DATABASE_OWNER = Entry(
    "database-owner",
    BLOCKER,
    "The database belongs to another role",
    "Airflow's migrations make, change and drop tables; from PostgreSQL 15 on, only the owner of a"
    " database may do so in its schema public.",
)
DATABASE_SCHEMA = Entry(
    "database-schema",
    BLOCKER,
    "The role may not create tables in the database",
    "Airflow's tables go into the first schema of the role's search_path, usually public.",
)
DATABASE_READ_ONLY = Entry(
    "database-read-only",
    BLOCKER,
    "The database is read-only",
    "It is a standby of another server, or was set to read-only.",
)
DATABASE_CONNECTIONS = Entry(
    "database-connections",
    BLOCKER,
    "The server allows too few connections",
    "Every worker, parser and web process of Airflow holds connections of its own; without one, tasks fail.",
)
DATABASE_CLOCK = Entry(
    "database-clock",
    WARNING,
    "The clocks of this host and of the database server differ",
    "Heartbeats are compared across both: a component that works looks dead, and its tasks are started"
    " twice.",
)
DATABASE_OPEN = Entry(
    "database-open",
    WARNING,
    "The connection to the database is not encrypted",
    "Anyone who can read the network traffic sees every query, and the passwords of connections.",
)

OLDEST = 12
_CLOCK = 60


def check(facts: Facts, needs: Needs) -> Iterator[Finding]:
    """Whether Airflow can live there, and nobody else does."""
    server, asked, wanted = facts.server, facts.request.server, needs.server
    if server is None or asked is None or wanted is None:
        return
    problems = list(_problems(server, asked, wanted, needs.airflow))
    yield from problems
    if not any(problem.severity == BLOCKER for problem in problems):
        tls = server.tls or "not encrypted"
        yield DATABASE_SERVER_OK.found(f"PostgreSQL {server.version} at {server.address}, {tls}")


def _problems(server: ServerFacts, asked: Asked, wanted: WantedServer, airflow: str) -> Iterator[Finding]:
    """Everything that is not as it should be."""
    if not server.number:
        yield _refused(server, asked)
        return
    if server.number // 10000 < OLDEST:
        yield DATABASE_VERSION.found(
            f"PostgreSQL {server.version} at {server.address}",
            needed=f"PostgreSQL {OLDEST} or newer",
            remedy="Have the server upgraded, or take another, or leave --postgres out: the bundle"
            " carries one.",
        )
        return
    yield from _itself(server, asked, wanted)
    if server.database is None or server.refusals:
        yield from _to_be_made(server, asked)
    if server.database is not None:
        yield from _database(server.database, server, asked)
        yield from contents(server.database, asked, wanted, airflow)


def _refused(server: ServerFacts, asked: Asked) -> Finding:
    """Nobody was let in: the administrator's own failure counts, when one was named and asked."""
    last = server.refusals[-1]
    said = f"{server.address}: {last.said}"
    if last.kind == refusal.FULL:
        return DATABASE_CONNECTIONS.found(
            said,
            needed="a free connection",
            remedy="Have max_connections raised, or other connections closed.",
        )
    if last.kind == refusal.TLS:
        return DATABASE_TLS.found(
            said,
            needed=f"a connection with sslmode={asked.sslmode or 'prefer'}",
            remedy="Ask the administrator of the server for sslmode and sslrootcert, and set them"
            " in the URL; for verify-full the certificate must contain the name {asked.host}.",
        )
    if len(server.refusals) > 1:
        return DATABASE_ADMINISTRATOR.found(
            f"{last.user}: {last.said}",
            needed="a login of the administrator",
            remedy="Check --postgres-admin-user and --postgres-admin-password-file.",
        )
    return _login(server, asked, last)


def _login(server: ServerFacts, asked: Asked, last: Refusal) -> Finding:
    if last.kind == refusal.MISSING:
        return DATABASE_MISSING.found(
            f"{server.address}: {last.said}",
            needed=f"a database of {asked.user}'s",
            remedy="Check its name, give an administrator (--postgres-admin-user), or have it made:",
            commands=(
                _psql(
                    asked,
                    f"CREATE DATABASE {name(asked.database)} OWNER {name(asked.user)} ENCODING 'UTF8'"
                    " TEMPLATE template0",
                ),
            ),
        )
    if last.kind == refusal.LOGIN:
        return DATABASE_LOGIN.found(
            f"{server.address}: {last.said}",
            needed=f"a login of {asked.user}",
            remedy="Check role and password: --postgres-password-file FILE, or a line in ~/.pgpass"
            " (mode 0600). If"
            " it is about pg_hba.conf, the administrator of the server has to allow this host there.",
        )
    return DATABASE_UNREACHABLE.found(
        f"{server.address}: {last.said}",
        needed="a PostgreSQL server that answers",
        remedy="Check host and port, that the server runs and listens there, and the firewalls in between.",
    )


def _to_be_made(server: ServerFacts, asked: Asked) -> Iterator[Finding]:
    """What the administrator saw, when the role was not let in."""
    if not server.refusals:
        return
    if server.role:
        # it is there, so the install will not make it: its password must be the right one
        yield _login(server, asked, server.refusals[0])
        return
    if not server.makes:
        yield DATABASE_ADMINISTRATOR.found(
            f"{asked.admin} may not make roles and databases",
            needed="CREATEROLE and CREATEDB, or a superuser",
            remedy="Name another administrator, or have these rights given:",
            commands=(_psql(asked, f"ALTER ROLE {name(asked.admin)} CREATEROLE CREATEDB"),),
        )
        return
    if not server.found:
        yield DATABASE_MADE.found(
            f"the role {asked.user} and its database {asked.database} at {server.address}"
        )


def _itself(server: ServerFacts, asked: Asked, wanted: WantedServer) -> Iterator[Finding]:
    room = server.room
    if room:
        free = room.limit if wanted.own else room.free
        if free < wanted.connections:
            yield DATABASE_CONNECTIONS.found(
                f"{free} free of {room.limit}",
                needed=f"{wanted.connections} for the parallelism that was chosen",
                remedy="Have max_connections of the server raised (or the role's and the database's"
                " limit), or"
                " choose fewer tasks at once: --parallelism.",
                severity=BLOCKER if free < wanted.least else WARNING,
            )
    if abs(server.clock) > _CLOCK:
        lead = "ahead of" if server.clock > 0 else "behind"
        yield DATABASE_CLOCK.found(
            f"the server's is {abs(server.clock):.0f} s {lead} this host's",
            needed=f"within {_CLOCK} s",
            remedy="Set the wrong clock, and keep it synchronized (chrony, ntpd).",
            needs_root=True,
        )
    if not server.tls and not _is_local(asked.host):
        yield DATABASE_OPEN.found(
            f"{server.address} without TLS",
            remedy="If the server supports TLS, put sslmode=verify-full&sslrootcert=FILE into the URL.",
        )


def _database(found: DatabaseFacts, server: ServerFacts, asked: Asked) -> Iterator[Finding]:
    if found.encoding != "UTF8":
        yield DATABASE_ENCODING.found(
            f"{asked.database} is {found.encoding}",
            needed="UTF8",
            remedy="Have another database created, and name it in the URL:",
            commands=(
                _psql(
                    asked,
                    f"CREATE DATABASE airflow_utf8 OWNER {name(asked.user)} ENCODING 'UTF8' TEMPLATE"
                    " template0",
                ),
            ),
        )
    if not found.owned:
        # until 15 everybody may make tables in the schema public
        yield DATABASE_OWNER.found(
            f"{asked.database} belongs to {found.owner}",
            needed=f"a database of {asked.user}'s",
            remedy="Have it given to the role, or name a database of its own:",
            commands=(_psql(asked, f"ALTER DATABASE {name(asked.database)} OWNER TO {name(asked.user)}"),),
            severity=WARNING if found.creates else BLOCKER,
        )
    if server.refusals:
        return  # the rest can be seen only from inside
    if found.owned and not found.creates and not found.read_only:
        where = (
            f"no CREATE on schema {found.schema}" if found.schema else "no schema of its search_path exists"
        )
        yield DATABASE_SCHEMA.found(
            f"{asked.user} has {where}",
            needed="the right to create tables",
            remedy="Have it given (or the role's search_path corrected):",
            commands=(
                _psql(
                    asked,
                    f"GRANT ALL ON SCHEMA {name(found.schema or 'public')} TO {name(asked.user)}",
                    asked.database,
                ),
            ),
        )
    if found.read_only:
        yield DATABASE_READ_ONLY.found(
            f"{asked.database} at {server.address}",
            needed="a writable database",
            remedy="Name the primary server, or have default_transaction_read_only switched off.",
        )


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
