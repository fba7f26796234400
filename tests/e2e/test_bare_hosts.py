"""Hosts with nothing on them: bare Debian roots, cut off, and a bundle that carries its interpreter."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from bundler.python import standalone
from tests.e2e.conftest import ROOT as PROJECT
from tests.e2e.matrix import make_bundle
from tests.support import pythons, relocatable, roots
from tests.support.faults import fault
from tests.support.index import index_problem
from tests.support.roots import Root
from wheelhouse.target import Target

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]

FULL = os.environ.get("AIRFERRY_FULL")
PYTHON = "*python3*"  # every package of it
TLS_SERVER = """
import http.server, ssl, sys
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"inside")
server = http.server.HTTPServer(("127.0.0.1", 8443), Page)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("/srv/server.pem")
server.socket = context.wrap_socket(server.socket, server_side=True)
print("up", flush=True)
server.serve_forever()
"""
TLS_CLIENTS = """
import sys, urllib.request, requests
print(urllib.request.urlopen("https://127.0.0.1:8443", timeout=20).read().decode())
print(requests.get("https://127.0.0.1:8443", timeout=20).text)
"""


@pytest.fixture(scope="module")
def archive(minor: str) -> Path:
    """A relocatable interpreter of this machine's own version."""
    return relocatable.archive(minor)


@pytest.fixture(scope="module")
def floor(archive: Path, minor: str) -> tuple[int, int]:
    """The glibc that it needs."""
    target = Target.parse(minor, f"manylinux_2_99_{os.uname().machine}")
    major, _, lesser = (
        standalone.inspect(archive, archive.name, target).floor.partition(" ")[2].partition(".")
    )
    return int(major), int(lesser)


@pytest.fixture(scope="module")
def carrying(scratch: Path, archive: Path, floor: tuple[int, int], minor: str) -> Path:
    """The newest Airflow with that interpreter in it."""
    problem = index_problem()
    if problem:
        pytest.skip(problem)
    folder = scratch / "carrying"
    command = [
        sys.executable,
        "-m",
        "bundler",
        "bundle",
        "--python",
        minor,
        "--json",
        "--output",
        str(folder),
    ]
    command += ["--glibc", ".".join(map(str, floor)), "--with-python", str(archive)]
    made = subprocess.run(command, cwd=PROJECT, stdout=subprocess.PIPE, text=True, check=False)
    assert made.returncode == 0, made.stdout
    said = json.loads(made.stdout)["result"]
    assert said["carried_python"].startswith(minor)
    return Path(said["file"])


def copy_of(base: Path, scratch: Path, name: str, bundle: Path, without: str = "") -> Root:
    """A host of its own, with the bundle in /root; `without` is a pattern of packages."""
    root = Root(base, scratch / name, without)
    shutil.copy(bundle, root.path / "root" / "a.run")
    return root


def bookworm(floor: tuple[int, int]) -> Path:
    """Debian 12 with python3-minimal; skips where the Python of this machine does not run on it."""
    base = roots.base("bookworm", "python3-minimal", "openssh-client")
    if roots.glibc(base) < floor:
        pytest.skip(f"the Python of this machine needs glibc {floor}, which bookworm is too old for")
    return base


def bullseye() -> Path:
    """Debian 11 with a python3 that Airflow can be installed with."""
    return roots.base("bullseye", "python3", "python3-distutils")


@pytest.fixture(scope="module")
def bare(scratch: Path, carrying: Path, floor: tuple[int, int]) -> Iterator[Root]:
    """Debian 12 with no Python, no openssl, no name for localhost; it trusts the site's own authority."""
    with copy_of(bookworm(floor), scratch, "bare", carrying, PYTHON) as root:
        assert not [*root.path.glob("usr/bin/python*"), *root.path.glob("usr/bin/openssl")]
        assert not (root.path / "etc/hosts").exists()
        _trust_an_authority(root.path)
        yield root


def doctor(root: Root, *, shell: tuple[str, ...] = ("sh",)) -> dict[str, str]:
    """The findings about Python, by severity; whatever was unpacked is gone."""
    before = root.left("tmp", "var/tmp", "opt", "root")
    ran = root.run(*shell, "/root/a.run", "doctor", "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert root.left("tmp", "var/tmp", "opt", "root") == before
    return {
        item["id"]: item["severity"]
        for item in json.loads(ran.stdout)["result"]["findings"]
        if item["id"].startswith("python-")
    }


def test_doctor_on_a_host_without_python(bare: Root) -> None:
    assert doctor(bare) == {"python-missing": "note", "python-carried": "ok"}


def test_dry_run_changes_nothing(bare: Root) -> None:
    before = bare.left("opt", "tmp", "var/tmp")
    ran = bare.run("sh", "/root/a.run", "install", "--dry-run")
    assert ran.returncode == 0, ran.stderr
    assert "into /opt/airflow/python/" in ran.stdout
    assert bare.left("opt", "tmp", "var/tmp") == before


@dataclass(frozen=True)
class Delivery:
    """What is carried in: the parts, the list and both signatures; `sha256` is that of the bundle itself."""

    medium: Path
    listing: str
    sha256: str
    signers: str


@pytest.fixture(scope="module")
def delivery(scratch: Path, carrying: Path) -> Iterator[Delivery]:
    """The bundle with its dossier, in parts, signed by a builder with SSH and an approver with OpenPGP."""
    for program in ("ssh-keygen", "gpg", "gpgv"):
        if not shutil.which(program):
            pytest.skip(f"no {program} is on this machine")
    medium, ring = scratch / "medium", scratch / "ring"
    medium.mkdir()
    ring.mkdir(mode=0o700)
    file = Path(shutil.copy(carrying, medium))
    environment = {**os.environ, "GNUPGHOME": str(ring)}

    def outside(*words: str | Path) -> str:
        ran = subprocess.run(
            words, cwd=PROJECT, env=environment, check=False, capture_output=True, text=True, timeout=300
        )
        assert ran.returncode == 0, (words, ran)
        return ran.stdout

    airferry = (sys.executable, "-m", "bundler")
    listing = f"{file}.release"
    try:
        outside("ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", scratch / "builder")
        key = ("gpg", "--batch", "-q", "--passphrase", "", "--quick-gen-key", "lee@x", "ed25519", "sign")
        outside(*key)
        outside(*airferry, "dossier", file, "--offline")
        outside(*airferry, "split", file, "--size", "40m")
        outside(*airferry, "sign", listing, "--role", "builder", "--key", scratch / "builder")
        outside(*airferry, "sign", listing, "--role", "approver", "--key", "lee@x", "--gpg")
        (medium / "airferry-admit").write_text(outside(*airferry, "admit-program"))
        subprocess.run(
            ["gpg", "--export", "--output", medium / "approver.gpg", "lee@x"], check=True, env=environment
        )
    finally:
        subprocess.run(["gpgconf", "--kill", "gpg-agent"], check=False, env=environment)
    public = " ".join((scratch / "builder.pub").read_text().split()[:2])
    sha256 = hashlib.sha256(file.read_bytes()).hexdigest()
    file.unlink()
    signers = f'kim namespaces="airferry-builder" {public}\n'
    yield Delivery(medium, Path(listing).name, sha256, signers)
    shutil.rmtree(medium)


def test_from_the_dossier_to_the_evidence(bare: Root, archive: Path, delivery: Delivery) -> None:
    """Carried in as parts, admitted, installed by root for the account that it makes, and told of.

    The run of the example pipeline is in every install.
    """
    medium, trust = bare.path / "media", bare.path / "etc/airferry/trust"
    shutil.rmtree(medium)
    shutil.copytree(delivery.medium, medium)
    shutil.copy(medium / "airferry-admit", bare.path / "usr/local/sbin")
    (bare.path / "usr/local/sbin/airferry-admit").chmod(0o755)
    trust.mkdir(parents=True)
    (trust / "roles").write_text("builder\napprover\n")
    (trust / "signers").write_text(delivery.signers)
    shutil.copy(medium / "approver.gpg", trust)
    admit = ("/usr/local/sbin/airferry-admit", f"/media/{delivery.listing}")
    refused = bare.run("sh", "/root/a.run", "install", "--json")
    assert json.loads(refused.stdout)["error"]["reference"] == "not-admitted"
    signature = medium / f"{delivery.listing}.approver.asc"
    kept = signature.read_bytes()
    signature.unlink()
    shells = [["dash"]]
    if shutil.which("busybox"):
        shutil.copy(str(shutil.which("busybox")), bare.path / "root" / "busybox")
        shells.append(["/root/busybox", "sh"])
    for shell in shells:
        refused = bare.run(*shell, *admit)
        assert (refused.returncode, "REFUSED 12-" in refused.stderr) == (12, True), refused
    signature.write_bytes(kept)
    ran = bare.run(*shells[-1], *admit, "install", "--json", timeout=1200)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    admitted, _, result = ran.stdout.partition("{")
    assert "\nbuilder kim SHA256:" in admitted and "\napprover gpg " in admitted
    said = json.loads("{" + result)["result"]
    receipt = said["receipt"]
    assert receipt["bundle_sha256"] == delivery.sha256
    assert receipt["completed"]
    assert receipt["python_from"] == "carried"
    interpreter = Path(receipt["python"])
    assert str(interpreter).startswith("/opt/airflow/python/3.")
    assert [step["name"] for step in said["steps"]][1] == "python"
    owner = (bare.path / "opt/airflow").stat().st_uid
    tree = bare.path / str(interpreter.parents[1]).lstrip("/")
    assert {path.lstat().st_uid for path in [tree, *tree.rglob("*")]} == {owner}
    loose = [path for path in tree.rglob("*") if not path.is_symlink() and path.stat().st_mode & 0o022]
    assert loose == []
    assert bare.left("opt") == ["opt/airflow"]
    status = bare.run("/opt/airflow/bin/airferry", "status", "--json")
    assert status.returncode == 0, status.stdout
    assert {item["health"] for item in json.loads(status.stdout)["result"]["components"]} == {"healthy"}
    _tells_what_was_approved(bare, delivery)


def _tells_what_was_approved(bare: Root, delivery: Delivery) -> None:
    airferry = "/opt/airflow/bin/airferry"
    assert bare.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", "/root/host").returncode == 0
    ran = bare.run(airferry, "evidence", "--output", "/root", "--key", "/root/host", "--json")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    made = json.loads(ran.stdout)["result"]
    text = (bare.path / made["data"].lstrip("/")).read_text()
    found = json.loads(text)
    assert hashlib.sha256(text.encode()).hexdigest() == made["sha256"]
    approved = found["file"]["admission"]
    assert (found["file"]["sha256"], approved["problem"]) == (delivery.sha256, "")
    assert [(item["role"], item["name"]) for item in approved["signers"]] == [
        ("builder", "kim"),
        ("approver", "gpg"),
    ]
    assert {item["name"] for item in approved["listed"]} >= {f"{delivery.listing[:-8]}.dossier.ko.html"}
    recorded = found["recorded"]
    assert (recorded["changed"], recorded["missing"], recorded["unlisted"]) == ([], [], [])
    assert (recorded["packages"] > 100, recorded["files"] > 5_000) == (True, True)
    assert (found["handmade"], found["unknown"]) == ({"added": [], "changed": [], "removed": []}, [])
    assert [(item["name"], item["roles"]) for item in found["accounts"]] == [("admin", "Admin")]
    assert (found["account"]["name"], found["history"][0]["command"]) == ("airflow", "install")
    assert {item["state"] for item in found["ports"]} == {"held"}
    page = (bare.path / made["page"].lstrip("/")).read_text()
    secrets = [path.read_text().strip() for path in (bare.path / "opt/airflow/secrets").iterdir()]
    assert [value for value in secrets if len(value) > 5 and (value in text or value in page)] == []
    public = " ".join((bare.path / "root/host.pub").read_text().split()[:2])
    (bare.path / "root/signers").write_text(f"host {public}\n")
    verify = "ssh-keygen -Y verify -f /root/signers -I host -n airferry-evidence"
    checked = bare.run("sh", "-c", f"{verify} -s {made['data']}.sig <{made['data']}")
    assert checked.returncode == 0, checked
    assert bare.run(airferry, "evidence", "--compare", made["data"], made["data"]).returncode == 0


def test_installed_again_it_is_compared_and_mended(bare: Root) -> None:
    again = bare.run("sh", "/root/a.run", "install", "--json")
    assert again.returncode == 0, again.stderr
    assert {step["state"] for step in json.loads(again.stdout)["result"]["steps"]} == {"already"}
    checked = bare.run("/opt/airflow/bin/airferry", "doctor", "--json")
    assert checked.returncode == 0, checked.stdout
    changed = next((bare.path / "opt/airflow/python").glob("*/lib/python3.*/this.py"))
    content = changed.read_text()
    changed.write_text(content + "# changed\n")
    mended = bare.run("sh", "/root/a.run", "install", "--json")
    states = {step["name"]: step["state"] for step in json.loads(mended.stdout)["result"]["steps"]}
    assert states.pop("python") == "done"
    assert set(states.values()) == {"already"}
    assert changed.read_text() == content


def test_airflow_trusts_whom_the_host_trusts(bare: Root) -> None:
    """A real TLS server with a certificate of the site's authority; the call as a component would make it."""
    python = "/opt/airflow/current/venv/bin/python"
    server = subprocess.Popen(bare.command(python, "-c", TLS_SERVER), stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        assert server.stdout.readline() == "up\n"
        call = f". /opt/airflow/etc/environment.sh; exec {python} -c '{TLS_CLIENTS}'"
        ran = bare.run("sh", "-c", call)
        assert ran.stdout.split() == ["inside", "inside"], ran.stderr
        # without that environment the interpreter looks where it was built
        assert "CERTIFICATE_VERIFY_FAILED" in bare.run(python, "-I", "-c", TLS_CLIENTS).stderr
    finally:
        # nsenter alone: the server itself, which holds the pipe, ends with the root's processes
        server.kill()
        server.wait()
        assert server.stdout is not None
        server.stdout.close()


def test_busybox_and_trixie(scratch: Path, carrying: Path, floor: tuple[int, int]) -> None:
    busybox = shutil.which("busybox")
    base = roots.base("trixie")
    if not busybox or roots.glibc(base) < floor:
        pytest.skip(f"no busybox, or trixie is too old for {floor}")
    with copy_of(base, scratch, "trixie", carrying) as root:
        shutil.copy(busybox, root.path / "root" / "busybox")
        found = doctor(root, shell=("/root/busybox", "sh"))
    assert found == {"python-missing": "note", "python-carried": "ok"}


def test_c_library_that_is_too_old_is_told(scratch: Path, carrying: Path, floor: tuple[int, int]) -> None:
    base = bullseye()
    if roots.glibc(base) >= floor:
        pytest.skip(f"the Python of this machine runs on bullseye too (it needs {floor})")
    with copy_of(base, scratch, "bullseye", carrying, PYTHON) as root:
        ran = root.run("sh", "/root/a.run", "doctor")
    assert ran.returncode == 10
    assert "python-missing" in ran.stderr
    assert "does not start" in ran.stderr
    assert f"GLIBC_{floor[0]}.{floor[1]}" in ran.stderr


@pytest.fixture(scope="module")
def for_bullseye(scratch: Path) -> Path:
    """A bundle for glibc 2.31 and Python 3.9, which Debian 11 has."""
    problem = index_problem()
    if problem:
        pytest.skip(problem)
    return make_bundle("2.10.5", "3.9", scratch / "bullseye", "--like", "debian11")


@fault("python-distutils-missing", "Debian 11 with python3 and without python3-distutils")
def test_bullseye_without_distutils(scratch: Path, for_bullseye: Path) -> None:
    with copy_of(bullseye(), scratch, "bullseye-python3", for_bullseye, "python3-distutils") as root:
        ran = root.run("sh", "/root/a.run", "doctor", "--json")
    assert ran.returncode == 3, ran.stdout + ran.stderr
    (blocker,) = (
        item for item in json.loads(ran.stdout)["result"]["findings"] if item["severity"] == "blocker"
    )
    assert blocker["id"] == "python-distutils-missing"
    assert blocker["commands"] == ["apt-get install python3-distutils"]


def test_bullseye_with_its_own_python(scratch: Path, for_bullseye: Path) -> None:
    with copy_of(bullseye(), scratch, "bullseye-own", for_bullseye) as root:
        ran = root.run("sh", "/root/a.run", "doctor", "--json")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        found = {item["id"]: item["found"] for item in json.loads(ran.stdout)["result"]["findings"]}
        assert "/usr/bin/python3.9" in found["python-ok"]
        assert "glibc 2.31" in found["machine-ok"]
        if FULL:
            ran = root.run("sh", "/root/a.run", "install", "--json", timeout=1200)
            assert ran.returncode == 0, ran.stdout + ran.stderr
            assert root.run("/opt/airflow/bin/airferry", "status").returncode == 0


@pytest.mark.skipif(not FULL, reason="AIRFERRY_FULL is not set: bookworm's PostgreSQL is tried, not each one")
@pytest.mark.parametrize(
    ("suite", "own_python", "major"),
    [("bullseye", ("python3", "python3-distutils"), "13"), ("trixie", (), "17")],
)
def test_the_distributions_own_postgresql(
    suite: str, own_python: tuple[str, ...], major: str, scratch: Path, request: pytest.FixtureRequest
) -> None:
    base = roots.base(suite, f"postgresql-{major}", *own_python)
    bundle = request.getfixturevalue("for_bullseye" if own_python else "carrying")
    with copy_of(base, scratch, f"postgresql-{major}", bundle) as root:
        ran = root.run("sh", "/root/a.run", "install", "--postgres", "host", "--json", timeout=1200)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        database = json.loads(ran.stdout)["result"]["receipt"]["database"]
        assert database["programs"] == f"/usr/lib/postgresql/{major}/bin"
        assert (root.path / "opt/airflow/postgres/PG_VERSION").read_text() == f"{major}\n"
        ran = root.run("/opt/airflow/bin/airferry", "backup", "--verify", "--json")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert json.loads(ran.stdout)["result"]["checked"]
        for action in ("stop", "start", "status"):
            assert root.run("/opt/airflow/bin/airferry", action).returncode == 0


def test_python3_minimal_is_no_obstacle(scratch: Path, carrying: Path, floor: tuple[int, int]) -> None:
    with copy_of(bookworm(floor), scratch, "minimal", carrying) as root:
        found = doctor(root)
    assert found["python-carried"] == "ok"
    assert found["python-minimal"] == "note"


def test_python_without_ctypes_is_no_obstacle(
    scratch: Path, carrying: Path, archive: Path, minor: str, floor: tuple[int, int]
) -> None:
    with copy_of(bookworm(floor), scratch, "noctypes", carrying, PYTHON) as root:
        roots.with_python(root.path, archive, f"python{minor}")
        for module in root.path.glob(f"opt/python{minor}/lib/python3.*/lib-dynload/_ctypes.*"):
            module.unlink()
        found = doctor(root)
    assert found == {"python-ctypes-missing": "note", "python-carried": "ok"}


def test_python_3_6_is_no_obstacle(scratch: Path, carrying: Path, floor: tuple[int, int]) -> None:
    old = [item for item in pythons.too_old() if item.minor == "3.6"]
    if not old:
        pytest.skip("no Python 3.6 on this machine")
    with copy_of(bookworm(floor), scratch, "old", carrying, PYTHON) as root:
        roots.with_python(root.path, relocatable.made_from(old[0]), "python3")
        assert "3.6" in root.run("python3", "--version").stdout
        assert doctor(root) == {"python-missing": "note", "python-carried": "ok"}


@pytest.mark.skipif(not FULL, reason="AIRFERRY_FULL is not set: one bare root is installed in, not each")
def test_install_by_an_ordinary_account_on_trixie(scratch: Path, carrying: Path) -> None:
    with copy_of(roots.base("trixie"), scratch, "trixie-full", carrying) as root:
        assert root.run("useradd", "-m", "kim").returncode == 0
        shutil.move(root.path / "root" / "a.run", root.path / "home" / "kim" / "a.run")
        (root.path / "home/kim/a.run").chmod(0o644)
        as_kim = ("su", "-s", "/bin/sh", "kim", "-c")
        ran = root.run(*as_kim, "cd && exec sh a.run install --json", timeout=1200)
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert json.loads(ran.stdout)["result"]["receipt"]["python"].startswith("/home/kim/airflow/python/")
        assert root.run(*as_kim, "cd && airflow/bin/airferry status").returncode == 0


@pytest.mark.skipif(not FULL, reason="AIRFERRY_FULL is not set: an upgrade takes minutes")
def test_upgrade_brings_its_own_interpreter_and_rollback_the_old_one(
    scratch: Path, carrying: Path, archive: Path, minor: str, floor: tuple[int, int]
) -> None:
    """On a host that has none; in the end nothing of either is left."""
    base = bookworm(floor)
    other = scratch / archive.name  # the same files, packed otherwise: another archive
    other.write_bytes(gzip.compress(gzip.decompress(archive.read_bytes()), compresslevel=1))
    glibc = ".".join(map(str, floor))
    old = make_bundle("3.3.1", minor, scratch / "old", "--glibc", glibc, "--with-python", str(other))
    with copy_of(base, scratch, "upgraded", carrying, PYTHON) as root:
        shutil.copy(old, root.path / "root" / "old.run")
        airferry = "/opt/airflow/bin/airferry"

        def changed(*command: str) -> Any:
            ran = root.run(*command, "--json", timeout=1200)
            assert ran.returncode == 0, ran.stdout + ran.stderr
            healthy = root.run(airferry, "status", "--json")
            assert healthy.returncode == 0, healthy.stdout
            return json.loads(ran.stdout)["result"]["receipt"]

        first = changed("sh", "/root/old.run", "install")
        second = changed("sh", "/root/a.run", "install")
        assert {first["python_from"], second["python_from"]} == {"carried"}
        assert first["python"] != second["python"]
        assert len(root.left("opt/airflow/python")) == 2
        assert changed(airferry, "rollback", "--yes")["python"] == first["python"]
        assert changed("sh", "/root/a.run", "install")["python"] == second["python"]
        ran = root.run(airferry, "uninstall", "--purge", "--yes")
        assert ran.returncode == 0, ran.stdout + ran.stderr
        assert root.left("opt") == []


def _trust_an_authority(root: Path) -> None:
    """Make an authority that the host trusts, and a server's certificate of it."""
    folder = root / "srv"
    folder.mkdir(exist_ok=True)
    script = """
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj "/CN=Site" -keyout ca.key -out ca.crt
    openssl req -newkey rsa:2048 -nodes -subj "/CN=127.0.0.1" -keyout server.key -out server.csr
    printf 'subjectAltName=IP:127.0.0.1\\n' >ext
    openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile ext -out server.crt
    cat server.key server.crt >server.pem
    """
    subprocess.run(["sh", "-ec", script], cwd=folder, check=True, capture_output=True)
    trusted = root / "etc/ssl/certs/ca-certificates.crt"
    trusted.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "ca.crt", trusted)
