"""Files that came out of the closed network: nothing that they name is opened or run, nothing is a bug."""

from __future__ import annotations

import functools
import io
import json
import random
import shlex
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bootstrap.facts import saved
from bundler.host.host_choice import choose
from bundler.request.settings_file import read as read_settings
from tests.bundler.making import OWN_BACKEND, make_sdist, make_wheel
from tests.bundler.runner import Make, Run
from tests.bundler.server import LocalIndex
from tests.support import bundles
from tests.support.forging import Forgery
from tests.support.mutating import mutated
from wheelhouse import header, layout
from wheelhouse.errors import AirferryError
from wheelhouse.reader import Bundle
from wheelhouse.text import is_plain

HOSTS = Path(__file__).parents[2] / "bootstrap" / "doctor" / "data"
Change = Callable[[dict[str, Any]], None]


def onto(path: Path, change: Change | None = None) -> Path:
    """The ``manifest.json`` of a small installation, after a change."""
    data = bundles.as_data(bundles.manifest(packages=(bundles.package("alpha", WHEEL, b"x"),)).dumps())
    if change:
        change(data)
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


WHEEL = "wheels/alpha-1.0-py3-none-any.whl"


def ask(run: Run, manifest: Path) -> tuple[int, str]:
    """Have an add-on made onto it, as its owner would."""
    options = ("--extra", "postgres", "--python", "3.11", "--platform", "manylinux_2_28_x86_64")
    status, out, err = run("bundle", "--onto", str(manifest), *options, "beta")
    assert "bug" not in err
    assert "Traceback" not in err
    return status, out + err


@pytest.fixture
def beta(airflow: LocalIndex, files: Path) -> None:
    airflow.add(make_wheel(files, "beta", "1.0"), uploaded="2026-01-01T00:00:00Z")


@pytest.mark.usefixtures("beta")
def test_an_untouched_manifest_is_taken(run: Run, tmp_path: Path) -> None:
    """So that the next tests fail for the right reason."""
    status, said = ask(run, onto(tmp_path / "manifest.json"))
    assert status == 0, said


@pytest.mark.usefixtures("beta")
def test_a_version_is_no_requirement_line(run: Run, files: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    backend = f"open({str(marker)!r}, 'w').close()\n" + OWN_BACKEND.format(
        name="evil", module="evil", version="1.0"
    )
    evil = make_sdist(files, "evil", "1.0", files={"own_backend.py": backend})

    def change(data: dict[str, Any]) -> None:
        data["airflow"] = f"3.3.2\nevil @ {evil.as_uri()}"

    status, said = ask(run, onto(tmp_path / "manifest.json", change))
    assert not marker.exists()
    assert (status, "manifest.airflow" in said) == (10, True)


@pytest.mark.usefixtures("beta")
def test_a_path_in_the_manifest_is_not_read(run: Run, tmp_path: Path) -> None:
    secret = tmp_path / "shadow"
    secret.write_text("root:TOPSECRET:1:2\n")

    def change(data: dict[str, Any]) -> None:
        data["constraints"].update(source="url", url=str(secret), as_of="")

    status, said = ask(run, onto(tmp_path / "manifest.json", change))
    assert "TOPSECRET" not in said
    assert (status, "named explicitly" in said) == (2, True)


@pytest.mark.usefixtures("beta")
def test_an_address_in_the_manifest_is_not_opened(run: Run, tmp_path: Path, airflow: LocalIndex) -> None:
    url = airflow.put("/constraints-x.txt", "alpha==1.0\n")

    def change(data: dict[str, Any]) -> None:
        data["constraints"].update(source="url", url=url, as_of="")

    status, _ = ask(run, onto(tmp_path / "manifest.json", change))
    assert (status, airflow.requests["/constraints-x.txt"]) == (2, 0)


@pytest.mark.parametrize("resolver", ["uv", "pip-tools"])
def test_a_wheel_in_a_bundle_leads_nowhere(
    run: Run, make: Make, airflow: LocalIndex, files: Path, tmp_path: Path, resolver: str
) -> None:
    """A resolver gets wheels that no index has from the base, and follows their metadata."""
    airflow.add(make_wheel(files, "beta", "1.0"), uploaded="2026-01-01T00:00:00Z")
    marker = tmp_path / "ran"
    backend = f"open({str(marker)!r}, 'w').close()\n" + OWN_BACKEND.format(
        name="evil", module="evil", version="1.0"
    )
    evil = make_sdist(files, "evil", "1.0", files={"own_backend.py": backend})
    forged = Forgery.of(make().path)
    name = next(name for name in forged.contents if name.startswith("wheels/only_source-"))
    before, changed = forged.contents[name], io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(before)) as old, zipfile.ZipFile(changed, "w") as new:
        for info in old.infolist():
            first = f"Requires-Dist: evil @ {evil.as_uri()}\n".encode()
            new.writestr(info.filename, first * info.filename.endswith("/METADATA") + old.read(info))
    forged.contents[name] = changed.getvalue()
    forged.agree(name, before)
    base = forged.write(tmp_path / "forged.run")
    status, _, err = run("bundle", "--onto", str(base), "--resolver", resolver, "beta", "only-source")
    assert not marker.exists()
    assert (status, "whose requirements name no address" in " ".join(err.split())) == (2, True), err


BAD: dict[str, Change] = {
    "lone-surrogate": lambda data: data.update(notes=["\ud800"]),
    "surrogate-name": lambda data: data["packages"][0].update(name="a\udcff"),
    "no-version": lambda data: data["packages"][0].update(version=""),
    "not-a-version": lambda data: data["packages"][0].update(version="latest"),
    "version-as-option": lambda data: data["packages"][0].update(version="-r/etc/passwd"),
    "name-with-url": lambda data: data["packages"][0].update(name="a @ http://127.0.0.1/x"),
    "unnormalised": lambda data: data["packages"][0].update(name="Al_pha"),
    "path-outside": lambda data: data["packages"][0].update(path="wheels/../../alpha-1.0-py3-none-any.whl"),
    "path-is-no-wheel": lambda data: data["packages"][0].update(path="wheels/alpha"),
    "path-of-another": lambda data: data["packages"][0].update(path="wheels/beta-1.0-py3-none-any.whl"),
    "url-with-password": lambda data: data["packages"][0].update(url="https://me:pw@files.example/x"),
    "url-of-a-file": lambda data: data["packages"][0].update(url="file:///etc/passwd"),
    "escape": lambda data: data.update(notes=["\x1b]0;owned\x07"]),
    "bidi": lambda data: data.update(requirements=["a\u202eb"]),
    "platform": lambda data: data["target"].update(platform="manylinux_2_28_x86_64\n"),
    "python": lambda data: data["target"].update(python="3.11;"),
    "time": lambda data: data.update(created="--help"),
    "base": lambda data: data.update(base="../../x"),
    "huge-number": lambda data: data["packages"][0].update(size=10**400),
    "negative": lambda data: data["packages"][0].update(size=-1),
    "infinite": lambda data: data["packages"][0].update(size=float("inf")),
    "twice": lambda data: data["packages"].append(data["packages"][0]),
    "many-wrong": lambda data: data.update(packages=[None] * 100_000),
    "long-key": lambda data: data.update({"\x1b" * 1_000_000: 1}),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_no_bundler_writes_is_refused(run: Run, tmp_path: Path, kind: str) -> None:
    status, said = ask(run, onto(tmp_path / "manifest.json", BAD[kind]))
    assert (status, "manifest cannot be read" in said) == (10, True), said
    assert len(said) < 20_000
    assert all(map(is_plain, said.splitlines()))


@pytest.mark.parametrize(
    "text", ["[" * 5000, '{"a":' * 5000, "{" + "9" * 5000, "{\xff", "{" + " " * 9_000_000]
)
def test_what_is_no_manifest(run: Run, tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_bytes(text.encode("latin-1"))
    status, _ = ask(run, path)
    assert status in (2, 10, 11)


def test_a_deep_toml_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "airferry.toml"
    path.write_text("[bundle]\nextras = " + "[" * 5000, encoding="utf-8")
    with pytest.raises(AirferryError, match="not a TOML file"):
        read_settings(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_manifest_that_unpacks_to_much_takes_no_memory(tmp_path: Path, method: int) -> None:
    path = tmp_path / "b.run"
    known = bundles.manifest()
    with path.open("w+b") as stream:
        stream.write(header.render(known.airflow, known.target))
        with zipfile.ZipFile(stream, "a", method) as archive, archive.open(layout.MANIFEST, "w") as member:
            for _ in range(200):
                member.write(b" " * 1_000_000)
        header.seal(stream)
    tracemalloc.start()
    try:
        with pytest.raises(AirferryError, match="damaged"):
            Bundle.open(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4_000_000


def test_a_version_in_facts_is_one(run: Run, tmp_path: Path) -> None:
    data = json.loads((HOSTS / "debian-12.json").read_text(encoding="utf-8"))
    data["pythons"][0]["version"] = "3.-R/x"
    path = tmp_path / "host.json"
    path.write_text(json.dumps(data), encoding="utf-8")
    status, _, err = run("doctor", "--host", str(path))
    assert (status, "facts.pythons[0]: not a version: '3.-R/x'" in err) == (2, True), err


def test_facts_of_a_host_are_an_answer_or_an_error(run: Run, tmp_path: Path) -> None:
    source = random.Random(20261128)
    known = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(HOSTS.glob("*.json"))]
    path = tmp_path / "host.json"
    for number in range(60):
        path.write_text(json.dumps(mutated(source.choice(known), source)), encoding="utf-8")
        status, out, err = run("doctor", "--host", str(path))
        assert "bug" not in err, (number, err)
        assert "check-crashed" not in out, (number, path.read_text())
        assert status in (0, 2, 3, 4, 12), (number, status, err)
        assert all(map(is_plain, (out + err).replace("\t", " ").splitlines()))


# what no shell takes for one word unless it is quoted
PAYLOAD = "a'b\"c; touch owned $(touch owned) `touch owned`\\"


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where text is."""
    if isinstance(data, str):
        yield path
    for key, item in (
        data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    ):
        yield from places(item, (*path, key))


def test_no_text_of_facts_is_a_part_of_a_command(tmp_path: Path) -> None:
    """Remedies are commands to copy; a path or a name in them is one word to sh, whatever it holds."""
    path = tmp_path / "host.json"
    quoted, seen = 0, set()
    for known in sorted(HOSTS.glob("*.json")):
        text = known.read_text(encoding="utf-8")
        for place in places(json.loads(text)):
            kind = tuple(key for key in place if isinstance(key, str))
            if kind in seen and kind[0] not in ("distribution", "request"):
                continue
            seen.add(kind)
            changed = json.loads(text)
            node = functools.reduce(lambda inside, key: inside[key], place[:-1], changed)
            node[place[-1]] = PAYLOAD
            path.write_text(json.dumps(changed), encoding="utf-8")
            try:
                findings = choose(saved.load(path), "3.3.2").report.findings
            except AirferryError:
                continue
            assert "check-crashed" not in [finding.id for finding in findings], (known, place)
            for command in (command for finding in findings for command in finding.commands):
                if "touch owned" in command:
                    assert any(PAYLOAD in word for word in shlex.split(command)), (place, command)
                    quoted += 1
    assert quoted
