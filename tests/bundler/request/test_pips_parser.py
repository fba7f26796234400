"""Requirement files, with pip's own parser as the measure: the same lines, options and meaning."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bundler.base import text
from bundler.request import pipoptions
from bundler.request.requirement_files import lines
from bundler.request.requirements import Wanted, gather
from tests.bundler.making import make_sdist, make_wheel

pip_files = pytest.importorskip("pip._internal.req.req_file")
pip_requirements = pytest.importorskip("pip._internal.req.constructors")
PipError = pytest.importorskip("pip._internal.exceptions").PipError

SHA = "sha256:" + "ab" * 32
PIECES = (
    "alpha", "alpha==1.0", "Beta_x[one, Two]", " ; python_version < '4'", "\\", "\\\n", "\n", "\r\n", "\r",
    "\t", " ", "  ", "\f", "\v", "\x85", "\u2028", "#", " # why", "# D:\\work\\", "-r more.txt",
    "--requirement=more.txt", "-c limits.txt", "-e .", "--index-url=https://a.test/s",
    "-i https://b.test/s", "-ihttps://c.test", "--extra-index-url 'https://d.test/a b'", "--extra-index",
    "--find-links ./wheels", "-f", "--pre", "--no-binary", ":all:", f"--hash={SHA}", f" --hash {SHA}",
    "--require-hashes", "--trusted-host a.test", "--no", "-x", '"', "'", "${SET}", "${UNSET}", "$SET",
    "${set}", "name @ https://e.test/n-1.0.zip", "https://e.test/x.zip#egg=x", "\ufeff", "./a b.whl",
    "한글", "--config-settings k=v", "=", "@",
)  # fmt: skip
# pip's name of an option, and ours
NAMES = {
    "index_url": "--index-url", "extra_index_urls": "--extra-index-url", "no_index": "--no-index",
    "constraints": "--constraint", "requirements": "--requirement", "editables": "--editable",
    "find_links": "--find-links", "prefer_binary": "--prefer-binary", "require_hashes": "--require-hashes",
    "no_require_hashes": "--no-require-hashes", "pre": "--pre", "trusted_hosts": "--trusted-host",
    "features_enabled": "--use-feature",
}  # fmt: skip

MARKS = (b"", b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xff\xfe\0\0")
FLAGS = ("--require-hashes", "--no-require-hashes", "--pre", "--no-index", "--prefer-binary")


def by_pip(content: str) -> Iterator[tuple[int, str, dict[str, Any] | None]]:
    """Number, requirement and options of each line; None for options that pip cannot parse."""
    parse = pip_files.get_line_parser(None)
    for number, line in pip_files.preprocess(content):
        try:
            requirement, options = parse(line)
        except (pip_files.OptionParsingError, PipError):
            yield number, "", None
            continue
        found = {NAMES[key]: value for key, value in vars(options).items() if key in NAMES and value}
        hashes = [value for values in (options.hashes or {}).values() for value in values]
        yield number, requirement.strip(), {**found, **({pipoptions.HASH: hashes} if hashes else {})}


def by_us(content: str) -> Iterator[tuple[int, str, dict[str, Any] | None]]:
    """The same of our parser; None as well where it refuses what pip drops without a word."""
    for number, written, _ in lines(content):
        if not written:
            continue
        problems: list[str] = []
        unset: list[str] = []
        requirement, options = pipoptions.split(pipoptions.expand(written, "", unset), "", problems)
        if problems or {name for name, _ in options} & {"--no-binary", "--only-binary"}:
            yield number, "", None
            continue
        found: dict[str, Any] = {}
        for name, value in options:
            if name == "--index-url":
                found[name] = value
            elif name in FLAGS:
                found[name] = True
            elif name == pipoptions.HASH:
                found.setdefault(name, []).append(value.partition(":")[2])
            elif name in NAMES.values():
                found.setdefault(name, []).append(value)
        yield number, requirement, {key: value for key, value in found.items() if value}


@settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_any_lines_are_the_same_to_pip(monkeypatch: pytest.MonkeyPatch, content: str) -> None:
    monkeypatch.setenv("SET", "https://set.test")
    monkeypatch.delenv("UNSET", raising=False)
    ours, theirs = list(by_us(content)), list(by_pip(content))
    assert [item[0] for item in ours] == [item[0] for item in theirs]
    for mine, his in zip(ours, theirs, strict=True):
        if mine[2] is None:
            continue  # refused: never another meaning
        assert his[2] is not None, (content, mine, his)
        assert mine[:2] == his[:2]
        for name, value in mine[2].items():
            assert his[2].get(name) == value or name == "--no-index", (content, name, mine, his)


@given(st.binary(max_size=40), st.sampled_from(MARKS))
def test_any_bytes_are_the_same_text_to_pip(content: bytes, mark: bytes) -> None:
    try:
        ours = text.decode(mark + content)
    except text.NotText:
        return
    assert ours == pip_files._decode_req_file(mark + content, "x")


@pytest.mark.parametrize(
    "line",
    [
        b"# coding: cp949", b"# -*- coding: euc-kr -*-", b"# vim: set fileencoding=latin-1 :",
        b"#coding=utf-8",
        b"# first\n# coding: cp949", b" # coding: cp949", b"# coding: none-such", b"# coding: hex",
        b"# coding: undefined", b"# coding: idna", b"# coding: utf-16", b"# coding: utf-7",
    ],
)  # fmt: skip
def test_coding_lines_are_those_of_pip(line: bytes) -> None:
    for tail in (b"alpha\n", "alpha # 왜\n".encode("cp949"), b"alpha # \xe9\n"):
        data = line + b"\n" + tail
        try:
            ours = text.decode(data)
        except text.NotText as error:
            assert "save the file as UTF-8" in str(error)
            continue
        assert ours == pip_files._decode_req_file(data, "x")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with wheels, projects and requirement files in odd places."""
    for folder in ("kim@corp", "my wheels", "한글", "p%20q", "reqs", "reqs/here", "plain"):
        (tmp_path / folder).mkdir()
        make_wheel(tmp_path / folder, "own-wheel", "2.0", extras=["more"])
    make_sdist(tmp_path / "kim@corp", "own-sdist", "3.0")
    for folder in ("proj", "kim@corp/proj", "reqs/here/lone"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "pyproject.toml").touch()
    make_wheel(tmp_path, "here", "1.0", tag="cp311-cp311-win_amd64")
    monkeypatch.chdir(tmp_path)
    return tmp_path


WHEEL = "own_wheel-2.0-py3-none-any.whl"
REQUIREMENTS = [
    "alpha", "Alpha_X.y", "alpha==1.0", "alpha == 1.0", "alpha>=1,<2", "alpha~=1.4.2", "alpha===1.0",
    "alpha (>=1.0)", "alpha[one]", "Alpha[One,Two_x]>=1", "alpha[ one , two ]", "alpha[]", "alpha==1.0.*",
    "alpha!=1.5", "alpha;python_version<'4'", "alpha ; python_version > '4'",
    "alpha>=1;sys_platform=='linux' and extra == 'x'", "alpha @ https://a.test/alpha-1.0-py3-none-any.whl",
    "alpha@https://a.test/alpha-1.0-py3-none-any.whl",
    "alpha @ https://a.test/alpha-1.0-py3-none-any.whl ; python_version < '4'",
    "alpha @ https://a.test/alpha-1.0-py3-none-any.whl; python_version < '4'",
    "alpha @ https://a.test/alpha-1.0-py3-none-any.whl;python_version<'4'",
    "alpha[one] @ https://me:pw@a.test/alpha-1.0.tar.gz#sha256=" + "ab" * 32,
    "https://a.test/alpha-1.0-py3-none-any.whl",
    "https://a.test/alpha-1.0-py3-none-any.whl ; python_version < '4'",
    "https://a.test/alpha-1.0-py3-none-any.whl; python_version < '4'",
    "HTTPS://a.test/alpha-1.0-py3-none-any.whl", "https://a.test/main.zip#egg=alpha",
    "https://a.test/main.zip#egg=alpha&subdirectory=sub",
    "https://a.test/p%2B/alpha-1.0%2Blocal-py3-none-any.whl", f"./kim@corp/{WHEEL}", f"kim@corp/{WHEEL}",
    f"./kim@corp/{WHEEL}[more]", f"kim@corp/{WHEEL}[more] ; python_version<'4'", f"./my wheels/{WHEEL}",
    f"my wheels/{WHEEL}", f"./한글/{WHEEL}", f"./p%20q/{WHEEL}", f"plain/../plain/{WHEEL}",
    f"file:./plain/{WHEEL}", f"file:plain/{WHEEL}", "./kim@corp/own_sdist-3.0.tar.gz",
    "kim@corp/own_sdist-3.0.tar.gz ; python_version < '4'", "./proj", "proj/", "./proj[one]",
    "./proj[one,two] ; python_version < '4'", "./kim@corp/proj", "kim@corp/proj",
    "here-1.0-cp311-cp311-win_amd64.whl", f"plain/{WHEEL} --hash={SHA}",
    f"alpha==1.0 --hash={SHA} --hash={SHA[:-1]}c", f"alpha==1.0 --hash {SHA}", "./plain", "./none",
    "./none-1.0-py3-none-any.whl", "none/x-1.0.tar.gz", "alpha=1.0", "alpha=1.0=py38_0", "!",
    "alpha ==", "alpha; nonsense",
    "alpha beta", "a..b", "-alpha", "alpha @", "alpha @ ", "[one]", "alpha@x.whl", "\ufeffalpha",
    "alpha,beta", "alpha==1.0,", "alpha >= 1.0 <2", "1alpha", "alpha_", "alpha==1.0+local", "alpha==1!2.0",
    "alpha; python_version in '3.11 3.12'", "alpha\t==1.0", "alpha[one", "alpha==one",
]  # fmt: skip


def meaning(requirement: str, location: str, marker: str, extras: Any, hashes: Any) -> tuple[Any, ...]:
    """What a requirement asks for, in a form that both can be brought to."""
    return requirement, location, marker, tuple(sorted(map(canonicalize_name, extras))), tuple(sorted(hashes))


def plain(url: str) -> str:
    """An address with its scheme in small letters, and a relative file: in full."""
    scheme, _, rest = url.partition(":")
    if scheme == "file" and not rest.startswith("//"):
        return Path(rest).resolve().as_uri()
    return f"{scheme.lower()}:{rest}" if rest else url


def of_pip(path: Path) -> list[tuple[Any, ...]] | None:
    found = []
    try:
        for item in pip_files.parse_requirements(str(path), None):
            made = pip_requirements.install_req_from_parsed_requirement(item)
            hashes = [value for values in made.hash_options.values() for value in values]
            marker = str(Marker(str(made.markers))) if made.markers else ""
            location = plain(made.link.url) if made.link else ""
            named = f"{canonicalize_name(made.req.name)}{made.req.specifier}" if made.req else ""
            extras = made.extras or (made.req.extras if made.req else ())
            found.append(meaning("" if location else named, location, marker, extras, hashes))
    except Exception:
        return None
    return found


def of_us(wanted: tuple[Wanted, ...]) -> list[tuple[Any, ...]]:
    found = []
    for item in wanted:
        if not item.name:
            place, _, marker = (part.strip() for part in item.text.partition(" ; "))
            bare, _, bracket = place.partition("[")
            names = bracket.rstrip("]").split(",") if bracket else ()
            shown = str(Marker(marker)) if marker else ""
            found.append(meaning("", Path(bare).as_uri(), shown, names, item.hashes))
            continue
        made = Requirement(item.text)
        named = "" if made.url else f"{item.name}{made.specifier}"
        marker = str(made.marker) if made.marker else ""
        found.append(meaning(named, made.url or "", marker, made.extras, item.hashes))
    return found


def test_requirements_mean_the_same_to_pip(place: Path) -> None:
    """Refused by both, or of the same name, file, marker, extras and hashes."""
    path, differing = place / "requirements.txt", []
    for line in REQUIREMENTS:
        path.write_text(line + "\n", encoding="utf-8")
        gathered, theirs = gather((), (path,)), of_pip(path)
        ours = None if gathered.problems else of_us(gathered.wanted)
        if ours != theirs:
            differing.append((line, gathered.problems or ours, theirs))
    # pip finds these wrong later: when it opens the file, compares the hash, or looks for a platform
    later = {"./none-1.0-py3-none-any.whl", "none/x-1.0.tar.gz", f"plain/{WHEEL} --hash={SHA}", "alpha@x.whl"}
    assert [item for item in differing if item[0] not in later] == []
    assert {item[0] for item in differing} == later


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # pip leaves file:// open
def test_nested_files_are_those_of_pip(place: Path) -> None:
    """Beside the file that names them; paths of packages from the working directory, as pip takes them."""
    files = {
        "reqs/base.txt": f"-r ./here/more.txt\nplain/{WHEEL}\n# -r none.txt\nbeta -r none.txt\n",
        "reqs/here/more.txt": "gamma\n-r ../../top.txt -r none.txt --index-url https://none.test\n",
        "top.txt": "delta\n-r reqs/twice.txt\n-r reqs/twice.txt\n",
        "reqs/twice.txt": "twice\n",
        "quoted.txt": f"-r 'my wheels/a b.txt'\n--requirement={place.as_uri()}/reqs/twice.txt\n",
        "my wheels/a b.txt": "blank\n",
    }
    for name, content in files.items():
        (place / name).write_text(content, encoding="utf-8")
    for name in ("reqs/base.txt", "quoted.txt", str(place / "reqs/base.txt")):
        gathered = gather((), (Path(name),))
        assert gathered.problems == ()
        theirs = list(dict.fromkeys(of_pip_with_files(Path(name))))
        assert of_us(gathered.wanted) == theirs, name
    told = "\n".join(gather((), (Path("reqs/base.txt"),)).warnings)
    assert "reqs/base.txt:4: --requirement none.txt is ignored: options behind a requirement" in told
    assert "--index-url https://none.test is ignored: beside --requirement it does not count" in told
    assert gather((), (Path("reqs/base.txt"),)).index_url == ""


def of_pip_with_files(path: Path) -> list[tuple[Any, ...]]:
    from pip._internal.network.session import PipSession

    found = []
    for item in pip_files.parse_requirements(str(path), PipSession()):
        made = pip_requirements.install_req_from_parsed_requirement(item)
        location = made.link.url if made.link else ""
        found.append(meaning("" if location else made.req.name, location, "", (), ()))
    return found


def test_a_path_beside_the_file_is_found_where_the_working_directory_has_none(place: Path) -> None:
    """More than pip, which looks in the working directory alone."""
    (place / "reqs/here/base.txt").write_text(f"./{WHEEL}\n./lone\n")
    gathered = gather((), (Path("reqs/here/base.txt"),))
    assert gathered.problems == ()
    assert [item[1] for item in of_us(gathered.wanted)] == [
        (place / "reqs/here" / WHEEL).as_uri(), (place / "reqs/here/lone").as_uri(),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "way", ["a.txt", "./a.txt", "../here/a.txt", "{folder}/a.txt", "file://{folder}/a.txt"]
)
def test_circles_end(place: Path, way: str) -> None:
    folder = place / "reqs/here"
    (folder / "a.txt").write_text("alpha\n-r b.txt\n")
    (folder / "b.txt").write_text(f"beta\n-r {way.format(folder=folder)}\n")
    os.chdir(folder)
    for name in ("a.txt", "../here/b.txt", str(folder / "a.txt")):
        gathered = gather((), (Path(name),))
        assert len(gathered.problems) == 1, gathered
        assert gathered.problems[0].endswith("includes itself")
        assert of_pip(Path(name)) is None
