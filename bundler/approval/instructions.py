"""``FILE.verify.txt``: how to check what was carried, with what a Linux or a Windows host has of its own.

Each form says what is right only after it has compared everything, and fails where a file is missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bundler.approval import papers, release_list
from bundler.approval.pieces import quoted

_TEXT = """\
{name}
sha256  {sha256}

Compare that sha256 with the one on the approval first: a list beside a file proves
nothing against who could write both.
이 sha256 값을 먼저 승인 문서의 값과 비교하십시오. 파일 옆의 목록은 둘 다 쓸 수 있는
사람에 대해서는 아무것도 증명하지 못합니다.

Linux (in the folder of the files; the second form where only the parts were carried)
Linux (파일이 있는 폴더에서; 분할 파일만 반입했으면 두 번째 명령)

    sha256sum -c {release} && echo ALL RIGHT || echo WRONG
{parts_linux}
Windows, Command Prompt (Windows 명령 프롬프트)

{certutil}

Windows, PowerShell

{powershell}
"""


def write(file: Path, sha256: str, parts: Mapping[str, str]) -> Path:
    """Write the instructions beside `file`, with the sha256 of the bundle and of each part; their path.

    Raises OutputFailed.
    """
    return papers.write(file, {papers.VERIFY: compose(file, sha256, parts)})[papers.VERIFY]


def compose(file: Path, sha256: str, parts: Mapping[str, str]) -> bytes:
    """The text, for Windows as well: UTF-8 with a mark, lines end in CR LF."""
    digests = {file.name: sha256, **parts}
    release = release_list.path_of(file).name
    others = f"grep -vxF {quoted(f'{sha256}  {file.name}')} {quoted(release)}"
    some = f"    {others} | sha256sum -c && echo ALL RIGHT || echo WRONG\n"
    text = _TEXT.format(
        name=file.name,
        sha256=sha256,
        release=quoted(release),
        parts_linux=some if parts else "",
        certutil="\n".join(_certutil(name, digest) for name, digest in digests.items()),
        powershell="\n".join(_powershell(name, digest) for name, digest in digests.items()),
    )
    return text.replace("\n", "\r\n").encode("utf-8-sig")


def _certutil(name: str, sha256: str) -> str:
    compare = f'certutil -hashfile "{name}" SHA256 | findstr /i /x {sha256} >nul'
    return f"    {compare} && echo RIGHT {name} || echo WRONG {name}"


def _powershell(name: str, sha256: str) -> str:
    literal = "'" + name.replace("'", "''") + "'"
    found = f"(Get-FileHash -Algorithm SHA256 -LiteralPath {literal} -ErrorAction SilentlyContinue).Hash"
    return f"    if ({found} -eq '{sha256}') {{ 'RIGHT ' + {literal} }} else {{ 'WRONG ' + {literal} }}"
