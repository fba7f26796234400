"""Code and records are root's: the account, or who is in its group, exchanges nothing that root runs."""

from __future__ import annotations

import os
import pwd
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootstrap.airflow.executor import EDGE
from bootstrap.base.account import Account, AccountError
from bootstrap.custody import Custodian, RequestRefused, custodian_of
from bootstrap.examination import files
from bootstrap.state import ownership
from bootstrap.state import receipt as receipts
from bootstrap.state.home import Home
from bootstrap.state.receipt import ROOT, Receipt
from tests.support import exchanging, releases
from tests.support import receipts as samples
from tests.support.accounts import NOBODY, Folder
from wheelhouse import codec
from wheelhouse.reader import Bundle

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has more to lose than the account")

GROUP = pwd.getpwnam("nobody").pw_gid
ACCOUNT = Account("nobody", NOBODY, GROUP)
OTHER = pwd.getpwnam("daemon").pw_uid
# what an attacker would have root run
EVIL = "#!/bin/sh\nid -u >>{proof}\n"


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bundle]:
    with Bundle.open(releases.write(tmp_path_factory.mktemp("bundle"))) as opened:
        yield opened


@pytest.fixture
def home() -> Iterator[Home]:
    with Folder() as folder:
        os.chown(folder, 0, 0)
        yield Home(folder / "home")


def chosen(place: Home, bundle: Bundle, **more: Any) -> Receipt:
    found = replace(
        samples.sample(place.path, bundle.manifest.bundle_id), account="nobody", python=releases.BASE,
        added=(), previous="", removed="", owner=ROOT, library_path="",
    )  # fmt: skip
    return replace(found, database=replace(found.database, programs=""), **more)


def installed(home: Home, bundle: Bundle) -> Custodian:
    """Root's part of an install, as far as the account has no part in it."""
    wanted = chosen(home, bundle)
    ownership.make(home, ACCOUNT)
    custodian = Custodian(home, ACCOUNT, chosen=wanted, bundle=bundle)
    custodian.begin()
    actions = custodian.actions()
    actions["packages"]({})
    actions["journal"]({"line": '{"event": "x"}'})
    actions["keep"]({"name": "postgres-ca.pem", "text": "pem"})
    actions["commands"]({"receipt": codec.encode(wanted)})
    return custodian


def of_the_account(home: Home, bundle: Bundle, python: str = releases.BASE, library: str = "") -> Receipt:
    """A home as an earlier airferry has left it, all of it the account's; its code is an attacker's."""
    found = chosen(home, bundle, owner=receipts.ACCOUNT, schema=3, python=python, library_path=library)
    release = home.release(bundle.manifest.bundle_id)
    for folder in (home.bin, home.etc, home.pythons, home.run, home.secrets, home.dags, release.runtime):
        folder.mkdir(parents=True)
    proof = home.path.parent / "proof"
    for path in (home.bin / "airferry", home.bin / "airflow", release.runtime / "__main__.py"):
        path.write_text(EVIL.format(proof=proof))
        path.chmod(0o755)
    release.complete.write_text("")
    (home.bin / "mine").write_text("# mine\n")
    (home.etc / "local.env").write_text("A=b\n")
    (home.etc / "airflow-settings.json").write_text("{}")
    (home.etc / "on-component-change").write_text("#!/bin/sh\n")
    (home.etc / "on-component-change").chmod(0o755)
    home.journal.write_text('{"event": "old"}\n')
    receipts.save(home.receipt, found)
    home.current_link.symlink_to(Path("releases") / release.id)
    home.manual.symlink_to("current/runtime/doc")
    give(home.path)
    return found


def give(path: Path) -> None:
    for part in (path, *path.rglob("*")):
        os.chown(part, NOBODY, GROUP, follow_symlinks=False)


def take_over(home: Home, bundle: Bundle, **more: Any) -> Custodian:
    custodian = Custodian(home, ACCOUNT, chosen=chosen(home, bundle, **more), bundle=bundle)
    custodian.begin()
    return custodian


def is_built_by_root(home: Home, bundle: Bundle) -> bool:
    return home.release(bundle.manifest.bundle_id).is_roots


def test_nothing_that_is_roots_can_be_exchanged(home: Home, bundle: Bundle) -> None:
    installed(home, bundle)
    assert len(list(exchanging.code(home.path))) > 40
    assert exchanging.not_roots(home.path) == []
    assert exchanging.exchanged(home.path, NOBODY, GROUP) == []
    # nor by who is in the account's group, who cannot even put anything into the home
    assert exchanging.exchanged(home.path, OTHER, OTHER, [GROUP]) == []
    member = exchanging._as(OTHER, OTHER, [GROUP], lambda: str(os.access(home.path, os.W_OK)))
    account = exchanging._as(NOBODY, GROUP, [], lambda: str(os.access(home.path, os.W_OK)))
    assert (member, account) == ("False", "True")


def test_the_attempts_are_real(home: Home, bundle: Bundle) -> None:
    """The control: on a home that is the account's as a whole each of them works."""
    of_the_account(home, bundle)
    worked = exchanging.exchanged(home.path, NOBODY, GROUP)
    for path in (home.bin / "airferry", home.current_link, home.receipt, home.journal, home.etc):
        assert f"rename {path}" in worked
    assert f"write to {home.bin}/airferry" in worked
    assert f"plant in {home.path}/releases" in worked


def test_admins_variables_are_read_by_the_account_alone(home: Home, bundle: Bundle) -> None:
    installed(home, bundle)
    path = home.etc / "local.env"
    assert exchanging._as(NOBODY, GROUP, [], path.read_text)
    assert exchanging._as(OTHER, OTHER, [GROUP], path.read_text) == ""


def test_planted_names_at_the_top_lead_root_nowhere(home: Home, bundle: Bundle) -> None:
    """The account may make files in the home: what root makes there later is not one of them."""
    custodian = installed(home, bundle)
    outside = home.path.parent / "outside"
    outside.mkdir()

    def plant() -> str:
        for name in ("current.new", "receipt.json.new", ".handoff", "journal.jsonl.new", "python.new"):
            (home.path / name).symlink_to(outside)
        return ""

    exchanging._as(NOBODY, GROUP, [], plant)
    actions = custodian.actions()
    actions["commands"]({"receipt": codec.encode(chosen(home, bundle))})
    actions["receipt"]({"receipt": codec.encode(chosen(home, bundle, completed="2026-01-01T00:00:00Z"))})
    assert list(outside.iterdir()) == []
    assert receipts.load(home.receipt).completed
    assert exchanging.not_roots(home.path) == []


def test_home_of_the_accounts_is_taken_over(home: Home, bundle: Bundle) -> None:
    """Root's commands never run what the account has left; its settings, its history and its data stay."""
    earlier = of_the_account(home, bundle)
    take_over(home, bundle)
    release = home.release(bundle.manifest.bundle_id)
    for path in (home.bin, *home.bin.iterdir(), home.etc, home.current_link, home.receipt, home.journal):
        assert path.lstat().st_uid == 0, path
    for path in (release.path, release.runtime, *release.runtime.rglob("*")):
        assert path.lstat().st_uid == 0, path
    assert receipts.load(home.receipt) == replace(earlier, owner=ROOT, schema=receipts.SCHEMA)
    assert (home.etc / "local.env").read_text() == "A=b\n"
    assert (home.etc / "on-component-change").stat().st_mode & 0o777 == 0o750
    assert (home.path / "bin.old" / "mine").read_text() == "# mine\n"
    foreign, _, _ = files._walk(home.path, by_root=True)
    assert [line for line in foreign if line.endswith(files.NOT_ROOT)] == []
    assert (home.path / "bin.old").stat().st_uid == NOBODY
    assert home.journal.read_text() == '{"event": "old"}\n'
    subprocess.run([home.bin / "airferry", "x"], check=False, capture_output=True)
    assert not (home.path.parent / "proof").exists()
    # what it has built is built anew
    custodian = take_over(home, bundle)
    assert not is_built_by_root(home, bundle)
    custodian.actions()["packages"]({})
    assert is_built_by_root(home, bundle)
    assert exchanging.exchanged(home.path, NOBODY, GROUP) == []


def test_killed_while_it_takes_over_there_are_commands(
    home: Home, bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last thing before root's own are there: the account's, as before, and root comes back to it."""
    of_the_account(home, bundle)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("bootstrap.custody.extract_runtime", killed)
        with pytest.raises(KeyboardInterrupt):
            take_over(home, bundle)
    assert (home.bin / "airferry").is_file()
    take_over(home, bundle)
    assert [path.name for path in home.bin.iterdir() if path.lstat().st_uid != 0] == []


@pytest.mark.parametrize("name", ["bin", "etc", "releases", "python"])
def test_folder_that_is_a_link_is_not_followed(home: Home, bundle: Bundle, name: str) -> None:
    of_the_account(home, bundle)
    outside = home.path.parent / "outside"
    outside.mkdir(mode=0o700)
    (home.path / name).rename(home.path / "aside")
    (home.path / name).symlink_to(outside)
    os.chown(home.path / name, NOBODY, GROUP, follow_symlinks=False)
    with pytest.raises(AccountError, match="not a folder"):
        take_over(home, bundle)
    assert (list(outside.iterdir()), outside.stat().st_mode & 0o777) == ([], 0o700)


@pytest.mark.parametrize("name", ["releases/other", "python/3.11.2-0123456789"])
def test_linked_release_is_no_release(home: Home, bundle: Bundle, name: str) -> None:
    """What it leads to may be root's, and of another installation."""
    of_the_account(home, bundle)
    outside = home.path.parent / "outside"
    (outside / "runtime").mkdir(parents=True)
    (outside / "complete").write_text("")
    (home.path / name).parent.mkdir(exist_ok=True)
    (home.path / name).symlink_to(outside)
    os.chown(home.path / name, NOBODY, GROUP, follow_symlinks=False)
    take_over(home, bundle)
    assert not os.path.lexists(home.path / name)
    assert sorted(item.name for item in outside.iterdir()) == ["complete", "runtime"]


@pytest.mark.parametrize("how", ["symlink", "pipe"])
def test_release_of_the_accounts_holds_root_up_nowhere(home: Home, bundle: Bundle, how: str) -> None:
    """Root looks into it for the interpreter that it stands on."""
    custodian = installed(home, bundle)
    home.secrets.mkdir()
    give(home.secrets)
    place = home.release(bundle.manifest.bundle_id).path / "venv" / "pyvenv.cfg"
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    if how == "symlink":
        place.symlink_to("/dev/zero")
    else:
        os.mkfifo(place)
    os.chown(place, NOBODY, GROUP, follow_symlinks=False)
    custodian.actions()["prune"]({})


@pytest.mark.parametrize("how", ["symlink", "hardlink", "pipe"])
def test_record_that_is_another_file_is_not_taken_over(home: Home, bundle: Bundle, how: str) -> None:
    of_the_account(home, bundle)
    secret = home.path.parent / "secret"
    secret.write_text("r00t-0nly\n")
    secret.chmod(0o600)
    home.journal.unlink()
    if how == "symlink":
        home.journal.symlink_to(secret)
        os.chown(home.journal, NOBODY, GROUP, follow_symlinks=False)
    elif how == "hardlink":
        os.link(secret, home.journal)
    else:
        os.mkfifo(home.journal)
        os.chown(home.journal, NOBODY, GROUP)
    custodian = take_over(home, bundle)
    custodian.actions()["journal"]({"line": '{"event": "x"}'})
    assert secret.read_text() == "r00t-0nly\n"
    assert "r00t" not in home.journal.read_text()


def test_libraries_and_interpreters_of_the_accounts_are_not_loaded(home: Home, bundle: Bundle) -> None:
    """A receipt of the account's named them; bin/airferry would have had root load them."""
    place = home.path.parent / "theirs"
    place.mkdir()
    (place / "python3").write_text(EVIL.format(proof=home.path.parent / "proof"))
    (place / "python3").chmod(0o755)
    give(place)
    of_the_account(home, bundle, python=str(place / "python3"), library=str(place))
    with pytest.raises(AccountError, match="Root does not run"):
        take_over(home, bundle, python=str(place / "python3"))
    take_over(home, bundle, library_path=str(place))
    text = (home.bin / "airferry").read_text()
    assert str(place) not in text
    assert releases.BASE in text
    subprocess.run([home.bin / "airferry", "x"], check=False, capture_output=True)
    assert not (home.path.parent / "proof").exists()


@pytest.mark.parametrize(
    "change",
    [
        {"python": "/tmp/evil"},
        {"home": "/tmp/evil"},
        {"account": "root"},
        {"library_path": "/tmp/evil"},
        {"name": "sshd"},
        {"web_port": 1},
        {"bundle_id": "../../../tmp/evil"},
        {"previous": "../../../tmp/evil"},
        {"completed": "x\ny"},
    ],
)
def test_root_writes_no_receipt_but_its_own(home: Home, bundle: Bundle, change: dict[str, Any]) -> None:
    """What the account asks for is never text that root would run."""
    actions = installed(home, bundle).actions()
    before = {path: path.read_bytes() for path in (home.receipt, home.bin / "airferry")}
    forged = codec.encode(chosen(home, bundle, **change))
    for verb in ("receipt", "commands"):
        with pytest.raises(RequestRefused):
            actions[verb]({"receipt": forged})
    assert {path: path.read_bytes() for path in before} == before


@pytest.mark.parametrize(
    "request_",
    [
        {"verb": "keep", "name": "../bin/airferry", "text": "x"},
        {"verb": "keep", "name": "service.sh", "text": "x"},
        {"verb": "keep", "name": "local.env", "text": "x"},
        {"verb": "keep", "name": "postgres-ca.pem", "text": 7},
        {"verb": "journal", "line": "x" * 100_000},
        {"verb": "journal", "line": "[]"},
        {"verb": "receipt", "receipt": None},
    ],
)
def test_what_root_does_not_do(home: Home, bundle: Bundle, request_: dict[str, Any]) -> None:
    actions = installed(home, bundle).actions()
    before = exchanging_state(home)
    with pytest.raises((RequestRefused, codec.Malformed)):
        actions[request_["verb"]](request_)
    assert exchanging_state(home) == before


def exchanging_state(home: Home) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in exchanging.code(home.path) if path.is_file()}


def test_daily_commands_have_root_do_less(home: Home, bundle: Bundle) -> None:
    """A status of root's cannot be made to go back to an older release, or to change a receipt."""
    installed(home, bundle)
    custodian = custodian_of(home, receipts.load(home.receipt))
    assert custodian
    actions = custodian.actions()
    assert set(actions) == {"journal", "commands", "prune"}
    older = chosen(home, bundle, web_port=8099)
    custodian._note(older)
    with pytest.raises(RequestRefused):
        actions["commands"]({"receipt": codec.encode(older)})


def test_new_home_in_a_folder_of_anothers_is_refused(bundle: Bundle) -> None:
    with Folder() as folder, pytest.raises(AccountError, match="could exchange"):
        ownership.check_place(Home(folder / "home"))


def test_nothing_of_the_accounts_is_imported_by_roots_command(home: Home, bundle: Bundle) -> None:
    """Neither what lies in the home, nor bytecode of the account's."""
    installed(home, bundle)
    proof = home.path.parent / "proof"
    evil = f"open({str(proof)!r}, 'a').write('x')\n"

    def plant() -> str:
        for name in ("sitecustomize.py", "usercustomize.py", "typing.py", "json.py"):
            (home.path / name).write_text(evil)
        return ""

    exchanging._as(NOBODY, GROUP, [], plant)
    env = {**os.environ, "HOME": str(home.path), "PYTHONPYCACHEPREFIX": str(home.bytecode)}
    subprocess.run([home.bin / "airferry"], check=False, capture_output=True, env=env, cwd=home.path)
    assert not proof.exists()


def test_an_account_changes_the_executor_to_one_of_roots_own_and_nothing_else(
    home: Home, bundle: Bundle
) -> None:
    installed(home, bundle)
    before = receipts.load(home.receipt)
    assert "executor" not in Custodian(home, ACCOUNT).actions()
    ask = Custodian(home, ACCOUNT, changes=True).actions()["executor"]
    for name in ("/tmp/evil.Executor", "", "EdgeWorker", None):
        with pytest.raises(RequestRefused):
            ask({"executor": name, "python": "/tmp/evil"})
    assert receipts.load(home.receipt) == before
    ask({"executor": EDGE.name, "python": "/tmp/evil"})
    assert receipts.load(home.receipt) == replace(before, executor=EDGE.name)
    assert home.receipt.lstat().st_uid == 0
