"""A real Chromium that logs in and reads a log: a program of its own, run where the pages are.

It takes ``{"url": ..., "user": ..., "password": ..., "log": ..., "text": ...}`` on standard input, speaks the
WebDriver protocol (W3C) to chromedriver, and prints what it has seen as JSON.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from typing import Any
from urllib.parse import urlsplit

PROGRAMS = ("chromedriver", "chromium")
_ELEMENT = "element-6066-11e4-a52e-4f735466cecf"


def missing() -> str:
    """The program that is not on this machine; "" where all are."""
    return next((name for name in PROGRAMS if not shutil.which(name)), "")


class Browser:
    """One window."""

    def __init__(self, driver: str, host: str, profile: str) -> None:
        options = {
            "binary": shutil.which("chromium"),
            "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
                "--no-first-run", f"--user-data-dir={profile}", "--disable-background-networking",
                f"--host-resolver-rules=MAP {host} 127.0.0.1", "--no-proxy-server",
                "--window-size=1400,1000",
            ],
        }  # fmt: skip
        wanted = {"acceptInsecureCerts": True, "goog:chromeOptions": options}
        self._base = driver
        self._base += (
            "/session/"
            + self._call("POST", "/session", {"capabilities": {"alwaysMatch": wanted}})["sessionId"]
        )

    def _call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        data = json.dumps(body if body is not None else {}).encode() if method == "POST" else None
        request = urllib.request.Request(
            self._base + path, data, {"Content-Type": "application/json"}, method=method
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=120) as answer:
            return json.loads(answer.read())["value"]

    def go(self, url: str) -> None:
        self._call("POST", "/url", {"url": url})

    @property
    def url(self) -> str:
        return str(self._call("GET", "/url"))

    @property
    def cookies(self) -> list[dict[str, Any]]:
        return list(self._call("GET", "/cookie"))

    def script(self, text: str) -> Any:
        return self._call("POST", "/execute/sync", {"script": text, "args": []})

    def text(self) -> str:
        return str(self.script("return document.body ? document.body.textContent : ''"))

    def fill(self, css: str, text: str) -> None:
        self._call("POST", f"/element/{self._find(css)}/value", {"text": text})

    def click(self, css: str) -> None:
        self._call("POST", f"/element/{self._find(css)}/click", {})

    def _find(self, css: str) -> str:
        found = self._call("POST", "/element", {"using": "css selector", "value": css})
        return str(found[_ELEMENT])

    def wait(self, what: str, condition: Any, seconds: float = 120) -> None:
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError):
                if condition():
                    return
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not within {seconds} s, at {self.url}:\n{self.text()[:2000]}")
            time.sleep(0.5)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._call("DELETE", "")


def main(asked: dict[str, str]) -> dict[str, Any]:
    """Open the address, log in, and read a log at another address; what was seen on the way."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # a Chromium that is being killed still writes into its profile
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        driver = subprocess.Popen(
            ["chromedriver", f"--port={port}"],
            stdout=subprocess.DEVNULL,
            env={"HOME": folder, "PATH": "/usr/bin:/bin"},
        )
        try:
            return _look(asked, f"http://127.0.0.1:{port}", folder)
        finally:
            driver.terminate()
            driver.wait(20)


def _look(asked: dict[str, str], driver: str, folder: str) -> dict[str, Any]:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), opener.open(f"{driver}/status", timeout=5):
            break
        assert time.monotonic() < deadline, "chromedriver does not answer"
        time.sleep(0.2)
    browser = Browser(driver, urlsplit(asked["url"]).hostname or "", folder)
    try:
        browser.go(asked["url"])
        browser.wait(
            "a login", lambda: browser.script("return !!document.querySelector('input[type=password]')")
        )
        login = browser.url
        browser.fill("input[name=username]", asked["user"])
        browser.fill("input[type=password]", asked["password"])
        browser.click("input[type=submit], button[type=submit]")
        browser.wait("the pages", lambda: "/login" not in browser.url and len(browser.text()) > 20)
        home, cookies = browser.url, browser.cookies
        browser.go(asked["log"])
        browser.wait("the log", lambda: asked["text"] in browser.text())
        insecure = browser.script(
            "return performance.getEntriesByType('resource').map(e => e.name)"
            ".filter(n => n.startsWith('http:'))"
        )
        return {
            "login": login,
            "home": home,
            "log": browser.url,
            "insecure": insecure,
            "cookies": {item["name"]: item["secure"] for item in cookies},
        }
    finally:
        browser.close()


if __name__ == "__main__":
    json.dump(main(json.loads(sys.stdin.read())), sys.stdout)
