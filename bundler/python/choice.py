"""Where the interpreter to carry comes from: the published ones that uv knows, an address, or a file."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bootstrap.base import process
from bundler.base.digest import file_digest
from bundler.base.errors import DownloadFailed, HashMismatch, PythonUnavailable
from bundler.index.cache import Cache
from bundler.index.fetch import Fetcher
from bundler.index.transport import NoAnswer, Session, without_credentials
from bundler.lock.lockfile import Artifact
from bundler.python import standalone
from bundler.request.settings import PUBLISHED
from bundler.request.spec import BundleRequest
from bundler.resolver.uv import Uv
from wheelhouse import layout
from wheelhouse.manifest import CarriedPython

# what uv itself reads: a mirror of the published archives, and a list of others
_VARIABLES = ("UV_PYTHON_INSTALL_MIRROR", "UV_PYTHON_DOWNLOADS_JSON_URL")
_MACHINES = {"armv7l": "armv7", "ppc64le": "powerpc64le"}
_DIGEST = re.compile(r"\b[0-9a-f]{64}\b")


def get(request: BundleRequest, uv: Uv, session: Session, cache: Cache) -> tuple[CarriedPython, Path]:
    """Find, fetch, check and describe the interpreter that the request asks for.

    Raises PythonUnavailable, PythonUnfit, HashMismatch, and what a fetch raises.
    """
    found = locate(request, uv, session)
    try:
        path = Fetcher(session, cache, offline=request.settings.offline).fetch([found])[found.sha256]
    except DownloadFailed as error:
        if request.settings.offline:
            raise
        raise _unavailable(found, error.found or error.message) from error
    content = standalone.inspect(path, found.filename, request.target)
    carried = CarriedPython(
        version=content.version,
        path=layout.PYTHON + found.filename,
        size=path.stat().st_size,
        sha256=found.sha256,
        url=without_credentials(found.url),
        unpacked=content.unpacked,
        floor=content.floor,
    )
    return carried, path


def locate(request: BundleRequest, uv: Uv, session: Session) -> Artifact:
    """The archive and its sha256: the one that was given, else the published one."""
    wanted = request.settings.with_python
    if wanted == PUBLISHED:
        return _published(request, uv)
    if "://" not in wanted:
        return _local(Path(wanted), request.settings.python_sha256)
    if urlsplit(wanted).scheme == "file":
        return _local(Path(unquote(urlsplit(wanted).path)), request.settings.python_sha256)
    name = _filename(wanted)
    return Artifact(name, wanted, request.settings.python_sha256 or _sum_beside(wanted, name, session))


def _local(path: Path, sha256: str) -> Artifact:
    try:
        found = file_digest(path)
    except OSError as error:
        raise PythonUnavailable(f"{path} cannot be read: {error.strerror}.") from error
    if sha256 and found != sha256:
        raise HashMismatch(
            f"{path} is not the file that --python-sha256 names.",
            found=f"sha256 {found}",
            needed=f"sha256 {sha256}",
        )
    return Artifact(path.name, "", found, path.stat().st_size, path=path)


def _published(request: BundleRequest, uv: Uv) -> Artifact:
    """The newest release of the target's minor version that uv has an address for."""
    target = request.target
    mirror = {_VARIABLES[0]: request.settings.python_mirror} if request.settings.python_mirror else {}
    variables = {name: os.environ.get(name, "") for name in _VARIABLES}
    env = uv.host_environment({**variables, **mirror})
    said = process.run(
        [
            uv.program, "python", "list", "--no-config", "--only-downloads", "--all-platforms",
            "--output-format", "json", f"cpython@{target.python}",
        ],
        what="ask uv for the Pythons that can be carried",
        env=env,
    )  # fmt: skip
    kinds = {"glibc": "gnu", "musl": "musl"}
    machine = _MACHINES.get(target.host.machine, target.host.machine)
    fitting = [
        item
        for item in json.loads(said.stdout)
        if (item["implementation"], item["os"], item["variant"]) == ("cpython", "linux", "default")
        and item["arch"] == machine
        and item["libc"].startswith(kinds[target.host.libc])
    ]
    if not fitting:
        raise PythonUnavailable(
            f"uv {uv.tool.version} has no Python {target.python} for {target.label} that can be carried.",
            hint="Name an archive in the layout of python-build-standalone: --with-python PATH or URL.",
        )
    newest = max(fitting, key=lambda item: item["version_parts"]["patch"])
    url, name = newest["url"], _filename(newest["url"])
    sha256 = request.settings.python_sha256 or _pinned(newest["key"], url, uv, env)
    if urlsplit(url).scheme == "file":
        path = Path(unquote(urlsplit(url).path))
        if not path.exists():
            raise _unavailable(Artifact(name, url, sha256), f"no file {path}")
        return _local(path, sha256)
    return Artifact(name, url, sha256)


def _pinned(key: str, url: str, uv: Uv, env: dict[str, str]) -> str:
    """The sha256 that uv holds for a download: it is compiled in, and said only of a file that differs."""
    with tempfile.TemporaryDirectory(prefix="airferry-") as name:
        mirror = Path(name, "mirror")
        wrong = mirror / urlsplit(url).path.split("/")[-2] / _filename(url)
        wrong.parent.mkdir(parents=True)
        with tarfile.open(wrong, "w:gz") as archive:
            archive.addfile(tarfile.TarInfo(f"{standalone.TOP}/empty"), io.BytesIO())
        ours = hashlib.sha256(wrong.read_bytes()).hexdigest()
        said = process.run(
            [uv.program, "python", "install", "--no-config", "--no-bin", "--install-dir", f"{name}/to", key],
            what="ask uv for a checksum",
            env={**env, _VARIABLES[0]: mirror.as_uri(), "UV_HTTP_RETRIES": "0"},
            ok=range(256),
        )
    known = [item for item in _DIGEST.findall(said.stderr) if item != ours]
    if len(known) != 1:
        raise PythonUnavailable(
            f"uv {uv.tool.version} does not say which sha256 {_filename(url)} has.",
            found=said.stderr.strip(),
            hint="Give it with --python-sha256.",
        )
    return str(known[0])


def _sum_beside(url: str, name: str, session: Session) -> str:
    """The sha256 that is published beside an archive: in SHA256SUMS, or in a file of its own."""
    folder, _, last = url.rpartition("/")
    problems = []
    for place in (f"{folder}/SHA256SUMS", f"{folder}/{last}.sha256"):
        try:
            answer = session.get(place)
        except NoAnswer as error:
            problems.append(f"{without_credentials(place)}: {error}")
            break
        if answer.status_code != 200:
            problems.append(f"{without_credentials(place)}: HTTP {answer.status_code}")
            continue
        for line in answer.text.splitlines():
            words = line.split()
            if words and _DIGEST.fullmatch(words[0]) and (words[1:] or [name])[0].lstrip("*") == name:
                return str(words[0])
        problems.append(f"{without_credentials(place)}: nothing on {name}")
    raise PythonUnavailable(
        f"There is no checksum for {name}.",
        found="\n".join(problems),
        needed="SHA256SUMS or a .sha256 beside it, or --python-sha256",
        hint=f"Or fetch {name} by hand, and name the file: --with-python PATH/{name}",
    )


def _filename(url: str) -> str:
    return unquote(urlsplit(url).path.rpartition("/")[2])


def _unavailable(found: Artifact, problem: str) -> PythonUnavailable:
    return PythonUnavailable(
        "The Python to carry cannot be fetched.",
        found=problem,
        needed=f"{found.filename} (sha256 {found.sha256})\nfrom {without_credentials(found.url)}",
        hint="Fetch that file where its address can be reached, put it on this machine, and name it:"
        f" airferry bundle --with-python PATH/{found.filename} --python-sha256 {found.sha256}\n"
        "Or name a mirror of the releases with --python-mirror.",
    )
