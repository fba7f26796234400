"""What people see: on a real terminal (pty), in a pipe, and in locales that are not UTF-8."""

from __future__ import annotations

import io
import json
import os
import pty
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from bootstrap.base.console import Console, size_text
from bootstrap.base.terminal import charset, printable
from wheelhouse.errors import AirferryError, BundleDamaged

ROOT = Path(__file__).parents[3]
KOREAN = "경로 /home/사용자/에어플로우"


class Screen(io.TextIOWrapper):
    """A terminal of 80 columns that moves nothing."""

    def isatty(self) -> bool:
        return True


class Piped:
    """A console that writes to memory, as into a pipe."""

    kind: type[io.TextIOWrapper] = io.TextIOWrapper

    def __init__(self, environ: dict[str, str] | None = None, *, quiet: bool = False) -> None:
        self._out, self._err = (self.kind(io.BytesIO(), encoding="utf-8") for _ in range(2))
        environ = {"LANG": "en_US.UTF-8"} if environ is None else environ
        self.console = Console(self._err, self._out, quiet=quiet, environ=environ)

    def out(self, encoding: str = "utf-8") -> str:
        return self._read(self._out, encoding)

    def err(self, encoding: str = "utf-8") -> str:
        return self._read(self._err, encoding)

    @staticmethod
    def _read(stream: io.TextIOWrapper, encoding: str) -> str:
        stream.flush()
        buffer = stream.buffer
        assert isinstance(buffer, io.BytesIO)
        return buffer.getvalue().decode(encoding)


class Shown(Piped):
    """A console on a dumb terminal of 80 columns."""

    kind = Screen

    def __init__(self, environ: dict[str, str] | None = None) -> None:
        super().__init__({"LANG": "en_US.UTF-8", **(environ or {}), "TERM": "dumb"})


def run_script(script: str, environ: dict[str, str]) -> str:
    """Run a script on a terminal of 80 columns and return the raw bytes that it showed."""
    main, side = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ}
    command = [sys.executable, "-X", "utf8", "-c", textwrap.dedent(script)]
    child = subprocess.Popen(command, stdin=side, stdout=side, stderr=side, env=environment)
    os.close(side)
    shown = b""
    while True:
        try:
            chunk = os.read(main, 65536)
        except OSError:  # the other end was closed
            break
        if not chunk:
            break
        shown += chunk
    os.close(main)
    assert child.wait(30) == 0, shown.decode()
    return shown.decode("utf-8", "replace")


STEPS = """
    import time
    from bootstrap.base.console import Console
    console = Console()
    with console.step("Create the database") as step:
        step.detail("initdb" + " and more" * 12)
        time.sleep(0.3)
    console.warning("look")
"""


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, ("utf-8", False)),
        ({"LANG": "C"}, ("utf-8", False)),
        ({"LC_ALL": "POSIX", "LANG": "en_US.UTF-8"}, ("utf-8", False)),
        ({"LANG": "C.UTF-8"}, ("utf-8", True)),
        ({"LANG": "ko_KR.utf8"}, ("utf-8", True)),
        ({"LANG": "ko_KR.EUC-KR"}, ("euc_kr", False)),
        ({"LANG": "ko_KR"}, ("euc_kr", False)),
        ({"LANG": "de_DE@euro"}, ("iso8859-15", False)),
        ({"LANG": "xx_YY.no-such-charset"}, ("ascii", False)),
        # Python has set LC_CTYPE itself: the terminal is still what LANG says
        ({"LANG": "ko_KR.EUC-KR", "LC_CTYPE": "C.UTF-8"}, ("euc_kr", False)),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, ("utf-8", False)),
    ],
)
def test_charset_is_the_locales(environ: dict[str, str], expected: tuple[str, bool]) -> None:
    assert charset(environ) == expected


def test_error_names_everything_and_wraps_on_a_terminal() -> None:
    piped = Shown()
    piped.console.error(
        BundleDamaged(
            "The file is not whole.",
            found="a.whl: changed\n/a/path/longer/than/what/remains/of/the/line/and/stays/whole/a.whl: gone",
            needed="each member with its sha256",
            hint="Nothing was changed. Copy the file again from the medium, then compare it with its sum.",
        )
    )
    assert piped.err() == textwrap.dedent("""\
        error: The file is not whole. [bundle-damaged]
          found:  a.whl: changed
                  /a/path/longer/than/what/remains/of/the/line/and/stays/whole/a.whl:
                  gone
          needed: each member with its sha256
          hint:   Nothing was changed. Copy the file again from the medium, then compare
                  it with its sum.
        """)
    assert piped.out() == ""


def test_error_leaves_out_what_it_does_not_have() -> None:
    piped = Piped()
    piped.console.error(AirferryError("Stopped."))
    assert piped.err() == "error: Stopped. [airferry-error]\n"


def test_markup_emoji_and_escapes_in_text_mean_nothing() -> None:
    piped = Piped()
    piped.console.warning("[red]x[/red] :smile: \x1b[31m \x9b1m \x07")
    assert piped.err() == "warning: [red]x[/red] :smile: ?[31m ?1m ?\n"
    assert printable("a\tb\x7f") == "a\tb?"


def test_wide_letters_count_twice() -> None:
    piped = Shown()
    piped.console.print("가나다라마 " * 12)
    assert [len(line) for line in piped.out().splitlines()] == [41, 29]


def test_step_in_a_pipe_is_one_line() -> None:
    piped = Piped()
    with piped.console.step("Create the database"):
        pass
    with piped.console.step("Install the packages") as step:
        step.detail("not shown")
        step.outcome = "already there"
    assert piped.err() == (
        "Create the database ... done (0.0 s)\nInstall the packages ... already there (0.0 s)\n"
    )


def test_step_keeps_what_is_said_meanwhile_apart() -> None:
    piped = Piped()
    with piped.console.step("Outer"):
        piped.console.warning("inside")
        with piped.console.step("Inner"):
            pass
    assert piped.err().splitlines() == [
        "Outer ...",
        "warning: inside",
        "Inner ... done (0.0 s)",
        "Outer ... done (0.0 s)",
    ]


@pytest.mark.parametrize(
    ("error", "word"), [(ValueError("no"), "FAILED"), (KeyboardInterrupt(), "interrupted")]
)
def test_step_shows_how_it_failed_and_lets_it_pass(error: BaseException, word: str) -> None:
    piped = Piped()
    with pytest.raises(type(error)), piped.console.step("Migrate"):
        raise error
    assert piped.err() == f"Migrate ... {word} (0.0 s)\n"


def test_progress_in_a_pipe_tells_the_size() -> None:
    piped = Piped()
    with piped.console.progress(3_000_000, "Check the file") as advance:
        advance(1_000_000)
        advance(2_000_000)
    assert piped.err() == "Check the file ... 3.0 MB done (0.0 s)\n"


def test_quiet_shows_only_warnings_errors_and_results() -> None:
    piped = Piped(quiet=True)
    with piped.console.step("Migrate"), piped.console.progress(10, "Read") as advance:
        advance(10)
    piped.console.note("n")
    piped.console.warning("w")
    piped.console.print("result")
    assert (piped.err(), piped.out()) == ("warning: w\n", "result\n")


def test_summary_is_aligned_and_keeps_values_whole() -> None:
    piped = Piped()
    piped.console.summary([("file", "/" + "x" * 100), ("암호", "a b"), ("none", "")], "Done")
    assert piped.out() == f"Done\n  file  /{'x' * 100}\n  암호  a b\n  none\n"


def test_nothing_is_wrapped_into_a_pipe() -> None:
    """What reads it, such as grep, looks for whole lines."""
    piped, long = Piped({"LANG": "C", "COLUMNS": "40"}), "word " * 60
    piped.console.print(long)
    piped.console.summary([("Key", long)])
    piped.console.table(["id", "text"], [["x", long]])
    piped.console.warning(long)
    with piped.console.step(long):
        pass
    assert [line.count("word") for line in piped.out().splitlines()] == [60, 60, 0, 0, 60]
    assert [line.count("word") for line in piped.err().splitlines()] == [60, 60]


def test_a_table_fits_the_window_and_keeps_words_whole() -> None:
    shown = Shown({"LANG": "C"})
    shown.console.table(["package", "version"], [["apache-airflow", "3.3.2"], ["x", "word " * 30]])
    lines = shown.out().splitlines()
    assert lines[0] == "package         version"
    assert set(lines[1]) == {"-"}
    assert all(len(line) <= 80 and line == line.rstrip() and line.isascii() for line in lines)
    assert shown.out().count("word") == 30
    path, option = "/opt/airflow/sec/rets/of/the/host", "file_task_handler_new_folder_permissions"
    shown.console.table(["option", "value", "note"], [[option, path, "a.module.of.airflow.AuthManager"]])
    assert {option, path, "a.module.of.airflow.AuthManager"} <= set(shown.out().split())
    assert "-" * 81 not in shown.out()


def test_the_end_of_a_long_step_keeps_its_time_and_its_words() -> None:
    shown = Shown()
    with shown.console.step(
        "Write /opt/airflow/airflow.cfg: PostgreSQL, LocalExecutor, no example DAGs, keys"
    ):
        pass
    assert all(len(line) <= 80 for line in shown.err().splitlines())
    assert shown.err().replace("\n", " ").endswith("keys ... done (0.0 s) ")


def test_a_moving_line_keeps_its_time_in_sight() -> None:
    shown = run_script(STEPS, {"TERM": "xterm", "LANG": "C"})
    frames = [frame for frame in shown.split("\r") if "initdb" in frame]
    assert frames
    for frame in frames:
        assert re.search(r" and \.\.\. .*0:00:00", frame), frame


def test_json_stands_alone_on_stdout() -> None:
    piped = Piped()
    with piped.console.step("Look"):
        piped.console.json({"path": KOREAN})
    assert json.loads(piped.out()) == {"path": KOREAN}
    assert KOREAN in piped.out()


def test_euc_kr_terminal_gets_euc_kr() -> None:
    piped = Piped({"LANG": "ko_KR.EUC-KR"})
    piped.console.print(f"{KOREAN} \u2713")
    piped.console.json({"path": KOREAN})
    text, _, data = piped.out("euc-kr").partition("\n")
    assert text == f"{KOREAN} ?"
    assert data.isascii()
    assert json.loads(data) == {"path": KOREAN}


def test_file_name_passes_unchanged_in_the_c_locale() -> None:
    piped = Piped({"LANG": "C"})
    piped.console.print(KOREAN)
    assert piped.out() == KOREAN + "\n"


def test_name_that_is_not_text_is_shown() -> None:
    piped = Piped()
    piped.console.print(os.fsdecode(b"/srv/\xff"))
    assert piped.out() == "/srv/?\n"


def test_terminal_has_colour_and_a_spinner_and_cleans_up() -> None:
    shown = run_script(STEPS, {"TERM": "xterm", "LANG": "C.UTF-8"})
    assert "\x1b[1;33mwarning:" in shown
    assert "Create the database: initdb" in shown
    assert "\u280b" in shown  # the spinner
    assert shown.count("\x1b[?25l") == shown.count("\x1b[?25h")  # the cursor is back
    assert "done" in shown


def test_no_color_means_none() -> None:
    shown = run_script(STEPS, {"TERM": "xterm", "LANG": "C.UTF-8", "NO_COLOR": "1"})
    assert "\x1b[1;33m" not in shown
    assert "33m" not in shown


def test_dumb_terminal_gets_plain_lines() -> None:
    shown = run_script(STEPS, {"TERM": "dumb", "LANG": "C.UTF-8"})
    assert shown.replace("\r", "") == "Create the database ... done (0.3 s)\nwarning: look\n"


def test_terminal_in_the_c_locale_gets_ascii() -> None:
    shown = run_script(STEPS, {"TERM": "xterm", "LANG": "C"})
    assert shown.isascii()
    assert "\x1b[1;33mwarning:" in shown


def test_reader_that_goes_away_is_no_error() -> None:
    script = (
        "from bootstrap.base.console import Console\n"
        "import sys\n"
        "sys.stdin.readline()\n"
        "console = Console()\n"
        "for number in range(5000): console.print('line ' * 10)\n"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    child = subprocess.Popen(
        [sys.executable, "-X", "utf8", "-c", script],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdin and child.stdout and child.stderr
    with child.stdin, child.stderr:
        child.stdout.close()
        child.stdin.write(b"go\n")
        child.stdin.flush()
        errors = child.stderr.read()
        assert (child.wait(30), errors) == (0, b"")


def test_rich_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, bootstrap.base.console as c; c.Console(); sys.exit('rich' in sys.modules)"
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (85_300_000, "85.3 MB"),
        (4_200_000_000, "4.2 GB"),
        (5e12, "5000.0 GB"),
    ],
)
def test_sizes_read_as_disks_count_them(size: float, text: str) -> None:
    assert size_text(size) == text


IN_KOREAN = {"LANG": "ko_KR.UTF-8"}


def test_an_error_is_shown_in_korean_and_its_json_stays_english() -> None:
    error = AirferryError("Nothing was changed.", needed="one of them", hint="Give the host more memory.")
    shown = Shown(IN_KOREAN)
    shown.console.error(error)
    shown.console.json(error.as_dict())
    assert shown.err().splitlines() == [
        "오류: 아무것도 바꾸지 않았습니다. [airferry-error]",
        "  필요:   둘 중 하나",
        "  조치:   호스트에 메모리를 더 주십시오.",
    ]
    assert json.loads(shown.out())["message"] == "Nothing was changed."


def test_columns_stand_below_each_other_in_korean() -> None:
    """A Korean letter takes two cells of a terminal."""
    from rich.cells import cell_len

    shown = Shown(IN_KOREAN)
    rows = [["scheduler", "running", "healthy", ""], ["api-server", "stopped", "", "a free port"]]
    shown.console.table(["component", "state", "health", ""], rows, words=("state", "health"))
    shown.console.summary([("Password", "x"), ("Home", "/opt")])
    head, _, first, second, *keys = shown.out().splitlines()
    assert head.split() == ["구성", "요소", "상태", "건강"]
    assert first.split() == ["scheduler", "실행", "중", "정상"]
    starts = [
        cell_len(line[: line.index(word)])
        for line, word in zip((head, first, second), ("상태", "실행", "중지"), strict=True)
    ]
    assert len(set(starts)) == 1
    assert [cell_len(key[: key.index(word)]) for key, word in zip(keys, ("x", "/opt"), strict=True)] == [
        12,
        12,
    ]


def test_a_name_in_a_table_stays_what_it_is_in_korean() -> None:
    shown = Shown(IN_KOREAN)
    shown.console.table(["DAG", "state"], [["running", "running"], ["failed", ""]], words=("state",))
    assert shown.out().splitlines()[2:] == ["running  실행 중", "failed"]


def test_korean_is_written_in_the_charset_of_the_terminal() -> None:
    shown = Shown({"LANG": "ko_KR.eucKR"})
    shown.console.warning("Nothing was changed.")
    assert shown.err("euc_kr") == "경고: 아무것도 바꾸지 않았습니다.\n"


def test_a_step_ends_in_korean_with_its_time() -> None:
    piped = Piped(IN_KOREAN)
    with piped.console.step("Install 3 packages into /opt/x"):
        pass
    assert re.fullmatch(r"패키지 3개를 /opt/x에 설치 \.\.\. 완료 \(\d\.\d s\)\n", piped.err())
