"""Interpreters: which are here, and what each can import, asked of the interpreter itself."""

from __future__ import annotations

import ast
import glob
import os
import re
import sys
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Dict, Iterator, List, Mapping, Optional, Sequence, Tuple

from bootstrap.base import process
from bootstrap.facts.access import Gate, gates
from wheelhouse.errors import AirferryError

PROBE_SECONDS = 5.0
_AT_ONCE = 4
_NAME = re.compile(r"python(?:(\d)(?:\.(\d+)(t|d|td)?)?)?")

FOLDERS = (
    "/usr/local/bin",
    "/usr/bin",
    "/bin",
    "/opt/*/bin",
    "/usr/local/python*/bin",
    "/opt/rh/rh-python*/root/usr/bin",
    "/opt/python/*/bin",
    "~/.local/bin",
    "~/.pyenv/versions/*/bin",
    "~/.local/share/uv/python/*/bin",
    "~/miniconda3/bin",
    "~/anaconda3/bin",
)
MODULES = (
    "ctypes",
    "ssl",
    "zlib",
    "sqlite3",
    "bz2",
    "lzma",
    "_uuid",
    "readline",
    "venv",
    "json",
    "zipfile",
    "multiprocessing.synchronize",
    "distutils.dist",
)

# Runs in the interpreter in question, whatever it is: no syntax newer than 2.7, no module that might miss.
# It is printed for approvals too (airferry probe), in lines of 80 columns.
PROBE = """
import sys
found = {"executable": sys.executable}
found["base_prefix"] = getattr(sys, "base_prefix", sys.prefix)
found["version"] = "%d.%d.%d" % sys.version_info[:3]
found["bits"] = 64 if sys.maxsize > 2**32 else 32
implementation = getattr(sys, "implementation", None)
found["implementation"] = getattr(implementation, "name", "cpython")
flags = getattr(sys, "abiflags", "")
found["debug"] = hasattr(sys, "gettotalrefcount")
found["free_threaded"] = "t" in flags
found["modules"] = modules = {}
for name in sys.argv[1:]:
    try:
        __import__(name)
        modules[name] = ""
    except BaseException as error:
        modules[name] = "%s: %s" % (type(error).__name__, error)
get = lambda module, name: str(getattr(sys.modules.get(module), name, ""))
found["openssl"] = get("ssl", "OPENSSL_VERSION")
found["sqlite"] = get("sqlite3", "sqlite_version")
try:
    import _imp
    found["abi"] = (_imp.extension_suffixes() or [""])[0]
except Exception:
    found["abi"] = ""
try:
    import hashlib
    hashlib.md5(b"")
    found["md5"] = ""
except Exception as error:
    found["md5"] = str(error)
try:
    import os
    found["stdlib"] = os.path.dirname(os.__file__)
    found["managed"] = os.path.exists(found["stdlib"] + "/EXTERNALLY-MANAGED")
except Exception:
    found["stdlib"], found["managed"] = "", False
said = repr(found).encode("ascii", "backslashreplace").decode("ascii")
sys.stdout.write("airferry-probe " + said)
"""


@dataclass(frozen=True)
class Interpreter:
    """A Python that was found, and what it said of itself.

    `path` is where it was found (`origin`: named, running, path, folder), `resolved` the file behind links.
    An interpreter that was not asked (`asked` false: its name tells that it is another version) has only a
    minor `version`; `error` says why one that was asked did not answer. `modules` maps each name that was
    imported in it to the exact error, or to nothing. `abi` is the suffix of its extension modules, `md5`
    why MD5 is refused (FIPS), `gates` what keeps other accounts from it.
    """

    path: str
    resolved: str
    origin: str
    version: str = ""
    asked: bool = False
    error: str = ""
    implementation: str = ""
    bits: int = 0
    debug: bool = False
    free_threaded: bool = False
    abi: str = ""
    executable: str = ""
    base_prefix: str = ""
    stdlib: str = ""
    managed: bool = False
    openssl: str = ""
    sqlite: str = ""
    md5: str = ""
    modules: Dict[str, str] = field(default_factory=dict)
    gates: Tuple[Gate, ...] = ()

    @property
    def minor(self) -> str:
        """The version's first two numbers, e.g. ``3.11``; empty when unknown."""
        return ".".join(self.version.split(".")[:2])


def collect(
    wanted: str = "",
    named: Optional[str] = None,
    *,
    environ: Optional[Mapping[str, str]] = None,
    folders: Sequence[str] = FOLDERS,
) -> Tuple[Interpreter, ...]:
    """Find the interpreters and ask those that may be `wanted` (``3.11``; empty: all) for their modules.

    The one `named` by the user comes first and is always asked, then the one that runs this, then those on
    PATH and in `folders`. Each file is asked once, whatever links lead to it.
    """
    environ = os.environ if environ is None else environ
    found: Dict[str, Interpreter] = {}
    for origin, path in _candidates(named, environ, folders):
        resolved = os.path.realpath(path)
        if (Path(path).parent.parent / "pyvenv.cfg").is_file():
            path = resolved  # noqa: PLW2901  (a user's environment may go; what it was made from stays)
        if resolved not in found:
            found[resolved] = Interpreter(path, resolved, origin, version=_version_in_name(resolved))
    interpreters = list(found.values())
    chosen = [
        index
        for index, item in enumerate(interpreters)
        if item.origin == "named" or item.version in ("", wanted) or not (wanted or item.version[0] == "2")
    ]
    answers = _ask_all([interpreters[index] for index in chosen])
    for index, answer in zip(chosen, answers):
        interpreters[index] = answer
    return tuple(interpreters)


def _candidates(
    named: Optional[str], environ: Mapping[str, str], folders: Sequence[str]
) -> Iterator[Tuple[str, str]]:
    if named:
        yield "named", named
    # what sh unpacked for this run alone is gone when it ends, and no fact of the host
    if sys.executable and "unpacked" not in getattr(sys, "_xoptions", {}):
        yield "running", sys.executable
    searched = []
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        if not folder.startswith("/"):
            continue
        if Path(folder).name == "shims":
            # pyenv's and asdf's scripts take half a second each and lead to these folders
            searched += [("path", pattern) for pattern in _behind_shims(folder)]
        else:
            searched.append(("path", glob.escape(folder)))
    home = environ.get("HOME", "")
    searched += [
        ("folder", pattern.replace("~", glob.escape(home), 1))
        for pattern in folders
        if home or not pattern.startswith("~")
    ]
    if environ.get("PYENV_ROOT"):
        searched.append(("folder", glob.escape(environ["PYENV_ROOT"]) + "/versions/*/bin"))
    for origin, pattern in searched:
        for folder in sorted(glob.glob(pattern)):  # noqa: PTH207  (stops at no unreadable folder)
            for path in _interpreters_in(folder):
                yield origin, path


def _behind_shims(folder: str) -> List[str]:
    root = glob.escape(str(Path(folder).parent))
    return [root + "/versions/*/bin", root + "/installs/python/*/bin"]


def _interpreters_in(folder: str) -> List[str]:
    try:
        names = os.listdir(folder)  # noqa: PTH208  (bin folders are long: names only)
    except OSError:
        return []
    matching = [name for name in names if _NAME.fullmatch(name)]
    paths = [f"{folder}/{name}" for name in sorted(matching, key=len, reverse=True)]
    return [path for path in paths if os.path.isfile(path) and os.access(path, os.X_OK)]  # noqa: PTH113


def _version_in_name(resolved: str) -> str:
    match = _NAME.fullmatch(Path(resolved).name)
    if not match or not match.group(1):
        return ""
    if match.group(1) == "2":
        return f"2.{match.group(2) or 7}"
    return f"3.{match.group(2)}" if match.group(2) else ""


def _ask_all(interpreters: Sequence[Interpreter]) -> List[Interpreter]:
    """Ask up to four at a time; more would only take turns on the processors."""
    answers = list(interpreters)
    waiting = list(enumerate(interpreters))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not waiting:
                    return
                index, interpreter = waiting.pop(0)
            answers[index] = _ask(interpreter)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(min(_AT_ONCE, len(waiting)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def _ask(interpreter: Interpreter) -> Interpreter:
    asked = replace(interpreter, asked=True, gates=gates(interpreter.path))
    try:
        result = process.run(
            [interpreter.path, "-I", "-c", PROBE, *MODULES],
            what=f"ask {interpreter.path} for its modules",
            # setuptools would put its own distutils into the place of the missing one
            env=process.environment({"SETUPTOOLS_USE_DISTUTILS": "stdlib"}),
            cwd=Path("/"),
            timeout=PROBE_SECONDS,
        )
        _, mark, said = result.stdout.partition("airferry-probe ")
        if not mark:
            return replace(asked, error="it did not answer as a Python does")
        answer = ast.literal_eval(said)
        stdlib = str(answer["stdlib"])
        seen = {gate.path: gate for gate in (*asked.gates, *(gates(stdlib) if stdlib else ()))}
        return replace(asked, **answer, gates=tuple(seen.values()))
    except AirferryError as error:
        return replace(asked, error=_last_line(error.found) or error.message)
    except (ValueError, SyntaxError, KeyError, TypeError) as error:
        return replace(asked, error=f"its answer cannot be read: {error}")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""
