"""Root's part of a command: what belongs to root is written by root's process, from its own receipts.

The account's process asks for it over the channel (bootstrap.base.channel). A request names things and says
how far the work is; it holds no text that root would run, and no path. A receipt in it must be one that root
has written before, but for what tells of progress.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

from bootstrap.airflow.executor import EXECUTORS
from bootstrap.base import account as accounts
from bootstrap.base import discard, manual, process, smallfile, trust
from bootstrap.base.account import Account
from bootstrap.change.restore import as_it_runs
from bootstrap.change.upgrade import delete_unused
from bootstrap.installed.installation import Installation
from bootstrap.python.choice import CARRIED
from bootstrap.services.broker import Action
from bootstrap.services.launcher import OWN_ENVIRONMENT_TEXT
from bootstrap.state import backup, journal, ownership, receipt
from bootstrap.state.home import Home, ReleaseFolder
from bootstrap.state.receipt import ROOT, SCHEMA, Added, Receipt
from bootstrap.steps.packages import UNFINISHED, ReleaseStep, switch
from bootstrap.steps.python import python_steps
from wheelhouse import codec, layout
from wheelhouse.errors import AirferryError
from wheelhouse.reader import Bundle

_TIME = re.compile(r"[0-9T:.Z+-]{0,40}")
_VERSION = re.compile(r"[0-9A-Za-z.+~-]{0,40}")
_RELEASE = re.compile(r"([0-9A-Za-z][0-9A-Za-z.+_-]*)?")
_KEPT = ("postgres-ca.pem",)
_LONGEST_LINE = 1 << 16
# backups whose receipts are taken over
_MOST = 100


class RequestRefused(AirferryError):
    """The account's process asked root for what root does not do for it."""

    reference = "request-refused"
    exit_code = 79


class Custodian:
    """Root's side of one command on the home of `account`.

    With `chosen` and its `bundle` it installs that; with `changes` it goes to any receipt that root has
    written, which a restore does; otherwise the receipt that is there is all that it works on.
    """

    def __init__(
        self,
        home: Home,
        account: Account,
        *,
        chosen: Optional[Receipt] = None,
        bundle: Optional[Bundle] = None,
        changes: bool = False,
    ) -> None:
        self.home = home
        self.account = account
        self.chosen = chosen
        self.bundle = bundle
        self.changes = changes or chosen is not None
        self.adding: Tuple[Added, ...] = ()

    def actions(self) -> Dict[str, Action]:
        """What the account's process may ask for."""
        found: Dict[str, Action] = {"journal": self._journal, "commands": self._commands}
        found["prune"] = self._prune
        if self.changes:
            found.update({"receipt": self.receipt, "keep": self._keep})
            found.update({"known": self._known, "executor": self._executor})
        if self.chosen and self.bundle:
            found.update({"python": self._python, "packages": self._packages})
        return found

    def begin(self) -> Receipt:
        """Before the account gets to it: the home is root's, and what was there goes on under root's code.

        Returns the receipt to install, without what root does not run from. Raises AccountError.
        """
        assert self.chosen and self.bundle
        os.umask(0o022)
        self.chosen = _trusted(self.chosen)
        _check_python(self.chosen.python if self.chosen.python_from != CARRIED else sys.executable)
        earlier = receipt.find(self.home.receipt) if self.home.receipt.exists() else None
        ownership.claim(self.home, self.account)
        if earlier and not earlier.is_roots:
            self._take_over(_of_root(earlier), self.chosen, self.bundle)
        # not sooner: whoever kills this meanwhile finds commands
        ownership.clear_commands(self.home, self.account)
        if not earlier:
            self._save(self.chosen)
        self._note(self.chosen)
        return self.chosen

    def _take_over(self, earlier: Receipt, chosen: Receipt, bundle: Bundle) -> None:
        """Have root's commands manage what the account has built, which root itself never runs.

        What the account's receipts say of ports and the like is believed this once.
        """
        if chosen.python_from == CARRIED:
            self._python({})
        for folder in (self.home.path / "releases").iterdir():
            if folder.is_symlink() or not (folder / "complete").exists():
                continue
            release = ReleaseFolder(folder)
            ownership.own_folder(release.path)
            if release.is_roots:
                continue
            if release.runtime.exists():
                discard.set_aside(release.runtime, UNFINISHED)
            discard.sweep(release.path, UNFINISHED)
            extract_runtime(bundle, release.runtime)
            process.run(
                [chosen.python, "-I", "-S", "-m", "compileall", "-q", release.runtime],
                what="compile airferry's own modules",
            )
            ownership.put(self.home, release.own_python, f"{chosen.python}\n", self.account, 0o644)
        for found in self._of_the_account():
            if (found.home, found.account, found.name) == (earlier.home, earlier.account, earlier.name):
                self._note(_of_root(found))
        if self.home.release(earlier.bundle_id).complete.exists():
            # of one that is damaged, what is missing is made by the install
            with contextlib.suppress(AirferryError):
                self._write_commands(earlier)
        self._save(earlier)

    def _of_the_account(self) -> Iterator[Receipt]:
        """The receipts of a change under way, and those in backups: what can be gone back to."""
        paths = sorted(self.home.backups.glob(f"*/{backup.STATE}/receipt.json"), reverse=True)[:_MOST]
        for path in (self.home.run / "change.json", *paths):
            try:
                data = codec.parse(smallfile.read(path, self.account.uid).decode("utf-8", "replace"))
            except (OSError, codec.Malformed):
                continue
            for part in (data, data.get("old"), data.get("new")) if isinstance(data, dict) else ():
                with contextlib.suppress(codec.Malformed):
                    yield codec.decode(Receipt, part)

    # what may be asked for

    def _journal(self, request: Dict[str, Any]) -> None:
        line = str(request.get("line"))
        if len(line) > _LONGEST_LINE or not isinstance(codec.parse(line), dict):
            raise RequestRefused("This is no event of the journal.")
        self._append(self.home.journal, " ".join(line.splitlines()))

    def _known(self, request: Dict[str, Any]) -> None:
        self._accepted(request)

    def receipt(self, request: Dict[str, Any]) -> None:
        """Write a receipt that is accepted."""
        asked = request.get("receipt")
        # an older airferry reads what it has written itself, to the letter
        if self.changes and asked in self._noted():
            text = json.dumps(asked, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
            ownership.put(self.home, self.home.receipt, text, self.account)
            return
        self._save(replace(self._accepted(request), schema=SCHEMA))

    def _executor(self, request: Dict[str, Any]) -> None:
        """Another executor of those that can be installed: tasks go to other hosts, or no longer."""
        now, known = receipt.load(self.home.receipt), EXECUTORS.get(str(request.get("executor")))
        if known is None or now.role not in known.roles:
            raise RequestRefused("Root does not install that executor here.")
        self._save(replace(now, executor=known.name))

    def _commands(self, request: Dict[str, Any]) -> None:
        self._write_commands(self._accepted(request))
        with contextlib.suppress(FileNotFoundError):
            (self.home.etc / "supervisord.conf").unlink()  # of an earlier airferry; it is in run/ now

    def _python(self, request: Dict[str, Any]) -> None:
        assert self.chosen and self.bundle
        for step in python_steps(Installation(self.chosen), self.bundle):
            if not step.done():
                step.apply()

    def _packages(self, request: Dict[str, Any]) -> None:
        assert self.chosen and self.bundle
        ReleaseStep(Installation(self.chosen), self.bundle).apply()

    def _keep(self, request: Dict[str, Any]) -> None:
        name, text = request.get("name"), request.get("text")
        if name not in _KEPT or not isinstance(text, str):
            raise RequestRefused(f"Root does not write {name!r} for the account.")
        ownership.put(self.home, self.home.etc / name, text, self.account)

    def _prune(self, request: Dict[str, Any]) -> None:
        delete_unused(self.home, receipt.load(self.home.receipt))

    # root's own receipts

    def _accepted(self, request: Dict[str, Any]) -> Receipt:
        """The receipt of a request, where root has written it before, but for what tells of progress."""
        try:
            asked = codec.decode(Receipt, request.get("receipt"))
        except codec.Malformed as error:
            raise RequestRefused("This is no receipt.", found="\n".join(error.problems[:3])) from error
        if (
            any(_still(asked) == _still(own) for own in self._candidates())
            and all(_TIME.fullmatch(text) for text in (asked.started, asked.completed, asked.removed))
            and _VERSION.fullmatch(asked.database.server)
            and _RELEASE.fullmatch(asked.previous)
            and all(replace(item, time="") in self._additions() for item in asked.added)
        ):
            return asked
        raise RequestRefused(
            f"Root has never written this receipt of Airflow {asked.airflow}.",
            found=f"{asked.bundle_id} at port {asked.web_port}",
            needed=f"one of those in {self.home.receipts}",
            hint="A backup from before root owned the code of this installation may differ in its options:"
            " run the install with those options first (--port, --parallelism, ...), then restore it.",
        )

    def _additions(self) -> List[Added]:
        known = [*self.adding, *(item for own in self._written() for item in own.added)]
        return [replace(item, time="") for item in known]

    def _candidates(self) -> Iterator[Receipt]:
        now = receipt.load(self.home.receipt)
        yield now
        if self.changes:
            for own in self._written():
                yield own
                if own.bundle_id == now.bundle_id:
                    yield as_it_runs(own, now)

    def _written(self) -> Iterator[Receipt]:
        for data in self._noted():
            try:
                yield codec.decode(Receipt, data)
            except codec.Malformed:
                continue

    def _noted(self) -> List[Any]:
        try:
            lines = self.home.receipts.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [codec.parse(line) for line in lines if line]

    def _note(self, found: Receipt) -> None:
        data = codec.encode(found)
        if data not in self._noted():
            self._append(self.home.receipts, codec.compact(data))

    def _save(self, found: Receipt) -> None:
        self._note(found)
        ownership.put(self.home, self.home.receipt, codec.dumps(found), self.account)

    def _append(self, path: Path, line: str) -> None:
        if path.exists() and path.lstat().st_uid != 0:
            raise RequestRefused(f"{path} is not root's.")
        journal.append(path, line)
        os.chown(str(path), 0, self.account.gid, follow_symlinks=False)

    def _write_commands(self, found: Receipt) -> None:
        installation = Installation(found)
        _check_python(installation.own_python)
        ownership.share_environment(self.home, self.account, OWN_ENVIRONMENT_TEXT)
        for name, (text, mode) in installation.scripts().items():
            ownership.put(self.home, self.home.path / name, text, self.account, mode)
        switch(self.home, installation.release, installation.release.path.parent)
        with contextlib.suppress(FileExistsError):  # a folder of the admin's own is left alone
            self.home.manual.symlink_to(Path("current") / "runtime" / manual.FOLDER)
        for path, (text, mode) in installation.launcher.files(installation.programs()).items():
            ownership.put(self.home, path, text, self.account, mode | (mode & 0o400) >> 3)


def _of_root(found: Receipt) -> Receipt:
    return _trusted(replace(found, schema=SCHEMA, owner=ROOT))


def _trusted(found: Receipt) -> Receipt:
    """Without the folders of libraries that others could write to: root's commands would load from them."""
    folders = [path for path in found.library_path.split(":") if path and not trust.stranger(path)]
    return replace(found, library_path=":".join(folders))


def _check_python(python: str) -> None:
    found = trust.untrusted(python)
    if found:
        raise accounts.AccountError(
            f"Root does not run {python}.",
            found=found,
            needed="an interpreter that is root's",
            hint="Name another one: --python carried, host, or a path.",
        )


def custodian_of(home: Home, found: Receipt, *, changes: bool = False) -> Optional[Custodian]:
    """Root's side of a command on an installation; None where the code is not root's."""
    owner = accounts.find(found.account)
    if owner is None or not found.is_roots or not home.is_roots:
        return None
    os.umask(0o022)
    return Custodian(home, owner, changes=changes)


def extract_runtime(bundle: Bundle, place: Path) -> None:
    """Unpack airferry's own code, as a release has it; whatever is there goes first."""
    if place.exists() or place.is_symlink():
        ownership.remove(place)
    place.mkdir(mode=0o755)
    bundle.extract_folder(layout.RUNTIME, place)
    bundle.extract(layout.STAGE0, place / "__main__.py")


def _still(found: Receipt) -> Receipt:
    """What of a receipt an install decides, without what tells how far it is."""
    server = "" if found.database.kind != "private" else found.database.server
    return replace(
        found, schema=SCHEMA, airferry="", started="", completed="", removed="", previous="", added=(),
        database=replace(found.database, server=server),
    )  # fmt: skip
