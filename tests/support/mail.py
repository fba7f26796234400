"""A mail server that keeps what it is given: as much of SMTP as clients speak."""

from __future__ import annotations

import base64
import socketserver
import threading
from dataclasses import dataclass, field


@dataclass
class Mail:
    """One mail as it came."""

    sender: str
    to: list[str]
    text: str


@dataclass
class Sink:
    """Listens on the loopback until it is closed; `login` is the user and password that it takes."""

    login: tuple[str, str] | None = None
    mails: list[Mail] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.port = int(self._server.server_address[1])
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()


def _handler(sink: Sink) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            let_in = sink.login is None
            sender, to = "", list[str]()
            self.say("220 sink")
            for raw in self.rfile:
                line = raw.decode().strip()
                word = line.split(" ")[0].upper()
                if word == "EHLO":
                    self.say("250-sink")
                    self.say("250 AUTH PLAIN" if sink.login else "250 8BITMIME")
                elif word == "AUTH":
                    user, password = base64.b64decode(line.split(" ")[2]).decode().split("\0")[1:]
                    let_in = (user, password) == sink.login
                    sink.logins.append(user)
                    self.say("235 fine" if let_in else "535 no such user or password")
                elif word == "MAIL":
                    sender, to = line.partition(":")[2].split()[0], []
                    self.say("250 fine" if let_in else "530 log in first")
                elif word == "RCPT" and "@elsewhere" in line:
                    self.say("550 no relay")
                elif word == "RCPT":
                    to.append(line.partition(":")[2].split()[0])
                    self.say("250 fine")
                elif word == "DATA":
                    self.say("354 go on")
                    lines = list(iter(lambda: self.rfile.readline().decode().rstrip("\r\n"), "."))
                    names = [item.strip("<>") for item in to]
                    sink.mails.append(Mail(sender.strip("<>"), names, "\n".join(lines)))
                    self.say("250 taken")
                elif word == "QUIT":
                    self.say("221 bye")
                    return
                else:
                    self.say("250 fine")

    return Handler
