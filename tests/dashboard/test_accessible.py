"""Every view for everybody: axe finds nothing wrong, in both themes and on a phone, which never scrolls sideways."""

from __future__ import annotations

from typing import Any

import pytest

from .brokers import Broker
from .conftest import Open
from .pages import VIEWS, Dashboard

LOOKS: dict[str, dict[str, Any]] = {
    "dark": {"theme": "dark"},
    "light": {"theme": "light"},
    "a phone": {"theme": "dark", "width": 390, "height": 844, "touch": True},
}

NARROWEST = 360


async def populated(stage: Broker, open_page: Open, **look: Any) -> Dashboard:
    """A dashboard with something in every view."""
    dashboard = await open_page(stage, **look)
    await dashboard.ready()
    await dashboard.status("status.counts.tasks >= 3 && status.counts.swarms === 1 && status.counts.agents >= 3")
    return dashboard


async def opened(dashboard: Dashboard, view: str) -> None:
    """Show a view, and in it the panel of its first row, where it has rows."""
    await dashboard.view(view)
    await dashboard.until("something to see", "() => document.querySelector('main').innerText.length > 60")
    if view in ("clients", "agents", "tasks"):
        await dashboard.page.locator("main [role=row][data-index]").first.click()
        await dashboard.page.locator("main aside").first.wait_for()


@pytest.mark.parametrize("look", LOOKS)
async def test_axe_finds_nothing_in_any_view(stage: Broker, open_page: Open, look: str) -> None:
    dashboard = await populated(stage, open_page, **LOOKS[look])
    found: dict[str, list[str]] = {}
    for view in VIEWS:
        await opened(dashboard, view)
        if violations := await dashboard.axe():
            found[view] = violations
    assert not found, "\n".join(f"{view}: {line}" for view, lines in found.items() for line in lines)


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_axe_finds_nothing_in_the_login(guarded: Broker, open_page: Open, theme: str) -> None:
    dashboard = await open_page(guarded, theme=theme)
    await dashboard.page.get_by_label("Token").fill("nonsense")
    await dashboard.page.get_by_label("Token").press("Enter")
    await dashboard.shows("The token was refused", within="main")
    assert await dashboard.axe() == []


async def test_nothing_scrolls_sideways_on_a_narrow_phone(stage: Broker, open_page: Open) -> None:
    dashboard = await populated(stage, open_page, width=NARROWEST, height=740, touch=True)
    for view in VIEWS:
        await opened(dashboard, view)
        widths = await dashboard.page.evaluate(
            "() => [document.documentElement.scrollWidth, document.querySelector('main').scrollWidth]"
        )
        assert max(widths) <= NARROWEST, f"{view} is {max(widths)} pixels wide"


async def test_the_theme_can_be_turned_and_stays(stage: Broker, open_page: Open) -> None:
    dashboard = await open_page(stage, theme="light")
    await dashboard.ready()
    background = "() => getComputedStyle(document.body).backgroundColor"
    light = await dashboard.page.evaluate(background)
    button = dashboard.page.get_by_role("button", name="Colours:")
    for _ in range(3):
        await button.click()
        if "dark" in (await button.get_attribute("aria-label") or ""):
            break
    dark = await dashboard.until(
        "another colour", f"light => {{ const is = ({background})(); return is !== light && is; }}", light
    )
    await dashboard.page.reload()
    await dashboard.ready()
    assert await dashboard.page.evaluate(background) == dark
