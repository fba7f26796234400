"""Everything of an installation on disk, against its receipt."""

from __future__ import annotations

from typing import TYPE_CHECKING, Iterator, Sequence, Tuple

from bootstrap.base.columns import SHOWN, listed
from bootstrap.doctor import remedies
from bootstrap.doctor.finding import Entry, Finding
from bootstrap.doctor.severity import BLOCKER, OK, WARNING

if TYPE_CHECKING:  # the look before an install judges no installation, and starts sooner without them
    from bootstrap.examination.files import Files
    from bootstrap.examination.installed import Installed

INSTALLATION_OK = Entry("installation-ok", OK, "The installation is complete")
INSTALLATION_INCOMPLETE = Entry(
    "installation-incomplete",
    BLOCKER,
    "The installation was never finished",
    "It was interrupted, or its last step, a real run of the example pipeline, did not succeed.",
)
CHANGE_UNFINISHED = Entry(
    "change-unfinished",
    BLOCKER,
    "An upgrade, a restore or a rollback was interrupted",
    "Until it is finished or undone, Airflow stays stopped while its database does not fit the release.",
)
LINK_BROKEN = Entry(
    "link-broken", BLOCKER, "The link to the installed release is broken", "Every command goes through it."
)
ENVIRONMENT_BROKEN = Entry(
    "environment-broken",
    BLOCKER,
    "The environment's Python does not start",
    "Airflow's environment uses the standard library of the Python it was made from.",
)
PACKAGES_DAMAGED = Entry(
    "packages-damaged",
    BLOCKER,
    "Files of installed packages are missing or changed",
    "Airflow fails as soon as it needs one of them.",
    "Each package lists its files and their sizes (RECORD); they were compared with the disk.",
)
PACKAGES_CHANGED = Entry(
    "packages-changed",
    WARNING,
    "Packages were changed by hand",
    "An upgrade drops them: it makes a new environment from its bundle, and DAGs that need them fail there.",
    "The packages of the environment were compared with the manifest of the bundle that it was made from;"
    " what add-ons brought is not among them. A package that is gone is a blocker.",
)
BYTECODE_DAMAGED = Entry(
    "bytecode-damaged",
    BLOCKER,
    "Compiled Python modules are truncated",
    'Each of these modules fails with "EOFError: marshal data too short" until its file is removed.',
    "Python keeps compiled modules in __pycache__; many versions do not notice when the disk is full and"
    " only a part is written.",
)
MANIFEST_DAMAGED = Entry(
    "manifest-damaged",
    WARNING,
    "The release's manifest is missing or damaged",
    "It lists what the bundle needs of this host: that part was not checked.",
)
SUPERVISOR_BROKEN = Entry(
    "supervisor-broken",
    BLOCKER,
    "The supervisor does not start",
    "Nothing starts the components after the next stop.",
)
POSTGRES_BROKEN = Entry(
    "postgres-broken",
    BLOCKER,
    "PostgreSQL's programs are missing or do not run",
    "A server that runs goes on until the next stop; then Airflow has no database.",
)
COMMANDS_CHANGED = Entry(
    "commands-changed",
    WARNING,
    "Commands of the installation were modified",
    "They set the environment that Airflow runs in; the next install writes them again.",
)
OWNER_WRONG = Entry(
    "owner-wrong",
    BLOCKER,
    "Files belong to another account",
    "PostgreSQL refuses a cluster with such files, Airflow a log that it cannot write. Commands that were"
    " run directly as root create such files; bin/airferry and bin/airflow do not.",
    "A blocker when the database's files are among them, otherwise a warning.",
)
FILES_UNREADABLE = Entry(
    "files-unreadable",
    WARNING,
    "Files cannot be read by the account that runs Airflow",
    "DAGs among them are not read, and disappear from the pages without an error; a backup leaves them out.",
)
CLUSTER_MODE = Entry(
    "cluster-mode",
    BLOCKER,
    "The database's folder is open to others",
    "PostgreSQL refuses to start on it ('data directory has invalid permissions').",
)
MODES_OPEN = Entry(
    "modes-open",
    WARNING,
    "Parts of the installation are world-writable",
    "Anyone who can write a DAG or a command can run code as Airflow's account, with all its passwords.",
)
SECRETS_OPEN = Entry(
    "secrets-open",
    WARNING,
    "Other accounts can read passwords or keys",
    "Anyone who has them can log in as admin, read all connections, and forge tokens.",
)

_MEND = "Run the install again with the bundle file that installed it; only missing steps run."
_ANEW = (
    "Stop it, remove the marker of a complete release, and run the install again with the bundle file that"
    " installed it: it creates the release again and keeps everything else."
)


def command(installed: Installed) -> str:
    """The installation's own command, as it is typed."""
    return remedies.quoted(f"{installed.home}/bin/airferry")


def unfinished(installed: Installed) -> Iterator[Finding]:
    """An upgrade, a restore or a rollback that was interrupted."""
    found = installed.unfinished
    if found is not None:
        yield CHANGE_UNFINISHED.found(
            f"the {found.title} was interrupted",
            remedy="Run the first of these to finish it, or the last to go back to what was there before:",
            commands=found.commands,
        )


def check(installed: Installed) -> Iterator[Finding]:
    """Release, link, commands, owners and modes; "ok" only when none of them blocks."""
    found = installed.files
    if found is None:
        return
    problems = [*_release(found, installed), *_rights(found, installed)]
    yield from problems
    if not any(problem.severity == BLOCKER for problem in problems):
        yield INSTALLATION_OK.found(f"Airflow {installed.airflow} in {installed.home}")


def _release(found: Files, installed: Installed) -> Iterator[Finding]:
    again = (f"sh {remedies.quoted(installed.bundle_file)} install --home {remedies.quoted(installed.home)}",)
    mark = f"rm {remedies.quoted(installed.home + '/current/complete')}"
    anew = (f"{command(installed)} stop", mark, *again)
    if not found.complete or not installed.completed:
        state = "the packages" if not found.complete else "the last steps"
        runs = [item.name for item in installed.components or () if item.state == "RUNNING"]
        stop = (f"{command(installed)} stop",) if runs else ()
        yield INSTALLATION_INCOMPLETE.found(
            f"{state} are not complete" + (f"; running all the same: {', '.join(runs)}" if runs else ""),
            remedy=_MEND + (" The second command stops what runs." if runs else ""),
            commands=(*again, *stop),
        )
        if not found.complete:
            return
    if not found.linked:
        where = f"{installed.home}/current"
        yield LINK_BROKEN.found(where, needed="a link to the installed release", remedy=_MEND, commands=again)
    if found.python_error:
        yield ENVIRONMENT_BROKEN.found(
            found.python_error,
            needed="the Python that it was made from",
            remedy="Restore that Python (was it removed or upgraded to another minor version?).",
        )
    if found.damaged:
        yield PACKAGES_DAMAGED.found(
            listed(found.damaged),
            needed="files as installed",
            remedy=_ANEW,
            commands=anew,
        )
    yield from _handmade(found, installed, anew)
    if found.bytecode:
        yield BYTECODE_DAMAGED.found(
            listed(found.bytecode),
            needed="bytecode that Python can read",
            remedy="Check the free space (df -h, df -i), and start Airflow again: that removes these"
            " files, and Python compiles them again.",
            commands=(f"{command(installed)} restart",),
        )
    if found.manifest_error:
        yield MANIFEST_DAMAGED.found(
            found.manifest_error,
            needed="the manifest of the bundle",
            remedy=_ANEW,
            commands=anew,
        )
    if found.supervisor_error and not found.python_error:
        yield SUPERVISOR_BROKEN.found(
            found.supervisor_error,
            needed="the supervisor of the components",
            remedy=_ANEW,
            commands=anew,
        )
    if found.postgres_error:
        yield POSTGRES_BROKEN.found(
            found.postgres_error,
            needed="the programs of PostgreSQL",
            remedy=_ANEW,
            commands=anew,
        )
    if found.commands:
        yield COMMANDS_CHANGED.found(
            listed(found.commands),
            needed="the files as the install writes them",
            remedy=_MEND,
            commands=again,
        )


def _handmade(found: Files, installed: Installed, anew: Tuple[str, ...]) -> Iterator[Finding]:
    """Packages of another version, additional ones, and those that are gone."""
    kinds = (
        ("changed", found.handmade.changed),
        ("added", found.handmade.added),
        ("removed", found.handmade.removed),
    )
    lines = [f"{kind}: {line}" for kind, names in kinds for line in names]
    if not lines or found.manifest_error:
        return
    yield PACKAGES_CHANGED.found(
        listed(lines),
        needed="the packages of the bundle, and beside them add-ons",
        remedy="To keep a package, have an add-on with it made on the internet host (airferry bundle --onto"
        f" FILE PACKAGE), and add it here: {command(installed)} add ADDON. That lasts, is proven, and can"
        " be removed again. To go back to the packages of the bundle: stop it, remove the marker of a"
        " complete release, and run the install again.",
        commands=anew,
        severity=BLOCKER if found.handmade.removed else WARNING,
    )


def _rights(found: Files, installed: Installed) -> Iterator[Finding]:
    home = remedies.quoted(installed.home)
    from bootstrap.examination.files import NOT_ROOT  # noqa: PLC0415  (the look before an install has no need)

    code = [line for line in found.foreign if line.endswith(NOT_ROOT)]
    if code:
        yield OWNER_WRONG.found(
            listed(code),
            needed="code and records of root",
            remedy="Root would run what another account can change. As root, install again:",
            commands=(f"sh {remedies.quoted(installed.bundle_file)} install --home {home}",),
            needs_root=True,
            severity=WARNING,
        )
    foreign = _without(found.foreign, code)
    if foreign:
        # PostgreSQL stops at the first file of another account, Airflow at a log that it cannot write
        cluster = [line for line in foreign if line.startswith(f"{installed.home}/postgres")]
        lines = [*cluster, *_without(foreign, cluster)]
        whose = f"chown -R --reference={home}/receipt.json {home}"
        if found.by_root:
            paths = [remedies.quoted(line.rpartition(" (owner ")[0]) for line in lines[:SHOWN]]
            whose = f"chown -R --reference={home}/secrets {' '.join(paths)}"
        yield OWNER_WRONG.found(
            listed(lines),
            needed="files of the account that runs Airflow",
            remedy="Change their owner:",
            commands=(whose,),
            needs_root=True,
            severity=BLOCKER if cluster else WARNING,
        )
    if found.unreadable:
        yield FILES_UNREADABLE.found(
            listed(found.unreadable),
            needed="files that the account that runs Airflow can read",
            remedy="Make them readable for it (chmod, chown).",
            needs_root=True,
        )
    cluster = [line for line in found.loose if line.startswith(f"{installed.home}/postgres (")]
    if cluster:
        yield CLUSTER_MODE.found(
            listed(cluster),
            needed="mode 0700",
            remedy="Restrict its mode:",
            commands=(f"chmod 700 {home}/postgres",),
        )
    loose = _without(found.loose, cluster)
    if loose:
        paths = [remedies.quoted(line.rpartition(" (mode ")[0]) for line in loose[:SHOWN]]
        yield MODES_OPEN.found(
            listed(loose),
            needed="nothing world-writable",
            remedy="Restrict their modes:",
            commands=(f"chmod go-w {' '.join(paths)}",),
        )
    if found.open_secrets:
        paths = [remedies.quoted(line.rpartition(" (mode ")[0]) for line in found.open_secrets]
        yield SECRETS_OPEN.found(
            "\n".join(found.open_secrets),
            needed="readable by their owner alone",
            remedy="Restrict their modes:",
            commands=(f"chmod go= {' '.join(paths)}",),
        )


def _without(lines: Sequence[str], others: Sequence[str]) -> Tuple[str, ...]:
    return tuple(line for line in lines if line not in others)
