"""Coming back with Last-Event-ID: nothing is missed, nothing comes twice."""

from __future__ import annotations

from pathlib import Path

import httpx

from .browser import client, follow, publish, serving


async def test_last_event_id_goes_on_where_the_stream_was_cut() -> None:
    async with serving() as server, client(server) as http:
        seen: list[int] = []
        last_id: str | None = None
        for number in range(40):
            await publish(http, f"t.{number % 4}", number)
        while len(seen) < 40:
            headers = {"Last-Event-ID": last_id} if last_id else None
            # An EventSource asks with the same URL each time: the id wins over `from`.
            async with follow(http, "t.#", "t.1", from_="start", headers=headers) as stream:
                seen += [event["data"] for event in await stream.events(min(7, 40 - len(seen)))]
                last_id = stream.last_id
        assert seen == list(range(40))


async def test_a_cut_before_the_first_event_misses_nothing_either() -> None:
    async with serving() as server, client(server) as http:
        await publish(http, "a", 1)
        async with follow(http, "a") as stream:
            last_id = (await stream.next()).id
        assert last_id is not None
        await publish(http, "a", 2)
        async with follow(http, "a", headers={"Last-Event-ID": last_id}) as stream:
            assert (await stream.event())["data"] == 2


async def test_a_heartbeats_position_is_a_place_to_come_back_to() -> None:
    async with serving() as server, client(server) as http:
        async with follow(http, "a") as stream:
            await stream.next()
            await publish(http, "b", 1)
            for session in server.broker.hub.sessions.values():
                session.beat()
            while (frame := await stream.next()).id is None:
                pass
        async with follow(http, "a", "b", headers={"Last-Event-ID": str(frame.id)}) as stream:
            await stream.named("live")
            await publish(http, "b", 2)
            assert (await stream.event())["data"] == 2


async def test_it_goes_on_after_a_restart_of_the_broker(tmp_path: Path) -> None:
    seen = []
    async with serving(data=str(tmp_path)) as server, client(server) as http, follow(http, "a.#") as stream:
        for number in range(10):
            await publish(http, "a.b", number)
        seen += [event["data"] for event in await stream.events(6)]
        last_id = str(stream.last_id)
    async with serving(data=str(tmp_path)) as server, client(server) as http:
        await publish(http, "a.c", 10)
        async with follow(http, "a.#", headers={"Last-Event-ID": last_id}) as stream:
            seen += [event["data"] for event in await stream.events(5)]
            await stream.named("live")
            await publish(http, "a.b", 11)
            seen.append((await stream.event())["data"])
    assert seen == list(range(12))


async def test_a_log_that_ended_with_the_broker_is_a_gap() -> None:
    async with serving() as server, client(server) as http, follow(http, "a") as stream:
        await publish(http, "a", 1)
        await stream.event()
        last_id = str(stream.last_id)
    async with serving() as server, client(server) as http:
        await publish(http, "a", 2)
        async with follow(http, "a", headers={"Last-Event-ID": last_id}) as stream:
            gap = await stream.named("gap")
            assert (gap.data["from"], gap.data["reason"]) == (last_id, "epoch")
            assert (await stream.event())["data"] == 2


async def test_what_is_no_cursor_is_an_error() -> None:
    async with serving() as server, client(server) as http:
        for given in ("7", "no cursor", "e:-1", "e:1:2", "é:1"):
            answer = await http.get("/v1/events?pattern=a", headers=httpx.Headers({"Last-Event-ID": given}, "utf-8"))
            assert (answer.status_code, answer.json()["error"]["field"]) == (400, "Last-Event-ID"), given


async def test_an_empty_last_event_id_is_none() -> None:
    async with serving() as server, client(server) as http:
        await publish(http, "a", 1)
        async with follow(http, "a", from_="start", headers={"Last-Event-ID": ""}) as stream:
            assert (await stream.event())["data"] == 1
