"""The connection on a bare socket, with a transport that only remembers: every cut of the bytes can be tried."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmwire_broker.clock import LoopClock
from swarmwire_broker.core.hub import Hub
from swarmwire_broker.core.ports import Peer
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.memory import MemoryEngine
from swarmwire_broker.transports.fastpath import FastConnection

from .wire import BINARY, CLOSE, CONT, HELLO, PING, TEXT, close, eventually, frame, text

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=["asyncio"])

LIMITS = Limits(max_message_bytes=70_000, outbox_bytes=4_096, control_messages=64, close_timeout_ms=0)


class Pipe(asyncio.Transport):
    """A socket that takes nothing (`stuck`) or everything, and remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.stuck = False
        self.reading = True
        self.ended = ""
        self.high = 0

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return len(self.written) if self.stuck else 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high or 0

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def is_closing(self) -> bool:
        return bool(self.ended)

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = "aborted"


class Conversation:
    """One connection of a client whose bytes are fed by hand."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.pipe = Pipe()
        self.others: set[Any] = set()
        self.connection = FastConnection(hub, self.pipe, Peer(transport="websocket"), self.others)

    def feed(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.connection.data_received(piece)

    def feed_split(self, data: bytes, cuts: Iterable[int]) -> None:
        bounds = [0, *sorted(set(cuts)), len(data)]
        self.feed(*(data[start:stop] for start, stop in pairwise(bounds)))

    def frames(self) -> list[tuple[int, bytes]]:
        """Everything written since the last time."""
        self.hub.delivery.flush()
        data, found = bytes(self.pipe.written), []
        self.pipe.written.clear()
        while data:
            size, start = data[1], 2
            if size > 125:
                start += 2 if size == 126 else 8
                size = int.from_bytes(data[2:start], "big")
            found.append((data[0] & 0x0F, data[start : start + size]))
            data = data[start + size :]
        return found

    def messages(self) -> list[Any]:
        """The same, as messages; what is no text is its opcode and payload."""
        return [json.loads(payload) if opcode == TEXT else (opcode, payload) for opcode, payload in self.frames()]

    def types(self) -> list[Any]:
        return [message["type"] if isinstance(message, dict) else message[0] for message in self.messages()]

    def lose(self) -> None:
        self.connection.connection_lost(None)
        assert not self.others


@pytest_asyncio.fixture(loop_scope="module")
async def hub() -> AsyncIterator[Hub]:
    clock = LoopClock()
    hub = Hub(MemoryEngine(now_ms=lambda: 1), clock, limits=LIMITS)
    yield hub
    hub.close()
    await clock.close()
    assert not hub.sessions
    assert not hub.delivery.outboxes


@pytest_asyncio.fixture(loop_scope="module")
async def talk(hub: Hub) -> AsyncIterator[Conversation]:
    """A conversation after the welcome."""
    conversation = Conversation(hub)
    conversation.feed(text(HELLO))
    assert conversation.types() == ["welcome"]
    yield conversation
    conversation.lose()


# ---- cut anywhere

PIECES = (
    frame("p1", PING),
    text({"type": "ping", "ts": 1}),
    frame('{"type":"ping"', fin=False) + frame("p2", PING) + frame(',"ts"', CONT, fin=False) + frame(":2}", CONT),
    frame(b"\xff" * 200, BINARY),
    frame("a", BINARY, fin=False) + frame("b", CONT),
    text({"type": "ping", "ts": 3, "x": "ü" * 100}),
    frame("no JSON"),
    frame("", PING),
    frame('{"type":"ping","ts":4}', width=8),
    text({"type": "publish", "topic": "a", "data": "x" * 66_000, "id": 5}),
    frame("", 0xA),
)
WHOLE = b"".join(PIECES)


ANSWERS: list[Any] = [1, 2, "INVALID_MESSAGE", "INVALID_MESSAGE", 3, "INVALID_MESSAGE", 4, 5]
PONGS = [b"p1", b"p2", b""]


def answers(talk: Conversation) -> tuple[list[Any], list[bytes]]:
    """What was told, each message by what it answers, and the payloads of the pongs."""
    told, pongs = [], []
    for message in talk.messages():
        if isinstance(message, tuple):
            pongs.append(message[1])
        elif message["type"] != "welcome":
            told.append(message.get("ts") or message.get("code") or message["id"])
    return told, pongs


async def test_whole_frames_are_answered(talk: Conversation) -> None:
    talk.feed(*PIECES)
    assert answers(talk) == (ANSWERS, PONGS)


async def test_one_cut_anywhere_changes_nothing(talk: Conversation) -> None:
    short = b"".join(piece for piece in PIECES if len(piece) < 1_000)
    talk.feed(short)
    told = answers(talk)
    for cut in range(1, len(short)):
        talk.connection.session._malformed = None  # it is not the number of errors that is tried here
        talk.feed(short[:cut], short[cut:])
        assert answers(talk) == told, cut


async def test_byte_by_byte_changes_nothing(talk: Conversation) -> None:
    talk.feed_split(WHOLE, range(len(WHOLE)))
    assert answers(talk) == (ANSWERS, PONGS)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(1, len(WHOLE) - 1), max_size=30))
async def test_any_cuts_change_nothing(hub: Hub, cuts: list[int]) -> None:
    talk = Conversation(hub)
    talk.feed_split(text(HELLO) + WHOLE, cuts)
    assert answers(talk) == (ANSWERS, PONGS)
    talk.lose()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=st.lists(st.one_of(st.binary(max_size=40), st.sampled_from(PIECES[:-2]), st.just(close())), max_size=12))
async def test_any_bytes_are_answered_in_order_or_end_the_connection(hub: Hub, pieces: list[bytes]) -> None:
    talk = Conversation(hub)
    talk.feed(text(HELLO), *pieces)
    types = talk.types()
    assert "welcome" in types
    if CLOSE in types:
        assert types.index(CLOSE) == len(types) - 1, "nothing comes after the close frame"
    assert len(talk.connection._rest) <= 70_100
    talk.lose()


# ---- the end


async def test_bytes_after_our_close_are_read_for_the_clients_close_alone(talk: Conversation) -> None:
    talk.feed(frame("{}", reserved=0x40))
    assert talk.types() == ["error", "bye", CLOSE]
    talk.feed(text({"type": "ping"}), frame("x", PING), frame("y" * 80_000), b"\x81")
    assert talk.types() == []
    assert talk.pipe.ended == ""
    talk.feed(b"\x80mask", close(1002))
    assert talk.types() == []
    assert talk.pipe.ended == "closed"


@pytest.mark.parametrize("last", [close(1005), frame(b"\x03\xe8" + b"x" * 124, CLOSE)], ids=["code", "size"])
async def test_after_a_close_frame_that_is_wrong_the_client_is_not_waited_for(talk: Conversation, last: bytes) -> None:
    talk.feed(last)
    assert talk.types() == ["error", "bye", CLOSE]
    assert talk.pipe.ended == "closed"


async def test_the_rest_of_an_oversize_message_is_skipped_without_being_kept(talk: Conversation) -> None:
    data = frame(close() * 20_000)  # what looks like a close frame inside it is none
    talk.feed(data[:10_000])
    assert talk.types() == ["error", "bye", CLOSE]
    talk.feed(data[10_000:60_000])
    assert not talk.connection._rest
    talk.feed(data[60_000:])
    assert talk.pipe.ended == ""
    talk.feed(close(1009))
    assert talk.pipe.ended == "closed"


async def test_a_close_in_the_middle_of_a_frame_skips_what_is_left_of_it(talk: Conversation) -> None:
    data = text({"type": "publish", "topic": "a", "data": "x" * 1_000})
    talk.feed(data[:500])
    talk.hub.disconnect(talk.connection.session.client_id, "ü" * 200)
    (bye, last) = talk.messages()
    assert bye["code"] == 4403
    assert last[1][:2] == (4403).to_bytes(2, "big")
    assert last[1][2:].decode() == "ü" * 60, "a close frame has room for 123 bytes, and no half characters"
    talk.feed(data[500:] + close(4403))
    assert talk.pipe.ended == "closed"


@pytest.mark.parametrize(("stuck", "how"), [(False, "closed"), (True, "aborted")])
async def test_a_client_that_never_closes_is_cut(hub: Hub, stuck: bool, how: str) -> None:
    talk = Conversation(hub)
    talk.pipe.stuck = stuck
    talk.hub.disconnect(talk.connection.session.client_id)
    await eventually(lambda: talk.pipe.ended)
    assert talk.pipe.ended == how
    talk.lose()


async def test_a_lost_connection_cancels_its_timer_and_is_forgotten_once(hub: Hub) -> None:
    talk = Conversation(hub)
    talk.feed(b"\x83\x80mask")
    timer = talk.connection._timer
    assert timer is not None
    assert not timer.cancelled()
    talk.lose()
    assert timer.cancelled()
    talk.lose()
    assert hub.stats.connections_closed == 1


async def test_a_connection_over_the_limit_is_told_so_at_once() -> None:
    clock = LoopClock()
    hub = Hub(MemoryEngine(now_ms=lambda: 1), clock, limits=Limits(max_connections=0))
    talk = Conversation(hub)
    assert talk.types() == ["error", "bye", CLOSE]
    talk.lose()
    await clock.close()


async def test_the_server_going_down_says_bye(talk: Conversation) -> None:
    talk.connection.shutdown()
    bye, last = talk.messages()
    assert (bye["code"], last[0]) == (1012, CLOSE)


# ---- bounded


async def test_a_client_that_pings_and_never_reads_gets_no_more_pongs_than_its_outbox_holds(talk: Conversation) -> None:
    talk.pipe.stuck = True
    for _ in range(10_000):
        talk.feed(frame("x" * 100, PING))
    assert talk.pipe.high == LIMITS.outbox_bytes
    assert len(talk.pipe.written) <= LIMITS.outbox_bytes + 102
    assert talk.connection.session.heard


async def test_a_client_that_asks_and_never_reads_is_not_read_until_it_does(talk: Conversation) -> None:
    talk.pipe.stuck = True
    talk.connection.pause_writing()
    asked = 0
    while talk.pipe.reading:
        asked += 1
        talk.feed(text({"type": "ping", "ts": asked}))
    assert asked == LIMITS.control_messages + 1
    assert talk.frames() == []

    talk.pipe.stuck = False
    talk.connection.resume_writing()
    assert [message["ts"] for message in talk.messages()] == list(range(1, asked + 1))
    assert talk.pipe.reading


async def test_the_pieces_of_a_message_are_kept_up_to_the_limit_only(talk: Conversation) -> None:
    talk.feed(frame("x" * 35_000, fin=False), frame("x" * 35_000, CONT, fin=False))
    assert talk.types() == []
    talk.feed(frame("x", CONT, fin=False))
    assert talk.types() == ["error", "bye", CLOSE]
