"""Writes exit-codes.md here and in docs/ko: python docs/reference/generate_exit_codes.py."""

from __future__ import annotations

import importlib
import pkgutil
import runpy
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import bootstrap
import bundler
import wheelhouse
from wheelhouse.errors import AirferryError

PAGE = Path(__file__).with_name("exit-codes.md")
KOREAN = Path(__file__).parents[1] / "ko" / "exit-codes.md"
HEAD = """# Exit codes

Generated from the error classes by `docs/reference/generate_exit_codes.py`; do not edit.

| code | meaning |
|---|---|
| 0 | success; for `doctor`: nothing blocks; for `status`: every component is healthy |
| 1 | a bug in airferry: the message names the log to send |
| 2 | the command line was used wrongly |
| 3 | `doctor`, or the preflight of `install`, found what blocks; nothing was changed |
| 4 | `doctor --strict`: nothing blocks, but there are warnings |
| 89 | `backup`: it was made, but without files of dags or plugins that cannot be read |
| 5 | `compare`: the two files are not the same |
| 130 | interrupted (Ctrl-C); the same command again goes on |

Every other error has a stable reference, shown in brackets behind its message and, with `--json`, as
`reference`:

| code | reference | meaning |
|---|---|---|
"""


HEAD_KO = """# 종료 코드

`docs/reference/generate_exit_codes.py`가 오류 클래스에서 만들었습니다. 직접 고치지 마십시오.

| 코드 | 뜻 |
|---|---|
| 0 | 성공. `doctor`에서는 막는 것이 없음, `status`에서는 모든 구성 요소가 정상 |
| 1 | airferry의 버그. 메시지가 보낼 로그를 알려 줌 |
| 2 | 명령줄을 잘못 썼음 |
| 3 | `doctor`나 `install`의 사전 점검이 막는 것을 찾았음. 아무것도 바꾸지 않음 |
| 4 | `doctor --strict`: 막는 것은 없지만 경고가 있음 |
| 89 | `backup`: 만들었지만, 읽을 수 없는 dags나 plugins의 파일이 빠짐 |
| 5 | `compare`: 두 파일이 같지 않음 |
| 130 | 중단됨(Ctrl-C). 같은 명령을 다시 실행하면 이어서 진행함 |

그 밖의 오류에는 바뀌지 않는 이름이 있습니다. 메시지 뒤의 대괄호 안에, `--json`에서는 `reference`로 나옵니다.

| 코드 | 이름 | 뜻 |
|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return HEAD + _rows({})


def korean() -> str:
    """The whole page in Korean."""
    return HEAD_KO + _rows(runpy.run_path(str(Path(__file__).with_name("exit_codes_ko.py")))["MEANINGS"])


def _rows(meanings: dict[str, str]) -> str:
    found = sorted((kind.exit_code, kind.reference, _meaning(kind)) for kind in _kinds())
    return "".join(f"| {code} | `{name}` | {meanings.get(name, text)} |\n" for code, name, text in found)


def _kinds() -> set[type[AirferryError]]:
    for package in (wheelhouse, bootstrap, bundler):
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            # programs, not modules: stage 0, and what runs in Airflow's own environment
            if not module.name.endswith(
                (
                    "__main__",
                    "airflow.batch",
                    "airflow.fabpassword",
                    "airflow.dagcheck",
                    "site.authority",
                    "cluster.celeryworker",
                )
            ):
                importlib.import_module(module.name)
    found: set[type[AirferryError]] = set()
    waiting = list(AirferryError.__subclasses__())
    while waiting:
        kind = waiting.pop()
        waiting += kind.__subclasses__()
        if "reference" in vars(kind):
            found.add(kind)
    return found


def _meaning(kind: type[AirferryError]) -> str:
    return (kind.__doc__ or "").strip().splitlines()[0]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    KOREAN.write_text(korean(), encoding="utf-8")
