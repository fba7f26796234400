"""Read the DAG files of a folder as Airflow does: run by its own Python, the folder on standard input.

The last line of the output is JSON: the file of each DAG by its id, and what went wrong by file.
"""

import json
import sys

try:
    from airflow.dag_processing.dagbag import DagBag  # type: ignore[import-not-found]
except ImportError:  # before Airflow 3.2
    from airflow.models.dagbag import DagBag  # type: ignore[import-not-found]

bag = DagBag(sys.stdin.read())
found = {
    "dags": {name: str(dag.fileloc) for name, dag in bag.dags.items()},
    "errors": {str(name): str(error) for name, error in bag.import_errors.items()},
}
sys.stdout.write("\n" + json.dumps(found) + "\n")
