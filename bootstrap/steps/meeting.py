"""What head and workers share in the database: a table, and a role that sees nothing else."""

from __future__ import annotations

from bootstrap.base.process import CommandFailed
from bootstrap.cluster import celery
from bootstrap.installed import meeting
from bootstrap.installed.installation import Installation
from bootstrap.postgres import wire
from wheelhouse.errors import AirferryError


class MeetingStep:
    """Make the table that workers report to, and their role where they have one of their own."""

    name = "workers-table"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def describe(self) -> str:
        """One line for the admin."""
        own = meeting.connection(self.installation).user == celery.ROLE
        role = f", and the role {celery.ROLE}, which sees nothing else" if own else ""
        return f"Make the table that workers report to{role}"

    def done(self) -> bool:
        """Whether the head can log in as workers do and read it."""
        place, password = (
            meeting.connection(self.installation),
            meeting.database_password(self.installation),
        )
        try:
            with wire.session(place, password) as session:
                session.query(f"SELECT count(*) FROM {celery.SCHEMA}.worker")  # noqa: S608
        except (AirferryError, CommandFailed):
            return False
        return True

    def apply(self) -> None:
        """Make what is missing."""
        meeting.make(self.installation)
