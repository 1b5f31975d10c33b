"""What no client of good will says: one clear error, a close, nothing kept, and nobody else disturbed."""

from __future__ import annotations

import asyncio
import random
import time

from .memory import growth
from .raw import Raw
from .table import over
from .talk import HELLO
from .ways import WAYS, House, Place

LIMIT = 100_000
SOON = 300
"""Milliseconds within which silence is ended, in tests of it."""


@over("wrong_beginning")
async def test_wrong_beginning(house: House) -> None:
    async with house.undisturbed(), await Raw.dial(house) as raw:
        await raw.send(b"GREETINGS to whom it may concern\r\n\r\n")
        messages = await raw.ended()
        if house.way in ("ws", "asgi", "http"):
            assert raw.came.startswith(b"HTTP/1.1 400 ")
        else:
            assert [(each["type"], each["code"]) for each in messages] == [("error", "INVALID_MESSAGE")]
            assert raw.came.count(b"\n") == 1


@over("length_over_the_limit")
async def test_length_over_the_limit(house: House) -> None:
    async with house.undisturbed():
        async with await Raw.welcomed(house) as raw:
            await raw.send(raw.form.announcement(LIMIT + 1))
            if house.way == "http":
                assert (await raw.until("error"))[0]["code"] == "MESSAGE_TOO_LARGE"
                return
            assert [each["code"] for each in (await raw.ended())[1:]] == ["MESSAGE_TOO_LARGE", 1009]
        async with await Raw.begun(house) as raw:  # before the welcome less is taken
            await raw.send(raw.form.announcement(64 * 1024 + 1))
            assert "MESSAGE_TOO_LARGE" in [each["code"] for each in await raw.ended()]


@over("half_a_beginning")
async def test_half_a_beginning(way: str) -> None:
    async with WAYS[way].serve(Place(), auth_timeout_ms=SOON, close_timeout_ms=500) as house:
        async with house.undisturbed():
            for share in (0.0, 0.3, 0.7):
                async with await Raw.dial(house) as raw:
                    begun = time.monotonic()
                    greeting = raw.form.before + raw.message(**HELLO)
                    await raw.send(greeting[: int(len(greeting) * share)])
                    messages = await raw.ended()
                    assert SOON / 1000 - 0.1 < time.monotonic() - begun < 5
                    assert {each["type"] for each in messages} <= {"error", "bye"}
                    assert len([each for each in messages if each["type"] == "error"]) <= 1
        await house.is_clean()


@over("half_a_message")
async def test_half_a_message(way: str) -> None:
    limits = {"heartbeat_ms": SOON, "request_timeout_ms": SOON, "close_timeout_ms": 500}
    async with WAYS[way].serve(Place(), **limits) as house:
        async with house.undisturbed(), await Raw.welcomed(house) as raw:
            whole = raw.message(type="publish", id=1, topic="other", data="x" * 1000)
            await raw.send(whole[:500])
            if house.way == "http":
                assert (await raw.until("error"))[0]["code"] == "TIMEOUT"
            else:
                assert (await raw.until("bye"))[0]["code"] == 4409
            if house.way not in ("asgi", "http"):  # there the server closes, in its own time
                await raw.ended()
        await house.is_clean()


@over("glued")
async def test_glued(house: House) -> None:
    async with house.undisturbed(), await Raw.begun(house) as raw:
        publishes = [raw.message(type="publish", id=number, topic="a", data=number) for number in (1, 2)]
        await raw.send(raw.message(**HELLO) + b"".join(publishes))
        acks = await raw.until("ack", 2)
        assert [each["seq"] for each in acks] == [2, 3]


@over("thousand_pieces")
async def test_thousand_pieces(house: House) -> None:
    async with house.undisturbed():
        other = await house.talk()
        await other.subscribe("pieces")
        text = "".join(random.Random(5).choice("abc déf 世界") for _ in range(1000))
        async with await Raw.welcomed(house) as raw:
            whole = raw.message(type="publish", id=1, topic="pieces", data=text)
            assert len(whole) >= 1000
            for place in range(len(whole)):
                await raw.send(whole[place : place + 1])
                if not place % 8:
                    await asyncio.sleep(0)
            await raw.until("ack")
        assert await other.data(1) == [text]
        await other.close()


@over("junk")
async def test_junk(house: House) -> None:
    draw = random.Random(9)
    async with house.undisturbed():
        for size in (1, 40, 4000):
            junk = bytes([0xFF]) + draw.randbytes(size).replace(b"\n", b"\xfe")
            async with await Raw.welcomed(house) as raw:
                await raw.send(raw.form.junk(junk))
                if house.way == "http":  # that request is refused, and nothing else
                    assert (await raw.until("error"))[0]["code"] == "INVALID_MESSAGE"
                    continue
                said = [each["code"] for each in (await raw.ended())[1:]]
                assert said == ([] if house.way == "asgi" else ["INVALID_MESSAGE", 1007])
            async with await Raw.welcomed(house) as raw:
                await raw.send(junk + b"\xff" * 16 + b"\n")
                said = [each["code"] for each in (await raw.ended())[1:]]
                assert len([each for each in said if isinstance(each, str)]) <= 1


@over("no_memory")
async def test_no_memory_of_what_was_broken(way: str) -> None:
    async with WAYS[way].serve(Place(), max_message_bytes=LIMIT, close_timeout_ms=100) as house:

        async def visits(count: int) -> None:
            for number in range(count):
                async with await Raw.welcomed(house) as raw:
                    whole = raw.message(type="publish", topic="a", data="x" * 50_000)
                    await raw.send(whole[:40_000] if number % 2 else raw.form.announcement(LIMIT + 1))
            await house.is_clean()

        assert await growth(visits) < 1024
