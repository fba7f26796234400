"""A real nginx with what airferry prints for it, by any account and in one folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

needs_nginx = pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not on this machine")
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def nginx(folder: Path, text: str) -> list[str]:
    """The command that runs it in the foreground; certificates lie in the folder, and so does error.log."""
    text = text.replace("/etc/nginx/tls", str(folder))
    text = "\n".join(line for line in text.splitlines() if "[::]" not in line)  # not on every machine
    main = folder / "nginx.conf"
    main.write_text(
        f"daemon off;\npid {folder}/pid;\nerror_log {folder}/error.log;\nworker_processes 1;\n"
        "events {}\nhttp {\n"
        + "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in _TEMPORARY)
        + f"access_log {folder}/access.log;\n{text}\n}}\n"
    )
    return ["nginx", "-e", str(folder / "error.log"), "-c", str(main)]
