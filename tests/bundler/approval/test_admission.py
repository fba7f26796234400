"""From the list to the store: real keys, real ssh-keygen and gpg; all else is refused."""

from __future__ import annotations

import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bundler.approval import admission, papers, release_list, signing
from bundler.approval.signing import Role, SigningFailed
from tests.bundler.runner import Run
from tests.support import bundles, deliveries
from tests.support.deliveries import PYTHON, SHELLS, Site

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root admits"),
    pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="no ssh-keygen (openssh-client) is here"),
]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return deliveries.made(tmp_path_factory.mktemp("made"))


@pytest.fixture
def site(original: Path, tmp_path: Path) -> Site:
    return deliveries.site(original, tmp_path)


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_what_both_have_signed_is_admitted_and_that_copy_runs(site: Site, shell: list[str]) -> None:
    ran = site.admit(str(site.listing), "doctor", "--home", "x y", shell=shell)
    assert ran.returncode == 0, ran
    lines = ran.stdout.splitlines()
    assert lines[0].startswith("ADMITTED ") and lines[0].endswith(": " + site.file.name)
    assert [line.split()[:2] for line in lines[1:3]] == [["builder", "kim"], ["approver", "lee"]]
    assert '"argv": ["doctor", "--home", "x y"]' in lines[3]
    sha256 = release_list.read(site.listing).digests[site.file.name]
    copy = site.store / sha256 / site.file.name
    assert str(copy) in lines[3] and copy.read_bytes() == site.file.read_bytes()
    assert (copy.stat().st_uid, copy.stat().st_mode & 0o022) == (0, 0)
    record = (copy.parent / "admitted").read_text()
    assert f"sha256 {sha256}\n" in record and "builder kim SHA256:" in record
    again = site.admit(str(site.listing), shell=shell)
    assert (again.returncode, len([name for name in site.admitted() if "/" not in name])) == (0, 1), again


@pytest.mark.parametrize("shell", SHELLS, ids=" ".join)
def test_parts_are_enough(site: Site, shell: list[str]) -> None:
    whole = site.file.read_bytes()
    site.file.unlink()
    ran = site.admit(site.listing.name, shell=shell)
    assert ran.returncode == 0, ran
    sha256 = release_list.read(site.listing).digests[site.file.name]
    assert (site.store / sha256 / site.file.name).read_bytes() == whole
    shutil.rmtree(site.store)
    second = papers.beside(site.file, ".002")
    second.write_bytes(second.read_bytes()[:-1] + b"?")
    ran = site.admit(site.listing.name, shell=shell)
    assert (ran.returncode, second.name in ran.stderr) == (17, True), ran
    second.unlink()
    ran = site.admit(site.listing.name, shell=shell)
    assert (ran.returncode, second.name in ran.stderr, site.admitted()) == (16, True, []), ran


def changes(site: Site) -> dict[str, tuple[int, Callable[[], object]]]:
    """What is refused, with its code, and how to do it."""
    listed, roles, signers = site.listing, site.trust / "roles", site.trust / "signers"
    builder, approver = (site.medium / f"{listed.name}.{role.value}.sig" for role in Role)
    text, good = listed.read_text(), signers.read_text()

    def signed(role: Role, key: str) -> Callable[[], object]:
        return lambda: signing.sign(listed, role, str(site.keys / key))

    def both(*steps: Callable[[], object]) -> Callable[[], object]:
        return lambda: [step() for step in steps]

    def exchange() -> None:
        one, two = builder.read_text(), approver.read_text()
        builder.write_text(two)
        approver.write_text(one)

    def kim_alone() -> None:
        site.trusts(builder="kim", approver="kim")

    def link() -> None:
        site.trust.rename(site.root / "else")
        site.trust.symlink_to(site.root / "else")

    building, approving, similar = "airferry-builder", "airferry-approver", "airflow-3x3.2-b.run\n"
    full, both_roles = f"{site.file.name}\n", f"{building},{approving}"

    def valid(option: str) -> str:
        return good.replace('namespaces="airferry-builder"', f'namespaces="airferry-builder"{option}')

    return {
        "no trust": (11, lambda: shutil.rmtree(site.trust)),
        "no roles": (11, roles.unlink),
        "empty roles": (11, lambda: roles.write_text("")),
        "blank roles": (11, lambda: roles.write_text("\n# builder\n\n")),
        "a role with line ends of Windows": (11, lambda: roles.write_bytes(b"builder\r\n")),
        "a role that is a pattern": (11, lambda: roles.write_text("builde.\n")),
        "roles that others can write": (11, lambda: roles.chmod(0o664)),
        "signers that others can write": (11, lambda: signers.chmod(0o646)),
        "trust of the account": (11, lambda: os.chown(site.trust, 1000, 1000)),
        "signers of the account": (11, lambda: os.chown(signers, 1000, 0)),
        "trust that is a link": (11, link),
        "a planted revoked": (11, lambda: (site.trust / "revoked").symlink_to("/dev/null")),
        "a signer for every role": (11, lambda: signers.write_text(good.replace(building, "*"))),
        "a signer of two": (11, lambda: signers.write_text(good.replace(building, both_roles))),
        "an authority": (11, lambda: signers.write_text(good.replace(" names", " cert-authority,names"))),
        "a name that is a pattern": (11, lambda: signers.write_text(good.replace("kim ", "* "))),
        "no signature": (12, both(builder.unlink, approver.unlink)),
        "the builder alone": (12, approver.unlink),
        "the approver alone": (12, builder.unlink),
        "the builder as the approver": (13, lambda: shutil.copy(builder, approver)),
        "signatures exchanged": (13, exchange),
        "a stranger's key": (13, signed(Role.APPROVER, "choi")),
        "the approver in the other role": (13, signed(Role.BUILDER, "lee")),
        "an empty signature": (13, lambda: approver.write_text("")),
        "an expired key": (13, lambda: signers.write_text(valid(',valid-before="20250101"'))),
        "a key of later": (13, lambda: signers.write_text(valid(',valid-after="20990101"'))),
        "a revoked key": (13, lambda: (site.trust / "revoked").write_text(site.public("kim") + "\n")),
        "nobody trusted": (13, lambda: signers.write_text("")),
        "one key in two roles": (14, both(signed(Role.APPROVER, "kim"), kim_alone)),
        "a changed list": (13, lambda: listed.write_text(text.replace("0", "1", 1))),
        "a list with a comment": (15, lambda: listed.write_text("# x\n" + text)),
        "a list with line ends of Windows": (15, lambda: listed.write_text(text.replace("\n", "\r\n"))),
        "an empty list": (15, lambda: listed.write_text("")),
        "a list with folders": (15, lambda: listed.write_text(text.replace("  ", "  ../"))),
        "a list without the file": (15, lambda: listed.write_text("".join(text.splitlines(True)[1:]))),
        "a list with the file twice": (15, lambda: listed.write_text(text + text.splitlines(True)[0])),
        "a list of a similar name": (15, lambda: listed.write_text(text.replace(full, similar))),
        "no list": (16, listed.unlink),
        "no file and no parts": (16, both(site.file.unlink, papers.beside(site.file, ".003").unlink)),
        "a changed file": (17, lambda: site.file.write_bytes(site.file.read_bytes()[:-1] + b"?")),
        "a cut file": (17, lambda: site.file.write_bytes(site.file.read_bytes()[:-1])),
    }  # fmt: skip


@pytest.mark.parametrize("stand_in", [False, True], ids=["ssh-keygen", "airferry-sshsig"])
def test_everything_else_is_refused_with_its_code(site: Site, stand_in: bool, tmp_path: Path) -> None:
    path = without_y(site, tmp_path) if stand_in else ""
    kept = tmp_path / "kept"
    shutil.copytree(site.root, kept / "host")
    shutil.copytree(site.medium, kept / "medium")
    wrong = {}
    for number, (name, (code, change)) in enumerate(changes(site).items()):
        if stand_in and code not in (13, 14):
            continue
        change()
        shell = SHELLS[number % len(SHELLS)]
        ran = site.admit(str(site.listing), "install", shell=shell, path=path)
        if (ran.returncode, ran.stdout, site.admitted()) != (
            code,
            "",
            [],
        ) or f"REFUSED {code}-" not in ran.stderr:
            wrong[name] = (code, ran, site.admitted())
        for there, copy in ((site.root, kept / "host"), (site.medium, kept / "medium")):
            shutil.rmtree(there)
            shutil.copytree(copy, there)
    assert wrong == {}
    assert site.admit(str(site.listing), path=path).returncode == 0


def without_y(site: Site, folder: Path) -> str:
    """A folder for PATH: an ssh-keygen without -Y, as OpenSSH 8.0 has it, and the stand-in."""
    programs = site.root / "sbin"
    programs.mkdir()
    (programs / "ssh-keygen").write_text("#!/bin/sh\necho 'unknown option -- Y' >&2\nexit 1\n")
    twin = programs / admission.TWIN
    twin.write_text(admission.text(admission.TWIN).replace("/usr/bin/python3", sys.executable, 1))
    for path in programs.iterdir():
        path.chmod(0o755)
    return str(programs)


@pytest.mark.parametrize("key", ["kim", "lee", "park"])
def test_the_stand_in_agrees_with_ssh_keygen(site: Site, key: str, tmp_path: Path) -> None:
    """Ed25519, RSA, ECDSA: both say the same of the signature, and of a hundred that were changed."""
    signing.sign(site.listing, Role.BUILDER, str(site.keys / key))
    site.trusts(builder=key)
    signature = site.medium / f"{site.listing.name}.builder.sig"
    good, content = signature.read_text(), site.listing.read_bytes()
    twin = tmp_path / "sshsig.py"
    twin.write_text(admission.text(admission.TWIN))
    signers, missing = site.trust / "signers", site.trust / "revoked"
    verify = ["ssh-keygen", "-Y", "verify"]

    def says(namespace: str = "builder") -> tuple[bool, bool]:
        ours = subprocess.run(
            [sys.executable, "-I", twin, signers, namespace, signature, missing],
            input=content, capture_output=True, check=False,
        )  # fmt: skip
        theirs = subprocess.run(
            [*verify, "-f", signers, "-I", key, "-s", signature, "-n", f"airferry-{namespace}"],
            input=content, capture_output=True, check=False,
        )  # fmt: skip
        if ours.returncode == 0:
            assert ours.stdout.split()[-1] == theirs.stdout.split()[-1]
        assert b"Traceback" not in ours.stderr
        return ours.returncode == 0, theirs.returncode == 0

    assert says() == (True, True)
    assert says("approver") == (False, False)
    source = random.Random(len(key))
    lines = good.splitlines(True)
    for _ in range(30):
        number = source.randrange(1, len(lines) - 1)
        at = source.randrange(len(lines[number]) - 1)
        changed = lines[number][:at] + source.choice("AQgw+/0z") + lines[number][at + 1 :]
        signature.write_text("".join([*lines[:number], changed, *lines[number + 1 :]]))
        ours, theirs = says()
        # ssh-keygen takes a few that are not in its own format, an older version number for example
        assert theirs or not ours, changed
    signature.write_text(good)
    content = content + b"\n"
    assert says() == (False, False)


def test_keys_of_gpg(site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (shutil.which("gpg") and shutil.which("gpgv")):
        pytest.skip("no gpg and gpgv are here")
    ring = tmp_path / "g"
    ring.mkdir(mode=0o700)
    monkeypatch.setenv("GNUPGHOME", str(ring))
    for name in ("seo", "han"):
        subprocess.run(
            ["gpg", "--batch", "-q", "--passphrase", "", "--quick-gen-key", f"{name}@x", "ed25519", "sign"],
            check=True, timeout=60,
        )  # fmt: skip

    def trust(role: str, name: str) -> None:
        key = subprocess.run(["gpg", "--export", f"{name}@x"], check=True, capture_output=True).stdout
        (site.trust / f"{role}.gpg").write_bytes(key)

    try:
        for role in Role:
            (site.medium / f"{site.listing.name}.{role.value}.sig").unlink()
        signing.sign(site.listing, Role.BUILDER, "seo@x", openpgp=True)
        signing.sign(site.listing, Role.APPROVER, "han@x", openpgp=True)
        assert site.admit(str(site.listing)).returncode == 13
        trust("builder", "seo")
        trust("approver", "seo")
        assert site.admit(str(site.listing)).returncode == 13
        trust("approver", "han")
        ran = site.admit(str(site.listing))
        assert (ran.returncode, ran.stdout.count(" gpg ")) == (0, 2), ran
        shutil.rmtree(site.store)
        signing.sign(site.listing, Role.APPROVER, "seo@x", openpgp=True)
        trust("approver", "seo")
        assert site.admit(str(site.listing)).returncode == 14
    finally:
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=False)


def test_older_than_what_was_admitted_needs_a_word(site: Site) -> None:
    assert site.admit(str(site.listing)).returncode == 0
    older = site.medium / "airflow-3.3.1-b.run"
    bundles.write(older, PYTHON)
    listed = release_list.update(older).path
    signing.sign(listed, Role.BUILDER, str(site.keys / "kim"))
    signing.sign(listed, Role.APPROVER, str(site.keys / "lee"))
    ran = site.admit(str(listed))
    assert (ran.returncode, "3.3.1 is older than 3.3.2" in ran.stderr) == (18, True), ran
    assert site.admit("--allow-older", str(listed)).returncode == 0
    assert site.admit(str(site.listing)).returncode == 0


def test_usage(site: Site) -> None:
    for words in ((), ("--allow-older",), (str(site.file),), (".release",)):
        assert site.admit(*words).returncode == 2, words


def test_only_what_is_as_listed_is_signed(site: Site, run: Run, tmp_path: Path) -> None:
    key = str(site.keys / "kim")
    third = papers.beside(site.file, ".003")
    good = third.read_bytes()
    third.write_bytes(good + b"x")
    with pytest.raises(SigningFailed, match="what is beside it is not what it lists") as caught:
        signing.sign(site.listing, Role.BUILDER, key)
    assert caught.value.found == f"{third.name} has changed"
    third.write_bytes(good)
    whole = site.file.read_bytes()
    site.file.unlink()
    assert run("sign", str(site.listing), "--role", "approver", "--key", key)[0] == 0
    third.unlink()
    assert run("sign", str(site.listing), "--role", "approver", "--key", key)[0] == SigningFailed.exit_code
    third.write_bytes(good)
    site.file.write_bytes(whole)
    status, _, said = run("sign", str(site.listing), "--role", "approver", "--key", str(tmp_path / "none"))
    assert (status, "ssh-add" in said) == (SigningFailed.exit_code, True), said
    assert run("sign", str(site.file), "--role", "builder", "--key", key)[0] == 2


def test_the_programs_are_printed_as_they_are(run: Run) -> None:
    for words, name in (
        ((), admission.PROGRAM),
        (("--sshsig",), admission.TWIN),
        (("--sheet",), admission.SHEET),
    ):
        assert run("admit-program", *words) == (0, admission.text(name), "")
    program = admission.text(admission.PROGRAM)
    codes = {int(code) for code in re.findall(r"\brefuse ([0-9]+) ", program)}
    sheet = {int(code) for code in re.findall(r"(?m)^  ([ 0-9]{2})  ", admission.text(admission.SHEET))}
    assert sheet == codes | {0}
    assert len(program.splitlines()) < 180
