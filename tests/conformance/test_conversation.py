"""What is said, and what is answered: the same over every transport."""

from __future__ import annotations

import asyncio
import json

import pytest

from swarmwire_protocol.cursor import Cursor

from .memory import growth
from .table import over
from .talk import HELLO, Ended, Talk
from .ways import WAYS, House, Place


@over("handshake")
async def test_handshake(house: House) -> None:
    talk = await house.talk()
    welcome = talk.welcome
    assert welcome["version"] == "1"
    assert len(bytes.fromhex(welcome["client_id"])) == 6
    assert welcome["server"]["name"] == house.place.name
    assert Cursor.parse(welcome["cursor"]).seq == 0
    assert welcome["limits"]["max_message_bytes"] == 100_000
    assert welcome["durability"] == "accepted"
    assert welcome["identity"]["subject"]
    assert welcome["identity"]["permissions"]["publish"] == ["#"]
    await talk.close()


@over("versions")
@pytest.mark.parametrize("offered", [["1"], ["0.9", "1", "2.0"], ["3", "1.0"]])
async def test_versions(house: House, offered: list[str]) -> None:
    talk = await house.talk(versions=offered)
    assert talk.welcome["version"] in ("1", "1.0")
    await talk.close()


@over("unknown_version")
async def test_unknown_version(house: House) -> None:
    async with house.undisturbed():
        talk = await Talk.opened(house.connection())
        talk.send(**{**HELLO, "versions": ["2", "3.1"]})
        error = await talk.expect("error")
        assert (error["code"], error["versions"]) == ("UNSUPPORTED_VERSION", ["1"])
        assert (await talk.expect("bye"))["code"] == 4406
        assert await talk.ended() == []
        talk.vanish()


@over("no_hello")
async def test_no_hello(house: House) -> None:
    async with house.undisturbed():
        talk = await Talk.opened(house.connection())
        talk.send(type="publish", topic="other", data="nobody said hello", id=1)
        assert (await talk.expect("error"))["code"] == "NOT_AUTHENTICATED"
        talk.vanish()


@over("second_hello")
async def test_second_hello(house: House) -> None:
    talk = await house.talk()
    talk.send(**HELLO)
    assert (await talk.expect("error"))["code"] == "CONFLICT"
    assert await talk.publish("a", 1) == 1
    await talk.close()


@over("subscribe_and_publish")
async def test_subscribe_and_publish(house: House) -> None:
    reader, writer = await house.talk(), await house.talk()
    result = await reader.subscribe("n.*")
    assert result["sub"] == "s"
    assert Cursor.parse(result["cursor"]).seq == 0

    assert [await writer.publish(f"n.{number % 3}", {"number": number}) for number in range(20)] == list(range(1, 21))
    await writer.publish("elsewhere", None)
    events = [await reader.expect("event") for _ in range(20)]
    assert [(each["seq"], each["topic"], each["data"]) for each in events] == [
        (number + 1, f"n.{number % 3}", {"number": number}) for number in range(20)
    ]
    if house.way != "http":  # there each request of who is anonymous has a name of its own
        assert {each["from"] for each in events} == {writer.welcome["identity"]["subject"]}
    for talk in (reader, writer):
        await talk.close()


@over("echo")
async def test_echo(house: House) -> None:
    talk, other = await house.talk(client={"name": "c", "instance": "i" * 32}), await house.talk()
    await talk.subscribe("a")
    await other.subscribe("a")
    await talk.publish("a", "for others", echo=False)
    await talk.publish("a", "for all")
    assert await talk.data(1) == ["for all"]
    assert await other.data(2) == ["for others", "for all"]
    for each in (talk, other):
        await each.close()


@over("refused_publish")
async def test_refused_publish(house: House) -> None:
    talk = await house.talk()
    error = await talk.ask("publish", topic="a..b", data=1)
    assert (error["type"], error["code"], error["field"]) == ("error", "INVALID_TOPIC", "topic")
    error = await talk.ask("subscribe", subscriptions=[{"pattern": "a..b", "sub": "s"}])
    assert (error["type"], error["code"]) == ("error", "INVALID_TOPIC")
    assert await talk.publish("a", 1) == 1
    await talk.close()


@over("resume")
async def test_resume(house: House) -> None:
    writer = await house.talk()
    cursor, found = writer.welcome["cursor"], list[int]()
    epoch = Cursor.parse(cursor).epoch
    for step in range(4):
        for number in range(step * 10, step * 10 + 10):
            await writer.publish("n", number)
        reader = await house.talk()
        await reader.subscribe("n", from_={"cursor": cursor})
        for _ in range(6 if step < 3 else 40 - len(found)):
            event = await reader.expect("event")
            found.append(event["data"])
            cursor = f"{epoch}:{event['seq']}"
        reader.vanish()
    assert found == list(range(40))
    await writer.close()


@over("latest")
async def test_latest(house: House) -> None:
    talk = await house.talk()
    for number in range(9):
        await talk.publish(f"n.{number % 3}", number)
    await talk.subscribe("n.*", from_="latest")
    assert await talk.data(3) == [6, 7, 8]
    await talk.publish("n.0", 9)
    assert await talk.data(1) == [9]
    await talk.close()


@over("gap")
async def test_gap(way: str) -> None:
    async with WAYS[way].serve(Place(), log_events=5) as house:
        talk = await house.talk()
        epoch = Cursor.parse(talk.welcome["cursor"]).epoch
        for number in range(1, 21):
            await talk.publish("n", number)
        await talk.subscribe("n", from_={"cursor": f"{epoch}:3"})
        gap = await talk.expect("gap")
        assert (gap["from"], gap["to"], gap["reason"]) == (f"{epoch}:3", f"{epoch}:15", "evicted")
        assert await talk.data(5) == [16, 17, 18, 19, 20]
        await talk.close()
        await house.is_clean()


@over("slow_reader")
async def test_slow_reader(way: str) -> None:
    count, text = 240, "x" * 60_000
    async with WAYS[way].serve(Place(), outbox_bytes=65_536) as house:
        slow, quick, writer = await house.talk(), await house.talk(), await house.talk()
        for each in (slow, quick):
            await each.subscribe("n")
        most = 0
        for number in range(count):
            await writer.publish("n", [number, text])
            assert await quick.data(1) == [[number, text]]
            most = max(most, *(outbox.queued_bytes for outbox in house.hub.delivery.outboxes))
        assert most < 4 * 65_536
        assert [data[0] for data in await slow.data(count)] == list(range(count))
        for each in (slow, quick, writer):
            await each.close()
        await house.is_clean()


@over("oversize")
async def test_oversize(house: House) -> None:
    async with house.undisturbed():
        talk = await house.talk()
        talk.send(type="publish", id="big", topic="a", data="x" * 100_000)
        if house.way == "http":  # a request is refused there, and nothing else
            assert (await talk.answer("big"))["code"] == "MESSAGE_TOO_LARGE"
            assert await talk.publish("a", "x" * 90_000) == 2
            await talk.close()
            return
        assert [each["code"] for each in await talk.ended()] == ["MESSAGE_TOO_LARGE", 1009]
        talk.vanish()

        exact = await house.talk()
        payload = json.dumps({"type": "publish", "id": "exact", "topic": "a", "data": ""}).encode()
        exact.connection.send(payload[:-2] + b"x" * (100_000 - len(payload)) + payload[-2:])
        assert (await exact.answer("exact"))["type"] == "ack"
        await exact.close()


@over("no_json")
async def test_no_json(house: House) -> None:
    talk = await house.talk()
    for text in ("no json", '{"type":"nonsense","id":1}', '{"type":"publish","id":2}', "[]", "{"):
        talk.connection.send(text.encode())
        assert (await talk.expect("error"))["code"] == "INVALID_MESSAGE"
    assert await talk.publish("a", 1) == 1
    await talk.close()


@over("drain")
async def test_drain(way: str) -> None:
    async with WAYS[way].serve(Place(), reconnect_window_ms=1000, drain_timeout_ms=2000) as house:
        talk = await house.talk()
        await talk.subscribe("a")
        await talk.publish("a", "the last")
        stopping = asyncio.ensure_future(house.stop())
        assert await talk.data(1) == ["the last"]
        bye = await talk.expect("bye")
        assert bye["code"] == 1012
        assert 0 <= bye["reconnect_after_ms"] <= 1000
        assert await talk.ended() == []
        await talk.close()
        await stopping
        assert not house.sockets


@over("apart")
async def test_apart(way: str) -> None:
    async with WAYS[way].serve(Place()) as one, WAYS[way].serve(Place()) as other:
        here, there = await one.talk(), await other.talk()
        assert here.welcome["server"]["id"] != there.welcome["server"]["id"]
        assert (here.welcome["server"]["name"], there.welcome["server"]["name"]) == (one.place.name, other.place.name)
        for talk, word in ((here, "here"), (there, "there")):
            await talk.subscribe("#")
            assert await talk.publish("a", word) == 1
        assert (await here.data(1), await there.data(1)) == (["here"], ["there"])
        for talk in (here, there):
            await talk.close()


@over("no_memory")
async def test_no_memory(way: str) -> None:
    async with WAYS[way].serve(Place(), close_timeout_ms=200) as house:

        async def visit(number: int) -> None:
            talk = await house.talk()
            await talk.subscribe("a.*", sub=f"s{number}")
            await talk.ask("publish", topic="a.b", data="x" * 1000, ephemeral=True)  # the log is meant to grow
            if number % 2:
                talk.vanish()
            else:
                await talk.close()

        async def visits(count: int) -> None:
            for number in range(count):
                await visit(number)
            await house.is_clean()

        assert await growth(visits) < 1024


async def test_a_talk_ends_with_the_close_code() -> None:
    async with WAYS["ws"].serve(Place()) as house:
        talk = await house.talk()
        talk.send(type="bye", code=1000, reason="done")
        with pytest.raises(Ended):
            await talk.message()
