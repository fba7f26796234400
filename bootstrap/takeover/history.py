"""The proof of a take-over: a DAG of the old Airflow on the pages, with its history."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import dataclass
from typing import Dict, Iterator, Optional, Tuple

from bootstrap.airflow import health
from bootstrap.base import secret, smallfile
from bootstrap.base.secret import Secret
from bootstrap.facts.old_airflow import OldAirflow
from bootstrap.installed.installation import Installation
from bootstrap.takeover import rows
from bootstrap.takeover.archive import TakeOverFailed
from bootstrap.takeover.rows import Copied
from bootstrap.takeover.settings import SettingTaken
from bootstrap.takeover.staging import Staging
from bootstrap.takeover.steps import look
from bootstrap.upkeep import dagfiles
from wheelhouse import codec

# the account that asks for the history, for as long as that takes
_ASKING = "airferry-takeover"


@dataclass(frozen=True)
class Proved:
    """What the pages show: the DAG that was asked for, its runs there, and those that the old one had."""

    dag: str
    runs: int
    before: int


class HistoryStep:
    """Find a DAG of the old Airflow on the pages, read from its file, with its history."""

    name = "take-over-proof"

    def __init__(self, installation: Installation, seconds: float = 300) -> None:
        self.installation = installation
        self.seconds = seconds
        self.staging = Staging(installation.home)

    def describe(self) -> str:
        """One line for the admin."""
        return "Ask the web server for a DAG of the old Airflow and its history"

    def done(self) -> bool:
        """Whether it was found before."""
        return self.staging.proved.exists()

    def apply(self) -> None:
        """Wait for a DAG that has runs to be read, and compare what the pages say; then tidy up.

        Raises :class:`TakeOverFailed`.
        """
        copied = rows.copied(self.installation)
        before = {
            name: count for name, count in rows.dags_with_runs(self.installation).items() if name not in _OURS
        }
        if copied is None or not before:
            found = Proved("", 0, 0)
        else:
            dag = self._parsed(before, copied.time)
            found = Proved(dag, self._runs(dag), before[dag])
            if found.runs < found.before:
                raise TakeOverFailed(
                    f"The web server does not show the whole history of the DAG {dag}.",
                    found=f"{found.runs:,} runs",
                    needed=f"{found.before:,} runs, as in the database",
                )
        # before the step counts as done: these hold passwords, and nothing else would remove them
        for path in (
            self.staging.database, self.staging.contents, self.staging.key, self.staging.configuration,
        ):  # fmt: skip
            if path.exists():
                path.unlink()
        shutil.rmtree(str(self.staging.tables), ignore_errors=True)
        smallfile.write(self.staging.proved, codec.dumps(found), 0o600)

    def _parsed(self, before: Dict[str, int], since: float) -> str:
        """A DAG with runs that the scheduler has read since then; the one with the most runs."""
        deadline = time.monotonic() + self.seconds
        while True:
            read = set(rows.parsed_since(self.installation, since))
            known = [dag for dag in before if dag in read]
            if known:
                return known[0]
            problems = dagfiles.known(self.installation).problems
            if time.monotonic() > deadline or (problems and self._none_can_be(before)):
                raise TakeOverFailed(
                    "No DAG of the old Airflow can be read by the new one.",
                    found="\n".join(item.text for item in problems) or "no DAG file of it was read",
                    needed=f"a file of one of these DAGs: {', '.join(list(before)[:5])}",
                    hint=f"Everything is taken over, and Airflow runs. Repair a file in"
                    f" {self.installation.folders.dags}, then run the same command again: it repeats only"
                    " this step.",
                )
            time.sleep(1)

    def _none_can_be(self, before: Dict[str, int]) -> bool:
        return not set(dagfiles.check(self.installation).dags) & set(before)

    def _runs(self, dag: str) -> int:
        receipt = self.installation.receipt
        user, password = receipt.admin_user, secret.read(self.installation.home.admin_password)
        old = look(self.installation)
        if receipt.auth == "fab" and user in old.database.users:
            # that account has a password which is not known here
            password = secret.generate()
            if rows.has_account(self.installation, _ASKING):
                self._forget()  # of a proof that was killed, with a password that nobody knows
            commands = [self.installation.version.create_admin(_ASKING, password.reveal())]
            self.installation.airflow.run_batch(
                commands, what="make an account that asks", secrets=(password,)
            )
            try:
                return self._asked(_ASKING, password, dag)
            finally:
                self._forget()
        return self._asked(user, password, dag)

    def _forget(self) -> None:
        self.installation.airflow.run(
            "users", "delete", "--username", _ASKING, what="remove the account that asked"
        )

    def _asked(self, user: str, password: Secret, dag: str) -> int:
        session = health.login(self.installation.version, self.installation.web, user, password)
        return session.runs(dag)


# The examples that every install brings.
_OURS = ("airferry_pipeline", "airferry_scripts")


def notes(installation: Installation) -> Tuple[str, ...]:
    """What there is to know at the end of an install that took one over."""
    staging = Staging(installation.home)
    if not staging.complete.exists():
        return ()
    return tuple(_notes(installation, look(installation), rows.copied(installation)))


def _notes(installation: Installation, old: OldAirflow, copied: Optional[Copied]) -> Iterator[str]:
    staging = Staging(installation.home)
    if copied:
        total = sum(item.after for item in copied.tables)
        tables = len(copied.tables)
        yield f"Taken over from {old.place}: {total:,} rows of {tables} tables, counted on both sides."
        for item in copied.left:
            yield f"Not taken over: {item.rows:,} rows of {item.table}: {item.why}."
        if copied.encrypted:
            yield f"{copied.encrypted} values that were stored in plain text are encrypted now."
    if staging.proved.exists():
        proved = codec.loads(Proved, staging.proved.read_text(encoding="utf-8"))
        if proved.dag:
            yield f"The pages show {proved.runs:,} runs of the DAG {proved.dag}."
    if staging.settings.exists():
        data = json.loads(staging.settings.read_text(encoding="utf-8"))
        for setting in (codec.decode(SettingTaken, item) for item in data):
            yield setting.text
    for problem in dagfiles.known(installation).problems:
        yield f"The new Airflow cannot import {problem.text}"
    for remnant in old.remnants:
        yield f"To retire the old one, {remnant.path}: {' && '.join(remnant.commands)}"
