"""What the account's process asks of root's: one answer for each request, whoever asks beside it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator

import pytest

from bootstrap.base import channel


@pytest.fixture
def root_end() -> Iterator[socket.socket]:
    ours, theirs = socket.socketpair()
    channel.connect(theirs.detach())
    yield ours
    channel.disconnect()
    ours.close()


def test_threads_ask_in_turn(root_end: socket.socket) -> None:
    """Doctor looks at the units from several threads: two requests in one would be none."""

    def serve() -> None:
        while line := channel.line(root_end):
            root_end.sendall(json.dumps({"ok": True, "result": json.loads(line)["number"]}).encode() + b"\n")

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    answers: dict[int, object] = {}

    def ask(number: int) -> None:
        for _ in range(50):
            answers[number] = channel.ask("show", number=number)

    threads = [threading.Thread(target=ask, args=(number,), daemon=True) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(3)
    assert answers == {number: number for number in range(8)}
    assert not any(thread.is_alive() for thread in threads)
    root_end.shutdown(socket.SHUT_RDWR)  # the server ends before its socket is closed
    server.join(3)
    assert not server.is_alive()


def test_without_root_it_says_so() -> None:
    channel.disconnect()
    with pytest.raises(channel.NeedsRoot):
        channel.ask("show")
