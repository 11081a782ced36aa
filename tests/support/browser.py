"""A headless Chromium driven by its DevTools protocol over a pipe, just big enough for tests of pages."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from selectors import EVENT_READ, DefaultSelector
from time import monotonic
from typing import Any, Literal

FETCHED = Path(__file__).parents[2] / "build" / "browser"  # what `make browser` fills
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--hide-scrollbars",
    "--remote-debugging-pipe",
)
# The protocol's ends are file descriptors 3 and 4 by definition.
START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
KEYS = {"Tab": (9, ""), "Enter": (13, "\r")}


def find_browser() -> str | None:
    """A Chromium's path: KSQLKIT_BROWSER, else the one that `make browser` fetched, else one that is installed."""
    named = os.environ.get("KSQLKIT_BROWSER")
    fetched = FETCHED / "chromium"
    return named or (str(fetched) if fetched.exists() else next(filter(None, map(shutil.which, NAMES)), None))


@dataclass
class Page:
    """One tab: what it asked for and complained about since the last `open`."""

    wire: Wire
    session: str
    requests: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def call(self, method: str, **params: Any) -> Any:
        """One command of the protocol; what happened meanwhile goes to `requests` and `errors`."""
        return self.wire.call(method, params, self.session, self._take)

    def look(
        self,
        width: int = 1280,
        height: int = 800,
        *,
        scheme: Literal["light", "dark"] = "light",
        media: Literal["screen", "print"] = "screen",
    ) -> None:
        """The window's size (CSS pixels) and what media queries see."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", media=media, features=features)

    def open(self, url: str) -> None:
        """Go there and wait until it has loaded."""
        self.requests.clear()
        self.errors.clear()
        self.call("Page.navigate", url=url)
        self.evaluate(
            "new Promise(done => document.readyState == 'complete' && location.href != 'about:blank'"
            " ? done() : addEventListener('load', done))"
        )

    def evaluate(self, script: str) -> Any:
        """An expression's value; a promise is waited for. Raises RuntimeError with what the page threw."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in answer:
            raise RuntimeError(_said(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def press(self, key: str) -> None:
        """One key of `KEYS`, down and up."""
        code, text = KEYS[key]
        for kind, typed in (("keyDown", text), ("keyUp", "")):
            self.call(
                "Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=typed
            )

    def axe(self) -> list[str]:
        """What axe-core finds wrong: weight, rule and where. Raises FileNotFoundError where it was not fetched."""
        self.evaluate((FETCHED / "axe.min.js").read_text("utf-8") + ";0")
        found: list[str] = self.evaluate(
            "axe.run().then(r => r.violations.map(v => `${v.impact}: ${v.id}: ${v.nodes.map(n => n.html)}`))"
        )
        return found

    def screenshot(self, path: Path) -> None:
        """The whole page, not only the window, as PNG."""
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def _take(self, event: dict[str, Any]) -> None:
        params = event["params"]
        match event["method"]:
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Runtime.exceptionThrown":
                self.errors.append(_said(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.errors.append(" ".join(str(a.get("value", a)) for a in params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.errors.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")


class Wire:
    """Commands and events as JSON between NULs, over the two pipes of `--remote-debugging-pipe`."""

    def __init__(self, to_browser: int, from_browser: int, seconds: float) -> None:
        self._to, self._from, self._seconds = to_browser, from_browser, seconds
        self._selector = DefaultSelector()
        self._selector.register(from_browser, EVENT_READ)
        self._rest = b""
        self._number = 0

    def call(
        self, method: str, params: dict[str, Any], session: str = "", take: Any = lambda event: None
    ) -> Any:
        """Send one command and wait for its answer; events that come before it go to `take`."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        os.write(self._to, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        until = monotonic() + self._seconds
        while True:
            answer = self._receive(method, until)
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise RuntimeError(f"{method}: {answer['error']['message']}")
                return answer["result"]
            if "method" in answer and answer.get("sessionId") == session:
                take(answer)

    def _receive(self, method: str, until: float) -> dict[str, Any]:
        while b"\0" not in self._rest:
            if not self._selector.select(max(until - monotonic(), 0)):
                raise TimeoutError(f"the browser did not answer {method} in {self._seconds} s")
            more = os.read(self._from, 1 << 20)
            if not more:
                raise RuntimeError(f"the browser ended before it answered {method}")
            self._rest += more
        head, _, self._rest = self._rest.partition(b"\0")
        answer: dict[str, Any] = json.loads(head)
        return answer


@contextmanager
def browser_page(path: str, seconds: float = 60.0) -> Iterator[Page]:
    """A tab of a browser of its own; `seconds` bound each command, its start included."""
    commands, to_browser = os.pipe()
    from_browser, answers = os.pipe()
    # Libraries that the fetched browser needs and a bare system lacks come with it.
    lent = {"LD_LIBRARY_PATH": str(FETCHED / "lib")} if Path(path).parent == FETCHED else {}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                START,
                str(commands),
                str(answers),
                path,
                *OPTIONS,
                f"--user-data-dir={profile}",
            ],
            pass_fds=(commands, answers),
            stdout=subprocess.DEVNULL,
            env=os.environ | lent,
        )
        os.close(commands)
        os.close(answers)
        try:
            wire = Wire(to_browser, from_browser, seconds)
            target = wire.call("Target.createTarget", {"url": "about:blank"})["targetId"]
            attached = wire.call("Target.attachToTarget", {"targetId": target, "flatten": True})
            page = Page(wire, attached["sessionId"])
            for domain in ("Page", "Network", "Runtime", "Log"):
                page.call(f"{domain}.enable")
            yield page
        finally:
            process.terminate()
            process.wait(seconds)
            os.close(to_browser)
            os.close(from_browser)


def _said(details: dict[str, Any]) -> str:
    return str(details.get("exception", {}).get("description", details["text"]))
