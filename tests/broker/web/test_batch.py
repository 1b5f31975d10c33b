"""POST /v1/publish: many events at once."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from swarmwire_broker.core.settings import Limits, RateLimit, Rates
from swarmwire_broker.server import Server
from swarmwire_broker.web.publishing import MAX_ARRAY

from .browser import JSON, NDJSON, client, serving


def event(topic: str = "a", data: Any = None) -> dict[str, Any]:
    return {"topic": topic, "data": data}


async def stored(http: httpx.AsyncClient) -> list[Any]:
    page = (await http.get("/v1/history", params={"pattern": "#", "limit": 1000})).json()
    return [event["data"] for event in page["events"]]


@pytest.mark.parametrize("form", ["array", "ndjson"])
async def test_each_item_has_its_result_in_order(form: str) -> None:
    items = [event(f"t.{number}", number) for number in range(250)]
    async with serving() as server, client(server) as http:
        if form == "array":
            answer = await http.post("/v1/publish", json=items)
        else:
            lines = "\n\n".join(map(json.dumps, items)) + "\r\n"
            answer = await http.post("/v1/publish", content=lines, headers=NDJSON)
        assert answer.json() == {"results": [{"seq": number + 1} for number in range(250)]}
        assert await stored(http) == list(range(250))


async def test_more_items_than_answers_may_wait_are_a_batch_too() -> None:
    limits = Limits(control_messages=10, control_bytes=500)
    async with serving(limits=limits) as server, client(server) as http:
        results = (await http.post("/v1/publish", json=[event()] * 3_000)).json()["results"]
        assert [result["seq"] for result in results] == list(range(1, 3_001))


async def test_a_bad_item_is_no_harm_to_the_others() -> None:
    items = [event("a", 1), 3, event("a..b"), {"topic": "a"}, event("$sys.x"), event("a", 2), None, [event("a")]]
    async with serving() as server, client(server) as http:
        results = (await http.post("/v1/publish", json=items)).json()["results"]
        codes = [result.get("error", {}).get("code") for result in results]
        wrong = "INVALID_MESSAGE"
        assert codes == [None, wrong, "INVALID_TOPIC", wrong, "PERMISSION_DENIED", None, wrong, wrong]
        assert await stored(http) == [1, 2]


async def test_bad_items_beyond_the_limit_of_malformed_messages_do_no_harm_either() -> None:
    bad = {"topic": "a", "data": 1, "key": ""}
    async with serving(limits=Limits(max_malformed=3)) as server, client(server) as http:
        instance = {"X-Swarmwire-Instance": "x"}
        answer = await http.post("/v1/publish", json=[bad, {}] * 20 + [event("a", 9)], headers=instance)
        results = answer.json()["results"]
        assert {result["error"]["code"] for result in results[:-1]} == {"INVALID_MESSAGE"}
        assert results[-1] == {"seq": 1}


async def test_a_line_that_is_no_json_is_a_bad_item() -> None:
    body = b'{"topic":"a","data":1}\n{nonsense\n\n{"topic":"a","data":2}'
    async with serving() as server, client(server) as http:
        results = (await http.post("/v1/publish", content=body, headers=NDJSON)).json()["results"]
        assert [result.get("seq") for result in results] == [1, None, 2]


NO_BATCH = [
    (b'[{"topic":"a","data":1},', JSON),
    (b'[{"topic":"a","data":1}] x', JSON),
    (b'[{"topic":"a","data":"\xff"}]', JSON),
    (b'{"topic":"a","data":1}\n{"topic":"\xff","data":1}', NDJSON),
]


async def test_what_is_no_json_at_all_publishes_nothing() -> None:
    async with serving() as server, client(server) as http:
        for body, kind in NO_BATCH:
            answer = await http.post("/v1/publish", content=body, headers=kind)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_MESSAGE"), body
        assert await stored(http) == []


EMPTY = [(b"[]", JSON), (b" [ ]", JSON), (b"", NDJSON), (b"\n \n", NDJSON)]


async def test_an_empty_batch_has_no_results() -> None:
    async with serving() as server, client(server) as http:
        for body, kind in EMPTY:
            answer = await http.post("/v1/publish", content=body, headers=kind)
            assert (answer.status_code, answer.json()) == (200, {"results": []}), body


async def test_more_items_than_the_limit_publish_nothing() -> None:
    async with serving(limits=Limits(max_batch=3)) as server, client(server) as http:
        assert (await http.post("/v1/publish", json=[event()] * 3)).status_code == 200
        line = json.dumps(event())
        for lines in ("\n".join([line] * 3), f"{line}\n" * 3):
            assert (await http.post("/v1/publish", content=lines, headers=NDJSON)).status_code == 200
        for answer in (
            await http.post("/v1/publish", json=[event()] * 4),
            await http.post("/v1/publish", content="\n".join([line] * 4), headers=NDJSON),
            await http.post("/v1/publish", content=f"{line}\n" * 4, headers=NDJSON),
        ):
            assert (answer.status_code, answer.json()["error"]["code"]) == (413, "MESSAGE_TOO_LARGE")
        assert len(await stored(http)) == 9


async def test_an_array_has_a_size_beyond_which_a_batch_is_lines() -> None:
    text = json.dumps(event("a", "x" * MAX_ARRAY))
    async with serving() as server, client(server) as http:
        refused = await http.post("/v1/publish", content=f"[{text}]", headers=JSON)
        assert refused.status_code == 413
        assert "NDJSON" in refused.json()["error"]["message"]
        taken = await http.post("/v1/publish", content=text, headers=NDJSON)
        assert taken.json() == {"results": [{"seq": 1}]}


async def test_a_batch_has_no_key_of_its_own() -> None:
    async with serving() as server, client(server) as http:
        headers = {"Idempotency-Key": "k", "X-Swarmwire-Instance": "x"}
        answer = await http.post("/v1/publish", json=[event()], headers=headers)
        assert (answer.status_code, answer.json()["error"]["field"]) == (400, "Idempotency-Key")


async def test_each_item_has_its_own_key() -> None:
    items = [{**event(), "key": "k"}, {**event(), "key": "k"}, {**event(), "key": "l"}]
    async with serving() as server, client(server) as http:
        answer = await http.post("/v1/publish", json=items, headers={"X-Swarmwire-Instance": "x"})
        assert answer.json()["results"] == [{"seq": 1}, {"seq": 1, "duplicate": True}, {"seq": 2}]


async def test_each_item_counts_for_the_rates() -> None:
    rates = Rates(client_messages=RateLimit(rate=0, burst=3))
    async with serving(rates=rates) as server, client(server) as http:
        results = (await http.post("/v1/publish", json=[event()] * 5)).json()["results"]
        codes = [result.get("error", {}).get("code") for result in results]
        assert codes == [None, None, None, "RATE_LIMIT_EXCEEDED", "RATE_LIMIT_EXCEEDED"]


async def test_where_the_session_ends_amid_a_batch_every_item_says_what_became_of_it() -> None:
    async with serving() as server, client(server) as http:
        _stop_at(server, 3)
        results = (await http.post("/v1/publish", json=[event()] * 6)).json()["results"]
        assert [result.get("seq") for result in results[:2]] == [1, 2]
        codes = [result["error"]["code"] for result in results[2:]]
        assert codes == ["OUTCOME_UNKNOWN", "CANCELLED", "CANCELLED", "CANCELLED"]


def _stop_at(server: Server, count: int) -> None:
    """Have an operator close the connection while its publish of this number is being decided."""
    left = [count]

    async def stop(offered: Any) -> None:
        left[0] -= 1
        if not left[0]:
            (session,) = server.broker.hub.sessions
            server.broker.hub.disconnect(session)

    server.broker.route("a", stop)
