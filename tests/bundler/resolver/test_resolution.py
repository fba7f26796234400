"""What a resolution does about releases that cannot be resolved as they stand."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from packaging.specifiers import SpecifierSet

from bootstrap.base.process import CommandFailed
from bundler.base.errors import ResolutionFailed
from bundler.index.cache import Cache
from bundler.resolver import Question, advisories, uv
from tests.bundler.making import OWN_BACKEND, make_sdist, make_wheel
from tests.bundler.runner import Make
from tests.bundler.server import LocalIndex
from wheelhouse.target import Target

AS_OF = "release-date"


@pytest.fixture
def own() -> Iterator[LocalIndex]:
    """A site's own index, which tells no upload times."""
    server = LocalIndex(times=False)
    server.start()
    yield server
    server.stop()


def versions(make: Make, **options: Any) -> dict[str, str]:
    return {item.name: item.version for item in make(**options).manifest.packages}


def test_the_wheel_of_the_same_code_takes_the_place_of_psycopg2(
    make: Make, airflow: LocalIndex, files: Path, tmp_path: Path
) -> None:
    """Airflow 2.4.0 to 2.5.0: a provider asks for psycopg2, and the constraints pin it."""
    airflow.add(
        make_wheel(files, "psycopg2", "2.9.3"), make_wheel(files, "psycopg2-binary", "2.9.3"),
        make_wheel(files, "provider", "1.0", requires=["psycopg2>=2.8"]),
    )  # fmt: skip
    path = tmp_path / "constraints.txt"
    path.write_text("psycopg2==2.9.3\n")
    result = make(constraints=str(path), requirements=("provider",))
    found = {item.name: item.version for item in result.manifest.packages}
    assert (found["psycopg2-binary"], "psycopg2" in found) == ("2.9.3", False)
    (note,) = [text for text in result.manifest.notes if "replaces psycopg2" in text]
    assert note.startswith("psycopg2-binary 2.9.3") and "provider asked for psycopg2" in note
    # as of the release's date nothing is pinned, and the provider asks for it all the same
    dated = make(constraints=AS_OF, requirements=("provider",), refresh=True)
    assert "psycopg2" not in {item.name for item in dated.manifest.packages}
    (note,) = [text for text in dated.manifest.notes if "replaces psycopg2" in text]
    assert note in dated.warnings
    # where nobody asks for it, nothing is said
    assert not [text for text in make().manifest.notes if "psycopg2" in text]
    # whoever asks for it by its name gets it
    assert versions(make, requirements=("provider", "psycopg2"), refresh=True)["psycopg2"] == "2.9.3"


def test_what_came_days_after_the_release_has_a_date_of_its_own(
    make: Make, airflow: LocalIndex, files: Path
) -> None:
    """Airflow 2.11.1: a dependency came five days after it."""
    airflow.add(make_wheel(files, "late", "1.5"), uploaded="2026-01-07T00:13:31.853000Z")
    airflow.add(make_wheel(files, "next-year", "1.0"), uploaded="2027-01-02T00:00:00Z")
    airflow.add(
        make_wheel(files, "needs", "1.0", requires=["late>=1.5"]),
        make_wheel(files, "needs-more", "1.0", requires=["next-year"]),
    )
    result = make(constraints=AS_OF, requirements=("needs",))
    assert [item.version for item in result.manifest.packages if item.name == "late"] == ["1.5"]
    assert any("late came out after this release, on 2026-01-07" in text for text in result.warnings)
    with pytest.raises(ResolutionFailed):
        make(constraints=AS_OF, requirements=("needs-more",))


def test_a_provider_that_runs_no_task_is_not_chosen(
    make: Make, airflow: LocalIndex, files: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entry = {"airflow": "==3.3.2", "package": "engine", "works": "!=1.1", "text": "no task runs: take 1.0."}
    airflow.add(make_wheel(files, "engine", "1.0"), make_wheel(files, "engine", "1.1"))
    monkeypatch.setattr(advisories, "pairs", lambda: (entry,))
    result = make(constraints=AS_OF, requirements=("engine",))
    assert {item.version for item in result.manifest.packages if item.name == "engine"} == {"1.0"}
    assert any("engine 1.0 was chosen from !=1.1" in text for text in result.warnings)
    # one that is older than what was chosen has changed nothing
    airflow.add(make_wheel(files, "engine", "1.2"))
    newer = make(constraints=AS_OF, requirements=("engine",), refresh=True)
    assert {item.version for item in newer.manifest.packages if item.name == "engine"} == {"1.2"}
    assert not any("engine" in text for text in newer.warnings)
    path = tmp_path / "constraints.txt"
    path.write_text("engine==1.1\n")
    pinned = make(constraints=str(path), requirements=("engine",))
    assert any("engine 1.1 does not work with Airflow 3.3.2: no task" in text for text in pinned.warnings)


def test_the_table_of_pairs_is_sound() -> None:
    def holds(entry: Mapping[str, str]) -> bool:
        return bool(SpecifierSet(entry["airflow"]) and SpecifierSet(entry["works"]) and entry["text"])

    assert all(holds(entry) for entry in advisories.pairs())
    rows = {
        "2.11.2": ("celery", "3.17.1", "3.17.2"),
        "2.10.5": ("celery", "3.10.3", "3.10.5"),
        "2.11.0": ("cncf-kubernetes", "10.4.3", "10.4.2"),
        "2.9.3": ("fab", "1.2.1", "1.1.1"),
        "3.2.2": ("cncf-kubernetes", "10.17.1", "10.18.0"),
    }
    for airflow, (name, bad, good) in rows.items():
        package = f"apache-airflow-providers-{name}"
        assert list(advisories.broken(airflow, {package: bad})), (airflow, bad)
        assert not list(advisories.broken(airflow, {package: good})), (airflow, good)


def test_a_patch_level_in_requires_python_is_met(make: Make, airflow: LocalIndex, files: Path) -> None:
    airflow.add(make_wheel(files, "strict", "1.0", requires_python=">=3.11.1"))
    assert versions(make, requirements=("strict",))["strict"] == "1.0"


def test_what_the_own_index_holds_has_no_date(
    make: Make, airflow: LocalIndex, files: Path, own: LocalIndex
) -> None:
    """Nexus and Artifactory tell no upload times, which a resolution as of a date needs."""
    own.add(make_wheel(files, "corp-tool", "1.0", requires=["corp-base", "alpha"]))
    own.add(make_wheel(files, "corp-base", "1.0"))
    result = make(constraints=AS_OF, requirements=("corp-tool",), extra_index_urls=(own.url,))
    found = {item.name: item.version for item in result.manifest.packages}
    assert (found["corp-tool"], found["corp-base"], found["alpha"]) == ("1.0", "1.0", "1.5")
    for name in ("corp-tool", "corp-base"):
        assert f"{name} is of {own.url}: the date of the release does not hold for it." in result.warnings
    # one that tells times: what came after the release counts, too
    own.times = True
    own.add(make_wheel(files, "corp-tool", "2.0"), uploaded="2027-01-01T00:00:00Z")
    asked = {"requirements": ("corp-tool",), "extra_index_urls": (own.url,), "refresh": True}
    assert versions(make, constraints=AS_OF, **asked)["corp-tool"] == "2.0"
    # a copy of the public index is not the site's own
    own.times = False
    own.add(make_wheel(files, "fab-provider", "9.0"))
    with pytest.raises(ResolutionFailed) as caught:
        make(constraints=AS_OF, **asked)
    assert "the index that has fab-provider tells no upload times" in caught.value.hint


@pytest.mark.parametrize(
    ("requirement", "pins", "hint"),
    [
        ("alphaa", "alpha==1.5\n", "Did you mean alpha? Else check how alphaa is written"),
        ("pandsa", "", "Did you mean pandas"),
        ("no-such-thing", "alpha==1.5\n", "how no-such-thing is written"),
        ("lost", "", "how gone is written"),
        ("alpha==2.0", "", "alpha came out on 2026-06-01"),
        ("alpha==7", "", "Ask for a version of alpha that the index has"),
        ("alpha==1.0", "alpha==1.5\n", "With constraints every version is fixed"),
        ("beta>=1", "", "Ask for a version of beta"),
        ("newer", "", "Choose another --python"),
        ("corp==2.0", "", "Of corp the first index"),
    ],
)
def test_the_hint_of_a_failure_fits(
    make: Make, airflow: LocalIndex, files: Path, tmp_path: Path, own: LocalIndex, requirement: str,
    pins: str, hint: str,
) -> None:  # fmt: skip
    own.times = True
    own.add(make_wheel(files, "corp", "1.0"))
    airflow.add(
        make_wheel(files, "lost", "1.0", requires=["gone"]), make_wheel(files, "beta", "1.0b1"),
        make_wheel(files, "newer", "1.0", requires_python=">=3.12"), make_wheel(files, "corp", "2.0"),
    )  # fmt: skip
    path = tmp_path / "constraints.txt"
    path.write_text(pins)
    with pytest.raises(ResolutionFailed) as caught:
        make(
            constraints=str(path) if pins else AS_OF, requirements=(requirement,), extra_index_urls=(own.url,)
        )
    assert hint in caught.value.hint
    assert "because" in caught.value.found.lower()
    for word in ("exclude-newer", "--prerelease", "--index-strategy", "DEBUG"):
        assert word not in caught.value.found + caught.value.hint


def test_a_resolver_out_of_time_says_what_it_was_doing(
    make: Make, airflow: LocalIndex, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend = '[build-system]\nrequires = []\nbuild-backend = "own_backend"\nbackend-path = ["."]\n'
    airflow.add(
        make_sdist(
            files,
            "slow",
            "1.0",
            files={
                "PKG-INFO": "Metadata-Version: 2.1\nName: slow\nVersion: 1.0\n",
                "pyproject.toml": backend,
                "own_backend.py": "import time\ntime.sleep(100)\n",
            },
        )
    )
    monkeypatch.setattr(uv, "_SECONDS", 5.0)
    with pytest.raises(CommandFailed, match="still running after 5 seconds") as caught:
        make(constraints=AS_OF, requirements=("slow",))
    # how far it comes depends on the machine
    assert caught.value.found in (
        "It was building slow==1.0 from source, to know what that needs.",
        "It was choosing versions; the last was slow==1.0.",
    )


def test_metadata_of_a_source_is_built_once_where_files_never_change(
    airflow: LocalIndex, files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyPI's files; the word of it is lost on the way through many a proxy, and this index says none."""
    built = tmp_path / "built"
    backend = OWN_BACKEND.format(name="lazy", module="lazy", version="1.0")
    own = {
        "PKG-INFO": "Metadata-Version: 1.0\nName: lazy\nVersion: 1.0\n",
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "own_backend"\n'
        'backend-path = ["."]\n',
        "own_backend.py": f"open({str(built)!r}, 'a').write('x')\n{backend}",
    }
    airflow.add(make_sdist(files, "lazy", "1.0", files=own))
    question = Question(("lazy",), Target.parse("3.11", "manylinux_2_28_x86_64"), airflow.url)

    def runs(folder: str) -> int:
        built.write_text("")
        for _ in range(2):
            (found,) = uv.Uv(Cache(tmp_path / folder)).resolve(question)
            assert found.version == "1.0"
        return len(built.read_text())

    each_time = runs("public")
    monkeypatch.setattr(uv, "_LASTING", (airflow.url,))
    assert runs("lasting") * 2 == each_time


@pytest.mark.parametrize("html", [True, False], ids=["html", "json"])
@pytest.mark.parametrize("way", ["netrc", "url", "file", "keyring", "user and netrc"])
def test_a_private_index_as_nexus_and_artifactory_have_it(
    make: Make,
    files: Path,
    own: LocalIndex,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    html: bool,
    way: str,
) -> None:
    """No upload times, no hashes, relative links, withdrawn files, files for other Pythons, and a login."""
    user, password = "kim@corp", "p@ss:w/rd%#é"
    own.login, own.html, own.hashes = (user, password), html, False
    for version in ("1.0", "1.1", "1.2"):
        own.add(make_wheel(files, "corp-tool", version, requires=["alpha"]))
    own.yanked.add("corp_tool-1.2-py3-none-any.whl")
    own.pythons["corp_tool-1.1-py3-none-any.whl"] = ">=3.12"
    coded = own.url_with(quote(user, safe=""), quote(password, safe=""))
    options: dict[str, object] = {"extra_index_urls": (coded,)}
    if way == "keyring":
        program = tmp_path / "bin" / "keyring"
        program.parent.mkdir()
        program.write_text(
            f'#!/bin/sh\n[ "$*" = "get {urlsplit(own.url).netloc} {user}" ] || exit 1\necho "{password}"\n',
            encoding="utf-8",
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
        options = {"extra_index_urls": (own.url_with(quote(user, safe=""), ""),)}
    elif "netrc" in way:
        netrc = tmp_path / "netrc"
        netrc.write_text(f"machine 127.0.0.1 login {user} password {password}\n", encoding="utf-8")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        url = own.url if way == "netrc" else own.url_with(quote(user, safe=""), "")
        options = {"extra_index_urls": (url,)}
    elif way == "file":
        path = tmp_path / "requirements.txt"
        monkeypatch.setenv("CORP_PASSWORD", quote(password, safe=""))
        with_login = own.url_with(quote(user, safe=""), "${CORP_PASSWORD}")
        path.write_text(f"--extra-index-url {with_login}\ncorp-tool\n")
        options = {"requirement_files": (path,)}
    result = make(constraints=AS_OF, requirements=("corp-tool",), **options)
    found = {item.name: item for item in result.manifest.packages}
    assert (found["corp-tool"].version, found["alpha"].version) == ("1.0", "1.5")
    assert found["corp-tool"].url == f"{own.base}/files/corp_tool-1.0-py3-none-any.whl"
    assert f"corp-tool is of {own.url}: the date of the release does not hold for it." in result.warnings
    # neither the bundle nor the cache holds the login, however it is written
    kept = [result.path, *(path for path in (tmp_path / "cache").rglob("*") if path.is_file())]
    for secret in (password, quote(password, safe=""), quote(user, safe=""), user):
        assert [path for path in kept if secret.encode() in path.read_bytes()] == [], secret
    assert password not in "\n".join(result.warnings)
