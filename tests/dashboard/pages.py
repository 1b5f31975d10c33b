"""The dashboard in a browser: opened, watched for anything that must not happen, and waited for."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, ConsoleMessage, Page, Request, TimeoutError, async_playwright

__all__ = ["FLAGS", "PATIENCE", "PROBE", "VIEWS", "Dashboard", "browser_path", "launched", "open_dashboard"]

PATIENCE = 60.0
"""Seconds after which a test has waited in vain, on a machine that has more to do than this test."""

VIEWS = ("overview", "topics", "clients", "agents", "tasks", "swarms", "tail", "send")

FLAGS = (
    "--no-sandbox",  # root needs it; the others keep the browser from asking hosts of its own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)

PROBE = (Path(__file__).parent / "probe.js").read_text(encoding="utf-8")


def browser_path() -> str | None:
    """Where Chromium is, or None; the variable SWARMWIRE_CHROMIUM names another than the one on the PATH."""
    named = os.environ.get("SWARMWIRE_CHROMIUM")
    return named or shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@asynccontextmanager
async def launched(path: str) -> AsyncIterator[Browser]:
    """A headless browser."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


class Dashboard:
    """The page of one broker's dashboard.

    Attributes:
        page: the page itself.
        problems: what must not happen: errors and warnings, violations of the policy, requests to other hosts.
    """

    def __init__(self, page: Page, origin: str) -> None:
        self.page = page
        self.problems: list[str] = []
        self._origin = origin
        self._host = urlsplit(origin).netloc
        self._expected: list[str] = []
        page.on("console", self._on_console)
        page.on("pageerror", lambda error: self._note(f"error: {error}"))
        page.on("request", self._on_request)
        page.on("websocket", lambda socket: self._on_url(socket.url))

    def expect_problems(self, *parts: str) -> None:
        """Pass over problems that contain one of these, as those of a connection that a test cuts."""
        self._expected += parts
        self.problems = [problem for problem in self.problems if not self._is_expected(problem)]

    # ---- Going somewhere

    async def open(self, view: str = "", *, path: str = "/") -> None:
        """Load the page, at a view."""
        await self.page.goto(f"{self._origin}{path}" + (f"#{view}" if view else ""))

    async def ready(self) -> dict[str, Any]:
        """Wait until the page is connected and has read what was last said; returns its status."""
        return await self.status("status.phase === 'ready' && status.live && status.head !== null")

    async def view(self, name: str) -> None:
        """Show a view, and wait until it is drawn."""
        await self.page.evaluate("hash => { location.hash = hash; }", name)
        await self.page.locator(f"main[data-view='{name}']").wait_for()

    # ---- Waiting

    async def until(self, what: str, script: str, argument: Any = None) -> Any:
        """Wait until a function in the page, asked at every frame, returns something true, and return that."""
        try:
            found = await self.page.wait_for_function(script, arg=argument, timeout=PATIENCE * 1000)
        except TimeoutError:
            text = await self.page.locator("body").inner_text()
            status = await self.slice("status")
            message = f"expected {what}; {self.problems}; the status is {status}; the page says: {text[:2000]}"
            raise AssertionError(message) from None
        return await found.json_value()

    async def status(self, condition: str = "true") -> dict[str, Any]:
        """Wait until this expression holds of the `status` that the page was last told; returns the status."""
        found: dict[str, Any] = await self.until(
            condition,
            f"() => {{ const {{ status }} = globalThis.probe.slices; return status && ({condition}) && status; }}",
        )
        return found

    async def slice(self, name: str) -> Any:
        """What the worker last told the page under this name, or None."""
        return await self.page.evaluate("name => globalThis.probe.slices[name] ?? null", name)

    async def shows(self, *texts: str, within: str = "body") -> None:
        """Wait until the page shows all of these texts."""
        script = "([where, text]) => document.querySelector(where)?.innerText.includes(text)"
        for text in texts:
            await self.until(f"{text!r} in {within}", script, [within, text])

    # ---- Judging

    async def check(self) -> None:
        """Fail if anything has happened that must not."""
        violations = (
            [] if self.page.is_closed() else await self.page.evaluate("() => globalThis.probe?.violations ?? []")
        )
        for violation in violations:
            self._note(f"policy: {violation}")
        assert not self.problems, "\n".join(self.problems)

    async def axe(self) -> list[str]:
        """What axe-core finds wrong with the page as it is, a line for each rule."""
        await self.page.evaluate(_axe_source())
        found = await self.page.evaluate("async () => (await axe.run()).violations")
        return [f"{rule['id']}: {rule['help']}: {_places(rule)}" for rule in found]

    # ---- What happens

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self._note(f"{message.type}: {message.text}")

    def _on_request(self, request: Request) -> None:
        self._on_url(request.url)

    def _on_url(self, url: str) -> None:
        where = urlsplit(url)
        if where.scheme not in ("data", "blob") and where.netloc != self._host:
            self._note(f"request to another host: {url}")

    def _note(self, problem: str) -> None:
        if not self._is_expected(problem):
            self.problems.append(problem)

    def _is_expected(self, problem: str) -> bool:
        return any(part in problem for part in self._expected)


@asynccontextmanager
async def open_dashboard(
    browser: Browser, origin: str, *, width: int = 1280, height: int = 800, theme: str = "dark", touch: bool = False
) -> AsyncIterator[Dashboard]:
    """A page in a context of its own, not yet loaded; at the end it is judged."""
    context = await browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        has_touch=touch,
    )
    try:
        await context.add_init_script(PROBE)
        dashboard = Dashboard(await context.new_page(), origin)
        dashboard.page.set_default_timeout(PATIENCE * 1000)
        yield dashboard
        await dashboard.check()
    finally:
        await context.close()


def _axe_source() -> str:
    path = Path(__file__).parents[2] / "client" / "js" / "node_modules" / "axe-core" / "axe.min.js"
    return path.read_text(encoding="utf-8")


def _places(rule: dict[str, Any]) -> str:
    nodes: Sequence[dict[str, Any]] = rule["nodes"]
    return "; ".join(f"{node['target']} {node['html'][:120]}" for node in nodes[:3])
