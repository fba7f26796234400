"""Advisories as OSV has them, and dumps of them."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

HIGH = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:N/A:N"


def advisory(name: str, package: str = "alpha", ecosystem: str = "PyPI", **more: Any) -> dict[str, Any]:
    events = more.pop("events", [{"introduced": "0"}, {"fixed": "2.0"}])
    affected = {
        "package": {"ecosystem": ecosystem, "name": package},
        "ranges": [{"type": "ECOSYSTEM", "events": events}],
        **more.pop("affected", {}),
    }
    return {"id": name, "modified": "2026-11-20T01:02:03Z", "summary": "bad", "affected": [affected], **more}


def dump(folder: Path, *advisories: dict[str, Any]) -> Path:
    path = folder / "all.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, item in enumerate(advisories):
            archive.writestr(f"{item.get('id', number)}-{number}.json", json.dumps(item))
    return path
