"""What only an upgrade does: the new Airflow is tried beside the old one, and told what was set for that."""

from __future__ import annotations

from bootstrap.airflow import config, moves
from bootstrap.installed.configuration import ManagedSettings
from bootstrap.installed.installation import Installation


class KeysStep:
    """Give settings of Airflow 2 in airflow.cfg the places that Airflow 3 reads."""

    name = "airflow-cfg"

    def __init__(self, before: Installation, after: Installation) -> None:
        self.installation = after
        self.crosses = before.version.numbers < (3, 0, 0) <= after.version.numbers

    def describe(self) -> str:
        """One line for the admin."""
        return (
            f"Update the options in airflow.cfg that Airflow {self.installation.receipt.airflow} has renamed"
        )

    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return not self.crosses

    def apply(self) -> None:
        """Edit the file in place, by the new Airflow's own table."""
        target, after = self.installation.home.airflow_cfg, self.installation
        config.write(target, moves.fit(config.read(target), after.version, after.release.venv).text)
        # from 3.0 on workers with Celery have a role of their own, and the head meets them as that role
        ManagedSettings(after).forget("result_backend")


class TrialStep:
    """Start the new Airflow's command line while the old one serves: it must be able to start here."""

    name = "trial"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def describe(self) -> str:
        """One line for the admin."""
        return f"Check that Airflow {self.installation.receipt.airflow} starts on this host"

    def done(self) -> bool:
        """Whether there is nothing left to do."""
        return False

    def apply(self) -> None:
        """Ask it for its version, with a home of its own, and have all compiled that will be waited for."""
        airflow = self.installation.airflow
        compiled = airflow.warm_up()
        try:
            airflow.check_version()
            compiled.wait()
        finally:
            airflow.end_warm_up()
