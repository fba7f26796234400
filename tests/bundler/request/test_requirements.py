from __future__ import annotations

import codecs
import hashlib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from bundler.base import archives
from bundler.base.errors import DownloadFailed, HashMismatch, InvalidRequest, ResolutionFailed
from bundler.request import platforms
from bundler.request.requirements import gather
from tests.bundler.making import make_sdist, make_wheel
from tests.bundler.runner import Make, Run
from tests.bundler.server import LocalIndex
from wheelhouse.errors import InvalidTarget

TRUSTED = "where an index has a certificate, PIP_CERT or SSL_CERT_FILE names its authority."


def records(text: str, folder: Path) -> tuple[str, ...]:
    path = folder / "requirements.txt"
    path.write_text(text)
    found = gather((), (path,))
    assert not found.problems
    return tuple(item.record for item in found.wanted)


def test_a_requirement_file_as_pip_reads_it(tmp_path: Path) -> None:
    (tmp_path / "more.txt").write_text("gamma\n")
    text = (
        "\ufeff# a comment\n"
        "Alpha>=1,<2  # why\n"
        "\n"
        "beta[one,two] ; python_version < '3.12'\n"
        "-r more.txt\n"
        "delta \\\n    ==1.0 \\\n    --hash=sha256:" + "AB" * 32 + "\n"
        "-r more.txt\n"
    )
    assert records(text, tmp_path) == (
        "Alpha<2,>=1",
        'beta[one,two]; python_version < "3.12"',
        "gamma",
        "delta==1.0",
    )
    assert gather((), (tmp_path / "requirements.txt",)).wanted[-1].hashes == ("ab" * 32,)


def by_pip(path: Path, links: Path) -> list[str]:
    """What pip itself would install for a requirement file, with the wheels in `links` alone."""
    command = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check", "install"]
    command += ["--dry-run", "--ignore-installed", "--no-deps", "--no-index", "--find-links", str(links)]
    command += ["--quiet", "--report", "-", "-r", path.name]
    ran = subprocess.run(command, cwd=path.parent, capture_output=True, text=True, check=True)
    found = [item["metadata"] for item in json.loads(ran.stdout)["install"]]
    return sorted(f"{item['name']}=={item['version']}" for item in found)


def test_the_same_file_means_the_same_to_pip(tmp_path: Path) -> None:
    """What stands between the lines: backslashes, comments, encodings, paths with @, extras and markers."""
    links, odd = tmp_path / "links", tmp_path / "home/kim@corp"
    links.mkdir()
    odd.mkdir(parents=True)
    for name in ("alpha", "beta", "gamma", "delta"):
        make_wheel(links, name, "1.0")
    make_wheel(odd, "own-wheel", "2.0", extras=["more"])
    sdist = make_sdist(tmp_path, "own-project", "4.0")
    archives.unpack(sdist, sdist.name, tmp_path / "unpacked").rename(odd / "proj")
    wheel = "home/kim@corp/own_wheel-2.0-py3-none-any.whl"
    never = "python_version < '3'"
    files = {
        b"# D:\\work\\\nalpha==1.0\n": ["alpha==1.0"],
        b"alpha\nbeta==1.0\\": ["alpha==1.0", "beta==1.0"],
        b"alpha # D:\\work\\\nbeta\n": ["alpha==1.0"],
        b"alpha \\\n  ==1.0\n  # why \\\nbeta\r\n": ["alpha==1.0", "beta==1.0"],
        codecs.BOM_UTF16_LE + "alpha\r\nbeta  # 왜\r\n".encode("utf-16-le"): ["alpha==1.0", "beta==1.0"],
        codecs.BOM_UTF8 + b"alpha\n": ["alpha==1.0"],
        "# -*- coding: cp949 -*-\nalpha  # 왜\n".encode("cp949"): ["alpha==1.0"],
        "alpha  # 왜\n".encode(): ["alpha==1.0"],
        f"./{wheel}\n".encode(): ["own-wheel==2.0"],
        f"{wheel}[more]\nalpha".encode(): ["alpha==1.0", "own-wheel==2.0"],
        f"./{wheel} ; {never}\nalpha; {never}\nbeta".encode(): ["beta==1.0"],
        b"./home/kim@corp/proj\nalpha": ["alpha==1.0", "own-project==4.0"],
        f"./home/kim@corp/proj[more] ; {never}\nalpha".encode(): ["alpha==1.0"],
        f"{(tmp_path / wheel).as_uri()}\n".encode(): ["own-wheel==2.0"],
        b"--find-links links --prefer-binary\nalpha\n": ["alpha==1.0"],
    }
    path, differing = tmp_path / "requirements.txt", []
    for content, wanted in files.items():
        path.write_bytes(content)
        gathered = gather((), (path,))
        ours = [Requirement(item.record or f"own-project{item.text.partition(';')[1]}"
                            f"{item.text.partition(';')[2]}") for item in gathered.wanted]  # fmt: skip
        names = sorted(item.name for item in ours if item.marker is None or item.marker.evaluate())
        theirs = by_pip(path, links)
        if gathered.problems or theirs != wanted or names != [item.partition("==")[0] for item in theirs]:
            differing.append((content, gathered.problems, names, theirs))
    assert differing == []
    path.write_bytes(b"alpha # D:\\work\\\nbeta\n")
    (warning,) = gather((), (path,)).warnings
    assert ":1: the comment ends in a backslash" in warning and warning.endswith(": beta")


def test_text_that_nobody_can_read_names_the_file_and_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    for content in (
        "alpha\nbeta  # 왜\n".encode("cp949"), "alpha\n".encode("utf-16-le"),
        b"# coding: utf-88\nalpha", codecs.BOM_UTF16_LE + b"a",
    ):  # fmt: skip
        path.write_bytes(content)
        (problem,) = gather((), (path,)).problems
        assert str(path) in problem and "save the file as UTF-8" in problem


def test_extras_and_markers_of_local_files_reach_the_resolver(tmp_path: Path) -> None:
    make_wheel(tmp_path, "own-wheel", "2.0", extras=["more"])
    project = tmp_path / "proj"
    project.mkdir()
    (project / "setup.py").touch()
    path = tmp_path / "requirements.txt"
    path.write_text(
        "./own_wheel-2.0-py3-none-any.whl[more] ; python_version > '3'\n"
        "./proj[one,two]\n"
        "https://me:s3cret@a.test/x/beta-3.0.tar.gz\n"
        "https://a.test/archive/main.zip#egg=gamma\n"
    )
    found = gather((), (path,))
    assert found.problems == ()
    wheel, folder, url, egg = found.wanted
    uri = (tmp_path / "own_wheel-2.0-py3-none-any.whl").as_uri()
    assert wheel.text == f"own-wheel[more] @ {uri} ; python_version > '3'"
    assert wheel.record == "own-wheel[more]==2.0 ; python_version > '3'"
    assert folder.text == f"{project}[one,two]"
    assert (url.name, url.record) == ("beta", "beta @ https://a.test/x/beta-3.0.tar.gz")
    assert (egg.name, egg.text) == ("gamma", "gamma @ https://a.test/archive/main.zip#egg=gamma")


def test_extras_of_a_local_wheel_and_of_a_folder_are_in_the_bundle(make: Make, tmp_path: Path) -> None:
    own = tmp_path / "very own"
    own.mkdir()
    requires = ["alpha; extra == 'more'"]
    wheel = make_wheel(own, "own-wheel", "1.0", extras=["more"], requires=requires)
    sdist = make_sdist(tmp_path, "own-project", "4.0")
    project = archives.unpack(sdist, sdist.name, own / "proj")
    never = "python_version < '3'"
    asked = (f"{wheel}[more]", f"{project} ; {never}", f"own-wheel ; {never}")
    result = make(requirements=asked)
    names = {item.name for item in result.manifest.packages}
    assert {"own-wheel", "alpha"} <= names and "own-project" not in names
    assert "own-wheel[more]==1.0" in result.manifest.requirements
    assert str(tmp_path) not in result.manifest.dumps()


def test_several_options_on_one_line(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("-i https://one.test/s --extra-index-url 'https://two.test/s' --prefer-binary\n")
    found = gather((), (path,))
    assert (found.index_url, found.extra_index_urls) == (
        "https://one.test/s", ("https://two.test/s",)
    )  # fmt: skip
    path.write_text("-i https://one.test/simple --trusted-host one.test --no-such\n")
    (problem,) = gather((), (path,)).problems
    assert "no such option: --no-such" in problem


def test_every_problem_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("!bad\n--no-index\n-r missing.txt\n./nowhere\n./no.whl\n-r requirements.txt\n")
    found = gather(("also bad!",), (path,))
    joined = "\n".join(found.problems)
    assert "also bad!" in found.problems[0]
    for part in (
        ":1: requirement '!bad'",
        ":2: --no-index",
        "missing.txt",
        ":4: ./nowhere",
        ":5: ./no.whl",
        "itself",
    ):
        assert part in joined
    assert len(found.problems) == 7


def test_options_are_honoured_as_pip_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SITE_TOKEN", "s3cret")
    (tmp_path / "wheels").mkdir()
    (tmp_path / "more.txt").write_text("--extra-index-url=https://two.test/simple\n")
    path = tmp_path / "requirements.txt"
    path.write_text(
        "-i https://me:${SITE_TOKEN}@one.test/simple\n"
        "--extra-index-url https://two.test/simple  # why\n"
        "--find-links wheels\n-fhttps://wheels.test/\n-r more.txt\n"
        "--constraint=https://me:${SITE_TOKEN}@c.test/\n--prefer-binary\n--require-hashes\nalpha\n"
    )
    found = gather((), (path,))
    assert found.problems == ()
    assert found.index_url == "https://me:s3cret@one.test/simple"
    assert found.extra_index_urls == ("https://two.test/simple",)
    assert found.find_links == (str(tmp_path / "wheels"), "https://wheels.test/")
    assert [item.record for item in found.wanted] == ["alpha"]
    told = "\n".join(found.warnings)
    for part in (
        "--index-url https://one.test/simple applies to everything",
        "--constraint https://c.test/ is",
        "--prefer-binary is ignored",
        "--require-hashes is ignored",
    ):
        assert part in told  # fmt: skip
    assert "s3cret" not in told + repr(found)


@pytest.mark.parametrize(
    ("line", "instead"),
    [
        ("--no-index", "--offline"),
        ("-e ./project", "without it"),
        ("--pre", "package==1.0b1"),
        ("--extra-index-url https://one.test/s\n--trusted-host one.test:443", "PIP_CERT"),
        ("-r https://127.0.0.1:9/more.txt", "refused"),
        ("-r http://127.0.0.1:9/more.txt", "refused"),
        ("-r /", "it is a folder"),
        ("alpha=1.0=py38_0", "write =="),
        ("alpha --config-settings x=y", "as their projects say"),
        ("--no-binary :all:", "as published"),
        ("--only-binary=:all:", "is built"),
        ("--use-feature fast-deps", "does not resolve"),
        ("--use-fewer x", "no such option: --use-fewer"),
        ("--index-url", "requires 1 argument"),
        ("--index-url ''", "has no value"),
        ("-e git+https://me:s3cret@a.test/x.git#egg=x", "clone it"),
        ("git+https://me:s3cret@a.test/x.git#egg=x", "clone it"),
        ("x @ git+ssh://a.test/x.git", "clone it"),
        ("certifi @ file:///croot/certifi_1/work/certifi", "pip list --format=freeze"),
        ("pkg-resources==0.0.0", "remove it"),
        ("alpha --hash=md5:00", "sha256:<64"),
        ("alpha --hash='sha256:0", "No closing quotation"),
        ("--index-url https://me:s3cret@a.test\n--index-url https://b.test", "another one"),
        ("--extra-index-url https://${AIRFERRY_NOT_SET}@a.test", "${AIRFERRY_NOT_SET} is not set"),
        ("alpha @ https://me:s3cret@a.test/alpha.whl junk", "requirement"),
    ],
)
def test_options_that_cannot_hold_say_what_to_do_instead(tmp_path: Path, line: str, instead: str) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(f"{line}\n")
    (problem,) = gather((), (path,)).problems
    assert problem.startswith((f"{path}:", "-r "))
    assert instead in problem
    assert "s3cret" not in problem


def test_what_pip_drops_without_a_word_is_told(tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text(
        f"alpha --pre --index-url https://me:s3cret@a.test\n--hash=sha256:{'0' * 64}\n-f a -f b\n"
        "-i http://one.test/simple --trusted-host one.test\n"
    )
    found = gather((), (path,))
    assert (found.problems, found.index_url) == ((), "http://one.test/simple")
    own_line = "; put it on a line of its own."
    assert [line.partition(": ")[2] for line in found.warnings] == [
        f"--pre is ignored: options behind a requirement do not count{own_line}",
        f"--index-url https://a.test is ignored: options behind a requirement do not count{own_line}",
        f"--hash sha256:{'0' * 64} is ignored: there is no requirement before it.",
        f"--find-links b is ignored: only the first --find-links of a line counts{own_line}",
        "--index-url http://one.test/simple applies to everything in the bundle, Airflow too.",
        f"--trusted-host one.test is ignored: {TRUSTED}",
    ]


def test_requirement_files_may_be_addresses(index: LocalIndex, tmp_path: Path) -> None:
    """As pip takes them: nested ones are beside, credentials are used and never shown."""
    index.login = ("me", "s3cret")
    index.put("/reqs/base.txt", "alpha\n-r more/deep.txt\n-c limits.txt\n!\n")
    index.put("/reqs/more/deep.txt", "beta\n-r ../last.txt\n")
    index.put("/reqs/last.txt", "gamma\n-r base.txt\n")
    url = f"{index.base.replace('//', '//me:s3cret@')}/reqs/base.txt"
    (tmp_path / "local.txt").write_text(f"-r {url}\n-r {index.base}/reqs/none.txt\n")
    for path in (Path(url), tmp_path / "local.txt"):
        found = gather((), (path,))
        assert [item.name for item in found.wanted] == ["alpha", "beta", "gamma"]
        told = "\n".join((*found.problems, *found.warnings))
        assert "s3cret" not in told
        assert f"{index.base}/reqs/base.txt: includes itself" in found.problems
        assert any(
            line.startswith(f"{index.base}/reqs/base.txt:4: requirement '!'") for line in found.problems
        )
    assert f"-r {index.base}/reqs/none.txt: the server answers 401 Unauthorized" in found.problems


def test_a_requirement_file_that_is_not_there_is_told_before_any_work(run: Run, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    for name, said in (("none.txt", "-r none.txt: no such file"), ("folder", "-r folder: it is a folder")):
        status, _, errors = run("bundle", "--airflow", "3.3.2", "-r", name)
        assert (status, said in " ".join(errors.split())) == (2, True), errors


def test_a_files_index_holds_unless_the_command_line_names_one(
    run: Run, airflow: LocalIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "requirements.txt"
    common = ("bundle", "--airflow", "3.3.2", "--python", "3.11", "--constraints", "release-date", "--quiet")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    path.write_text(f"--index-url {airflow.url}\narm-only\n")
    assert run(*common, "-r", str(path))[0] == 0
    path.write_text("--index-url http://127.0.0.1:9/simple\narm-only\n")
    assert run(*common, "-r", str(path))[0] == 22
    assert run(*common, "-r", str(path), "--index-url", airflow.url)[0] == 0


def test_a_private_index_named_in_a_file(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    private = LocalIndex(login=("me", "s3cret"))
    private.start()
    private.add(make_wheel(tmp_path, "inhouse", "1.0"))
    monkeypatch.setenv("SITE_PASSWORD", "s3cret")
    path = tmp_path / "requirements.txt"
    path.write_text(f"--extra-index-url {private.url_with('me', '${SITE_PASSWORD}')}\ninhouse\n")
    try:
        result = make(requirement_files=(path,))
    finally:
        private.stop()
    assert "inhouse" in result.manifest.requirements
    assert "s3cret" not in result.manifest.dumps()
    cached = list((tmp_path / "cache" / "airferry" / "locks").iterdir())
    assert cached
    assert not [item for item in cached if b"s3cret" in item.read_bytes()]


def test_constraints_inside_a_file_are_passed_over_and_told(make: Make, tmp_path: Path) -> None:
    path = tmp_path / "requirements.txt"
    path.write_text("-c https://example.test/constraints.txt\narm-only\n")
    result = make(requirement_files=(path,))
    assert "is ignored" in result.warnings[0]
    assert "arm-only" in result.manifest.requirements


def test_what_the_site_needs_is_resolved_with_airflow(make: Make, airflow: LocalIndex, files: Path) -> None:
    airflow.add(make_wheel(files, "site-lib", "1.0", requires=["alpha<1.5"]))
    versions = {item.name: item.version for item in make(requirements=("site-lib",)).manifest.packages}
    assert versions["site-lib"] == "1.0"
    assert versions["alpha"] == "1.0"


def test_a_conflict_with_the_constraints_is_explained(make: Make, tmp_path: Path) -> None:
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("alpha==1.0\n")
    with pytest.raises(ResolutionFailed) as caught:
        make(constraints=str(constraints), requirements=("alpha>=1.5",))
    assert "alpha==1.0" in caught.value.found
    assert "alpha>=1.5" in caught.value.found


def test_local_wheels_sdists_folders_and_links_leave_no_path_behind(
    make: Make, tmp_path: Path, files: Path
) -> None:
    own = tmp_path / "very own"
    own.mkdir()
    wheel = make_wheel(own, "own-wheel", "1.0")
    sdist = make_sdist(own, "own-sdist", "2.0")
    make_wheel(own, "linked", "3.0")
    unpacked = make_sdist(tmp_path, "own-project", "4.0")
    project = archives.unpack(unpacked, unpacked.name, tmp_path / "work")
    content = {path.name for path in project.iterdir()}
    result = make(
        requirements=(str(wheel), str(sdist), f"{project}", "linked"),
        find_links=(str(own),),
    )
    packages = {item.name: item for item in result.manifest.packages}
    assert packages["own-wheel"].version == "1.0"
    assert packages["linked"].url == ""
    assert packages["own-sdist"].built_from is not None
    assert packages["own-project"].version == "4.0"
    assert {"own-wheel==1.0", "own-sdist==2.0", "own-project", "linked"} <= set(result.manifest.requirements)
    assert str(tmp_path) not in result.manifest.dumps()
    # The folder is as it was, and another run gives the same bytes.
    assert {path.name for path in project.iterdir()} == content
    before = result.path.read_bytes()
    again = make(requirements=(str(wheel), str(sdist), f"{project}", "linked"), find_links=(str(own),))
    assert again.path.read_bytes() == before


def test_hashes_in_a_requirement_file_hold(make: Make, files: Path, tmp_path: Path) -> None:
    good = hashlib.sha256((files / "arm_only-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    path = tmp_path / "requirements.txt"
    path.write_text(f"arm-only==1.0 --hash=sha256:{good}\n")
    assert make(requirement_files=(path,))
    path.write_text(f"arm-only==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(HashMismatch, match="requirement file allows"):
        make(requirement_files=(path,))


def test_a_further_index_and_its_password(make: Make, tmp_path: Path) -> None:
    private = LocalIndex(login=("me", "s3cret"))
    private.start()
    private.add(make_wheel(tmp_path, "inhouse", "1.0"))
    try:
        result = make(requirements=("inhouse",), extra_index_urls=(private.url_with("me", "s3cret"),))
        assert "s3cret" not in result.manifest.dumps()
        inhouse = next(item for item in result.manifest.packages if item.name == "inhouse")
        assert inhouse.url.startswith(private.base)
        with pytest.raises((DownloadFailed, ResolutionFailed)) as caught:
            make(requirements=("inhouse",), extra_index_urls=(private.url_with("me", "wr0ng"),), refresh=True)
        assert "wr0ng" not in str(vars(caught.value))
    finally:
        private.stop()


def test_an_extra_that_airflow_does_not_have(make: Make) -> None:
    with pytest.raises(InvalidRequest, match="no extra postgress") as caught:
        make(extras=("postgress",))
    assert (caught.value.needed, caught.value.hint) == ("one of fab, postgres", "Did you mean postgres?")


def test_an_extra_that_brings_nothing_on_this_python(make: Make, airflow: LocalIndex, files: Path) -> None:
    requires = ["only-source", "fancy-provider; extra == 'fancy' and python_version < '3.11'"]
    airflow.add(make_wheel(files, "apache-airflow", "3.9.0", extras=["fancy"], requires=requires))
    airflow.add(make_wheel(files, "fancy-provider", "1.0"))
    asked = {"airflow": "3.9.0", "extras": ("fancy",), "no_default_extras": True}
    assert make(**asked, python="3.10")
    with pytest.raises(ResolutionFailed, match="fancy adds no package"):
        make(**asked)


def test_a_default_extra_that_brings_nothing_is_left_out_and_told(
    make: Make, airflow: LocalIndex, files: Path
) -> None:
    requires = [
        "pg-provider; extra == 'postgres'",
        "fab-provider; extra == 'fab' and python_version < '3.11'",
    ]
    airflow.add(make_wheel(files, "apache-airflow", "3.0.9", extras=["fab", "postgres"], requires=requires))
    assert make(airflow="3.0.9", python="3.10").manifest.extras == ("fab", "postgres")
    result = make(airflow="3.0.9")
    assert result.manifest.extras == ("postgres",)
    assert "no packages for its extra fab on Python 3.11" in result.manifest.notes[0]


def test_a_provider_that_the_constraints_do_not_know(
    make: Make, airflow: LocalIndex, files: Path, tmp_path: Path
) -> None:
    requires = ["apache-airflow-providers-odd; extra == 'odd'"]
    airflow.add(
        make_wheel(files, "apache-airflow-providers-odd", "5.0"),
        make_wheel(files, "apache-airflow", "3.9.0", extras=["odd"], requires=requires),
    )
    path = tmp_path / "constraints.txt"
    path.write_text("alpha==1.0\n")
    options = {"airflow": "3.9.0", "extras": ("odd",), "no_default_extras": True, "constraints": str(path)}
    with pytest.raises(ResolutionFailed, match="do not pin apache-airflow-providers-odd"):
        make(**options)
    assert make(**options, requirements=("apache-airflow-providers-odd==5.0",))
    path.write_text("Apache_Airflow.Providers_odd==5.0\n")
    assert make(**options)


@pytest.mark.parametrize(
    ("head", "warning"),
    [
        (
            "# https://raw.test/constraints-3.3.1/constraints-3.11.txt",
            "for Airflow 3.3.1, not",
        ),
        (
            "# https://raw.test/constraints-3.3.2/constraints-3.10.txt",
            "for Python 3.10, not",
        ),
        ('# via `uv pip install` for the "v3-2-test" branch of Airflow.', "for Airflow 3.2"),
        ("# This constraints file was automatically generated on 2025-01-01T00:00:00.1", "366 days"),
        ('# generated on 2026-01-01T00:00:00 for the "v3-3-test" branch of Airflow.', ""),
    ],
)
def test_stale_constraints_are_noticed(make: Make, tmp_path: Path, head: str, warning: str) -> None:
    path = tmp_path / "constraints.txt"
    path.write_text(f"{head}\nalpha==1.0\n")
    warnings = make(constraints=str(path)).warnings
    assert len(warnings) == (1 if warning else 0)
    assert warning in "".join(warnings)


@pytest.mark.parametrize(
    ("options", "tag"),
    [
        ({}, f"manylinux_2_28_{platforms.this_machine()}"),
        ({"glibc": "2.17", "machine": "x86_64"}, "manylinux_2_17_x86_64"),
        ({"like": "rhel8", "machine": "arm64"}, "manylinux_2_28_aarch64"),
        ({"like": "Rocky9.4", "machine": "x86_64"}, "manylinux_2_34_x86_64"),
        ({"like": "ubuntu-22.04", "machine": "x86_64"}, "manylinux_2_35_x86_64"),
        ({"like": "alpine3.20", "machine": "aarch64"}, "musllinux_1_2_aarch64"),
        ({"tag": "manylinux_2_31_x86_64"}, "manylinux_2_31_x86_64"),
    ],
)
def test_names_of_hosts(options: dict[str, str], tag: str) -> None:
    assert platforms.platform_tag(**options) == tag


@pytest.mark.parametrize(
    "options",
    [
        {"glibc": "2.17", "like": "rhel8"},
        {"glibc": "seven"},
        {"like": "windows11"},
        {"tag": "manylinux_2_28_x86_64", "machine": "aarch64"},
    ],
)
def test_hosts_that_are_none(options: dict[str, str]) -> None:
    with pytest.raises(InvalidTarget):
        platforms.platform_tag(**options)


def _zip(path: Path, files: dict[str, str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


PROJECT = '[project]\nname = "Own.Tool"\nversion = "1.2"\n'


@pytest.mark.parametrize(
    ("name", "files", "record"),
    [
        ("main.zip", {"pyproject.toml": PROJECT}, "own-tool==1.2"),
        ("tool-main.zip", {"tool-main/pyproject.toml": PROJECT}, "own-tool==1.2"),
        ("v1.0.zip", {"t/PKG-INFO": "Name: own_tool\nVersion: 1.3\n"}, "own-tool==1.3"),
        ("x.zip", {"t/setup.cfg": "[metadata]\nname = own-tool\nversion = attr: own.VERSION\n"}, "own-tool"),
        ("x.zip", {"t/pyproject.toml": '[project]\nname = "own-tool"\ndynamic = ["version"]\n'}, "own-tool"),
        ("own-tool-1.4.zip", {}, "own-tool==1.4"),
    ],
)
def test_archives_whose_name_does_not_tell(
    tmp_path: Path, name: str, files: dict[str, str], record: str
) -> None:
    path = _zip(tmp_path / name, files)
    for text in (str(path), path.as_uri()):
        found = gather((text,), ())
        assert found.problems == ()
        assert [(item.name, item.record, item.text) for item in found.wanted] == [
            ("own-tool", record, f"own-tool @ {path.as_uri()}")
        ]


def test_archives_that_nothing_names(tmp_path: Path) -> None:
    empty = _zip(tmp_path / "main.zip", {"a.py": "", "t/pyproject.toml": "[project"})
    (tmp_path / "v2.tar.gz").write_bytes(b"cut")
    urls = ("https://a.test/archive/refs/tags/v1.0.zip", "https://a.test/repo-main.zip")
    found = gather((str(empty), str(tmp_path / "v2.tar.gz"), *urls), ())
    assert found.wanted == ()
    assert [text.partition(": ")[2] for text in found.problems] == [
        f"the name of the file does not tell the package; write: NAME @ {empty.as_uri()}",
        "the archive cannot be read: file could not be opened successfully",
        *(f"the name of the file does not tell the package; write: NAME @ {url}" for url in urls),
    ]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("list.txt", "\nPackage        Version\n-------- ----\nalpha 1.0\n", "pip list --format=freeze"),
        ("list.json", '[{"name": "alpha", "version": "1.0"}]', "it is JSON"),
        ("list.json", '[\n  {"name": "alpha"}]', "it is JSON"),
        (
            "environment.yml",
            "# made by hand\n---\nname: x\ndependencies:\n  - alpha\n",
            "environment of conda",
        ),
        ("pyproject.toml", '[project]\nname = "x"\n', "name its folder"),
        ("Pipfile", "[[source]]\n", "pipenv requirements"),
        ("poetry.lock", '# @generated\n\n[[package]]\nname = "alpha"\n', "poetry export"),
        ("uv.lock", "version = [1]\n", "uv export"),
        ("pylock.toml", 'lock-version = "1.0"\n', "name==version"),
    ],
)
def test_what_is_no_requirement_file_is_told_once_with_the_way_to_one(
    tmp_path: Path, name: str, content: str, said: str
) -> None:
    (tmp_path / name).write_text(content)
    (problem,) = gather((), (tmp_path / name,)).problems
    assert problem.startswith(f"-r {tmp_path / name}: it is ") and said in problem


@pytest.mark.parametrize("line", ["alpha@1.0", "git@github.test:a/b.git", "alpha @ ./wheels/alpha-1.0.whl"])
def test_what_stands_after_an_at_is_an_address(tmp_path: Path, line: str) -> None:
    (tmp_path / "r.txt").write_text(f"beta\n{line}\n")
    (problem,) = gather((), (tmp_path / "r.txt",)).problems
    assert f"r.txt:2: {line}: after @ stands an address (https://...); for a version write ==" in problem
