"""GET /v1/history: pages of what the log holds."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmwire_broker.core.settings import Limits, RateLimit, Rates

from .browser import LOGIN, client, publish, serving, token


async def page(http: httpx.AsyncClient, *patterns: str, **params: Any) -> dict[str, Any]:
    query: list[tuple[str, Any]] = [("pattern", pattern) for pattern in patterns]
    query += [(name.rstrip("_"), value) for name, value in params.items()]
    answer = await http.get("/v1/history", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def pages(http: httpx.AsyncClient, *patterns: str, **params: Any) -> list[dict[str, Any]]:
    """All pages from a place on."""
    found = [await page(http, *patterns, **params)]
    while found[-1]["more"]:
        found.append(await page(http, *patterns, **{**params, "from_": found[-1]["cursor"]}))
        assert len(found) < 1_000
    return found


def data(found: list[dict[str, Any]]) -> list[Any]:
    return [event["data"] for one in found for event in one["events"]]


async def fill(http: httpx.AsyncClient, count: int, topics: int = 3) -> str:
    """Publish numbers; the epoch."""
    await http.post("/v1/publish", json=[{"topic": f"t.{n % topics}", "data": n} for n in range(count)])
    cursor: str = (await http.get("/v1/hello")).json()["cursor"]
    return cursor.partition(":")[0]


async def test_pages_follow_each_other_up_to_the_head() -> None:
    async with serving() as server, client(server) as http:
        epoch = await fill(http, 25)
        found = await pages(http, "t.#", limit=10)
        assert [len(one["events"]) for one in found] == [10, 10, 5]
        assert data(found) == list(range(25))
        assert found[-1] == {"events": found[-1]["events"], "cursor": f"{epoch}:25", "more": False}


PLACES: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [0, 1, 2, 3, 4, 5]),
    ({"from_": "start"}, [0, 1, 2, 3, 4, 5]),
    ({"last": 2}, [4, 5]),
    ({"since_ms": 2**53 - 1}, []),
    ({"from_": "{epoch}:4"}, [4, 5]),
    ({"from_": "{epoch}:2", "until": "{epoch}:4"}, [2, 3]),
    ({"until": "{epoch}:0"}, []),
    ({"until": "{epoch}:99"}, [0, 1, 2, 3, 4, 5]),
]


async def test_a_page_begins_and_ends_where_it_is_told_to() -> None:
    async with serving() as server, client(server) as http:
        epoch = await fill(http, 6)
        for params, expected in PLACES:
            given = {name: str(value).format(epoch=epoch) for name, value in params.items()}
            found = await page(http, "t.*", **given)
            assert data([found]) == expected, params
            assert not found["more"]


async def test_several_patterns_are_one_page_in_the_order_of_the_log() -> None:
    async with serving() as server, client(server) as http:
        await fill(http, 9)
        assert data([await page(http, "t.0", "t.2", "*.0")]) == [0, 2, 3, 5, 6, 8]


async def test_history_and_then_the_stream_miss_nothing() -> None:
    async with serving() as server, client(server) as http:
        await fill(http, 5)
        found = await pages(http, "t.#", limit=2)
        await publish(http, "t.0", 5)
        answer = await page(http, "t.#", from_=found[-1]["cursor"])
        assert data([*found, answer]) == [0, 1, 2, 3, 4, 5]


async def test_what_the_log_has_let_go_of_is_named() -> None:
    async with serving(limits=Limits(log_events=4)) as server, client(server) as http:
        epoch = await fill(http, 10)
        found = await page(http, "t.#", from_=f"{epoch}:1")
        assert found["gaps"] == [{"type": "gap", "from": f"{epoch}:1", "to": f"{epoch}:6", "reason": "evicted"}]
        assert data([found]) == [6, 7, 8, 9]
        other = await page(http, "t.#", from_="elsewhere:3")
        assert other["gaps"][0]["reason"] == "epoch"
        assert data([other]) == [6, 7, 8, 9]


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    topics=st.lists(st.integers(0, 3), min_size=1, max_size=60),
    limit=st.integers(1, 20),
    scan=st.integers(1, 7),
    until=st.integers(0, 60),
)
def test_pages_are_what_the_log_holds_whatever_their_bounds(
    topics: list[int], limit: int, scan: int, until: int
) -> None:
    async def check() -> None:
        async with serving(limits=Limits(page_scan=scan)) as server, client(server) as http:
            items = [{"topic": f"t.{topic}", "data": place + 1} for place, topic in enumerate(topics)]
            await http.post("/v1/publish", json=items)
            epoch = server.broker.hub.engine.epoch
            found = await pages(http, "t.0", "t.1", limit=limit, until=f"{epoch}:{until}")
            assert data(found) == [place + 1 for place, topic in enumerate(topics) if topic < 2 and place + 1 <= until]
            assert all(len(one["events"]) <= limit for one in found)

    asyncio.run(check())


async def test_a_page_is_bounded_in_bytes() -> None:
    async with serving(limits=Limits(outbox_bytes=40_000)) as server, client(server) as http:
        for number in range(10):
            await publish(http, "a", [number, "x" * 9_000])
        found = await pages(http, "a")
        assert [number for number, _ in data(found)] == list(range(10))
        assert len(found) > 3


async def test_a_page_is_bounded_in_what_it_looks_at() -> None:
    async with serving(limits=Limits(page_scan=2)) as server, client(server) as http:
        await fill(http, 300, topics=100)
        patterns = [f"*.{number}" for number in range(70, 90)]
        found = await pages(http, *patterns)
        assert len(found) > 1
        assert any(not one["events"] for one in found)
        assert len(data(found)) == 60


async def test_it_reads_back_to_what_only_the_disk_holds(tmp_path: Path) -> None:
    limits = Limits(window_events=5)
    async with serving(data=str(tmp_path), limits=limits) as server, client(server) as http:
        await fill(http, 60)
        assert data(await pages(http, "t.#", limit=7)) == list(range(60))
        assert data([await page(http, "t.1", last=3)]) == [52, 55, 58]


WRONG = [
    ("", 400, "INVALID_MESSAGE", "pattern"),
    ("pattern=a..b", 400, "INVALID_TOPIC", "pattern[0]"),
    ("pattern=a&limit=0", 400, "INVALID_MESSAGE", "limit"),
    ("pattern=a&limit=1001", 400, "INVALID_MESSAGE", "limit"),
    ("pattern=a&limit=x", 400, "INVALID_MESSAGE", "limit"),
    ("pattern=a&from=now", 400, "INVALID_MESSAGE", "from"),
    ("pattern=a&from=latest", 400, "INVALID_MESSAGE", "from"),
    ("pattern=a&until=start", 400, "INVALID_MESSAGE", "until"),
    ("pattern=a&until=other:3", 409, "CONFLICT", "until"),
    ("pattern=a&last=1&since_ms=2", 400, "INVALID_MESSAGE", "from"),
]


async def test_what_makes_no_page_is_an_error() -> None:
    async with serving() as server, client(server) as http:
        for query, status, code, field in WRONG:
            answer = await http.get(f"/v1/history?{query}")
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error["field"]) == (status, code, field), query


async def test_it_needs_the_permission_to_subscribe() -> None:
    mine = token(permissions={"subscribe": ["a.#"]})
    async with serving(auth=LOGIN) as server, client(server, headers=mine) as http:
        assert (await http.get("/v1/history?pattern=a.b")).status_code == 200
        answer = await http.get("/v1/history?pattern=a.b&pattern=b")
        assert (answer.status_code, answer.json()["error"]["field"]) == (403, "pattern[1]")


async def test_a_page_counts_for_the_rates() -> None:
    rates = Rates(client_messages=RateLimit(rate=0.001, burst=2))
    async with serving(rates=rates) as server, client(server) as http:
        answers = [await http.get("/v1/history?pattern=a") for _ in range(3)]
        assert [answer.status_code for answer in answers] == [200, 200, 429]


async def test_a_log_that_cannot_be_read_in_time_is_unavailable() -> None:
    async with serving(limits=Limits(request_timeout_ms=50)) as server, client(server) as http:
        server.broker.hub.delivery.catchup.add = lambda reader: None  # type: ignore[method-assign]
        answer = await http.get("/v1/history?pattern=a")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE")
        assert not server.broker.hub.sessions
