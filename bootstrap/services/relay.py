"""Runs one component and passes its output on twice: to our own output (the journal) and to a rotated file.

It is a script of its own, so that a component costs a bare interpreter and no more::

    python -I -S relay.py LOG COMMAND...

It ends as the component ends: with its exit status, or by the same signal. What the component has written
is passed on to the last byte first, which a pipe to a second program could not promise: systemd kills what
is left of a service as soon as its main process is gone.

Asked to end, it passes that on and sees to it that the component does not wait for nothing (``ending.py``).
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import sys
import time
from pathlib import Path
from typing import List, Optional, Tuple

if not __package__:  # run as a script, with nothing but the standard library in sight
    sys.path.insert(0, str(Path(__file__).absolute().parents[2]))

from bootstrap.services.ending import INTERVAL, Ending, Patience

# As much as supervisor keeps in its place.
LARGEST = 20_000_000
KEPT = 5
# What a component understands; HUP and USR1 have it read its configuration or reopen files.
_FORWARDED = (
    signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2,
)  # fmt: skip
_CHUNK = 65_536
# Below the home: how long the tasks of a component that is asked to end may run on.
PATIENCE = "run/patience"


class RotatedFile:
    """A log file that is moved to ``PATH.1`` when it is full, and the older ones one further each.

    A disk that refuses loses lines here and nowhere else: nothing is raised.
    """

    def __init__(self, path: str, largest: int = LARGEST, kept: int = KEPT) -> None:
        self.path = path
        self.largest = largest
        self.kept = kept
        self._stream: Optional[int] = None

    def write(self, data: bytes) -> None:
        """Append `data`."""
        with contextlib.suppress(OSError):
            if self._stream is None:
                self._stream = os.open(
                    self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640
                )
            if os.fstat(self._stream).st_size + len(data) > self.largest:
                self._rotate()
            while data:
                data = data[os.write(self._stream, data) :]

    def _rotate(self) -> None:
        for number in range(self.kept - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                os.replace(f"{self.path}.{number}", f"{self.path}.{number + 1}")  # noqa: PTH105 - no pathlib here
        os.replace(self.path, f"{self.path}.1")  # noqa: PTH105
        fresh = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        old, self._stream = self._stream, fresh
        if old is not None:
            os.close(old)


def run(log: RotatedFile, command: List[str], patience: Optional[Path] = None) -> int:
    """Run `command` to its end and return its status as waitpid(2) has it.

    `patience` is the file that tells how long its tasks have when it is asked to end.
    """
    wakeup, alarm = os.pipe()
    os.set_blocking(alarm, False)
    signal.set_wakeup_fd(alarm)
    signal.pthread_sigmask(signal.SIG_BLOCK, _FORWARDED)
    child, output = _start(command)
    requests: List[float] = []

    def forward(number: int, _frame: object) -> None:
        if number == signal.SIGTERM:
            requests.append(time.monotonic())
        with contextlib.suppress(ProcessLookupError):  # it has ended, and we stay for others' sake
            os.kill(child, number)

    for number in _FORWARDED:
        signal.signal(number, forward)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # it wakes the loop
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
    status, opened = None, True
    ending: Optional[Ending] = None
    while status is None:
        wait = INTERVAL if requests else None
        ready, _, _ = select.select([wakeup, *([output] if opened else [])], [], [], wait)
        if wakeup in ready:
            os.read(wakeup, _CHUNK)
        if output in ready:
            opened = _pass_on(output, log)
        status = _ended(child)
        if status is None and requests:
            if ending is None:
                ending = Ending(child, _patience(patience).seconds)
            ending.look()
    # Others may keep the pipe open for ever: what is in it now is what there is.
    os.set_blocking(output, False)
    with contextlib.suppress(BlockingIOError):
        while _pass_on(output, log):
            pass
    # whoever asked us behind the service manager's back is about to have it ask as well
    while len(requests) == 1 and _lives(_patience(patience).holder):
        time.sleep(INTERVAL)
    return 0 if ending and ending.done else status


def _patience(path: Optional[Path]) -> Patience:
    return Patience() if path is None else Patience.read(path)


def _lives(pid: int) -> bool:
    return pid > 0 and Path(f"/proc/{pid}").exists()


def _start(command: List[str]) -> Tuple[int, int]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            # what Python itself ignores would stay ignored in the component
            for number in (signal.SIGPIPE, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _FORWARDED)
            os.execvp(command[0], command)  # noqa: S606 - a shell would take the paths apart
        except OSError as error:
            os.write(2, f"{command[0]} did not start: {error}\n".encode("utf-8", "backslashreplace"))
        finally:
            os._exit(127)
    os.close(writing)
    return child, reading


def _pass_on(output: int, log: RotatedFile) -> bool:
    data = os.read(output, _CHUNK)
    log.write(data)
    with contextlib.suppress(OSError):  # nobody listens: the file has it
        left = data
        while left:
            left = left[os.write(1, left) :]
    return bool(data)


def _ended(child: int) -> Optional[int]:
    found, status = os.waitpid(child, os.WNOHANG)
    return status if found else None


def main() -> int:
    """Run the command line; never returns for a component that a signal ended."""
    home = os.environ.get("AIRFERRY_HOME")
    status = run(RotatedFile(sys.argv[1]), sys.argv[2:], Path(home, PATIENCE) if home else None)
    if os.WIFEXITED(status):
        return os.WEXITSTATUS(status)
    number = os.WTERMSIG(status)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the component has left a core already
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number


if __name__ == "__main__":
    sys.exit(main())
