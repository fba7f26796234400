"""Imports what Airflow's components import, so that Python keeps the bytecode: run by Airflow's own Python.

Without it four components compile the same thousands of modules at once, when an admin waits for them. This
runs beside other work, gives way to it, and ends with whoever has started it. Nothing is done with what is
imported; a module that this release does not have, or that fails, is passed over. AIRFLOW_HOME is a folder
for this alone, which goes at the end.
"""

import importlib
import os
import shutil
import sys


def main() -> None:
    """Import the modules that are named behind the id of the process that has started this, in this order."""
    home, parent = os.environ["AIRFLOW_HOME"], int(sys.argv[1])
    os.nice(10)
    for name in sys.argv[2:]:
        if os.getppid() != parent:
            break
        try:
            importlib.import_module(name)
        except BaseException:  # noqa: BLE001, S112  # some end the process with SystemExit
            continue
    shutil.rmtree(home, ignore_errors=True)
    os._exit(0)  # nothing that was imported has any work to end


if __name__ == "__main__":
    main()
