"""uv: resolves for any Python and platform, in about a second."""

from __future__ import annotations

import importlib.metadata
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

import uv as uv_package

from bootstrap.base import process
from bundler.base.errors import DownloadFailed, InvalidRequest, OutputFailed, ResolutionFailed
from bundler.index.cache import Cache
from bundler.index.simple import PYPI
from bundler.lock import lockfile
from bundler.lock.graph import full_version
from bundler.resolver import Question
from bundler.resolver.environment import network, secrets
from bundler.resolver.failures import failure, stopped
from wheelhouse.manifest import Tool
from wheelhouse.target import Target

# glibc versions that uv can resolve for (uv pip compile --help); the next lower one is the safe side.
_GLIBC = (17, 28, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40)
_MACHINES = ("x86_64", "aarch64")
# What it does, for the day on which it does not come to an end; nobody sees it before.
_LOG = "uv_resolver=debug,uv_distribution=debug"
_DOING = re.compile(r"Preparing metadata for: (\S+)|Selecting: (\S+)")
_SECONDS = 600.0
# For what is built: these parse their own requirements in every command, and take two to four times as long;
# from 82 on pkg_resources is gone, which the setup.py of many an older source imports.
BUILD_CONSTRAINTS = "setuptools!=60.9.*,!=60.10.*,!=61.*,!=62.*,<82\n"
# A file of this index never changes (PyPI, "File name reuse"). It says so itself, but many a proxy leaves
# that out, and then metadata of the same sources is built in every run.
_LASTING = (PYPI,)
_CACHE_FILES = """\
[[index]]
url = "{url}"
default = true
cache-control = {{ files = "max-age=365000000, immutable" }}
"""
_UNREACHABLE = ("error sending request", "Failed to fetch", "Could not connect", "client error", "timed out")


class Uv:
    """The uv of this program's own environment, with a cache of its own and no configuration of the host."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache
        self.program = Path(uv_package.find_uv_bin())

    @cached_property
    def tool(self) -> Tool:
        """The uv that resolves."""
        return Tool("uv", importlib.metadata.version("uv"))

    def environment(self, question: Question) -> dict[str, str]:
        """The environment of uv; credentials go in here and not on the command line, for others to see."""
        return self.host_environment(
            {
                "UV_DEFAULT_INDEX": question.index_url,
                "UV_INDEX": " ".join(question.extra_index_urls),
                "UV_FIND_LINKS": ",".join(question.find_links),
                "UV_OFFLINE": "1" if question.offline else "",
                "UV_PYTHON_DOWNLOADS": "never",
            }
        )

    def host_environment(self, extra: Mapping[str, str]) -> dict[str, str]:
        """What uv needs of this host, and `extra` on top."""
        return process.environment(
            {
                **network(),
                "UV_CACHE_DIR": str(self._cache.uv),
                "UV_SYSTEM_CERTS": "1",
                "UV_NO_PROGRESS": "1",
                "NO_COLOR": "1",
                **extra,
            }
        )

    def _environment(self, question: Question) -> dict[str, str]:
        chosen = {**self.environment(question), "RUST_LOG": _LOG}
        if question.index_url in _LASTING:
            del chosen["UV_DEFAULT_INDEX"]
        return chosen

    def resolve(self, question: Question) -> tuple[lockfile.Locked, ...]:
        """Resolve for the target; see :class:`bundler.resolver.Resolver`."""
        with tempfile.TemporaryDirectory(prefix="airferry-") as name:
            folder = Path(name)
            arguments: list[process.Argument] = [
                self.program,
                "pip",
                "compile",
                "--no-sources",
            ]
            arguments += self._configuration(question, folder)
            # Without a path uv asks every interpreter on PATH, which takes seconds where shims are.
            arguments += [
                "--python",
                sys.executable,
                "--python-version",
                full_version(question.target.python),
            ]
            arguments += ["--python-platform", platform_name(question.target)]
            arguments += ["--format", "pylock.toml", "--no-header", "--no-annotate"]
            if question.exclude_newer:
                arguments += ["--exclude-newer", question.exclude_newer]
            for package, moment in question.later:
                arguments += ["--exclude-newer-package", f"{package}={moment}"]
            if question.without:
                # a marker that never holds takes a requirement away, whoever has it
                never = [f"{package} ; python_version < '0'" for package in question.without]
                (folder / "overrides.txt").write_text("\n".join(never) + "\n", encoding="utf-8")
                arguments += ["--overrides", "overrides.txt"]
            if question.constraints:
                (folder / "constraints.txt").write_text(question.constraints, encoding="utf-8")
                arguments += ["--constraints", "constraints.txt"]
            (folder / "requirements.in").write_text("\n".join(question.requirements) + "\n", encoding="utf-8")
            arguments.append("requirements.in")
            (folder / "build.txt").write_text(BUILD_CONSTRAINTS, encoding="utf-8")
            result = self._compile([*arguments, "--build-constraints", "build.txt"], question, folder)
            if result.status and "setuptools" in result.stderr:
                # a source may insist on one of them
                result = self._compile(arguments, question, folder)
            if result.status:
                raise _failure(result.stderr, question)
            return lockfile.read(result.stdout, folder)

    def _configuration(self, question: Question, folder: Path) -> list[process.Argument]:
        """No configuration but that of the index, which has no option."""
        if question.index_url not in _LASTING:
            return ["--no-config"]
        path = folder / "uv.toml"
        path.write_text(_CACHE_FILES.format(url=question.index_url), encoding="utf-8")
        return ["--config-file", path]

    def _compile(
        self, arguments: Sequence[process.Argument], question: Question, folder: Path
    ) -> process.Completed:
        try:
            return process.run(
                arguments,
                what="resolve the packages",
                env=self._environment(question),
                cwd=folder,
                ok=range(256),
                log=folder / "uv.log",
                secrets=secrets(question),
                timeout=_SECONDS,
            )
        except process.CommandFailed as error:
            raise _stopped(error, folder / "uv.log") from error


def platform_name(target: Target) -> str:
    """What uv calls the target; for a glibc that it does not know, the next higher one that it does.

    It leaves out of its answer what does not fit there; what the target itself takes is chosen from that.
    """
    host = target.host
    if host.machine not in _MACHINES:
        raise InvalidRequest(
            f"uv cannot resolve for {host.machine}.",
            needed=f"a platform on {' or '.join(_MACHINES)}",
            hint="On a machine of that kind, with that Python, --resolver pip-tools can.",
        )
    if host.libc == "musl":
        return f"{host.machine}-unknown-linux-musl"
    known = [minor for minor in _GLIBC if minor >= host.version[1]]
    return f"{host.machine}-manylinux_2_{min(known, default=max(_GLIBC))}"


def _stopped(error: process.CommandFailed, log: Path) -> process.CommandFailed:
    """The error of a uv that did not come to its end, with what it was doing."""
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    steps = _DOING.findall(text)
    if not steps:
        return error
    return stopped(error, *steps[-1])


def _failure(text: str, question: Question) -> DownloadFailed | OutputFailed | ResolutionFailed:
    words = "\n".join(
        line for line in text.strip().splitlines() if not line.startswith(("warning: ", "DEBUG "))
    )
    if any(sign in words for sign in _UNREACHABLE):
        return DownloadFailed(
            "The package index cannot be read while resolving.",
            found=words,
            hint="Check this machine's network and proxy settings, or name a mirror with --index-url.",
        )
    return failure(words, question)
