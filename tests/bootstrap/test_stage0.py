"""The first second on a host: the header under every shell, stage 0 under every Python, for real."""

from __future__ import annotations

import ast
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import bundles, pythons
from tests.support.pythons import Python
from tests.support.starts import PROGRAMS, SHELLS, start

ROOT = Path(__file__).parents[2]
HEADER = ROOT / "wheelhouse" / "header.sh"
FITTING = pythons.fitting()
OLD = pythons.too_old()

per_python = pytest.mark.parametrize("python", FITTING, ids=lambda python: python.minor)
per_old_python = pytest.mark.parametrize("python", OLD, ids=lambda python: python.minor)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for the Python that runs the tests, so that the header finds one."""
    minor = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return bundles.write(tmp_path_factory.mktemp("bundle") / "airflow.run", minor)


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for PATH with what the header calls, and no Python."""
    folder = tmp_path_factory.mktemp("programs")
    for name in PROGRAMS:
        found = shutil.which(name)
        assert found, name
        (folder / name).symlink_to(found)
    return folder


@pytest.fixture(params=SHELLS.values(), ids=lambda words: Path(words[0]).name)
def shell(request: pytest.FixtureRequest) -> list[str]:
    """The command of a shell, by its path."""
    return list(request.param)


# every shell, every Python


@per_python
def test_every_shell_starts_every_python(shell: list[str], python: Python, bundle: Path) -> None:
    said = start([*shell, bundle, f"--python={python.path}", "two words", "*", "'$x"]).seen()
    assert said["argv"][1:] == ["two words", "*", "'$x"]
    assert said["version"] == list(python.version)
    assert said["flags"] == [1, 1, 1]
    assert said["file"] == str(bundle)


@per_python
def test_python_itself_runs_the_file(python: Python, bundle: Path) -> None:
    said = start([python.path, bundle, "install", "--home", "/x y"]).seen()
    assert said["argv"] == ["install", "--home", "/x y"]
    assert said["version"] == list(python.version)
    assert said["flags"] == [1, 1, 1]
    assert said["path"][0].endswith("airflow.run/runtime")


@per_python
def test_python_runs_an_unpacked_runtime(python: Python, tmp_path: Path) -> None:
    """As HOME/bin/airferry and the hand-over by root start it."""
    (tmp_path / "bootstrap").mkdir()
    (tmp_path / "bootstrap" / "__init__.py").touch()
    (tmp_path / "bootstrap" / "cli.py").write_bytes(bundles.CLI)
    shutil.copy(bundles.STAGE0, tmp_path)
    said = start([python.path, "-I", "-S", "-X", "utf8", tmp_path, "status"]).seen()
    assert said["argv"] == ["status"]
    assert start([python.path, tmp_path]).seen()["flags"] == [1, 1, 1]


def test_exit_status_is_passed_on(shell: list[str], bundle: Path) -> None:
    assert start([*shell, bundle, "--exit", "33"]).status == 33


# Pythons that do not do


@per_old_python
def test_old_python_gets_a_sentence(python: Python, bundle: Path) -> None:
    message = start([python.path, bundle, "install"]).stopped()
    assert "too old" in message
    assert f"is Python {python.minor}" in message
    assert "CPython 3.8 or newer" in message


@per_old_python
def test_old_python_that_was_named(python: Python, bundle: Path) -> None:
    message = start(["sh", bundle, "--python", str(python.path)]).stopped()
    assert f"{python.path} is Python {python.minor}" in message


def test_no_python_at_all(tmp_path: Path, programs: Path, shell: list[str]) -> None:
    """3.99 is nowhere, and no other Python lies on PATH."""
    path = bundles.write(tmp_path / "b.run", "3.99")
    message = start([*shell, path, "doctor"], path=str(programs)).stopped()
    assert "python-missing" in message
    assert "found: none" in message
    assert "python3.99" in message
    assert f"sh {path} install --python PATH" in message


def test_only_old_pythons_are_listed(tmp_path: Path, programs: Path) -> None:
    if not OLD:
        pytest.skip("no Python older than 3.8 on this machine")
    for name in ("python3", "python"):
        (tmp_path / name).symlink_to(OLD[-1].path)
    path = bundles.write(tmp_path / "b.run", "3.99")
    message = start([programs / "sh", path], path=f"{tmp_path}:{programs}").stopped()
    assert f"{tmp_path}/python3 is Python {OLD[-1].minor}" in message


def test_another_minor_still_runs_it_to_say_so(tmp_path: Path, programs: Path) -> None:
    (tmp_path / "python3.8").symlink_to(FITTING[0].path)
    path = bundles.write(tmp_path / "b.run", "3.99")
    said = start([programs / "sh", path, "doctor"], path=f"{tmp_path}:{programs}").seen()
    assert said["version"] == list(FITTING[0].version)


@pytest.mark.parametrize("wanted", FITTING, ids=lambda python: python.minor)
def test_fitting_minor_wins_over_a_newer_one(tmp_path: Path, programs: Path, wanted: Python) -> None:
    newest = FITTING[-1]
    (tmp_path / "python3").symlink_to(newest.path)
    (tmp_path / "python").symlink_to(FITTING[0].path)
    (tmp_path / f"python{wanted.minor}").symlink_to(wanted.path)
    path = bundles.write(tmp_path / "b.run", wanted.minor)
    said = start([programs / "sh", path], path=f"{tmp_path}:{programs}").seen()
    assert said["version"] == list(wanted.version)


def test_fitting_minor_is_found_outside_of_path(tmp_path: Path, programs: Path) -> None:
    other = [python for python in FITTING if not Path("/usr/bin", f"python{python.minor}").exists()]
    if not other:
        pytest.skip("every Python of this machine lies in /usr/bin")
    folder = tmp_path / "home" / ".pyenv" / "versions" / f"{other[0].minor}.99" / "bin"
    folder.mkdir(parents=True)
    (folder / f"python{other[0].minor}").symlink_to(other[0].path)
    path = bundles.write(tmp_path / "b.run", other[0].minor)
    env = {"HOME": str(tmp_path / "home")}
    said = start([programs / "sh", path], env, path=str(programs)).seen()
    assert said["version"] == list(other[0].version)


@pytest.mark.parametrize("named", ["/nonexistent/python3", "/tmp", "nosuchpython", "/bin/true", "/bin/echo"])
def test_named_interpreter_that_is_none(named: str, bundle: Path, shell: list[str]) -> None:
    message = start([*shell, bundle, "install", "--python", named]).stopped()
    assert f"{named} is not a Python interpreter that can be run" in message


def test_interpreter_may_be_named_in_the_environment(bundle: Path) -> None:
    python = FITTING[0]
    said = start(["sh", bundle], {"AIRFERRY_PYTHON": str(python.path)}).seen()
    assert said["version"] == list(python.version)


def test_option_wins_over_the_environment(bundle: Path) -> None:
    env = {"AIRFERRY_PYTHON": str(FITTING[-1].path)}
    said = start(["sh", bundle, "--python", str(FITTING[0].path)], env).seen()
    assert said["version"] == list(FITTING[0].version)


def able(modules: list[str], tmp_path: Path) -> tuple[Python, Path]:
    """An interpreter without `modules`, made from the newest that has them as files."""
    for python in reversed(FITTING):
        try:
            return python, pythons.without(python, modules, tmp_path / python.minor)
        except LookupError:
            continue
    pytest.skip(f"every interpreter here has {modules} compiled in")


@pytest.mark.parametrize("modules", [["zlib"], ["_json"], ["_struct"], ["_random", "_bisect"]])
def test_incomplete_python_gets_a_sentence_or_works(modules: list[str], bundle: Path, tmp_path: Path) -> None:
    """_json has a fallback in Python; without zlib not even the runtime can be read."""
    _, interpreter = able(modules, tmp_path)
    ran = start([interpreter, bundle])
    if ran.said is None:
        assert "python-incomplete" in ran.stopped()
        assert f"(No module named '{modules[0]}')" in ran.err


def test_python_without_zlib_is_told_so_and_not_chosen(bundle: Path, programs: Path, tmp_path: Path) -> None:
    python, interpreter = able(["zlib"], tmp_path)
    message = start([interpreter, bundle, "install"]).stopped()
    assert "zlib (No module named 'zlib')" in message
    path = bundles.write(tmp_path / "b.run", python.minor)
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "python3").symlink_to(python.path)
    said = start([programs / "sh", path], path=f"{interpreter.parent}:{whole}:{programs}").seen()
    assert said["executable"] == str(whole / "python3")
    # named, it is not taken: sh says which module is missing, and what to do
    message = start([programs / "sh", path, "doctor", "--python", str(interpreter)]).stopped()
    assert f"{interpreter} is Python {'.'.join(map(str, python.version))}, without a module" in message
    assert "No module named 'zlib'" in message
    assert "zlib1g-dev" in message


def test_complete_python_wins_over_one_without_ctypes(programs: Path, tmp_path: Path) -> None:
    python, interpreter = able(["_ctypes"], tmp_path)
    path = bundles.write(tmp_path / "b.run", python.minor)
    whole = tmp_path / "whole"
    whole.mkdir()
    (whole / "python3").symlink_to(python.path)
    said = start([programs / "sh", path], path=f"{interpreter.parent}:{whole}:{programs}").seen()
    assert said["executable"] == str(whole / "python3")
    # alone it is taken, so that doctor can say what it lacks
    lone = start([programs / "sh", path, f"--python={interpreter}"], path=str(programs)).seen()
    assert lone["executable"] == str(interpreter)


# odd places and environments


@pytest.mark.parametrize(
    "name",
    ['한글 폴더/두 낱말 it\'s "q" $HOME `id` \\ * ? a=b;c&d.run', "-dash.run"],
    ids=["signs", "dash"],
)
def test_odd_paths(name: str, tmp_path: Path, bundle: Path, shell: list[str]) -> None:
    target = tmp_path / name
    target.parent.mkdir(exist_ok=True)
    shutil.copy(bundle, target)
    said = start([*shell, target, "x"]).seen()
    assert said["file"] == str(target)
    relative = f"./{target.name}" if target.name.startswith("-") else target.name
    said = start([*shell, relative, "x"], cwd=target.parent).seen()
    assert said["argv"] == ["x"]
    assert Path(target.parent, said["file"]).samefile(target)


@pytest.mark.parametrize("locale", ["", "C", "ko_KR.EUC-KR"])
def test_path_that_is_not_utf8(tmp_path: Path, bundle: Path, locale: str) -> None:
    name = os.fsencode(tmp_path) + b"/" + "한글".encode("euc-kr") + b".run"
    shutil.copy(bundle, os.fsdecode(name))
    assert start(["sh", name, "x"], {"LC_ALL": locale}).seen()["argv"] == ["x"]


def test_started_directly(bundle: Path) -> None:
    assert start([bundle, "x"]).seen()["argv"] == ["x"]


def test_found_on_path(bundle: Path) -> None:
    said = start(["bash", "-c", "airflow.run x"], path=f"{bundle.parent}:{os.environ['PATH']}").seen()
    assert said["argv"] == ["x"]


def test_piped_into_sh(bundle: Path) -> None:
    command = ["sh", "-c", f"cat {bundle} | sh"]
    assert "is not a file that can be read" in start(command).stopped()


@pytest.mark.parametrize(
    "env",
    [
        {"LANG": "C"},
        {"LC_ALL": "ko_KR.EUC-KR"},
        {"LC_ALL": "C.UTF-8"},
        {"LC_ALL": "POSIX", "PYTHONUTF8": "0"},
    ],
    ids=str,
)
def test_any_locale(env: dict[str, str], bundle: Path) -> None:
    said = start(["sh", bundle, "/home/사용자"], env).seen()
    assert said["argv"] == ["/home/사용자"]


def hostile(folder: Path) -> Path:
    """Modules that leave a mark when they are imported."""
    folder.mkdir()
    mark = f"open({str(folder / 'mark')!r}, 'a').write(__name__ + ' ')\nraise ImportError('hostile')\n"
    for name in (
        "json",
        "zlib",
        "zipfile",
        "hashlib",
        "typer",
        "rich",
        "bootstrap",
        "sitecustomize",
        "ctypes",
    ):
        (folder / f"{name}.py").write_text(mark)
    return folder


def test_modules_of_the_host_stay_out(tmp_path: Path, bundle: Path, shell: list[str]) -> None:
    folder = hostile(tmp_path / "modules")
    said = start([*shell, bundle], {"PYTHONPATH": str(folder)}, cwd=folder).seen()
    assert str(folder) not in said["path"]
    assert not (folder / "mark").exists()


@per_python
def test_modules_of_the_host_stay_out_of_stage_0(tmp_path: Path, bundle: Path, python: Python) -> None:
    """Python itself imports sitecustomize, and what its site-packages name, before it runs anything."""
    folder = hostile(tmp_path / "modules")
    (folder / "sitecustomize.py").unlink()
    subprocess.run([python.path, "-c", ""], env={**os.environ, "PYTHONPATH": str(folder)}, check=True)
    if (folder / "mark").exists():
        pytest.skip(f"{python.path} imports {(folder / 'mark').read_text()}when it starts")
    start([python.path, bundle], {"PYTHONPATH": str(folder)}, cwd=folder).seen()
    assert not (folder / "mark").exists()


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONHOME": "/nonexistent", "PYTHONEXECUTABLE": "/nonexistent", "PYTHONPLATLIBDIR": "nolib"},
        {
            "PYTHONSTARTUP": "/nonexistent",
            "PYTHONINSPECT": "1",
            "PYTHONOPTIMIZE": "2",
            "PYTHONWARNINGS": "error",
            "PYTHONDEVMODE": "1",
            "PYTHONIOENCODING": "ascii:strict",
            "PYTHONCASEOK": "1",
            "PYTHONVERBOSE": "1",
        },
        {
            "POSIXLY_CORRECT": "1",
            "CDPATH": "/tmp",
            "IFS": "/",
            "HOME": "",
            "BASH_ENV": "/nonexistent",
            "ENV": "/nonexistent",
        },
    ],
    ids=["places", "behaviour", "shell"],
)
def test_odd_environments(env: dict[str, str], bundle: Path, shell: list[str]) -> None:
    said = start([*shell, bundle, "x"], env).seen()
    assert said["argv"] == ["x"]


def test_python_that_does_not_know_its_own_name(bundle: Path) -> None:
    """Without PATH an interpreter that was started by name has no sys.executable."""
    python = FITTING[-1]
    script = "import os, sys; os.execve(sys.argv[1], ['python3', sys.argv[2]], {'HOME': '/'})"
    said = start([python.path, "-c", script, python.path, bundle]).seen()
    assert Path(said["executable"]).samefile(python.path)


def test_umask_077(bundle: Path, shell: list[str]) -> None:
    start(["sh", "-c", 'umask 077; exec "$@"', "sh", *shell, bundle]).seen()


def test_read_only_file(tmp_path: Path, bundle: Path, shell: list[str]) -> None:
    shutil.copy(bundle, tmp_path / "b.run")
    (tmp_path / "b.run").chmod(0o444)
    start([*shell, tmp_path / "b.run"]).seen()


def test_noexec_mount(tmp_path: Path, bundle: Path) -> None:
    script = 'mount -t tmpfs -o noexec none "$1" && cp "$2" "$1/b.run" && { "$1/b.run"; sh "$1/b.run" x; }'
    command = ["unshare", "-m", "sh", "-c", script, "sh", str(tmp_path), str(bundle)]
    if subprocess.run(["unshare", "-m", "true"], check=False, capture_output=True).returncode:
        pytest.skip("no mount namespaces here")
    ran = start(command)
    assert "ermission denied" in ran.err
    assert ran.seen()["argv"] == ["x"]


# damage


def test_truncated(bundle: Path, tmp_path: Path, shell: list[str]) -> None:
    content = bundle.read_bytes()
    script = content.index(b"PK\x03\x04")
    target = tmp_path / "b.run"
    for length in (script, script + 1, script + 3000, len(content) - 30, len(content) - 1):
        target.write_bytes(content[:length])
        message = start([*shell, target, "install"]).stopped()
        assert "bundle-damaged" in message
        assert f"found:  {length} bytes" in message
        assert f"needed: {len(content)} bytes" in message
        assert "sha256sum -c b.run.sha256" in message


def test_truncated_in_the_script_runs_nothing(bundle: Path, tmp_path: Path, shell: list[str]) -> None:
    content = bundle.read_bytes()
    target = tmp_path / "b.run"
    for length in range(content.index(b"{ #") + 3, content.index(b"PK\x03\x04") - 2, 331):
        target.write_bytes(content[:length])
        ran = start([*shell, target, "install"])
        assert ran.status != 0, length
        assert ran.said is None


def test_bytes_behind_the_end(bundle: Path, tmp_path: Path) -> None:
    target = tmp_path / "b.run"
    target.write_bytes(bundle.read_bytes() + b"\n")
    assert "bundle-damaged" in start(["sh", target]).stopped()


@pytest.mark.parametrize("starter", ["sh", "python"])
def test_changed_byte_outside_of_the_script(bundle: Path, tmp_path: Path, starter: str) -> None:
    """Wherever it lies, the command line is not reached, and with sh there is always a sentence."""
    content = bundle.read_bytes()
    script = content.index(b"PK\x03\x04")
    stage0 = content.index(b"PK\x03\x04", script + 4)
    target = tmp_path / "b.run"
    source = random.Random(7)
    places = [source.randrange(script, len(content)) for _ in range(9)]
    places += [source.randrange(script, stage0) for _ in range(3)] if starter == "sh" else []
    for position in places:
        changed = bytearray(content)
        changed[position] ^= 1 << source.randrange(8)
        target.write_bytes(changed)
        ran = start(["sh" if starter == "sh" else sys.executable, target, "install"])
        assert ran.status != 0, position
        assert ran.said is None, position
        # without the archive's end Python takes the file for a program, or for an empty archive
        by_python = "find '__main__'" in ran.err or "SyntaxError" in ran.err
        if starter == "sh" or (position > stage0 and not by_python):
            assert "bundle-damaged" in ran.err, (position, ran.err)


def test_changed_byte_in_the_script(bundle: Path, tmp_path: Path) -> None:
    content = bundle.read_bytes()
    target = tmp_path / "b.run"
    source = random.Random(8)
    for position in source.sample(range(content.index(b"PK\x03\x04")), 25):
        changed = bytearray(content)
        changed[position] ^= 1 << source.randrange(8)
        target.write_bytes(changed)
        ran = start(["sh", target, "install"])
        assert ran.status != 0, position
        assert ran.said is None, position


def test_without_sha256sum_stage_0_still_checks(bundle: Path, tmp_path: Path, programs: Path) -> None:
    few = tmp_path / "few"
    shutil.copytree(programs, few, symlinks=True)
    (few / "sha256sum").unlink()
    (few / "python3").symlink_to(FITTING[-1].path)
    start([few / "sh", bundle], path=str(few)).seen()
    changed = bytearray(bundle.read_bytes())
    changed[-40] ^= 1
    (tmp_path / "b.run").write_bytes(changed)
    assert start([few / "sh", tmp_path / "b.run"], path=str(few)).status != 0


# the sources


def test_shellcheck() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("no shellcheck on this machine")
    done = subprocess.run(
        ["shellcheck", "--shell=sh", "--severity=style", HEADER], check=False, capture_output=True, text=True
    )
    assert done.stdout == ""
    assert done.returncode == 0


def test_stage_0_has_the_syntax_of_3_6() -> None:
    tree = ast.parse(bundles.STAGE0.read_text(encoding="utf-8"), feature_version=(3, 6))
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert "__future__" not in [node.module for node in imports]
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]


@per_old_python
def test_old_pythons_compile_stage_0(python: Python) -> None:
    script = "import sys; compile(open(sys.argv[1]).read(), sys.argv[1], 'exec')"
    subprocess.run([python.path, "-c", script, bundles.STAGE0], check=True, capture_output=True)
