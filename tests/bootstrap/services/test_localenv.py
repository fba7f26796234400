"""etc/local.env: one set of rules, whatever stands in the file, and what sh then has."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.installed.installation import Installation
from bootstrap.services import launcher, localenv
from bootstrap.state.home import Home
from tests.support import bundles, receipts

ROOT = Path(__file__).parents[3]
JSON = '{"conn_type": "postgres", "password": "it\'s 100% $HOME"}'

# a line, and the value of A
VALUES = [
    ("A=plain", "plain"),
    ('A="two  words"', "two  words"),
    ("A=two words", "two words"),
    ("A='two words'", "two words"),
    ("export A=1", "1"),
    ("  A=1  ", "1"),
    ("\tA=1\t", "1"),
    ("A=", ""),
    ('A=""', ""),
    ("A=''", ""),
    ("A=a=b=c", "a=b=c"),
    ("A=postgresql://u:p%40ss@h/d?x=1&y=2#f", "postgresql://u:p%40ss@h/d?x=1&y=2#f"),
    ("A=p$$word$1", "p$$word$1"),
    ('A="p$word`id`$(id)"', "p$word`id`$(id)"),
    ("A='p$word'", "p$word"),
    ("A=`id`", "`id`"),
    ("A=it's", "it's"),
    ('A="it\'s"', "it's"),
    ("A='it's'", "it's"),
    ("A='it'\\''s'", "it's"),
    (f"A={JSON}", JSON),
    (f'A="{JSON}"', JSON),
    (f"A='{JSON}'", JSON),
    ('A="{\\"a\\": \\"b\\"}"', '{"a": "b"}'),
    ('A="{\\"a\\": \\"x\\\\ny\\"}"', '{"a": "x\\ny"}'),
    ('A="\\$HOME \\` \\\\ \\n"', "$HOME ` \\ \\n"),
    ("A=C:\\temp\\new", "C:\\temp\\new"),
    ("A='C:\\temp\\'", "C:\\temp\\"),
    ("A=a;b&c|d>e<f(g)", "a;b&c|d>e<f(g)"),
    ("A=*", "*"),
    ("A=~/x", "~/x"),
    ("A=a # comment", "a"),
    ('A="a # no comment"', "a # no comment"),
    ('A="a" # comment', "a"),
    ("A='a'\t# it's one", "a"),
    ("A=a#b", "a#b"),
    ("A= #", ""),
    ("A=한글", "한글"),
    ("A=!", "!"),
    ("A=-n", "-n"),
]

# a line that is not used, and the reason
REFUSED = [
    ('A="open', "the quote that the value of A begins with does not end it"),
    ("A='", "the quote that the value of A begins with does not end it"),
    ("A='a' 'b' c", "the quote that the value of A begins with does not end it"),
    ("A", "it is not NAME=value"),
    ("A =1", "it is not NAME=value"),
    ("1A=1", "it is not NAME=value"),
    ("A-B=1", "it is not NAME=value"),
    ("a.b=1", "it is not NAME=value"),
    ("=1", "it is not NAME=value"),
    ("exit 3", "it is not NAME=value"),
    ("ulimit -n 4096", "it is not NAME=value"),
    (". /etc/other.env", "it is not NAME=value"),
    ("fi", "it is not NAME=value"),
    ("}", "it is not NAME=value"),
    ("-----END PRIVATE KEY-----", "it is not NAME=value"),
    ("UID=0", "UID belongs to the shell"),
    ("PPID=0", "PPID belongs to the shell"),
    ("IFS=x", "IFS belongs to the shell"),
    ("AIRFLOW_HOME=/tmp", "AIRFLOW_HOME belongs to the installation"),
    ("A=a\0b", "it has a NUL byte; save the file as UTF-8"),
]

REMARKED = [
    ("A=${HOME}/x", "the value of A is taken as it stands: $ and ` expand nothing"),
    ('A="$(cat x)"', "the value of A is taken as it stands: $ and ` expand nothing"),
    ("A=a\\", "the value of A ends in a backslash: a line goes on nowhere"),
    ('A={"a": "b # c"}', "what follows the # in the value of A is a comment; quotes keep it"),
]


def in_shell(path: Path, shell: str = "sh") -> dict[str, str]:
    """What sh has after it has read the file the way that the scripts do; it always comes to its end."""
    script = localenv.__file__
    done = subprocess.run(
        [shell, "-c", 'eval "$("$1" -I -S "$2" "$3")"; END=1 env -0', "sh", sys.executable, script, path],
        check=True,
        capture_output=True,
        env={"PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    found = dict(
        item.split("=", 1) for item in done.stdout.decode("utf-8", "surrogateescape").split("\0") if item
    )
    assert found.pop("END") == "1", done
    for name in ("PATH", "PWD", "SHLVL", "_", "OLDPWD"):
        found.pop(name, None)
    return found


def test_values_are_as_they_stand() -> None:
    wrong = []
    for line, value in VALUES:
        for ending in ("", "\n", "\r\n", "\r"):
            parsed = localenv.parse(f"# first\n{line}{ending}".encode())
            if (parsed.variables, parsed.problems) != ({"A": value}, ()):
                wrong.append((line, ending, parsed))
    assert wrong == []


@pytest.mark.parametrize("shell", [name for name in ("sh", "dash", "bash") if shutil.which(name)])
def test_sh_has_the_same_values(tmp_path: Path, shell: str) -> None:
    text = "".join(
        f"N{number}{line.strip().replace('export ', '')[1:]}\n" for number, (line, _) in enumerate(VALUES)
    )
    (tmp_path / "local.env").write_text(text, encoding="utf-8")
    assert in_shell(tmp_path / "local.env", shell) == {f"N{n}": value for n, (_, value) in enumerate(VALUES)}


def test_a_line_that_cannot_be_used_is_named_and_stops_no_other(tmp_path: Path) -> None:
    wrong = []
    for line, reason in REFUSED:
        parsed = localenv.parse(f"FIRST=1\n{line}\nLAST=2\n".encode())
        if parsed != ({"FIRST": "1", "LAST": "2"}, (f"line 2: {reason}",), ()):
            wrong.append((line, parsed))
    assert wrong == []
    (tmp_path / "all.env").write_text("".join(f"{line}\n" for line, _ in REFUSED) + "LAST=2\n")
    assert in_shell(tmp_path / "all.env") == {"LAST": "2"}


def test_what_may_mean_something_else_is_remarked() -> None:
    found = [localenv.parse(line.encode()) for line, _ in REMARKED]
    assert [(item.problems, item.remarks) for item in found] == [
        ((), (f"line 1: {text}",)) for _, text in REMARKED
    ]
    assert localenv.parse(b"A=1\nB=2\nA=3\n").remarks == ("line 3: A stands there twice, this one counts",)
    assert localenv.parse(b"A=3\nA=p$$1\n").variables == {"A": "p$$1"}


def test_no_value_is_ever_told() -> None:
    for line, _ in (*REFUSED, *REMARKED):
        for secret in ("open", "1", "cat x", "/tmp", "a\0b"):
            parsed = localenv.parse(line.replace(secret, "s3cr3t").encode())
            assert "s3cr3t" not in str(parsed.problems + parsed.remarks) or "=" not in line, line


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_files_of_windows(encoding: str, tmp_path: Path) -> None:
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    (tmp_path / "x").write_bytes((mark + 'A="한글 1"\r\nB=2\r\n').encode(encoding))
    assert in_shell(tmp_path / "x") == {"A": "한글 1", "B": "2"}


def test_bytes_of_another_encoding_stay_as_they_are(tmp_path: Path) -> None:
    data = "A=비밀\nB=2\n".encode("cp949")
    (tmp_path / "x").write_bytes(data)
    assert localenv.parse(data).remarks == ("line 1: the value of A is not UTF-8",)
    assert in_shell(tmp_path / "x")["A"].encode("utf-8", "surrogateescape") == "비밀".encode("cp949")


def test_whatever_the_file_holds_sh_comes_to_its_end(tmp_path: Path) -> None:
    """Lines of random pieces of sh: the value is always what the parser says, and nothing is run."""
    chance = random.Random(15)
    pieces = [
        '"',
        "'",
        "\\",
        "$",
        "`",
        "$(touch ran)",
        " ",
        "#",
        ";",
        "&",
        "\t",
        "{",
        "}",
        "a",
        "\r",
        "=",
        "é",
        "!",
    ]
    lines = ["".join(["N", str(n), "=", *chance.choices(pieces, k=chance.randrange(9))]) for n in range(300)]
    (tmp_path / "x").write_text("\n".join(lines), encoding="utf-8", newline="")
    expected = localenv.parse((tmp_path / "x").read_bytes()).variables
    assert len(expected) > 100
    for shell in [name for name in ("sh", "bash") if shutil.which(name)]:
        assert in_shell(tmp_path / "x", shell) == expected
    assert not (Path.cwd() / "ran").exists()


def test_file_that_is_missing_or_closed_stops_nothing(tmp_path: Path) -> None:
    assert in_shell(tmp_path / "none") == {}
    (tmp_path / "folder").mkdir()
    assert in_shell(tmp_path / "folder") == {}


def test_both_scripts_of_an_installation_read_it_so(tmp_path: Path) -> None:
    """The script of the components and the environment of bin/airflow; the runtime is ours."""
    chosen = receipts.sample(tmp_path / "it's a home $1", bundles.manifest().bundle_id)
    made = Installation(replace(chosen, python=sys.executable, library_path=""))
    home = Home(made.home.path)
    home.etc.mkdir(parents=True)
    (home.path / "current").mkdir()
    (home.path / "current" / "runtime").symlink_to(ROOT)
    (home.path / launcher.OWN_ENVIRONMENT).write_bytes(b'exit 9\r\nA=\'it\'s $x\'\r\nB="{"a": 1}"\r\n')
    text, _ = made.scripts()["etc/environment.sh"]
    (home.etc / "environment.sh").write_text(text)
    made.launcher.write([])
    for script in ("environment.sh", "service.sh"):
        cut = (home.etc / script).read_text().partition("\ncase ")[0]
        done = subprocess.run(
            ["sh", "-c", f'{cut}\nprintf \'%s|\' "$A" "$B"'], check=True, capture_output=True, text=True
        )
        assert done.stdout == 'it\'s $x|{"a": 1}|', script
        assert done.stderr == f"airferry: {home.path}/etc/local.env, line 1: it is not NAME=value: not used\n"


def test_release_without_a_parser_has_it_read_by_sh(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc" / "local.env").write_text("A=1\nB=$A\n")
    script = launcher.own_variables(str(tmp_path), sys.executable) + '\necho "$B"'
    assert subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True).stdout == "1\n"
