"""GET /v1/events: a stream from its first frame to its last."""

from __future__ import annotations

import asyncio
import math
import time
from typing import Any

import httpx
import pytest

from swarmwire_broker.core.settings import Limits
from swarmwire_protocol.messages import Permissions

from ..transports.wire import Wire, eventually
from .browser import LOGIN, client, follow, publish, serving, token


async def refused(http: httpx.AsyncClient, query: str, **headers: str) -> tuple[int, dict[str, Any]]:
    answer = await http.get(f"/v1/events?{query}", headers=headers)
    error: dict[str, Any] = answer.json()["error"]
    return answer.status_code, error


async def test_an_event_is_the_message_that_a_websocket_client_gets() -> None:
    async with serving() as server, client(server) as http, follow(http, "a.#") as stream:
        first = await stream.next()
        assert (first.id, first.retry) == ((await http.get("/v1/hello")).json()["cursor"], 2000)
        async with await Wire.welcomed(server.port) as wire:
            await wire.subscribe("a.#")
            await publish(http, "a.b", {"x": "\n"}, headers={"h": "v"})
            frame = await stream.next()
            assert frame.data == await wire.expect("event")
        assert frame.event is None, "EventSource hands it to onmessage"
        assert frame.id == first.id.replace(":0", ":1") if first.id else False


async def test_without_a_start_a_stream_begins_now() -> None:
    async with serving() as server, client(server) as http:
        await publish(http, "a", 1)
        async with follow(http, "a") as stream:
            assert (await stream.next()).id == stream.last_id
            await publish(http, "a", 2)
            assert (await stream.next()).data["data"] == 2


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"from_": "start"}, [0, 1, 2, 3]),
        ({"last": 2}, [2, 3]),
        ({"last": 0}, []),
        ({"since_ms": 0}, [0, 1, 2, 3]),
        ({"since_ms": 2**53 - 1}, []),
        ({"from_": "latest"}, [2, 3]),
    ],
)
async def test_what_is_stored_comes_first_and_then_it_says_live(params: dict[str, Any], expected: list[int]) -> None:
    async with serving() as server, client(server) as http:
        for number in range(4):
            await publish(http, f"t.{number % 2}", number)
            await publish(http, "other", number)
        async with follow(http, "t.*", **params) as stream:
            replayed = []
            while (frame := await stream.next()).event != "live":
                replayed += [frame.data["data"]] if frame.is_event else []
            assert replayed == expected
            assert frame.data == {"type": "live", "cursor": frame.id}
            await publish(http, "t.0", 9)
            assert (await stream.next()).data["data"] == 9


@pytest.mark.parametrize(("begin", "expected"), [("start", list(range(30))), ("latest", [27, 28, 29])])
async def test_events_that_several_patterns_match_come_once_in_order(begin: str, expected: list[int]) -> None:
    async with serving() as server, client(server) as http:
        await http.post("/v1/publish", json=[{"topic": f"t.{number % 3}.x", "data": number} for number in range(30)])
        async with follow(http, "t.#", "t.0.*", "#.x", "t.#", from_=begin) as stream:
            assert [event["data"] for event in await stream.events(len(expected))] == expected
            await stream.named("live")
            seq = await publish(http, "t.0.x", 99)
            event = (await stream.next()).data
            assert (event["data"], event["seq"], "sub" in event) == (99, seq, False)


async def test_a_snapshot_has_no_id_until_it_is_live_and_misses_nothing_after() -> None:
    async with serving(limits=Limits(page_scan=1)) as server, client(server) as http:
        await http.post("/v1/publish", json=[{"topic": f"t.{number}", "data": number} for number in range(200)])
        async with follow(http, "t.#", from_="latest") as stream:
            assert (await stream.next()).id is None
            await publish(http, "t.199", 1_199)
            frames = [await stream.next()]
            while frames[-1].event != "live":
                frames.append(await stream.next())
            places = [frame.data["seq"] for frame in frames[:-1] if frame.id is None]
            assert places == sorted(places)
            await publish(http, "t.4", 1_004)
            while not frames[-1].is_event or frames[-1].data["data"] != 1_004:
                frames.append(await stream.next())
        data = [frame.data["data"] for frame in frames if frame.is_event]
        assert set(data) | {199} == {*range(200), 1_004, 1_199}
        assert len(data) == len(set(data))


async def test_what_the_log_has_let_go_of_is_a_gap_with_an_id() -> None:
    async with serving(limits=Limits(log_events=3)) as server, client(server) as http:
        for number in range(10):
            await publish(http, "a", number)
        epoch = (await http.get("/v1/hello")).json()["cursor"].partition(":")[0]
        async with follow(http, "a", from_=f"{epoch}:2") as stream:
            gap = await stream.named("gap")
            assert gap.data == {"type": "gap", "from": f"{epoch}:2", "to": f"{epoch}:7", "reason": "evicted"}
            assert gap.id == f"{epoch}:7"
            assert [event["data"] for event in await stream.events(3)] == [7, 8, 9]


async def test_a_place_in_another_log_is_a_gap_and_the_stream_begins_with_the_oldest_event() -> None:
    async with serving() as server, client(server) as http:
        await publish(http, "a", 1)
        for mode in ("all", "drop_oldest"):
            async with follow(http, "a", from_="elsewhere:7", mode=mode) as stream:
                assert (await stream.next()).id is None, "whoever is cut here comes back with the old place"
                gap = await stream.next()
                assert (gap.event, gap.data["from"], gap.data["reason"]) == ("gap", "elsewhere:7", "epoch")
                assert (await stream.event())["data"] == 1


async def test_a_conflating_stream_sends_the_last_event_of_each_topic() -> None:
    async with serving() as server, client(server) as http, follow(http, "a.*", conflate_ms=100) as stream:
        await stream.next()
        items = [{"topic": f"a.{number % 2}", "data": number} for number in range(10)]
        await http.post("/v1/publish", json=items)
        events = await stream.events(2)
        assert [(event["data"], event["skipped"], event["sub"]) for event in events] == [(8, 4, "a.*"), (9, 4, "a.*")]
        position = await stream.next()
        assert position.data is None
        assert position.id == stream.last_id


async def test_a_dropping_stream_has_its_own_queue() -> None:
    async with serving() as server, client(server) as http:
        await publish(http, "a", 1)
        async with follow(http, "a", from_="start", mode="drop_oldest", queue_size=5) as stream:
            assert (await stream.event())["sub"] == "a"


WRONG = [
    ("", "INVALID_MESSAGE", "pattern"),
    ("pattern=", "INVALID_TOPIC", "pattern[0]"),
    ("pattern=a&pattern=b..c", "INVALID_TOPIC", "pattern[1]"),
    ("pattern=a&from=yesterday", "INVALID_MESSAGE", "from"),
    ("pattern=a&from=now&from=now", "INVALID_MESSAGE", "from"),
    ("pattern=a&from=now&last=3", "INVALID_MESSAGE", "from"),
    ("pattern=a&last=x", "INVALID_MESSAGE", "last"),
    ("pattern=a&last=-1", "INVALID_MESSAGE", "last"),
    ("pattern=a&since_ms=9007199254740992", "INVALID_MESSAGE", "since_ms"),
    ("pattern=a&mode=fast", "INVALID_MESSAGE", "mode"),
    ("pattern=a&mode=conflate", "INVALID_MESSAGE", "conflate_ms"),
    ("pattern=a&mode=all&conflate_ms=5", "INVALID_MESSAGE", "conflate_ms"),
    ("pattern=a&queue_size=5", "INVALID_MESSAGE", "queue_size"),
    ("pattern=a&mode=drop_oldest&queue_size=100001", "INVALID_MESSAGE", "queue_size"),
    ("pattern=a&pattern=b&mode=drop_oldest", "INVALID_MESSAGE", "pattern"),
]


async def test_what_makes_no_stream_is_an_error_before_it_begins() -> None:
    async with serving() as server, client(server) as http:
        for query, code, field in WRONG:
            status, error = await refused(http, query)
            assert (status, error["code"], error.get("field")) == (400, code, field), query
            assert not server.broker.hub.sessions


async def test_one_pattern_over_the_limit_refuses_the_request() -> None:
    async with serving(limits=Limits(max_subscriptions=2)) as server, client(server) as http:
        status, error = await refused(http, "pattern=a&pattern=b&pattern=c")
        assert (status, error["code"], error["field"]) == (503, "LIMIT_EXCEEDED", "pattern[2]")


async def test_a_pattern_that_is_not_allowed_refuses_the_request() -> None:
    mine = token(permissions={"subscribe": ["a.#"]})
    async with serving(auth=LOGIN) as server, client(server, headers=mine) as http:
        status, error = await refused(http, "pattern=a.b&pattern=%23")
        assert (status, error["code"], error["field"]) == (403, "PERMISSION_DENIED", "pattern[1]")
        async with follow(http, "a.b", "a.#") as stream:
            await stream.next()


# ---- the end


async def test_a_client_that_goes_away_is_lost_at_once() -> None:
    async with serving() as server, client(server) as http:
        async with follow(http, "a.#") as stream:
            await stream.next()
            assert len(server.broker.hub.sessions) == 1
        await eventually(lambda: not server.broker.hub.sessions)
        assert server.broker.hub.delivery.router.patterns == 0


async def test_a_token_that_expires_ends_the_stream_with_the_reason() -> None:
    expires = math.ceil(time.time() + 0.5)
    async with serving(auth=LOGIN) as server:
        async with client(server, headers=token(exp=expires)) as http, follow(http, "a") as stream:
            frames = await stream.rest()
            assert (frames[-1].event, frames[-1].data["code"]) == ("bye", 4401)
            assert frames[-1].data["error"]["code"] == "TOKEN_EXPIRED"
        async with client(server, headers=token(exp=expires)) as http:
            answer = await http.get("/v1/events?pattern=a")
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "TOKEN_EXPIRED")


async def test_a_revoked_subject_loses_its_streams() -> None:
    async with serving(auth=LOGIN) as server, client(server, headers=token()) as http, follow(http, "a") as stream:
        await stream.next()
        server.broker.revoke(subject="alice")
        assert (await stream.rest())[-1].data["error"]["code"] == "AUTHENTICATION_FAILED"


async def test_a_permission_that_is_taken_ends_its_pattern_and_the_last_one_ends_the_stream() -> None:
    async with serving(auth=LOGIN) as server, client(server, headers=token()) as http, follow(http, "a", "b") as stream:
        await stream.next()
        server.broker.hub.permit("alice", Permissions(subscribe=["a"], publish=["#"]))
        gap = await stream.named("gap")
        assert (gap.data["reason"], gap.data["sub"], gap.id) == ("denied", "b", None)
        await publish(http, "a", 1)
        assert (await stream.event())["data"] == 1
        server.broker.hub.permit("alice", Permissions())
        frames = await stream.rest()
        assert [frame.event for frame in frames] == ["gap", "bye"]
        assert frames[-1].data["error"]["code"] == "PERMISSION_DENIED"


async def test_a_broker_that_stops_says_goodbye_and_when_to_come_back() -> None:
    async with serving() as server, client(server) as http:
        async with follow(http, "a") as stream:
            await stream.next()
            stopping = asyncio.create_task(server.stop())
            frames = await stream.rest()
            await stopping
        bye = frames[-1]
        assert (bye.event, bye.data["code"]) == ("bye", 1012)
        assert bye.retry == bye.data["reconnect_after_ms"]


async def test_a_quiet_stream_has_a_heartbeat() -> None:
    async with serving(limits=Limits(heartbeat_ms=100)) as server, client(server) as http:
        async with follow(http, "a") as stream:
            first = await stream.next()
            assert (await stream.next()).comment is not None
            await publish(http, "other", 1)
            while (frame := await stream.next()).comment is not None:
                pass
            assert (frame.data, frame.id) == (None, str(first.id).replace(":0", ":1")), "a bare position"
            for _ in range(8):
                await stream.next()
        assert server.broker.stats.errors.get("HEARTBEAT_TIMEOUT", 0) == 0
