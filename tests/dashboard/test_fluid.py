"""Fluid under load: 20,000 events a second of 5,000 agents, with broker, publisher and browser on the same machine."""

from __future__ import annotations

import asyncio

import pytest

from .bare import bare_page
from .brokers import Broker
from .conftest import Open
from .fluidity import measure
from .loading import load
from .pages import PATIENCE, Dashboard

RATE, AGENTS = 20_000, 5_000
SECONDS = 4.0
"""How long each view is measured."""

SETTLING_SECONDS = 60.0
"""How long the page may take to find out how rarely it has to be told of each topic to see them all."""


@pytest.mark.alone
async def test_it_stays_fluid_at_twenty_thousand_events_a_second(served: Broker, chromium: str) -> None:
    figures = {}
    async with bare_page(chromium, served.origin) as page:
        await page.open("overview")
        async with load(served, rate=RATE, agents=AGENTS) as reached:
            await page.until(f"globalThis.probe.slices.status.rate > {0.9 * RATE}", SETTLING_SECONDS)
            for view in ("overview", "agents", "tail", "topics"):
                await page.view(view)
                figures[view] = await measure(page, SECONDS)
    told = "\n".join(f"{view}: {figure.sentence()}" for view, figure in figures.items())
    published = reached[-1].rate
    print(f"published {published:,.0f} events/s\n{told}")
    assert published > 0.9 * RATE, "the publisher did not reach what it was asked for"
    for figure in figures.values():
        assert figure.short_share >= 0.95, told
        assert figure.longest_task <= 200, told
    seen = sum(figure.seen for figure in figures.values()) / sum(figure.seconds for figure in figures.values())
    assert seen == pytest.approx(published, rel=0.15), told


async def test_a_slow_tab_recovers_and_stays_bounded(served: Broker, open_page: Open) -> None:
    dashboard = await open_page(served, "agents")
    await dashboard.ready()
    session = await dashboard.page.context.new_cdp_session(dashboard.page)
    await session.send("Emulation.setCPUThrottlingRate", {"rate": 20})
    async with load(served, rate=3_000, agents=1_000):
        await dashboard.status("status.seen > 6000")
    await session.send("Emulation.setCPUThrottlingRate", {"rate": 1})
    await recovered(served, dashboard)


async def test_a_hidden_tab_asks_for_nothing_and_is_right_when_it_is_seen_again(
    served: Broker, open_page: Open
) -> None:
    dashboard = await open_page(served, "agents")
    await dashboard.ready()
    await dashboard.page.evaluate("() => globalThis.probe.hide(true)")
    async with load(served, rate=2_000, agents=500):
        before = await dashboard.page.evaluate("() => globalThis.probe.frames")
        async with await served.client() as client, asyncio.timeout(PATIENCE):
            async for event in client.subscribe("load.mark", from_="start"):
                if event.data >= 2:
                    break
        frames = await dashboard.page.evaluate("() => globalThis.probe.frames") - before
    assert frames <= 2
    await dashboard.page.evaluate("() => globalThis.probe.hide(false)")
    await recovered(served, dashboard)


async def recovered(served: Broker, dashboard: Dashboard) -> None:
    """What is said now is shown now, and the page holds no more rows than can be seen."""
    async with await served.client() as client:
        await client.publish(
            "agent.aaa-last.status", {"agentId": "aaa-last", "status": "error", "message": "the last word"}
        )
    await dashboard.page.locator("main input[type=search]").first.fill("aaa-last")
    await dashboard.shows("the last word", within="main")
    assert await dashboard.page.locator("main [role=row][data-index]").count() <= 60
