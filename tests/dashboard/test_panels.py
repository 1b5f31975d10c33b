"""Every panel with real data, as it comes."""

from __future__ import annotations

from .brokers import Broker
from .conftest import Open
from .pages import Dashboard
from .scene import play

EMPTY = {
    "overview": "Nothing is published just now",
    "topics": "No topic yet",
    "agents": "No agent has told its status",
    "tasks": "No task yet",
    "swarms": "No swarm yet",
    "tail": "No events yet",
}
"""What a view says before anything has happened."""


async def shown(dashboard: Dashboard, view: str, *texts: str) -> None:
    """Show a view, and wait until all of these texts stand in it."""
    await dashboard.view(view)
    await dashboard.shows(*texts, within="main")


async def chosen(dashboard: Dashboard, row: str, *texts: str) -> None:
    """Click on the row that has this text, and wait until all of these stand in the panel beside."""
    await dashboard.page.locator("main [role=row]", has_text=row).first.click()
    await dashboard.shows(*texts, within="main aside")


async def test_every_panel_shows_what_happens_while_it_is_looked_at(served: Broker, open_page: Open) -> None:
    dashboard = await open_page(served)
    await dashboard.ready()
    client = await served.client()
    async with client:
        await play(client)

        await shown(dashboard, "overview", "Throughput", "Publish latency", "Connections", "Busiest topics")
        await dashboard.until("charts", "() => document.querySelectorAll('main canvas').length >= 4")

        await shown(dashboard, "topics", "agent", "task", "swarm")
        await shown(dashboard, "clients", "the test", "websocket", "dashboard")
        await chosen(dashboard, "dashboard", "#", "conflate")
        await shown(dashboard, "agents", "ada", "bob", "gpt-4.1", "busy", "error", "review of parser.py")
        await chosen(dashboard, "ada", "reading the parser")
        await shown(dashboard, "tasks", "compile-1", "completed", "lint-1", "the linter crashed", "pending", "builds")
        await chosen(dashboard, "lint-1", "the linter crashed", "bob")
        await shown(dashboard, "swarms", "hive", "hierarchical", "deploy-v2", "accepted", "Which model?", "large")
        await dashboard.until("a topology", "() => document.querySelector('main svg[role=img] circle')")
        await shown(dashboard, "send", "Publish an event", "Call a method")


async def test_a_topic_shows_its_last_value(served: Broker, open_page: Open) -> None:
    dashboard = await open_page(served, "topics")
    await dashboard.ready()
    async with await served.client() as client:
        await client.publish("room.kitchen.temperature", {"celsius": 21.5})
        await dashboard.shows("room", within="main")
        await dashboard.page.get_by_label("Filter").fill("room.kitchen.temperature")
        await chosen(dashboard, "temperature", "celsius", "21.5")
        await client.publish("room.kitchen.temperature", {"celsius": 22.5})
        await dashboard.shows("22.5", within="main aside")


async def test_an_agent_that_goes_offline_is_shown_as_such(served: Broker, open_page: Open) -> None:
    dashboard = await open_page(served, "agents")
    await dashboard.ready()
    async with await served.client() as client:
        async with client.registry.register("ada", kind="agent", id="ada"):
            await client.publish("agent.ada.status", {"agentId": "ada", "status": "busy"})
            await dashboard.shows("ada", "busy", within="main [role=row][data-index]")
        await client.publish("agent.ada.status", {"agentId": "ada", "status": "offline"})
        await dashboard.shows("offline", within="main [role=row][data-index]")


async def test_the_tail_filters_pauses_and_goes_on(served: Broker, open_page: Open) -> None:
    dashboard = await open_page(served, "tail")
    await dashboard.ready()
    async with await served.client() as client:
        await client.publish("door.front", {"n": 1})
        await client.publish("window.left", {"n": 2})
        await dashboard.shows("door.front", "window.left", within="main")
        await dashboard.page.get_by_label("Pattern").fill("door.*")
        await dashboard.until("only doors", "() => !document.querySelector('main').innerText.includes('window.left')")
        await client.publish("door.back", {"n": 3})
        await dashboard.shows("door.back", within="main")
        await dashboard.page.get_by_role("button", name="Pause").click()
        await dashboard.shows("Paused", within="main")
        await client.publish("door.garden", {"n": 4})
        await dashboard.shows("Paused, 1 newer event", within="main")
        assert "door.garden" not in await dashboard.page.locator("main").inner_text()
        await dashboard.page.get_by_role("button", name="Resume").click()
        await dashboard.shows("door.garden", within="main")
        await client.publish("door.cellar", {"n": 5})
        await dashboard.shows("door.cellar", within="main")


async def test_the_tail_shows_a_pattern_that_is_none_as_wrong(served: Broker, open_page: Open) -> None:
    dashboard = await open_page(served, "tail")
    await dashboard.ready()
    await dashboard.page.get_by_label("Pattern").fill("a..b")
    await dashboard.shows("empty segment", within="main")


async def test_the_tail_jumps_to_a_cursor(served: Broker, open_page: Open) -> None:
    dashboard = await open_page(served, "tail")
    epoch = (await dashboard.ready())["head"].split(":")[0]
    async with await served.client() as client:
        for number in range(300):
            await client.publish("count.up", number, ack=number == 299)
    await dashboard.page.get_by_label("Cursor").fill(f"{epoch}:100")
    await dashboard.page.get_by_label("Cursor").press("Enter")
    await dashboard.until(
        "events near 100",
        "() => [...document.querySelectorAll('main [data-index]')].some(row => /\\b101\\b/.test(row.innerText))",
    )


async def test_a_panel_without_anything_says_what_would_be_there(served: Broker, open_page: Open) -> None:
    dashboard = await open_page(served)
    await dashboard.ready()
    for view, words in EMPTY.items():
        await shown(dashboard, view, words)
