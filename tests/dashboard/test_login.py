"""Tokens: asked for where they are needed, refused with a reason, and what they allow is what is shown."""

from __future__ import annotations

import time

from .brokers import Broker, token
from .conftest import Open
from .pages import Dashboard

LOOKING = {"subscribe": ["#"], "observe": True}
EVERYTHING = {"publish": ["#"], "subscribe": ["#"], "call": ["#"], "admin": True}


async def log_in(dashboard: Dashboard, text: str) -> None:
    """Type a token, once it is asked for."""
    await dashboard.page.get_by_label("Token").fill(text)
    await dashboard.page.get_by_role("button", name="Connect").click()


async def test_without_a_token_one_is_asked_for(guarded: Broker, open_page: Open) -> None:
    dashboard = await open_page(guarded)
    await log_in(dashboard, token(EVERYTHING))
    status = await dashboard.ready()
    assert status["identity"]["subject"] == "operator"
    await dashboard.shows("operator", within="header")


async def test_a_wrong_token_is_refused_in_words_and_another_one_asked_for(guarded: Broker, open_page: Open) -> None:
    dashboard = await open_page(guarded)
    await log_in(dashboard, "nonsense")
    await dashboard.shows("The token was refused", within="main")
    await log_in(dashboard, token(LOOKING))
    await dashboard.ready()


async def test_a_token_that_may_only_look_sees_every_figure_and_no_form(guarded: Broker, open_page: Open) -> None:
    dashboard = await open_page(guarded)
    await log_in(dashboard, token(LOOKING))
    status = await dashboard.ready()
    assert status["may"] == {"publish": False, "call": False, "observe": True, "admin": False}
    await dashboard.view("overview")
    await dashboard.shows("Publish latency", within="main")
    await dashboard.view("clients")
    await dashboard.shows("operator", "websocket", within="main")
    await dashboard.view("send")
    await dashboard.shows("This token may only look", within="main")
    assert await dashboard.page.locator("main form").count() == 0


async def test_a_token_that_may_see_some_topics_sees_these_and_no_figures(guarded: Broker, open_page: Open) -> None:
    dashboard = await open_page(guarded)
    await log_in(dashboard, token({"subscribe": ["agent.*.status", "task.#"]}))
    await dashboard.ready()
    async with await guarded.client(token(EVERYTHING, "publisher")) as client:
        await client.publish("agent.ada.status", {"agentId": "ada", "status": "busy"})
        await client.publish("secret.plan", "unseen")
    await dashboard.view("agents")
    await dashboard.shows("ada", within="main")
    await dashboard.view("clients")
    await dashboard.shows("This token may not look at clients", within="main")
    await dashboard.view("topics")
    await dashboard.shows("agent", within="main")
    assert "secret" not in await dashboard.page.locator("main").inner_text()


async def test_a_token_that_may_see_no_topic_is_told_why_the_page_is_empty(guarded: Broker, open_page: Open) -> None:
    dashboard = await open_page(guarded)
    await log_in(dashboard, token({"observe": True}))
    await dashboard.status("status.phase === 'ready'")
    await dashboard.shows("may not subscribe to anything", within="main")
    await dashboard.view("overview")
    await dashboard.shows("Publish latency", within="main")


async def test_a_token_stays_over_a_reload_and_is_forgotten_at_the_logout(guarded: Broker, open_page: Open) -> None:
    dashboard = await open_page(guarded)
    await log_in(dashboard, token(LOOKING))
    await dashboard.ready()
    await dashboard.page.reload()
    await dashboard.ready()
    await dashboard.page.get_by_role("button", name="Log out").click()
    await dashboard.page.get_by_label("Token").wait_for()
    kept = await dashboard.page.evaluate(
        "() => [...Object.values(sessionStorage), ...Object.values(localStorage)].join()"
    )
    assert token(LOOKING)[:20] not in kept
    await dashboard.page.reload()
    await dashboard.page.get_by_label("Token").wait_for()


async def test_an_expired_token_leads_back_to_the_login(guarded: Broker, open_page: Open) -> None:
    dashboard = await open_page(guarded)
    await dashboard.page.get_by_label("Token").wait_for()  # the token is made when it can be used at once
    await log_in(dashboard, token(LOOKING, expires_at=time.time() + 6))
    await dashboard.ready()
    await dashboard.shows("The token has expired", within="main")
    await log_in(dashboard, token(LOOKING))
    await dashboard.ready()


async def test_no_token_is_ever_in_an_address(guarded: Broker, open_page: Open) -> None:
    dashboard = await open_page(guarded)
    urls: list[str] = []
    dashboard.page.on("request", lambda request: urls.append(request.url))
    dashboard.page.on("websocket", lambda socket: urls.append(socket.url))
    text = token(LOOKING)
    await log_in(dashboard, text)
    await dashboard.ready()
    assert not any(text in url for url in [*urls, dashboard.page.url])
