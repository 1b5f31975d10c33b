"""The SDK in a browser: it keeps the contract there, over a WebSocket and over HTTP, and goes on after a reload."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from playwright.async_api import Page, Route

from ..dashboard.pages import launched
from .brokers import Broker, Brokers, brokers

CONTRACT: Final = "/contract/"
PAGE: Final = "/healthz"
"""Any document that the broker serves: one that a test makes up has no address, and may reach no local network."""
FEWEST: Final = 40
"""Cases that there are at least for each way."""

COUNT: Final = """
async ({ count, topic }) => {
  const { connect } = await import("/sdk/swarmwire.js");
  const client = await connect();
  const numbers = [];
  for await (const { data } of client.subscribe(topic, { from: "start", resume: "reload" })) {
    numbers.push(data);
    if (numbers.length === count) break;
  }
  return { numbers, url: client.url };
}
"""

CROWD: Final = """
async (url) => {
  const { connect } = await import("/sdk/swarmwire.js");
  const client = await connect(url);
  const patterns = ["a", "b", "c", "d", "e"];
  const outcomes = patterns.map((pattern) => client.subscribe(pattern).ready.then(() => "ready", ({ code }) => code));
  const ready = await Promise.all(outcomes);
  await client.publish("a", 1);
  await client.disconnect();
  return ready;
}
"""


@asynccontextmanager
async def page_of(chromium: str, broker: Broker, sdk: Path) -> AsyncIterator[Page]:
    """A page of the broker's own origin that may read the contract; at the end nothing has failed in it."""
    problems: list[str] = []

    async def serve(route: Route) -> None:
        name = route.request.url.removeprefix(broker.origin + CONTRACT)
        await route.fulfill(path=sdk / "tests" / "contract" / name)

    async with launched(chromium) as browser:
        page = await browser.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        await page.route(f"{broker.origin}{CONTRACT}*", serve)
        await page.goto(broker.origin + PAGE)
        yield page
    assert problems == []


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[Brokers]:
    async with brokers(tmp_path) as made:
        yield made


@pytest.mark.parametrize("way", ["ws", "http"])
async def test_the_contract_is_kept_in_chromium(chromium: str, house: Brokers, sdk: Path, way: str) -> None:
    home = await house.broker()
    async with page_of(chromium, home, sdk) as page:
        await page.expose_function("ask", house.take)
        outcome = await page.evaluate(f"import('{CONTRACT}page.js').then(({{ run }}) => run('{way}'))")

    assert outcome["failures"] == [], "\n\n".join(outcome["failures"])
    assert outcome["passed"] >= FEWEST


async def test_a_page_that_is_reloaded_goes_on_where_it_was(chromium: str, house: Brokers, sdk: Path) -> None:
    broker = await house.broker()
    async with page_of(chromium, broker, sdk) as page:
        await page.evaluate(
            """async () => {
              const { connect } = await import("/sdk/swarmwire.js");
              const client = await connect();
              for (let number = 0; number < 6; number++) await client.publish("reloaded", number);
              await client.disconnect();
            }"""
        )
        before = await page.evaluate(COUNT, {"count": 2, "topic": "reloaded"})
        await page.reload()
        after = await page.evaluate(COUNT, {"count": 4, "topic": "reloaded"})

    # The loop was left amid the second number, so that is not known to be worked on.
    assert (before["numbers"], after["numbers"]) == ([0, 1], [1, 2, 3, 4])
    assert after["url"] == broker.urls["ws"]


async def test_over_http_a_page_keeps_connections_free_for_its_requests(
    chromium: str, house: Brokers, sdk: Path
) -> None:
    broker = await house.broker()
    async with page_of(chromium, broker, sdk) as page:
        assert await page.evaluate(CROWD, broker.urls["http"]) == ["ready"] * 4 + ["LIMIT_EXCEEDED"]
