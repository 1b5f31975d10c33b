"""What the tests in a browser find: one browser for all of them, and for each a broker process and a page."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from ..system.processes import Shell
from .brokers import SECRET, Broker
from .pages import Dashboard, browser_path, launched, open_dashboard
from .scene import play

HERE = Path(__file__).parent

Serve = Callable[..., Awaitable[Broker]]
Open = Callable[..., Awaitable[Dashboard]]


OURS = {"browser", "serve", "stage", "guarded"}
"""Fixtures that live in the event loop of the session."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the tests that use them in that loop, too."""
    in_one_loop = pytest.mark.asyncio(loop_scope="session")
    for item in items:
        if item.path.parent == HERE and OURS.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(in_one_loop, append=False)


@pytest.fixture(scope="session")
def chromium() -> str:
    """Where the browser is."""
    path = browser_path()
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("Chromium is not on the PATH: `tests/tools browser` installs it")
        pytest.skip("Chromium is not on the PATH")
    return path


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    async with launched(chromium) as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="session")
async def serve(tmp_path: Path) -> AsyncIterator[Serve]:
    """Starts brokers, which end with the test: `await serve("--data", ...)`."""
    shell = Shell(tmp_path)

    async def start(*flags: str) -> Broker:
        broker = Broker(shell, *flags)
        await broker.start()
        return broker

    yield start
    await shell.close()


@pytest_asyncio.fixture(loop_scope="session")
async def served(serve: Serve) -> Broker:
    """A broker that lets everybody do everything."""
    return await serve()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    """A broker on which something of everything has happened, for tests that leave it so."""
    shell = Shell(tmp_path_factory.mktemp("stage"))
    broker = Broker(shell)
    await broker.start()
    async with await broker.client() as client:
        await play(client)
    yield broker
    await shell.close()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Broker]:
    """A broker that wants tokens."""
    directory = tmp_path_factory.mktemp("guarded")
    (directory / "secret").write_text(SECRET)
    shell = Shell(directory)
    broker = Broker(shell, "--jwt-secret-file", str(directory / "secret"))
    await broker.start()
    yield broker
    await shell.close()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser) -> AsyncIterator[Open]:
    """Opens dashboards: `await open_page(broker, "agents", theme="light")`. At the end each is judged."""
    async with AsyncExitStack() as stack:

        async def open_(broker: Broker, view: str = "", **look: Any) -> Dashboard:
            dashboard = await stack.enter_async_context(open_dashboard(browser, broker.origin, **look))
            await dashboard.open(view)
            return dashboard

        yield open_
