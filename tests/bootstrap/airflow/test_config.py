from __future__ import annotations

import configparser
import itertools
import os
import stat
import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bootstrap.airflow.config import ConfigurationError, Setting, edit, get, read, write
from bootstrap.airflow.release import Parameters, release_for, settings
from bootstrap.base.secret import Secret

DATA = Path(__file__).parent / "data"


def one(section: str, option: str, value: str) -> list[Setting]:
    return [Setting(section, option, value)]


# name -> before, setting, after
CASES: dict[str, tuple[str, Setting, str]] = {
    "an option": (
        "[core]\n# about\nexecutor = SequentialExecutor\nparallelism = 32\n",
        Setting("core", "executor", "LocalExecutor"),
        "[core]\n# about\nexecutor = LocalExecutor\nparallelism = 32\n",
    ),
    "only in its own section": (
        "[core]\nport = 1\n[api]\nport = 2\n[smtp]\nport = 3\n",
        Setting("api", "port", "8081"),
        "[core]\nport = 1\n[api]\nport = 8081\n[smtp]\nport = 3\n",
    ),
    "a commented default": (
        "[api]\n# for browsers\n# Example: base_url = http://here\n#\n# base_url = \nport = 8080\n",
        Setting("api", "base_url", "http://a"),
        "[api]\n# for browsers\n# Example: base_url = http://here\n#\nbase_url = http://a\nport = 8080\n",
    ),
    "a commented default of another section stays": (
        "[api]\nport = 8080\n\n[email]\n# base_url = \n",
        Setting("api", "base_url", "http://a"),
        "[api]\nport = 8080\nbase_url = http://a\n\n[email]\n# base_url = \n",
    ),
    "the option wins over a commented one": (
        "[core]\n# executor = CeleryExecutor\nexecutor = SequentialExecutor\n",
        Setting("core", "executor", "LocalExecutor"),
        "[core]\n# executor = CeleryExecutor\nexecutor = LocalExecutor\n",
    ),
    "missing, at the end of the section": (
        "[core]\nexecutor = A\n\n# tail\n\n\n[api]\nport = 1\n",
        Setting("core", "parallelism", "4"),
        "[core]\nexecutor = A\n\n# tail\nparallelism = 4\n\n\n[api]\nport = 1\n",
    ),
    "missing, in an empty section": (
        "[core]\n[api]\nport = 1\n",
        Setting("core", "parallelism", "4"),
        "[core]\nparallelism = 4\n[api]\nport = 1\n",
    ),
    "missing section": (
        "[core]\nexecutor = A\n",
        Setting("usage_data_collection", "enabled", "False"),
        "[core]\nexecutor = A\n\n[usage_data_collection]\nenabled = False\n",
    ),
    "missing section and an empty line at the end": (
        "[core]\nexecutor = A\n\n",
        Setting("api", "port", "1"),
        "[core]\nexecutor = A\n\n[api]\nport = 1\n",
    ),
    "an empty file": ("", Setting("core", "executor", "A"), "[core]\nexecutor = A\n"),
    "no newline at the end": (
        "[core]\nexecutor = A\nparallelism = 32",
        Setting("core", "executor", "B"),
        "[core]\nexecutor = B\nparallelism = 32",
    ),
    "no newline at the end, and an option behind it": (
        "[core]\nexecutor = A",
        Setting("core", "parallelism", "4"),
        "[core]\nexecutor = A\nparallelism = 4",
    ),
    "CRLF": (
        "[core]\r\nexecutor = A\r\n\r\n[api]\r\n# x\r\n",
        Setting("core", "executor", "B"),
        "[core]\r\nexecutor = B\r\n\r\n[api]\r\n# x\r\n",
    ),
    "CRLF, missing option": (
        "[core]\r\nexecutor = A\r\n\r\n[api]\r\n",
        Setting("core", "parallelism", "4"),
        "[core]\r\nexecutor = A\r\nparallelism = 4\r\n\r\n[api]\r\n",
    ),
    "the newline of the line itself": (
        "[core]\nexecutor = A\r\nx = 1\n",
        Setting("core", "executor", "B"),
        "[core]\nexecutor = B\r\nx = 1\n",
    ),
    "not swallowing an indented section that follows": (
        "[core]\n  [api]\n  port = 1\n",
        Setting("core", "executor", "A"),
        "[core]\n  executor = A\n  [api]\n  port = 1\n",
    ),
    "no blanks round the delimiter": (
        "[core]\nexecutor=A\nparallelism:32\n",
        Setting("core", "parallelism", "4"),
        "[core]\nexecutor=A\nparallelism:4\n",
    ),
    "an empty value": (
        "[core]\nfernet_key =\nx = 1\n",
        Setting("core", "fernet_key", "k="),
        "[core]\nfernet_key = k=\nx = 1\n",
    ),
    "other case": (
        "[core]\nEXECUTOR = A\n",
        Setting("core", "executor", "B"),
        "[core]\nEXECUTOR = B\n",
    ),
    "percent signs": (
        "[core]\nsql_alchemy_conn = sqlite:////x\n",
        Setting("core", "sql_alchemy_conn", "postgresql://u:a%40b@h/d"),
        "[core]\nsql_alchemy_conn = postgresql://u:a%%40b@h/d\n",
    ),
    "a multi-line value, replaced whole": (
        "[dag_processor]\nlist = [\n        {\n# why\n\n            1\n        }\n    ]\n\n# next\nx = 1\n",
        Setting("dag_processor", "list", "[]"),
        "[dag_processor]\nlist = []\n\n# next\nx = 1\n",
    ),
    "to a multi-line value": (
        "[dag_processor]\nlist = []\nx = 1\n",
        Setting("dag_processor", "list", "[\n1,\n\n2\n]"),
        "[dag_processor]\nlist = [\n    1,\n\n    2\n    ]\nx = 1\n",
    ),
    "a comment inside another option's value is no place": (
        "[core]\nlist = [\n# parallelism = 32\n    ]\n",
        Setting("core", "parallelism", "4"),
        "[core]\nlist = [\n# parallelism = 32\n    ]\nparallelism = 4\n",
    ),
    "indented options": (
        "[core]\n  executor = A\n  # parallelism = 32\n  x = 1\n",
        Setting("core", "parallelism", "4"),
        "[core]\n  executor = A\n  parallelism = 4\n  x = 1\n",
    ),
    "a form feed is no new line": (
        "[core]\nexecutor = A\x0cB\x85x = 3\nx = 1\n",
        Setting("core", "x", "2"),
        "[core]\nexecutor = A\x0cB\x85x = 3\nx = 2\n",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_edit(case: str) -> None:
    before, setting, after = CASES[case]
    assert edit(before, [setting]) == after
    assert edit(after, [setting]) == after
    assert get(after, setting.section, setting.option) is not None


def test_a_value_that_is_right_keeps_its_line() -> None:
    text = "[core]\nexecutor   =    LocalExecutor   \nlist = [\n      1\n  ]\n"
    assert (
        edit(text, [Setting("core", "executor", "LocalExecutor"), Setting("core", "list", "[\n1\n]")]) == text
    )


def test_get() -> None:
    text = "[core]\na = 1 # not a comment\nb = 50%%\n# c = 3\nd =\n[api]\na = 2\n"
    assert get(text, "core", "a") == "1 # not a comment"
    assert get(text, "core", "B") == "50%"
    assert get(text, "core", "c") is None
    assert get(text, "core", "d") == ""
    assert get(text, "api", "a") == "2"
    assert get(text, "Core", "a") is None


def test_twice_in_a_section_is_refused() -> None:
    with pytest.raises(ConfigurationError) as caught:
        edit("[core]\nexecutor = A\nx = 1\nexecutor = B\n", one("core", "executor", "C"))
    assert caught.value.found == "lines 2, 4"
    assert caught.value.exit_code == 32


@pytest.mark.parametrize("value", [" a", "a ", "a\n# b", "a\n; b", "a\r", "\na\n", "a\nb\n"])
def test_a_value_that_the_format_cannot_hold_is_refused(value: str) -> None:
    with pytest.raises(ConfigurationError):
        edit("[core]\nexecutor = A\nx = 1\n", one("core", "executor", value))


# --- properties ------------------------------------------------------------------------------------------

_names = st.text(string.ascii_lowercase + "_", min_size=1, max_size=4)
_values = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp", "Zs")), max_size=12)
_line_values = st.one_of(_values, st.lists(_values, min_size=1, max_size=3).map("\n   ".join))
_lines = st.one_of(
    st.just(""),
    st.builds("# {}".format, _values),
    st.builds("# {} = {}".format, _names, _values),
)


@st.composite
def files(draw: st.DrawFn) -> str:
    """A valid airflow.cfg: unique sections and options, comments and blank lines anywhere."""
    lines: list[str] = draw(st.lists(_lines, max_size=2))
    for section in draw(st.lists(_names, unique=True, max_size=3)):
        indent = " " * draw(st.integers(0, 2))
        lines += [f"{indent}[{section}]", *draw(st.lists(_lines, max_size=2))]
        for option in draw(st.lists(_names, unique=True, max_size=3)):
            delimiter = draw(st.sampled_from((" = ", "=", ": ")))
            lines.append(f"{indent}{option}{delimiter}{draw(_line_values)}")
            lines += draw(st.lists(_lines, max_size=3))
    newline = draw(st.sampled_from(("\n", "\r\n")))
    return newline.join(lines).replace("\r\n", "\n").replace("\n", newline) + draw(
        st.sampled_from(("", newline))
    )


def parsed(text: str) -> dict[tuple[str, str], str]:
    parser = configparser.RawConfigParser()
    parser.read_string(text.replace("\r\n", "\n"))
    return {
        (section, option): parser[section][option]
        for section in parser.sections()
        for option in parser[section]
    }


def readable(text: str) -> bool:
    try:
        parsed(text)
    except configparser.Error:
        return False
    return True


@given(files().filter(readable), _names, _names, _values)
def test_configparser_reads_back_the_value_and_all_others(
    text: str, section: str, option: str, value: str
) -> None:
    before = parsed(text)
    edited = edit(text, one(section, option, value))
    assert parsed(edited) == {**before, (section, option): value.replace("%", "%%")}
    assert get(edited, section, option) == value
    assert edit(edited, one(section, option, value)) == edited


@given(files().filter(readable), _names, _names, _values)
def test_no_other_line_changes(text: str, section: str, option: str, value: str) -> None:
    def lines(content: str) -> list[str]:
        return content.replace("\r\n", "\n").split("\n")

    before, after = lines(text), lines(edit(text, one(section, option, value)))
    pairs = itertools.zip_longest(before, after)
    start = len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], pairs)))
    rest_before, rest_after = before[start:], after[start:]
    while rest_before and rest_after and rest_before[-1] == rest_after[-1]:
        rest_before.pop()
        rest_after.pop()
    # What differs is one block: the option itself, perhaps its section header and an empty line before it.
    assert len(rest_after) <= 3
    assert all(not line or f"[{section}]" in line or option in line for line in rest_after)
    assert edit(text, one(section, option, value)).endswith("\n") == (text.endswith("\n") or not text)


@given(files().filter(readable))
def test_reading_agrees_with_configparser(text: str) -> None:
    for (section, option), value in parsed(text).items():
        assert get(text, section, option) == value.replace("%%", "%")


# --- the default files of real releases (excerpts: all options of the sections that are edited) ------------


@pytest.mark.parametrize("path", sorted(DATA.glob("airflow-*.cfg")), ids=lambda path: path.stem)
def test_default_file_of_a_real_release(path: Path) -> None:
    release = release_for(path.stem.split("-")[1])
    url = Secret("postgresql+psycopg2://airflow:p%40w@127.0.0.1:5433/airflow")
    key = Secret("key")
    auth = release.auth_managers[-1]
    parameters = Parameters(Path("/srv/air flow"), url, key, key, key, web_port=8099, auth=auth)
    wanted = settings(release, parameters)
    before = read(path)
    after = edit(before, wanted)

    old, new = before.split("\n"), after.split("\n")
    assert len(old) == len(new), "every option of ours is in the default file, set or commented out"
    changed = [(was, now) for was, now in itertools.zip_longest(old, new) if was != now]
    for was, now in changed:
        assert was.lstrip("# ").split("=")[0] == now.split("=")[0]
    untouched = [item for item in wanted if get(before, item.section, item.option) == item.value]
    assert len(changed) == len(wanted) - len(untouched)
    expected = {**parsed(before), **{(s.section, s.option): s.value.replace("%", "%%") for s in wanted}}
    assert parsed(after) == expected
    assert edit(after, wanted) == after


def test_excerpts_hold_the_multi_line_value() -> None:
    value = get(read(DATA / "airflow-3.3.2.cfg"), "dag_processor", "dag_bundle_config_list")
    assert value is not None
    assert value.count("\n") == 6


# --- files -----------------------------------------------------------------------------------------------


def test_write_gives_back_the_same_bytes(tmp_path: Path) -> None:
    path = tmp_path / "airflow.cfg"
    content = "[core]\r\n# 한국어 \x85\nx = 1\r".encode() + "# 한".encode("euc-kr")
    path.write_bytes(content)
    write(path, read(path))
    assert path.read_bytes() == content


def test_write_is_private_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "airflow.cfg"
    path.write_text("old")
    path.chmod(0o644)
    write(path, "new")
    assert path.read_text() == "new"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["airflow.cfg"]


def test_write_keeps_a_symbolic_link(tmp_path: Path) -> None:
    (tmp_path / "real.cfg").write_text("old")
    (tmp_path / "airflow.cfg").symlink_to("real.cfg")
    write(tmp_path / "airflow.cfg", "new")
    assert (tmp_path / "airflow.cfg").is_symlink()
    assert (tmp_path / "real.cfg").read_text() == "new"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_write_keeps_the_owner(tmp_path: Path) -> None:
    path = tmp_path / "airflow.cfg"
    path.write_text("old")
    os.chown(path, 65534, 65534)
    write(path, "new")
    assert path.stat().st_uid == 65534
    os.chown(tmp_path, 65534, 65534)
    path.unlink()
    write(path, "new")
    assert path.stat().st_uid == 65534


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "airflow.cfg"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write(path, "half \ud800")
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["airflow.cfg"]


def test_a_secret_setting_does_not_show_its_value() -> None:
    assert "hunter2" not in repr(Setting("core", "fernet_key", "hunter2", secret=True))
    assert repr(Setting("core", "executor", "A")) == "Setting([core] executor = A)"
