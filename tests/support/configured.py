"""A configured installation whose Airflow is a stand-in that only writes a default airflow.cfg."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

from bootstrap.base.account import current
from bootstrap.base.secret import Secret
from bootstrap.installed.installation import Installation
from bootstrap.state import receipt as receipts
from bootstrap.state.home import Home
from bootstrap.steps.configuration import ConfigurationStep
from bootstrap.steps.secrets import FoldersStep
from tests.support.receipts import sample

# Writes a default airflow.cfg as Airflow does.
STAND_IN = '''
import os, pathlib
home = pathlib.Path(os.environ["AIRFLOW_HOME"])
(home / "airflow.cfg").write_text(f"""[core]
# Whether to load the examples. A line that is no default: x = y
#
# load_examples = True
dags_folder = {home}/dags
# parallelism = 32
[api]
# base_url =
[logging]
# base_log_folder =
[smtp]
# smtp_password =
# smtp_user =
# smtp_host = localhost
""")
'''


def configured(folder: Path, airflow: str = "3.3.2") -> Home:
    """Make it in `folder`; its web server would listen on port 9."""
    step = unconfigured(folder, airflow)
    step.apply()
    return step.installation.home


def unconfigured(folder: Path, airflow: str = "3.3.2") -> ConfigurationStep:
    """The same, with the step that writes airflow.cfg still to be applied."""
    home = Home(folder)
    receipt = replace(
        sample(home.path),
        account=current().name,
        library_path="",
        web_port=9,
        added=(),
        ca_file="",
        airflow=airflow,
    )
    FoldersStep(home, Secret("x")).apply()
    receipts.save(home.receipt, receipt)
    installation = Installation(receipt)
    package = installation.release.venv / "lib" / "airflow"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "configuration.py").write_text(STAND_IN)  # written at the import, as before 2.8
    python = installation.release.venv / "bin" / "python"
    python.parent.mkdir()
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{package.parent}" exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    return ConfigurationStep(installation)
