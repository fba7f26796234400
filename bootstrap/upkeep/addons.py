"""Packages that an add-on brings to an installation: beside the environment, to go again without a trace.

A folder below the release holds them, a line of a ``.pth`` file in the environment names it (site module),
and links in its ``bin`` lead to their programs. The environment itself stays as its bundle has made it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

from bootstrap.base import account, channel, discard, process, smallfile
from bootstrap.base.lock import held
from bootstrap.custody import Custodian
from bootstrap.examination import packages
from bootstrap.installed.installation import Installation
from bootstrap.python.venv import Tools, Venv, install_beside
from bootstrap.services import strays
from bootstrap.services.broker import Action
from bootstrap.state import admission, receipt
from bootstrap.state.home import Home
from bootstrap.state.journal import Journal
from bootstrap.state.plan import Progress
from bootstrap.state.receipt import Added, Receipt
from bootstrap.steps.airflow import start
from wheelhouse import timestamp
from wheelhouse.errors import AirferryError
from wheelhouse.manifest import Manifest
from wheelhouse.reader import Bundle

_UNFINISHED = ".unfinished-"
_PTH = "airferry-added.pth"
_SHOWN = 8


class AddOnRefused(AirferryError):
    """The file is no add-on to this installation, or there is no such add-on in it."""

    reference = "add-on-refused"
    exit_code = 96


class Additions:
    """The add-ons of one installation, in its release folder."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.release = installation.release
        self.folder = self.release.added
        self.by_root = installation.receipt.is_roots and channel.available()

    def check(self, bundle: Bundle) -> None:
        """Raise :class:`AddOnRefused` unless the add-on fits what is installed, to the version."""
        manifest, found = bundle.manifest, self.installation.receipt
        if found.is_roots and not self.release.is_roots:
            raise AddOnRefused(
                f"The environment of Airflow {found.airflow} was made by {found.account}.",
                needed="one that root has made",
                hint=f"As root, install the bundle again, which makes it anew: sh {found.bundle_file} install"
                f" --home {found.home}",
            )
        if not manifest.base:
            raise AddOnRefused(
                f"{bundle.path.name} is a complete Airflow bundle, not an add-on.",
                hint=f"sh {bundle.path.name} install --home {found.home}",
            )
        bases = [found.bundle_id, *(item.bundle_id for item in found.added)]
        installed = Manifest.loads(self.release.manifest.read_text(encoding="utf-8"))
        if manifest.base not in bases or manifest.target.tag != installed.target.tag:
            raise AddOnRefused(
                f"{bundle.path.name} was made for another installation.",
                found=f"an add-on to {manifest.base}, for {manifest.target.tag}",
                needed=f"one to {' or '.join(bases)}",
                hint="On the internet host: airferry bundle --onto FILE, the one that was installed here.",
            )
        inside = {package.name: package.version for package in installed.packages}
        for item in found.added:
            inside.update({name.split(" ", 1)[0]: name.split(" ", 1)[1] for name in item.packages})
        other = [
            f"{package.name} {package.version}, here {inside[package.name]}"
            for package in manifest.packages
            if inside.get(package.name, package.version) != package.version
        ]
        if other:
            raise AddOnRefused(
                f"{bundle.path.name} would change packages that are installed.",
                found="\n".join(other),
                hint="Make a complete bundle that includes it on the internet host, and"
                " upgrade with that bundle.",
            )

    def place(self, bundle: Bundle) -> None:
        """Unpack the packages beside the environment; a folder that is there is whole."""
        if self.by_root:
            channel.ask("add-on-place")
            return
        target = self._path(bundle.manifest.bundle_id)
        if target.exists():
            return
        self.folder.mkdir(exist_ok=True)
        self._clear()
        work = Path(tempfile.mkdtemp(prefix=_UNFINISHED, dir=str(self.folder)))
        wheels = work / "wheels"
        wheels.mkdir()
        for package in bundle.manifest.packages:
            bundle.extract_package(package, wheels)
        installed = Manifest.loads(self.release.manifest.read_text(encoding="utf-8"))
        tools = Tools.unpacked(self.release.tools, installed.tools)
        install_beside(
            self._venv, work / "site", tools, bundle.manifest.packages, wheels,
            env=self.installation.services.env, log=self._log,
        )  # fmt: skip
        (work / "site").chmod(0o755)
        os.sync()
        (work / "site").replace(target)
        shutil.rmtree(str(work))

    def switch(self, added: Sequence[Added]) -> None:
        """Let exactly these take part: the ``.pth`` in one step, and links to their programs."""
        if self.by_root:
            channel.ask("add-on-switch", names=[item.bundle_id for item in added])
            return
        sites = [self._path(item.bundle_id) for item in added]
        lines = "".join(f"import site; site.addsitedir({str(path)!r})\n" for path in sites)
        pth = next(self.release.venv.glob("lib/python3*/site-packages")) / _PTH
        smallfile.write(pth, lines)
        programs = self._venv.interpreter.parent
        for path in programs.iterdir():
            if path.is_symlink() and str(self.folder) in os.readlink(str(path)):
                path.unlink()
        for site in sites:
            for program in sorted(site.glob("bin/*")):
                with contextlib.suppress(FileExistsError):  # the environment's own come first
                    (programs / program.name).symlink_to(program)

    def prove(self, packages: Sequence[str]) -> None:
        """See that the environment's Python finds each; raises CommandFailed."""
        code = "import importlib.metadata as m, sys; [m.version(name) for name in sys.argv[1:]]"
        names = [name.split(" ", 1)[0] for name in packages]
        what = "find the added packages"
        process.run(
            [self._venv.interpreter, "-c", code, *names],
            what=what,
            env=self.installation.airflow.environment(),
        )

    def sweep(self, added: Sequence[Added]) -> None:
        """Delete the folders that are not among these."""
        if self.by_root:
            channel.ask("add-on-sweep", names=[item.bundle_id for item in added])
            return
        wanted = {self._path(item.bundle_id) for item in added}
        for path in self.folder.iterdir() if self.folder.is_dir() else ():
            if path not in wanted:
                shutil.rmtree(str(path), ignore_errors=True)

    @property
    def _log(self) -> Path:
        """What the installers say; root writes to no file of the account's."""
        if self.installation.receipt.is_roots:
            return self.release.path / "install.log"
        return self.installation.home.install_log

    def _clear(self) -> None:
        # an installer may have outlived the command that started it and was killed
        strays.kill_users(self.folder)
        discard.sweep(self.folder, _UNFINISHED)

    def _path(self, bundle_id: str) -> Path:
        return self.folder / bundle_id

    @property
    def _venv(self) -> Venv:
        return Venv(self.release.venv, Path(self.installation.receipt.python))


def add(installation: Installation, bundle: Bundle, progress: Progress, *, restart: bool = True) -> Receipt:
    """Bring the packages of an add-on in, and restart; what fails is undone. The receipt as it is then."""
    home, found, manifest = installation.home, installation.receipt, bundle.manifest
    additions = Additions(installation)
    with Journal(home.journal).recorded("add", bundle=manifest.bundle_id, file=bundle.path.name), held(
        home.lock
    ):
        additions.check(bundle)
        item = _added(bundle)
        others = tuple(other for other in found.added if other.bundle_id != item.bundle_id)
        with progress.step(f"Install {', '.join(item.packages)}"):
            additions.place(bundle)
        return _turn(installation, (*others, item), progress, restart=restart)


def remove(installation: Installation, named: str, progress: Progress, *, restart: bool = True) -> Receipt:
    """Take the add-on of that bundle id or file out again. Raises :class:`AddOnRefused`."""
    home, found = installation.home, installation.receipt
    with Journal(home.journal).recorded("add", remove=named), held(home.lock):
        gone = [item for item in found.added if named in (item.bundle_id, item.file)]
        if not gone:
            known = ", ".join(f"{item.file} ({item.bundle_id})" for item in found.added)
            raise AddOnRefused(f"There is no add-on {named}.", found=f"add-ons: {known or 'none'}")
        left = tuple(item for item in found.added if item not in gone)
        standing = [item.file for item in left if item.base in [other.bundle_id for other in gone]]
        if standing:
            raise AddOnRefused(
                f"Another add-on was made onto {named}.",
                found=", ".join(standing),
                hint="Remove that one first.",
            )
        return _turn(installation, left, progress, restart=restart)


def by_root(custodian: Custodian, bundle: Optional[Bundle]) -> Mapping[str, Action]:
    """Root's part, where the release is root's: the folders of add-ons, and what leads to them."""
    additions = Additions(Installation(receipt.load(custodian.home.receipt)))
    found = additions.installation.receipt

    def named(request: Dict[str, Any]) -> List[Added]:
        names = request.get("names")
        known = {item.bundle_id: item for item in (*found.added, *custodian.adding)}
        if not additions.release.is_roots or not isinstance(names, list) or not set(names) <= set(known):
            raise AddOnRefused("Root knows no such add-ons.", found=str(names)[:200])
        return [known[name] for name in names]

    def place(request: Dict[str, Any]) -> None:
        assert bundle
        additions.check(bundle)
        custodian.adding = (_added(bundle),)
        additions.place(bundle)

    return {
        **({"add-on-place": place} if bundle else {}),
        "add-on-switch": lambda request: additions.switch(named(request)),
        "add-on-sweep": lambda request: additions.sweep(named(request)),
        "receipt": custodian.receipt,
    }


def _added(bundle: Bundle) -> Added:
    manifest = bundle.manifest
    names = tuple(f"{package.name} {package.version}" for package in manifest.packages)
    return Added(
        manifest.bundle_id, bundle.path.name, admission.digest(bundle.stream), names, timestamp.now(),
        manifest.base, bundle.seal.sha256,
    )  # fmt: skip


def left_behind(home: Home, manifest: Manifest) -> str:
    """What of this home an upgrade to the bundle would drop, in sentences; or empty.

    That is what add-ons have brought and the bundle does not hold, and what was installed by hand.
    """
    found = receipt.find(home.receipt)
    if not found or found.bundle_id == manifest.bundle_id:
        return ""
    lost, said = dropped(found, manifest), []
    if lost:
        said.append(f"This bundle lacks packages from installed add-ons: {', '.join(lost)}.")
    by_hand = _by_hand(home, found)
    if by_hand:
        shown = ", ".join(by_hand[:_SHOWN]) + (f" and {len(by_hand) - _SHOWN} more" * (len(by_hand) > _SHOWN))
        said.append(f"An upgrade drops what was changed in the environment by hand: {shown}.")
    return " ".join(said)


def _by_hand(home: Home, found: Receipt) -> List[str]:
    def look() -> str:
        handmade = packages.compare(home.release(found.bundle_id))
        return "\n".join([*handmade.changed, *handmade.added])

    # of a release that root has built, it reads what it wrote
    built = home.release(found.bundle_id)
    theirs = built.venv if home.is_roots and not built.is_roots else home.path
    if os.geteuid() == 0 and theirs.exists() and theirs.lstat().st_uid != 0:
        return (account.look_as_owner(theirs, look) or "").splitlines()
    return look().splitlines()


def dropped(found: Receipt, manifest: Manifest) -> List[str]:
    """The added packages that another bundle would not bring: an upgrade leaves them behind."""
    if found.bundle_id == manifest.bundle_id:
        return []
    carried = {package.name for package in manifest.packages}
    return [name for item in found.added for name in item.packages if name.split(" ", 1)[0] not in carried]


def _turn(
    installation: Installation, added: Tuple[Added, ...], progress: Progress, *, restart: bool
) -> Receipt:
    """Switch to these add-ons and restart; back to the earlier ones when that fails."""
    additions, earlier = Additions(installation), installation.receipt
    running = any(state.pid for state in installation.services.states().values()) and restart
    changed = replace(earlier, added=added)
    try:
        additions.switch(added)
        additions.prove([name for item in added for name in item.packages])
        if running:
            with progress.step("Restart Airflow"):
                installation.stop(installation.components)
                start(installation)
    except BaseException:
        additions.switch(earlier.added)
        additions.sweep(earlier.added)
        if running:
            with progress.step("Restore the earlier state"):
                installation.stop(installation.components)
                start(installation)
        raise
    receipt.save(installation.home.receipt, changed)
    additions.sweep(added)
    return changed
