"""A shell in tmux, 80 columns and 24 lines, that types a command and reads what it shows."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

_PATIENCE = 900  # seconds, on a busy machine
_PROMPT = "# "
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Terminal:
    """A shell in tmux, 80x24; `run` types a line and gives back what it shows."""

    def __init__(self, language: str, programs: Path | None = None) -> None:
        folder = Path(tempfile.mkdtemp(prefix="airferry-terminal-"))
        self._socket, self._prompts = folder / "tmux", folder / "prompts"
        self._seen = 0
        locale = {"en": "en_US.UTF-8", "ko": "ko_KR.UTF-8"}[language]
        environ = {
            "PATH": f"{programs}:{_PATH}" if programs else _PATH,
            "TERM": "screen-256color", "LANG": locale, "HOME": "/root", "PS1": _PROMPT, "TZ": "Asia/Seoul",
            "PROMPT_COMMAND": f"echo >> {self._prompts}",
        }  # fmt: skip
        shell = ["env", "-i", *(f"{name}={value}" for name, value in environ.items()), "bash", "--norc"]
        self._tmux("-f", "/dev/null", "-u", "new-session", "-d", "-x", "80", "-y", "24", shlex.join(shell))
        self._tmux("set-option", "-g", "history-limit", "5000")
        self._wait()

    def run(self, line: str, answers: Sequence[tuple[str, str]] = ()) -> str:
        """Type a line, answer what it asks, wait for its end, and read the screen and what was above."""
        self._tmux("send-keys", "-l", "clear")
        self._tmux("send-keys", "Enter")
        self._wait()
        self._tmux("clear-history")
        self._tmux("send-keys", "-l", line)
        self._tmux("send-keys", "Enter")
        for question, answer in answers:
            self._until(question)
            self._tmux("send-keys", "-l", answer)
            self._tmux("send-keys", "Enter")
        self._wait()
        return self.screen(line)

    def screen(self, line: str) -> str:
        """What stands there from the line that was typed to its last output."""
        text = "\n".join(item.rstrip() for item in self._capture().splitlines()).rstrip()
        text = text[: -len(_PROMPT.rstrip())].rstrip() if text.endswith(_PROMPT.rstrip()) else text
        start = text.find(line[:40])
        return _PROMPT + text[max(start, 0) :]

    def coloured(self) -> str:
        """All that was shown, with its escape sequences, for a picture."""
        return self._tmux("capture-pane", "-e", "-p", "-S", "-")

    def close(self) -> None:
        """End the shell."""
        subprocess.run(["tmux", "-S", str(self._socket), "kill-server"], check=False)

    def _capture(self) -> str:
        return self._tmux("capture-pane", "-p", "-S", "-")

    def _until(self, text: str) -> None:
        limit = time.monotonic() + _PATIENCE
        while text not in self._capture() and time.monotonic() < limit:
            time.sleep(0.3)

    def _wait(self) -> None:
        self._seen += 1
        limit = time.monotonic() + _PATIENCE
        while time.monotonic() < limit:
            if self._prompts.exists() and self._prompts.stat().st_size >= self._seen:
                time.sleep(0.5)  # the prompt itself
                return
            time.sleep(0.2)
        raise TimeoutError(self._capture())

    def _tmux(self, *words: str) -> str:
        command = ["tmux", "-S", str(self._socket), *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout
