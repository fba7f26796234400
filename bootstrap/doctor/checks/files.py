"""Everything of an installation on disk, against its receipt."""

from __future__ import annotations

from typing import Iterator, Sequence, Tuple

from bootstrap.doctor import remedies
from bootstrap.doctor.finding import Finding
from bootstrap.doctor.severity import BLOCKER, OK, WARNING
from bootstrap.examination.files import Files
from bootstrap.examination.installed import Installed

SHOWN = 6
_MEND = "Run the install again with the file it came from; it does only what is missing."
_ANEW = (
    "Stop it, take away the mark that the release is complete, and run the install again with the file it"
    " came from: it makes the release anew and keeps everything else."
)


def command(installed: Installed) -> str:
    """The installation's own command, as it is typed."""
    return remedies.quoted(f"{installed.home}/bin/airferry")


def unfinished(installed: Installed) -> Iterator[Finding]:
    """An upgrade, a restore or a rollback that was interrupted."""
    found = installed.unfinished
    if found is not None:
        yield Finding(
            "change-unfinished", BLOCKER, f"the {found.title} was interrupted", "",
            "Run the first of these to finish it, or the last to go back to what was there before:",
            found.commands,
        )  # fmt: skip


def listed(lines: Sequence[str]) -> str:
    """The first lines, and how many there are beyond them."""
    more = [f"and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "\n".join([*lines[:SHOWN], *more])


def check(installed: Installed) -> Iterator[Finding]:
    """Release, link, commands, owners and modes; "ok" only when none of them blocks."""
    found = installed.files
    if found is None:
        return
    problems = [*_release(found, installed), *_rights(found, installed)]
    yield from problems
    if not any(problem.severity == BLOCKER for problem in problems):
        yield Finding("installation-ok", OK, f"Airflow {installed.airflow} in {installed.home}")


def _release(found: Files, installed: Installed) -> Iterator[Finding]:
    again = (f"sh {remedies.quoted(installed.bundle_file)} install --home {remedies.quoted(installed.home)}",)
    mark = f"rm {remedies.quoted(installed.home + '/current/complete')}"
    anew = (f"{command(installed)} stop", mark, *again)
    if not found.complete or not installed.completed:
        state = "the packages" if not found.complete else "the last steps"
        yield Finding("installation-incomplete", BLOCKER, f"{state} are not complete", "", _MEND, again)
        if not found.complete:
            return
    if not found.linked:
        where = f"{installed.home}/current"
        yield Finding("link-broken", BLOCKER, where, "a link to the installed release", _MEND, again)
    if found.python_error:
        yield Finding(
            "environment-broken", BLOCKER, found.python_error, "the Python that it was made from",
            "Bring that Python back (was it removed or upgraded to another minor version?).",
        )  # fmt: skip
    if found.damaged:
        yield Finding(
            "packages-damaged", BLOCKER, listed(found.damaged), "files as installed", _ANEW, anew
        )  # fmt: skip
    if found.bytecode:
        yield Finding(
            "bytecode-damaged", BLOCKER, listed(found.bytecode), "bytecode that Python can read",
            "See that the disk has room (df -h, df -i), and start Airflow again: that removes these files,"
            " and Python makes them anew.",
            (f"{command(installed)} restart",),
        )  # fmt: skip
    if found.manifest_error:
        yield Finding(
            "manifest-damaged", WARNING, found.manifest_error, "the manifest of the bundle", _ANEW, anew
        )
    if found.supervisor_error and not found.python_error:
        yield Finding(
            "supervisor-broken",
            BLOCKER,
            found.supervisor_error,
            "the supervisor of the components",
            _ANEW,
            anew,
        )
    if found.postgres_error:
        yield Finding(
            "postgres-broken", BLOCKER, found.postgres_error, "the programs of PostgreSQL", _ANEW, anew
        )
    if found.commands:
        yield Finding(
            "commands-changed", WARNING, listed(found.commands), "the files as the install writes them",
            _MEND, again,
        )  # fmt: skip


def _rights(found: Files, installed: Installed) -> Iterator[Finding]:
    home = remedies.quoted(installed.home)
    if found.foreign:
        # PostgreSQL stops at the first file of another account, Airflow at a log that it cannot write
        cluster = [line for line in found.foreign if line.startswith(f"{installed.home}/postgres")]
        lines = [*cluster, *_without(found.foreign, cluster)]
        yield Finding(
            "owner-wrong", BLOCKER if cluster else WARNING, listed(lines),
            "files of the account that runs Airflow", "Give them back:",
            (f"chown -R --reference={home}/receipt.json {home}",), needs_root=True,
        )  # fmt: skip
    if found.unreadable:
        yield Finding(
            "files-unreadable", WARNING, listed(found.unreadable),
            "files that the account that runs Airflow can read", "Open them for it (chmod, chown).",
            needs_root=True,
        )  # fmt: skip
    cluster = [line for line in found.loose if line.startswith(f"{installed.home}/postgres (")]
    if cluster:
        yield Finding(
            "cluster-mode", BLOCKER, listed(cluster), "mode 0700", "Close it:",
            (f"chmod 700 {home}/postgres",),
        )  # fmt: skip
    loose = _without(found.loose, cluster)
    if loose:
        paths = [remedies.quoted(line.rpartition(" (mode ")[0]) for line in loose[:SHOWN]]
        yield Finding(
            "modes-open", WARNING, listed(loose), "nothing that every account may write", "Close them:",
            (f"chmod go-w {' '.join(paths)}",),
        )  # fmt: skip
    if found.open_secrets:
        paths = [remedies.quoted(line.rpartition(" (mode ")[0]) for line in found.open_secrets]
        yield Finding(
            "secrets-open", WARNING, "\n".join(found.open_secrets), "readable by their owner alone",
            "Close them:", (f"chmod go= {' '.join(paths)}",),
        )  # fmt: skip


def _without(lines: Sequence[str], others: Sequence[str]) -> Tuple[str, ...]:
    return tuple(line for line in lines if line not in others)
