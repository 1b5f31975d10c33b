"""The forms: what is sent is what was typed, and what is wrong is said before anything is sent."""

from __future__ import annotations

import asyncio
from typing import Any

from .brokers import Broker
from .conftest import Open
from .pages import PATIENCE, Dashboard


async def fill(dashboard: Dashboard, **fields: str) -> None:
    """Fill in fields by their labels."""
    for label, text in fields.items():
        await dashboard.page.get_by_label(label, exact=False).first.fill(text)


async def test_an_event_is_published_as_it_was_typed(stage: Broker, open_page: Open) -> None:
    dashboard = await open_page(stage, "send")
    await dashboard.ready()
    async with await stage.client() as client:
        events = await client.subscribe("room.#")
        await fill(
            dashboard, Topic="room.light", Data='{"on": true, "level": 12345678901234567890}', Headers="trace: abc"
        )
        await dashboard.page.get_by_role("button", name="Publish", exact=True).click()
        await dashboard.shows("Published as event ", within="main")
        async with asyncio.timeout(PATIENCE):
            event = await anext(events)
        assert (event.topic, event.headers) == ("room.light", {"trace": "abc"})
        assert event.data["on"] is True


async def test_the_same_key_again_is_acknowledged_as_published_before(stage: Broker, open_page: Open) -> None:
    dashboard = await open_page(stage, "send")
    await dashboard.ready()
    for answer in ("Published as event ", "Published before, as event "):
        await fill(dashboard, Topic="room.light", Key="k1")
        await dashboard.page.get_by_role("button", name="Publish", exact=True).click()
        await dashboard.shows(answer, within="main")


async def test_what_cannot_be_published_is_said_and_not_sent(stage: Broker, open_page: Open) -> None:
    dashboard = await open_page(stage, "send")
    await dashboard.ready()
    await fill(dashboard, Topic="room..light")
    await dashboard.shows("segment", within="main")
    await fill(dashboard, Topic="room.unheard", Data="{broken")
    await dashboard.page.get_by_role("button", name="Publish", exact=True).click()
    await dashboard.until("the field at fault", "() => document.activeElement.id === 'publish-data'")
    async with await stage.client() as client:
        assert (await client.call("history.read", {"pattern": "room.unheard"}))["events"] == []


async def test_a_refusal_of_the_broker_is_shown_with_its_code(stage: Broker, open_page: Open) -> None:
    dashboard = await open_page(stage, "send")
    await dashboard.ready()
    await fill(dashboard, Topic="$sys.mine")
    await dashboard.page.get_by_role("button", name="Publish", exact=True).click()
    await dashboard.shows("PERMISSION_DENIED", within="main")


async def test_a_method_is_called_and_its_answer_shown(stage: Broker, open_page: Open) -> None:
    dashboard = await open_page(stage, "send")
    await dashboard.ready()
    async with await stage.client() as client:

        @client.handler("shop.price")
        async def price(params: dict[str, Any]) -> dict[str, Any]:
            return {"item": params["item"], "price": 30}

        await price
        await fill(dashboard, Method="shop.price", Parameters='{"item": "tea"}')
        await dashboard.page.get_by_role("button", name="Call", exact=True).click()
        await dashboard.shows("Answered in", "price", "30", within="main")


async def test_an_error_of_a_call_is_shown(stage: Broker, open_page: Open) -> None:
    dashboard = await open_page(stage, "send")
    await dashboard.ready()
    await fill(dashboard, Method="nobody.answers")
    await dashboard.page.get_by_role("button", name="Call", exact=True).click()
    await dashboard.shows("METHOD_NOT_FOUND", within="main")
