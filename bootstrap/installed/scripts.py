"""The commands of an installation and the environment that they share, as scripts of sh."""

from __future__ import annotations

import shlex
from typing import Dict, Mapping, Tuple

from bootstrap.base.account import AccountError
from bootstrap.services.launcher import own_variables
from bootstrap.state.receipt import Receipt


def compose(receipt: Receipt, own_python: str, variables: Mapping[str, str]) -> Dict[str, Tuple[str, int]]:
    """The commands in ``bin/`` and the environment they share: path below home -> (text, mode).

    `own_python` is what root's commands run on, `variables` the environment of the installation.
    """
    home, python = (shlex.quote(text) for text in (receipt.home, own_python))
    exports = "".join(f"export {key}={shlex.quote(value)}\n" for key, value in sorted(variables.items()))
    library, owner = receipt.library_path, receipt.account
    keep = f"LD_LIBRARY_PATH={shlex.quote(library)} " if library else ""
    environment = (
        "# Written by airferry; read by sh. The environment of every process of this installation.\n"
        "for name in $(env | sed -n 's/^\\(AIRFLOW_[A-Za-z0-9_]*\\|PYTHON[A-Z]*\\)=.*/\\1/p'); do\n"
        '    unset "$name"\n'
        "done\n"
        f"{exports}"
        f"{own_variables(receipt.home, receipt.python)}\n"
    )
    airflow = (
        "#!/bin/sh\n"
        "# Airflow's command line, with the environment of this installation. Written by airferry.\n"
        f'[ "$(id -u)" -eq 0 ] && [ {shlex.quote(receipt.account)} != root ] &&\n'
        f'    exec {home}/bin/airferry run -- {home}/bin/airflow "$@"\n'
        "# while an upgrade changes the database, also after a power failure\n"
        f"if [ -e {home}/run/halted ]; then\n"
        f'    echo "airferry: Airflow is kept stopped: see airferry status" >&2\n'
        "    exit 75\n"
        "fi\n"
        f"for file in {home}/etc/environment.sh {home}/airflow.cfg; do\n"
        '    if [ -e "$file" ] && ! [ -r "$file" ]; then\n'
        f'        echo "airferry: this Airflow belongs to {owner}; $(id -un) cannot read it." >&2\n'
        f'        echo "  Run the same command as {owner}, or as root: it goes on as {owner}." >&2\n'
        f"        exit {AccountError.exit_code}\n"
        "    fi\n"
        "done\n"
        f". {home}/etc/environment.sh\n"
        # not through the link: Python keeps bytecode by the path that it was started with
        f"release={home}/$(readlink {home}/current || echo current)\n"
        'exec "$release/venv/bin/python" -m airflow "$@"\n'
    )
    airferry = (
        "#!/bin/sh\n"
        "# Manages this installation: sh airferry --help. Written by airferry.\n"
        f'{keep}AIRFERRY_HOME={home} exec {python} -I -S -B -X utf8 {home}/current/runtime "$@"\n'
    )
    return {
        "etc/environment.sh": (environment, 0o640),
        "bin/airflow": (airflow, 0o755),
        "bin/airferry": (airferry, 0o755),
    }
