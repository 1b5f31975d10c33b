"""The dashboard is right about a broker that is killed and started again, whatever became of its log."""

from __future__ import annotations

from pathlib import Path

from .brokers import Broker
from .conftest import Open, Serve
from .pages import Dashboard

LOST = ("ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "ERR_EMPTY_RESPONSE", "WebSocket connection to")
"""What a browser itself says of a broker that is not there."""


async def status_of(dashboard: Dashboard, agent: str) -> str:
    """The status of an agent, as the view of agents has it."""
    found: str = await dashboard.until(
        f"the status of {agent}",
        "id => globalThis.probe.slices.agents?.rows.find((row) => row.id === id)?.status",
        agent,
    )
    return found


async def killed(broker: Broker, dashboard: Dashboard) -> None:
    """Kill the broker, and wait until the page says so."""
    dashboard.expect_problems(*LOST)
    await broker.kill()
    await dashboard.status("status.phase === 'reconnecting'")
    await dashboard.shows("The broker is not reached", within="main")


async def test_it_opens_with_what_was_last_said(stage: Broker, open_page: Open) -> None:
    dashboard = await open_page(stage, "agents")
    await dashboard.ready()
    assert await status_of(dashboard, "ada") == "busy"
    await dashboard.view("tasks")
    await dashboard.shows("compile-1", "completed", "lint-1", "failed", within="main")
    await dashboard.view("swarms")
    await dashboard.shows("hive", "accepted", "large", within="main")


async def test_a_broker_with_a_new_log_is_shown_as_it_is_now(served: Broker, open_page: Open) -> None:
    async with await served.client() as client:
        await client.publish("agent.ada.status", {"agentId": "ada", "status": "busy"})
        await client.publish("agent.old.status", {"agentId": "old", "status": "idle"})
    dashboard = await open_page(served, "agents")
    before = (await dashboard.ready())["head"].split(":")[0]
    assert await status_of(dashboard, "ada") == "busy"
    await killed(served, dashboard)
    await served.start()
    async with await served.client() as client:
        await client.publish("agent.ada.status", {"agentId": "ada", "status": "error"})
        status = await dashboard.status("status.head !== null && status.gaps.some((gap) => gap.reason === 'epoch')")
        assert status["head"].split(":")[0] != before
        await dashboard.until("no old agent", "() => !document.querySelector('main').innerText.includes('old')")
        assert await status_of(dashboard, "ada") == "error"
        await client.publish("agent.new.status", {"agentId": "new", "status": "idle"})
        assert await status_of(dashboard, "new") == "idle"


async def test_a_broker_with_its_log_on_disk_goes_on_where_it_was(
    serve: Serve, open_page: Open, tmp_path: Path
) -> None:
    broker = await serve("--data", str(tmp_path / "log"))
    dashboard = await open_page(broker, "agents")
    before = (await dashboard.ready())["head"].split(":")[0]
    async with await broker.client() as client:
        await client.publish("agent.ada.status", {"agentId": "ada", "status": "busy"})
    assert await status_of(dashboard, "ada") == "busy"
    await killed(broker, dashboard)
    await broker.start()
    async with await broker.client() as client:
        await client.publish("agent.bob.status", {"agentId": "bob", "status": "idle"})
    assert await status_of(dashboard, "bob") == "idle"
    assert await status_of(dashboard, "ada") == "busy"
    status = await dashboard.ready()
    assert status["head"].split(":")[0] == before
    assert status["gaps"] == []


async def test_a_reload_of_the_page_shows_the_same(stage: Broker, open_page: Open) -> None:
    dashboard = await open_page(stage, "agents")
    assert await status_of(dashboard, "ada") == "busy"
    await dashboard.page.reload()
    assert await status_of(dashboard, "ada") == "busy"
    assert await dashboard.page.locator("main").get_attribute("data-view") == "agents"
