"""All of it without a mouse: focus is seen, goes where it is expected, and is never caught."""

from __future__ import annotations

from .brokers import Broker
from .conftest import Open
from .pages import VIEWS, Dashboard

FOCUSED = "() => document.activeElement.innerText"

OUTLINED = """() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" || style.boxShadow !== "none";
}"""


async def press(dashboard: Dashboard, *keys: str) -> None:
    for key in keys:
        await dashboard.page.keyboard.press(key)


async def tab_to(dashboard: Dashboard, selector: str) -> None:
    """Press Tab until the focus is on what is selected; there are never more than 60 stops."""
    for _ in range(60):
        await press(dashboard, "Tab")
        if await dashboard.page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"Tab never reaches {selector}")


async def test_the_first_stop_skips_the_navigation(stage: Broker, open_page: Open) -> None:
    dashboard = await open_page(stage)
    await dashboard.ready()
    await press(dashboard, "Tab")
    assert "Skip to the content" in await dashboard.page.evaluate(FOCUSED)
    await press(dashboard, "Enter")
    assert await dashboard.page.evaluate("() => document.activeElement.id") == "content"


async def test_every_view_is_reached_by_the_keyboard(stage: Broker, open_page: Open) -> None:
    dashboard = await open_page(stage)
    await dashboard.ready()
    for view in VIEWS:
        await tab_to(dashboard, f"nav a[href='#{view}']")
        assert await dashboard.page.evaluate(OUTLINED), f"the link to {view} does not show that it has the focus"
        await press(dashboard, "Enter")
        await dashboard.page.locator(f"main[data-view='{view}']").wait_for()


async def test_tab_goes_through_every_view_and_out_again(stage: Broker, open_page: Open) -> None:
    dashboard = await open_page(stage)
    await dashboard.ready()
    for view in VIEWS:
        await dashboard.view(view)
        await dashboard.page.evaluate("() => document.activeElement.blur()")
        await tab_to(dashboard, "main, main *")
        await tab_to(dashboard, "a.skip, body, nav a")


async def test_a_list_is_walked_with_arrows_and_opened_with_enter(served: Broker, open_page: Open) -> None:
    dashboard = await open_page(served, "agents")
    await dashboard.ready()
    async with await served.client() as client:
        for number in range(200):
            id = f"agent-{number:03}"
            await client.publish(f"agent.{id}.status", {"agentId": id, "status": "idle"}, ack=number == 199)
        await dashboard.until("all agents", "() => globalThis.probe.slices.agents?.total === 200")
    await tab_to(dashboard, "main [role=row][data-index]")
    first = await dashboard.page.evaluate("() => document.activeElement.dataset.index")
    assert first == "0"
    for key, index in (("ArrowDown", "1"), ("ArrowUp", "0"), ("End", "199"), ("Home", "0")):
        await press(dashboard, key)
        await dashboard.until(
            f"row {index} after {key}", "index => document.activeElement.dataset.index === index", index
        )
    await press(dashboard, "PageDown")
    await dashboard.until("a row further down", "() => Number(document.activeElement.dataset.index) > 3")
    await press(dashboard, "Enter")
    await dashboard.until("the agent of this row", "() => globalThis.probe.slices.agents?.detail")
    await press(dashboard, "Escape")
    await dashboard.until("no panel", "() => document.querySelector('main aside') === null")
    assert await dashboard.page.locator("main [role=row][data-index]").count() <= 60


async def test_a_token_is_typed_and_sent_by_the_keyboard(guarded: Broker, open_page: Open) -> None:
    dashboard = await open_page(guarded)
    await dashboard.page.get_by_label("Token").wait_for()
    await dashboard.page.keyboard.type("nonsense")  # the field has the focus
    await press(dashboard, "Enter")
    await dashboard.shows("The token was refused", within="main")
