"""A browser that nothing listens to, for measurements.

Playwright has the browser report every message of every WebSocket. At thousands a second that costs more than the
page itself, so here the browser is asked by the DevTools protocol for the values of expressions, and for nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import tempfile
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Self

import orjson
from websockets.asyncio.client import ClientConnection, connect

from .pages import FLAGS, PATIENCE, PROBE

__all__ = ["BarePage", "bare_page"]

LOOK_SECONDS = 0.25
"""Between two looks at the page while it is waited for: often enough, and no load."""


class BarePage:
    """The page of one dashboard, in a browser of its own."""

    def __init__(self, socket: ClientConnection, session: str, origin: str) -> None:
        self._socket = socket
        self._session = session
        self._origin = origin
        self._ids = itertools.count(1)

    @classmethod
    async def attach(cls, socket: ClientConnection, origin: str) -> Self:
        """Make the page, with the probe in it, and load nothing yet."""
        page = cls(socket, "", origin)
        target = await page.ask("Target.createTarget", url="about:blank")
        attached = await page.ask("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        page._session = attached["sessionId"]
        await page.ask("Page.enable")
        await page.ask("Page.addScriptToEvaluateOnNewDocument", source=PROBE)
        return page

    async def open(self, view: str = "") -> None:
        """Load the dashboard, at a view, and wait until it is connected."""
        await self.ask("Page.navigate", url=f"{self._origin}/#{view}")
        await self.until("globalThis.probe?.slices.status?.live")

    async def view(self, name: str) -> None:
        """Show a view, and wait until it is drawn."""
        await self.evaluate(f"location.hash = {orjson.dumps(name).decode()}")
        await self.until(f"document.querySelector('main[data-view={name}]') !== null")

    async def until(self, condition: str, patience: float = PATIENCE) -> None:
        """Wait until an expression is true, for so many seconds."""
        try:
            async with asyncio.timeout(patience):
                while True:
                    if await self.evaluate(f"!!({condition})"):
                        return
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            status = await self.evaluate("globalThis.probe?.slices.status ?? null")
            raise AssertionError(f"expected {condition}; the status is {status}") from None

    async def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page."""
        answer = await self.ask("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def ask(self, method: str, **params: Any) -> Any:
        """A command of the DevTools protocol; events are passed over."""
        id = next(self._ids)
        message = {"id": id, "method": method, "params": params}
        session = {"sessionId": self._session} if self._session else {}
        await self._socket.send(orjson.dumps(message | session).decode())
        while (answer := orjson.loads(await self._socket.recv())).get("id") != id:
            pass
        assert "error" not in answer, f"{method}: {answer['error']}"
        return answer["result"]


@asynccontextmanager
async def bare_page(path: str, origin: str) -> AsyncIterator[BarePage]:
    """A page in a headless browser, which ends with the block."""
    with tempfile.TemporaryDirectory(prefix="bare-", ignore_cleanup_errors=True) as profile:
        flags = (
            *FLAGS,
            "--headless=new",
            "--window-size=1440,900",
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
        )
        browser = await asyncio.create_subprocess_exec(path, *flags, stdout=DEVNULL, stderr=PIPE)
        try:
            async with connect(await _address(browser), max_size=None, compression=None) as socket:
                page = await BarePage.attach(socket, origin)
                yield page
        finally:
            await _ended(browser)


async def _address(browser: asyncio.subprocess.Process) -> str:
    """Where the browser listens, as it says itself."""
    assert browser.stderr is not None
    async with asyncio.timeout(PATIENCE):
        async for line in browser.stderr:
            if b"DevTools listening on " in line:
                return line.decode().rpartition(" ")[2].strip()
    raise AssertionError("the browser ended before it listened")


async def _ended(browser: asyncio.subprocess.Process) -> None:
    """End the browser, at first politely."""
    with contextlib.suppress(ProcessLookupError):
        browser.terminate()
    try:
        async with asyncio.timeout(PATIENCE / 4):
            await browser.communicate()
    except TimeoutError:
        browser.kill()
        await browser.communicate()
