"""What a worker tells its head beside what Airflow's does: its bundle, and which DAG files it has.

Airflow's worker imports this file from the folder ``config`` of its home (``[edge]
extended_system_info_function``), where an install copies it: standard library only. Written by airferry.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Dict, List, Optional, Tuple

# The list of the workers that prove themselves differs from host to host.
DIFFERENT = "airferry_workers.json"
_LEFT_OUT = {"__pycache__", ".git"}
_known: Dict[str, Tuple[object, str]] = {}


def files(folder: Path) -> List[Path]:
    """The files of a tree of DAG files that count, in order."""
    found = []
    for place, folders, names in os.walk(str(folder)):
        folders[:] = [name for name in folders if name not in _LEFT_OUT]
        found += [Path(place, name) for name in names if name != DIFFERENT]
    return sorted(path for path in found if path.is_file())


def digest(folder: Path) -> str:
    """What tells two trees apart: the first digits of a sha256 over names and contents."""
    found = hashlib.sha256()
    for path in files(folder):
        name = path.relative_to(folder).as_posix()
        content = path.read_bytes()
        found.update(f"{name}\0{len(content)}\0".encode("utf-8", "surrogateescape") + content)
    return found.hexdigest()[:12]


def cached(folder: Path) -> str:
    """As :func:`digest`, read anew only where a file was changed."""
    seen = [(str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files(folder)]
    state, value = _known.get(str(folder), (None, ""))
    if state != seen:
        value = digest(folder)
        _known[str(folder)] = seen, value
    return value


def mark(dags: Path, plugins: Optional[Path] = None) -> str:
    """What tells the DAG files of two hosts apart, and their plugins where there are any."""
    both = [dags, *([plugins] if plugins and files(plugins) else [])]
    return "+".join(cached(folder) for folder in both if folder.is_dir())


def bundle(home: Path) -> str:
    """The release in use and its add-ons, as ids."""
    try:
        added = json.loads((home / "receipt.json").read_text(encoding="utf-8")).get("added") or []
        names = sorted(str(item["bundle_id"]) for item in added)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        names = []
    return "+".join([(home / "current").resolve().name, *names])


async def tell() -> Dict[str, str]:
    """Called by Airflow's worker with every report."""
    from airflow.configuration import conf  # type: ignore[import-not-found]  # noqa: PLC0415

    home = Path(os.environ.get("AIRFLOW_HOME", ""))
    dags, plugins = (Path(conf.get("core", f"{kind}_folder")).resolve() for kind in ("dags", "plugins"))
    return {"airferry_bundle": bundle(home), "airferry_dags": mark(dags, plugins)}
