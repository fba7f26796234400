"""Finding interpreters: which are listed, which are asked, and in what order."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from bootstrap.facts import python
from bootstrap.facts.python import MODULES, Interpreter, collect

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
REAL = os.path.realpath(sys.executable)
ORIGINS = ("named", "path", "folder")


def found(
    path: str = "",
    home: Path = Path("/nonexistent"),
    *,
    named: str | None = None,
    wanted: str = "",
    **more: str,
) -> list[Interpreter]:
    """What is found besides the interpreter that runs the tests; no real folder is searched."""
    environ = {"PATH": path, "HOME": str(home), **more}
    pythons = collect(wanted, named, environ=environ, folders=("~/*/bin",))
    return [item for item in pythons if item.origin in ORIGINS]


def fake(path: Path, *, told: Path | None = None) -> Path:
    """A program under that name; it notes down when it is run."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho run >> {told}\n" if told else "#!/bin/sh\nexit 9\n")
    path.chmod(0o755)
    return path


def test_the_running_interpreter_comes_first_and_answers() -> None:
    running = collect(environ={"PATH": ""}, folders=())[0]
    assert (running.origin, running.resolved) == ("running", REAL)
    assert running.version == ".".join(map(str, sys.version_info[:3]))
    assert (running.minor, running.implementation, running.error) == (MINOR, sys.implementation.name, "")
    assert running.bits in (32, 64)
    assert running.base_prefix == sys.base_prefix
    assert running.modules == dict.fromkeys(MODULES, "")
    assert running.openssl.startswith("OpenSSL")
    assert running.sqlite.startswith("3.")
    assert running.abi.startswith(".cpython-")


def test_interpreters_on_path_in_its_order(tmp_path: Path) -> None:
    one = fake(tmp_path / "one" / "python3.42")
    two = fake(tmp_path / "two" / "python3")
    fake(tmp_path / "two" / "python3-config")
    fake(tmp_path / "two" / "pythonic")
    (tmp_path / "two" / "python2").mkdir()
    (tmp_path / "two" / "python3.1").write_text("not executable")
    pythons = found(f"{tmp_path}/none:relative:{tmp_path}/one:{tmp_path}/two")
    assert [item.path for item in pythons] == [str(one), str(two)]


def test_each_file_once_whatever_leads_to_it(tmp_path: Path) -> None:
    real = fake(tmp_path / "opt" / "python3.42")
    for link in ("a/python3.42", "a/python3", "b/python"):
        (tmp_path / link).parent.mkdir(exist_ok=True)
        (tmp_path / link).symlink_to(real)
    pythons = found(f"{tmp_path}/a:{tmp_path}/b", named=str(tmp_path / "b" / "python"))
    assert [(item.origin, item.path) for item in pythons] == [("named", f"{tmp_path}/b/python")]
    assert pythons[0].resolved == str(real)
    assert pythons[0].version == "3.42"


def test_an_environment_stands_for_what_it_was_made_from(tmp_path: Path) -> None:
    real = fake(tmp_path / "opt" / "python3.42")
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python3").symlink_to(real)
    (tmp_path / "venv" / "pyvenv.cfg").write_text("")
    assert [item.path for item in found(f"{tmp_path}/venv/bin")] == [str(real)]


def test_shims_are_passed_over_for_what_is_behind_them(tmp_path: Path) -> None:
    told = tmp_path / "told"
    fake(tmp_path / ".pyenv" / "shims" / "python3", told=told)
    real = fake(tmp_path / ".pyenv" / "versions" / "3.42.1" / "bin" / "python3.42")
    asdf = fake(tmp_path / ".asdf" / "installs" / "python" / "3.43.0" / "bin" / "python3.43")
    (tmp_path / ".asdf" / "shims").mkdir()
    pythons = found(f"{tmp_path}/.pyenv/shims:{tmp_path}/.asdf/shims")
    assert [item.path for item in pythons] == [str(real), str(asdf)]
    assert not told.exists()


def test_folders_of_the_home_and_of_pyenv(tmp_path: Path) -> None:
    inside = fake(tmp_path / "home [1]" / "tool" / "bin" / "python3.42")
    pyenv = fake(tmp_path / "pyenv" / "versions" / "3.43.0" / "bin" / "python3.43")
    pythons = found(home=tmp_path / "home [1]", PYENV_ROOT=str(tmp_path / "pyenv"))
    assert [(item.origin, item.path) for item in pythons] == [("folder", str(inside)), ("folder", str(pyenv))]


@pytest.mark.parametrize(
    ("name", "version"),
    [("python3.42", "3.42"), ("python3.42t", "3.42"), ("python3.42d", "3.42"), ("python2.7", "2.7"),
     ("python2", "2.7"), ("python3", ""), ("python", "")],
)  # fmt: skip
def test_the_name_tells_the_version(tmp_path: Path, name: str, version: str) -> None:
    fake(tmp_path / name)
    assert [item.version for item in found(str(tmp_path), wanted="3.99")] == [version]


def test_only_those_that_may_be_wanted_are_asked(tmp_path: Path) -> None:
    for name in ("python2.7", "python3", "python3.41", "python3.42"):
        fake(tmp_path / name, told=tmp_path / f"told-{name}")
    asked = {item.path.rpartition("/")[2]: item.asked for item in found(str(tmp_path), wanted="3.42")}
    assert asked == {"python3.42": True, "python3.41": False, "python2.7": False, "python3": True}
    assert sorted(path.name for path in tmp_path.glob("told-*")) == ["told-python3", "told-python3.42"]


def test_all_are_asked_when_nothing_is_wanted_but_python_2(tmp_path: Path) -> None:
    for name in ("python2.7", "python3", "python3.41"):
        fake(tmp_path / name)
    asked = {item.path.rpartition("/")[2]: item.asked for item in found(str(tmp_path))}
    assert asked == {"python2.7": False, "python3": True, "python3.41": True}


def test_a_named_one_is_asked_whatever_its_name(tmp_path: Path) -> None:
    named = fake(tmp_path / "python3.41")
    pythons = found(wanted="3.42", named=str(named))
    assert [(item.asked, item.error != "") for item in pythons] == [(True, True)]


def test_a_wrapper_that_starts_a_python_is_one(tmp_path: Path) -> None:
    wrapper = fake(tmp_path / "python3")
    wrapper.write_text(f'#!/bin/sh\nexec {REAL} "$@"\n')
    (only,) = found(str(tmp_path))
    assert (only.error, only.minor) == ("", MINOR)


def test_an_answer_that_is_no_answer(tmp_path: Path) -> None:
    liar = fake(tmp_path / "python3")
    liar.write_text("#!/bin/sh\necho 'airferry-probe {nonsense'\n")
    (only,) = found(str(tmp_path))
    assert "cannot be read" in only.error


def test_noise_around_the_answer_does_no_harm(tmp_path: Path) -> None:
    noisy = fake(tmp_path / "python3")
    noisy.write_text(f'#!/bin/sh\necho welcome; echo warning >&2\nexec {REAL} "$@"\n')
    (only,) = found(str(tmp_path))
    assert (only.error, only.minor) == ("", MINOR)


def test_the_error_is_the_interpreters_own_words(tmp_path: Path) -> None:
    broken = fake(tmp_path / "python3")
    broken.write_text("#!/bin/sh\necho one >&2; echo 'libpython3.42.so: cannot open' >&2; exit 127\n")
    (only,) = found(str(tmp_path))
    assert only.error == "libpython3.42.so: cannot open"


def test_many_interpreters_are_asked_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(python, "PROBE_SECONDS", 0.4)
    for number in range(10, 18):
        (fake(tmp_path / f"python3.{number}")).write_text("#!/bin/sh\nexec sleep 30\n")
    pythons = found(str(tmp_path))
    assert len(pythons) == 8
    assert all("still running" in item.error for item in pythons)
