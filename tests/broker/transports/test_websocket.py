"""Conversations by WebSocket, over bare sockets (`fast`) and over plain ASGI (`asgi`) alike.

What ASGI cannot say differs: under plain ASGI the server itself answers broken frames and invalid UTF-8, with the same
close code but without our `error` and `bye`.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from .houses import KINDS, House
from .wire import BINARY, CLOSE, CONT, HELLO, PING, PONG, TEXT, Message, Refused, Wire, close, frame, text

pytestmark = pytest.mark.asyncio(loop_scope="module")

LIMIT = 100_000
"""The largest message after the welcome."""

HELLO_LIMIT = 64 * 1024


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=KINDS)
async def shared(request: pytest.FixtureRequest) -> AsyncIterator[House]:
    async with KINDS[request.param](max_message_bytes=LIMIT, close_timeout_ms=500) as house:
        yield house


@pytest_asyncio.fixture(loop_scope="module")
async def house(shared: House) -> AsyncIterator[House]:
    """A broker, of which each test leaves nothing behind."""
    yield shared
    await shared.is_clean()


def publish(data: Any, **more: Any) -> Message:
    return {"type": "publish", "topic": "a.b", "data": data, **more}


def padded(message: Message, size: int) -> str:
    """A message as JSON of exactly so many bytes."""
    plain = json.dumps(message)
    return plain + " " * (size - len(plain))


def bad(house: House, code: str) -> str | None:
    """The error told before a close that plain ASGI leaves to the server."""
    return code if house.kind == "fast" else None


async def told_and_closed(house: House, wire: Wire) -> tuple[str | None, int | None]:
    """The error's code and the close's; over a bare socket there must be a bye too."""
    if house.kind == "fast":
        error, bye, code = await wire.farewell()
        assert bye == code
        return error, code
    messages, code = await wire.ended()
    assert messages == []
    return None, code


# ---- the conversation


async def test_a_client_with_the_subprotocol_gets_it(house: House) -> None:
    async with connect(house.url, subprotocols=[Subprotocol("mqtt"), Subprotocol("swarmwire.v1")]) as socket:
        assert socket.subprotocol == "swarmwire.v1"
        await socket.send(json.dumps(HELLO))
        welcome = json.loads(await socket.recv())
        assert (welcome["type"], welcome["version"]) == ("welcome", "1")
        assert welcome["limits"]["max_message_bytes"] == LIMIT


@pytest.mark.parametrize("offered", [[], [Subprotocol("mqtt")]])
async def test_a_client_without_the_subprotocol_is_welcome_too(house: House, offered: list[Subprotocol]) -> None:
    async with connect(house.url, subprotocols=offered or None) as socket:
        assert socket.subprotocol is None
        await socket.send(json.dumps(HELLO))
        assert json.loads(await socket.recv())["type"] == "welcome"


async def test_messages_are_not_compressed_unless_the_server_was_told_to(house: House) -> None:
    offer = [("Sec-WebSocket-Extensions", "permessage-deflate")]
    async with await Wire.open(house.port, headers=offer) as wire:
        assert (b"permessage-deflate" in wire.answer) is (house.kind == "asgi")


async def test_what_is_published_reaches_every_subscriber_and_is_acknowledged(house: House) -> None:
    async with await house.client() as one, await house.client() as two, await house.client() as stranger:
        await one.subscribe("a.*")
        await two.subscribe("#", "a.b")
        await stranger.subscribe("b.*")

        ack = await one.ask(**publish({"ü": [1, "😀"]}, id=7))
        assert ack == {"type": "ack", "id": 7, "seq": house.hub.engine.head}
        event = await two.expect("event")
        assert (event["topic"], event["seq"], event["data"]) == ("a.b", ack["seq"], {"ü": [1, "😀"]})
        await one.send(type="publish", topic="b.c", data=0)
        assert (await stranger.expect("event"))["topic"] == "b.c"
        assert (await two.expect("event"))["topic"] == "b.c"


async def test_every_size_of_frame_arrives_whole_both_ways(house: House) -> None:
    async with await house.client() as wire:
        await wire.subscribe("a.b")
        for size in (0, 1, 124, 125, 126, 127, 65_535, 65_536, LIMIT - 100):
            data = "x" * size
            await wire.send(**publish(data))
            assert (await wire.expect("event"))["data"] == data


async def test_a_length_may_be_written_longer_than_it_must(house: House) -> None:
    async with await house.client() as wire:
        for width in (2, 8):
            await wire.send_raw(frame('{"type":"ping","ts":1}', width=width))
            assert await wire.expect("pong") == {"type": "pong", "ts": 1}


async def test_a_binary_message_is_one_error_and_the_connection_goes_on(house: House) -> None:
    async with await house.client() as wire:
        await wire.send_raw(frame(json.dumps(publish(1, id=1)), BINARY))
        error = await wire.expect("error")
        assert error["code"] == "INVALID_MESSAGE"
        assert "binary" in error["message"]
        await wire.send_raw(frame("{", BINARY, fin=False) + frame("", PING) + frame("}", CONT))
        assert await wire.frame() == (PONG, b"")
        assert "binary" in (await wire.expect("error"))["message"]
        assert await wire.is_alive()


async def test_a_malformed_message_is_one_error_and_the_connection_goes_on(house: House) -> None:
    async with await house.client() as wire:
        for payload in ("", "{", "[]", "null", '{"type":"nonsense","id":3}'):
            await wire.send_raw(frame(payload))
            assert (await wire.expect("error"))["code"] == "INVALID_MESSAGE"
        assert await wire.is_alive()


async def test_a_fragmented_text_is_one_message_even_with_a_ping_between(house: House) -> None:
    async with await house.client() as wire:
        payload = json.dumps(publish("ü", id=1), ensure_ascii=False).encode()
        cut = payload.index("ü".encode()) + 1
        await wire.send_raw(frame(payload[:cut], fin=False) + frame("hi", PING) + frame("", CONT, fin=False))
        assert await wire.frame() == (PONG, b"hi")
        await wire.send_raw(frame(payload[cut:], CONT))
        assert (await wire.expect("ack"))["id"] == 1
        assert await wire.is_alive()


async def test_a_ping_is_answered_with_its_payload_and_a_pong_with_nothing(house: House) -> None:
    async with await house.client() as wire:
        await wire.send_raw(frame(b"\x00" * 125, PING) + frame("unasked", PONG) + frame("", PING))
        assert await wire.frame() == (PONG, b"\x00" * 125)
        assert await wire.frame() == (PONG, b"")
        assert await wire.is_alive()


async def test_two_messages_in_one_segment_are_two(house: House) -> None:
    async with await house.client() as wire:
        await wire.send_raw(b"".join(text({"type": "ping", "ts": number}) for number in range(50)))
        assert [(await wire.expect("pong"))["ts"] for _ in range(50)] == list(range(50))


async def test_a_frame_in_a_thousand_pieces_is_one_message(house: House) -> None:
    async with await house.client() as wire:
        data = text(publish("y" * 70_000, id=1))
        await wire.send_split(data, range(0, len(data), len(data) // 1_000))
        assert (await wire.expect("ack"))["id"] == 1


@pytest.mark.parametrize("seed", range(4))
async def test_a_conversation_cut_anywhere_gets_the_same_answers(house: House, seed: int) -> None:
    conversation = b"".join(
        (
            text(HELLO),
            text({"type": "subscribe", "id": "s", "subscriptions": [{"pattern": "split.#"}]}),
            *(
                text({"type": "publish", "topic": "split.x", "data": "z" * size, "id": size})
                for size in (1, 130, 66_000)
            ),
            frame("p", PING),
            frame('{"type":"publish","topic":"split', fin=False) + frame("q", PING) + frame('.y","data":1}', CONT),
            frame(b"\xff", BINARY),
            frame("not JSON"),
            text({"type": "unsubscribe", "id": "u", "subs": ["split.#"]}),
            text({"type": "ping", "ts": 5}),
        )
    )
    cuts = random.Random(seed).sample(range(1, len(conversation)), 40) + list(range(1, 20))

    async with await Wire.open(house.port) as whole, await Wire.open(house.port) as split:
        await whole.send_raw(conversation)
        expected = await _answers(whole)
        await split.send_split(conversation, cuts)
        assert await _answers(split) == expected

    told = [answer["type"] for answer in expected["control"]]
    assert told == ["welcome", "ack", "ack", "ack", "ack", "error", "error", "ack", "pong"]
    assert [event["topic"] for event in expected["events"]] == ["split.x"] * 3 + ["split.y"]
    assert expected["pongs"] == [b"p", b"q"]


async def _answers(wire: Wire) -> dict[str, list[Any]]:
    """What a conversation was answered, lane by lane, without what differs from one to the next."""
    found: dict[str, list[Any]] = {"control": [], "events": [], "pongs": []}
    while {"type": "pong", "ts": 5} not in found["control"] or len(found["events"]) < 4:
        opcode, payload = await wire.frame()
        if opcode == PONG:
            found["pongs"].append(payload)
            continue
        message = json.loads(payload)
        for name in ("seq", "ts", "from", "client_id", "identity", "cursor", "results"):
            if message["type"] != "pong":
                message.pop(name, None)
        found["events" if message["type"] == "event" else "control"].append(message)
    return found


# ---- the end


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
async def test_a_close_is_answered_with_its_own_code_and_the_socket_ends(house: House, code: int) -> None:
    async with await house.client() as wire:
        await wire.send_raw(close(code, "bÿe".encode()))
        assert await wire.frame() == (CLOSE, code.to_bytes(2, "big") + "bÿe".encode())
        assert await wire.rest() == b""


async def test_a_close_without_a_code_is_answered_without_one(house: House) -> None:
    async with await house.client() as wire:
        await wire.send_raw(frame("", CLOSE))
        assert await wire.frame() == (CLOSE, b"")
        assert await wire.rest() == b""


async def test_a_bye_is_answered_by_the_close_alone(house: House) -> None:
    async with await house.client() as wire:
        await wire.send(type="bye", code=1000, reason="done")
        assert await wire.ended() == ([], 1000)


async def test_what_was_decided_before_a_close_is_answered_before_the_close(house: House) -> None:
    if house.kind == "asgi":
        pytest.skip("under plain ASGI the server answers the close before the application hears of the messages")
    async with await house.client() as wire:
        await wire.send_raw(text(publish(1, id=1)) + close())
        assert (await wire.expect("ack"))["id"] == 1
        assert await wire.frame() == (CLOSE, b"\x03\xe8")
        assert await wire.rest() == b""


async def test_a_client_that_half_closes_gets_its_answers_and_is_gone(house: House) -> None:
    async with await house.client() as wire:
        await wire.send_raw(text({"type": "ping", "ts": 1}))
        assert await wire.expect("pong")
        wire.writer.write_eof()
        assert await wire.rest() == b""


async def test_a_client_that_vanishes_in_the_middle_of_a_frame_is_gone(house: House) -> None:
    async with await house.client() as wire, await house.client() as other:
        await wire.subscribe("#", from_="start")
        await wire.send_raw(text(publish(1, id=1)) + text(publish("x" * 1_000))[:500])
        wire.reset()
        assert await other.is_alive()


async def test_a_client_that_ends_in_the_middle_of_a_fragmented_message_is_gone(house: House) -> None:
    async with await house.client() as wire:
        await wire.send_raw(frame('{"type":', fin=False) + frame('"ping"', CONT, fin=False) + b"\x80")
        wire.writer.write_eof()
        assert await wire.rest() == b""


# ---- too large


async def test_exactly_the_limit_passes_before_and_after_the_welcome(house: House) -> None:
    async with await Wire.open(house.port) as wire:
        await wire.send_raw(frame(padded(HELLO, HELLO_LIMIT)))
        await wire.expect("welcome")
        await wire.send_raw(frame(padded(publish(1, id=1), LIMIT)))
        await wire.expect("ack")
        whole = padded(publish(1, id=2), LIMIT)
        await wire.send_raw(frame(whole[:60_000], fin=False) + frame(whole[60_000:], CONT))
        await wire.expect("ack")


async def test_one_byte_more_than_the_limit_is_the_end_before_the_welcome(house: House) -> None:
    async with await Wire.open(house.port) as wire:
        await wire.send_raw(frame(padded(HELLO, HELLO_LIMIT + 1)))
        assert await wire.farewell() == ("MESSAGE_TOO_LARGE", 1009, 1009)


@pytest.mark.parametrize("pieces", [1, 2, 3])
async def test_one_byte_more_than_the_limit_is_the_end_after_the_welcome(house: House, pieces: int) -> None:
    async with await house.client() as wire:
        whole = padded(publish(1, id=1), LIMIT + 1)
        cuts = [0, 40_000, 80_000][:pieces]
        for start, stop in zip(cuts, [*cuts[1:], len(whole)], strict=True):
            last = stop == len(whole)
            await wire.send_raw(frame(whole[start:stop], CONT if start else TEXT, fin=last))
        assert await wire.farewell() == ("MESSAGE_TOO_LARGE", 1009, 1009)


async def test_what_came_before_an_oversize_message_is_done(house: House) -> None:
    async with await house.client() as wire:
        await wire.send_raw(text(publish(1, id=1)) + frame("x" * (LIMIT + 1)) + text(publish(2, id=2)))
        messages, code = await wire.ended()
        assert [message.get("id", message["type"]) for message in messages] == [1, "error", "bye"]
        assert code == 1009


async def test_an_oversize_message_is_refused_by_its_header_alone(house: House) -> None:
    if house.kind == "asgi":
        pytest.skip("under plain ASGI the server reads a message before anybody is asked")
    async with await house.client() as wire:
        await wire.send_raw(frame("", width=1)[:1] + b"\xff" + (2**63 - 1).to_bytes(8, "big") + b"mask")
        assert await wire.farewell() == ("MESSAGE_TOO_LARGE", 1009, 1009)


# ---- broken

RANDOM_MASK = b"\xa5\x5a\x01\xfe"

BROKEN = {
    "unmasked": frame('{"type":"ping"}', mask=None),
    "first reserved bit": frame("{}", reserved=0x40),
    "second reserved bit": frame("{}", reserved=0x20),
    "third reserved bit": frame("{}", reserved=0x10),
    "unknown data opcode": frame("{}", 3),
    "unknown control opcode": frame("", 0xB),
    "a continuation of nothing": frame("{}", CONT),
    "a text within a text": frame("{", fin=False) + frame("}"),
    "a fragmented ping": frame("", PING, fin=False),
    "a ping over 125 bytes": frame("x" * 126, PING),
    "a close of one byte": frame("x", CLOSE),
    "a close with a forbidden code": close(1005),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_a_broken_frame_is_the_end_and_others_do_not_notice(house: House, name: str) -> None:
    async with await house.client() as wire, await house.client() as other:
        await wire.send_raw(BROKEN[name])
        assert await told_and_closed(house, wire) == (bad(house, "INVALID_MESSAGE"), 1002)
        assert await other.is_alive()


@pytest.mark.parametrize("payload", [b"\xff", b'{"type":"ping","x":"\xc3"}', b"\xed\xa0\x80", b"\xf4\x90\x80\x80"])
async def test_text_that_is_not_utf8_is_the_end(house: House, payload: bytes) -> None:
    async with await house.client() as wire:
        await wire.send_raw(frame(payload[:1], fin=False) + frame(payload[1:], CONT))
        assert await told_and_closed(house, wire) == (bad(house, "INVALID_MESSAGE"), 1007)


async def test_a_reason_to_close_that_is_not_utf8_is_the_end(house: House) -> None:
    async with await house.client() as wire:
        await wire.send_raw(close(1000, b"\xff"))
        assert await told_and_closed(house, wire) == (bad(house, "INVALID_MESSAGE"), 1007)


async def test_random_bytes_never_hurt_the_server(house: House) -> None:
    source = random.Random(11)
    async with await house.client() as other:
        for _ in range(60):
            wire = await Wire.open(house.port)
            garbage = source.randbytes(source.choice((1, 2, 5, 20, 300, 5_000)))
            await wire.send_raw(source.choice((b"", text(HELLO))) + garbage)
            wire.writer.write_eof() if source.random() < 0.5 else wire.reset()
            wire.writer.close()
        assert await other.is_alive()


async def test_random_json_never_hurts_the_server(house: House) -> None:
    source = random.Random(12)
    kinds = ["hello", "publish", "subscribe", "unsubscribe", "auth", "call", "cancel", "reply", "error", "pong", 7]
    fields = ["id", "topic", "data", "subscriptions", "subs", "token", "from", "ts", "method", "versions", "client"]
    values: list[Any] = [None, "", "a.b", 0, -1, 1e300, [], {}, ["x"], [{"pattern": "#"}], "\x00", "😀", True]
    async with await house.client() as other:
        for _ in range(5):
            async with await house.client() as wire:
                for _ in range(15):
                    names = source.sample(fields, source.randint(0, 5))
                    message = {name: source.choice(values) for name in names}
                    await wire.send_raw(text({"type": source.choice(kinds), **message}))
                assert await wire.is_alive()
        assert await other.is_alive()


# ---- before the hello


async def test_a_request_that_is_no_upgrade_is_not_a_connection(house: House) -> None:
    async with await Wire.dial(house.port) as wire:
        wire.writer.write(b"GET /ws HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        with pytest.raises(Refused) as refused:
            await wire.upgraded()
        assert refused.value.status == 404


async def test_many_clients_come_and_go_at_once(house: House) -> None:
    async def visit() -> None:
        async with await house.client() as wire:
            await wire.subscribe("a.b")
            assert await wire.is_alive()

    await asyncio.gather(*(visit() for _ in range(50)))
