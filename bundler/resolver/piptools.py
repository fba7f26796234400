"""pip-tools: pip's own resolver, which the Airflow project supports; for this interpreter only."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import re
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_sdist_filename, parse_wheel_filename
from packaging.version import Version

from bootstrap.base import process
from bundler.base.errors import DownloadFailed, InvalidRequest, ResolutionFailed
from bundler.index.cache import Cache
from bundler.index.simple import Index
from bundler.lock.lockfile import Artifact, Locked
from bundler.resolver import Question
from bundler.resolver.environment import network, secrets
from bundler.resolver.failures import failure, stopped
from wheelhouse.manifest import Tool
from wheelhouse.target import Target

_SECONDS = 1800.0
# what pip says that it does
_COLLECTING = re.compile(r"Collecting (\S+?)(?: \(from .*)?$")
_BUILDING = ("Installing build dep", "Getting requirements to", "Preparing metadata", "Building wheel")


class PipTools:
    """pip-compile in this program's own environment; `indexes` tell the files of what it chose."""

    def __init__(self, cache: Cache, indexes: Sequence[Index]) -> None:
        self._cache = cache
        self._indexes = indexes

    @property
    def tool(self) -> Tool:
        """The pip-tools, and the pip beneath it, that resolve."""
        pip, own = (importlib.metadata.version(name) for name in ("pip", "pip-tools"))
        return Tool("pip-tools", f"{own} (pip {pip})")

    def resolve(self, question: Question) -> tuple[Locked, ...]:
        """Resolve for this interpreter; raises InvalidRequest for any other target.

        See :class:`bundler.resolver.Resolver`.
        """
        _check_target(question.target)
        with tempfile.TemporaryDirectory(prefix="airferry-") as name:
            pins = self._compile(question, Path(name))
        with ThreadPoolExecutor(16) as pool:
            return tuple(pool.map(lambda pin: self._locked(pin, question), pins))

    def _compile(self, question: Question, folder: Path) -> list[Requirement]:
        arguments: list[process.Argument] = [
            sys.executable,
            "-m",
            "piptools",
            "compile",
            "--no-config",
            "--verbose",
        ]
        arguments += ["--resolver", "backtracking", "--allow-unsafe", "--strip-extras", "--no-header"]
        arguments += ["--no-annotate", "--no-emit-options", "--cache-dir", self._cache.piptools]
        if question.exclude_newer:
            arguments += ["--uploaded-prior-to", question.exclude_newer]
        if question.constraints:
            (folder / "constraints.txt").write_text(question.constraints, encoding="utf-8")
            arguments += ["--constraint", "constraints.txt"]
        (folder / "requirements.in").write_text("\n".join(question.requirements) + "\n", encoding="utf-8")
        try:
            result = process.run(
                [*arguments, "--output-file", "pins.txt", "requirements.in"],
                what="resolve the packages with pip-tools",
                env=self._environment(question),
                cwd=folder,
                ok=range(256),
                log=folder / "pip.log",
                secrets=secrets(question),
                timeout=_SECONDS,
            )
        except process.CommandFailed as error:
            raise stopped(error, *_doing(folder / "pip.log")) from error
        if result.status:
            raise failure(_words(result.stderr), question)
        lines = (folder / "pins.txt").read_text(encoding="utf-8").splitlines()
        return [
            Requirement(line.split(" --hash")[0]) for line in lines if line.strip() and line[0] not in "#-"
        ]

    def _environment(self, question: Question) -> dict[str, str]:
        return process.environment(
            {
                **network(),
                "PIP_CONFIG_FILE": os.devnull,
                "PIP_INDEX_URL": question.index_url,
                "PIP_EXTRA_INDEX_URL": " ".join(question.extra_index_urls),
                "PIP_FIND_LINKS": " ".join(
                    Path(item).as_uri() if item[0] == "/" else item for item in question.find_links
                ),
                "PIP_CACHE_DIR": str(self._cache.piptools / "pip"),
                "PIP_CERT": os.environ.get("PIP_CERT", ""),
                "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                "PIP_NO_INPUT": "1",
                "NO_COLOR": "1",
            }
        )

    def _locked(self, pin: Requirement, question: Question) -> Locked:
        name = canonicalize_name(pin.name)
        if pin.url:
            return _from_url(name, pin.url)
        version = Version(next(iter(pin.specifier)).version)
        files = [item for index in self._indexes for item in index.offered(name) if item.version == version]
        if not files:
            local = [path for link in question.find_links for path in _linked(link, name, version)]
            if not local:
                raise DownloadFailed(f"No index that was named has {name} {version}.", found=str(pin))
            artifacts = [_local(path) for path in local]
        else:
            missing = [item.filename for item in files if not item.sha256]
            if missing:
                raise ResolutionFailed(
                    f"The index gives no sha256 for {missing[0]}.", needed="a sha256 of every file"
                )
            artifacts = [
                Artifact(item.filename, item.url, item.sha256, item.size, _seconds(item.uploaded))
                for item in files
            ]
        return _of(name, str(version), artifacts)


def _of(name: str, version: str, artifacts: Sequence[Artifact]) -> Locked:
    wheels = tuple(item for item in artifacts if item.filename.endswith(".whl"))
    sdist = next((item for item in artifacts if not item.filename.endswith(".whl")), None)
    return Locked(name, version, wheels, sdist)


def _check_target(target: Target) -> None:
    here = Target.parse(f"{sys.version_info[0]}.{sys.version_info[1]}", target.platform)
    libc = "glibc" if platform.libc_ver()[0] == "glibc" else "musl"
    if target != here or platform.machine() != target.host.machine or libc != target.host.libc:
        raise InvalidRequest(
            f"pip-tools cannot resolve for {target.label}.",
            found=f"Python {here.python} on {platform.machine()}, {libc}: pip evaluates markers for itself",
            needed="the target's Python and architecture, here",
            hint="Leave --resolver out (uv resolves for any target), or run airferry with that Python.",
        )


def _linked(link: str, name: str, version: Version) -> list[Path]:
    found = []
    for path in sorted(Path(link).glob("*")) if Path(link).is_dir() else []:
        parse = parse_wheel_filename if path.suffix == ".whl" else parse_sdist_filename
        try:
            if parse(path.name)[:2] == (name, version):
                found.append(path)
        except ValueError:
            continue
    return found


def _from_url(name: str, url: str) -> Locked:
    parts = urlsplit(url)
    path = Path(unquote(parts.path))
    if parts.scheme == "file" and path.is_dir():
        return Locked(name, "", directory=path)
    filename = path.name
    version = (
        filename.split("-")[1] if filename.endswith(".whl") else filename.rsplit("-", 1)[-1].split(".tar")[0]
    )
    if parts.scheme == "file":
        return _of(name, version, [_local(path)])
    if not parts.fragment.startswith("sha256="):
        raise ResolutionFailed(
            f"{name} comes from an address without a hash.", found=url, needed=f"{url}#sha256=..."
        )
    plain = url.partition("#")[0]
    return _of(name, version, [Artifact(filename, plain, parts.fragment.removeprefix("sha256="))])


def _local(path: Path) -> Artifact:
    content = path.read_bytes()
    return Artifact(path.name, "", hashlib.sha256(content).hexdigest(), len(content), path=path)


def _seconds(uploaded: str) -> str:
    """The upload time as uv writes it, so that both resolvers make the same bundle."""
    return f"{uploaded[:19]}Z" if uploaded else ""


def _doing(log: Path) -> tuple[str, str]:
    """What pip was building from source, and else the last requirement that it had taken up."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    building, chosen = False, ""
    for line in map(str.strip, text.splitlines()):
        begun = _COLLECTING.match(line)
        if begun:
            building, chosen = False, begun[1]
        elif line.startswith(_BUILDING):
            building = line.endswith(": started")
    return (chosen, "") if building else ("", chosen)


def _words(text: str) -> str:
    # the settings that pip-compile begins with, and what builds say
    noise = (
        "WARNING:",
        "DEPRECATION:",
        "Traceback",
        "  File ",
        "    ",
        "  http",
        "  file:",
        "Using ",
        "Ignoring ",
    )
    lines = [line for line in text.strip().splitlines() if line.strip() and not line.startswith(noise)]
    return "\n".join(lines[-30:])
