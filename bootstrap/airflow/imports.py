"""Run by the Python of a release: which modules it lacks, or cannot import.

Standard input is JSON, ``{"modules": [...], "paths": [...]}``; the answer maps a module to what is wrong with
it. Airflow and its web framework are looked for and not imported, which would take seconds and write files;
so is what lies in `paths`, the admin's own.
"""

import importlib
import importlib.machinery
import importlib.util
import json
import os
import sys
from typing import List

_LOOKED_FOR = ("airflow", "flask_appbuilder")


def _found(name: str) -> bool:
    """Whether a module is there, looked for without importing its packages."""
    first, *rest = name.split(".")
    spec = importlib.util.find_spec(first)
    places = list(spec.submodule_search_locations or []) if spec else []
    for part in rest:
        names = [os.path.join(place, part) for place in places]  # noqa: PTH118
        if any(os.path.isfile(path + end) for path in names for end in importlib.machinery.all_suffixes()):  # noqa: PTH113
            return part == rest[-1]
        places = [path for path in names if os.path.isdir(path)]  # noqa: PTH112
    return spec is not None and (not rest or bool(places))


def _problem(name: str, own: List[str]) -> str:
    if not _found(name):
        return f"No module named '{name}'"
    top = name.split(".", maxsplit=1)[0]
    spec = importlib.util.find_spec(top)
    places = [*((spec.submodule_search_locations or [spec.origin or ""]) if spec else [])]
    if top in _LOOKED_FOR or any(place.startswith(path + os.sep) for place in places for path in own):
        return ""
    try:
        importlib.import_module(name)
    except BaseException as error:  # noqa: BLE001  (whatever it is, the file cannot import it either)
        return (str(error).splitlines() or [type(error).__name__])[0]
    return ""


def main() -> None:
    """Answer the question on standard input."""
    asked = json.load(sys.stdin)
    sys.path += asked["paths"]
    said, sys.stdout = sys.stdout, sys.stderr
    answer = {name: _problem(name, asked["paths"]) for name in asked["modules"]}
    said.write(json.dumps({name: problem for name, problem in answer.items() if problem}) + "\n")


if __name__ == "__main__":
    main()
