"""The connection on a stream of bytes, with a transport that only remembers: every cut of the bytes can be tried."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarmwire_broker.clock import LoopClock
from swarmwire_broker.core.hooks import Offered
from swarmwire_broker.core.hub import Hub
from swarmwire_broker.core.ports import Peer
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.memory import MemoryEngine
from swarmwire_broker.transports.stream import FRAMES, LINES, StreamConnection, error_line
from swarmwire_protocol.errors import CloseCode, ErrorCode, SwarmwireError
from swarmwire_protocol.framing import PREFACE, StreamDecoder, encode_frame

from .wire import HELLO, eventually

pytestmark = pytest.mark.asyncio(loop_scope="module", loop_factories=["asyncio"])

LIMITS = Limits(max_message_bytes=70_000, outbox_bytes=4_096, max_malformed=10_000)


def dumped(message: dict[str, Any]) -> bytes:
    return json.dumps(message).encode()


def frame(message: dict[str, Any] | bytes) -> bytes:
    payload = message if isinstance(message, bytes) else dumped(message)
    return len(payload).to_bytes(4, "big") + payload


def line(message: dict[str, Any]) -> bytes:
    return dumped(message) + b"\n"


def ping(number: int) -> dict[str, Any]:
    return {"type": "ping", "ts": number}


class Pipe(asyncio.Transport):
    """A stream that takes nothing (`stuck`) or everything, and remembers what it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.written = bytearray()
        self.stuck = False
        self.reading = True
        self.ended = ""
        self.is_half_closed = False

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        assert not self.is_half_closed
        self.written += data

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.is_half_closed = True

    def get_write_buffer_size(self) -> int:
        return len(self.written) if self.stuck else 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        assert (high, low) == (4_096, 2_048)

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


class OneWay(Pipe):
    """What cannot close one direction alone."""

    def can_write_eof(self) -> bool:
        return False


class House:
    is_running = True

    def __init__(self, hub: Hub) -> None:
        self.hub = hub


class Talk:
    """One connection of a client whose bytes are fed by hand."""

    def __init__(self, hub: Hub, pipe: Pipe | None = None) -> None:
        self.hub = hub
        self.pipe = pipe or Pipe()
        self.others: set[Any] = set()
        peer = Peer(transport="unix", subject="uid:7")
        self.connection = StreamConnection(House(hub), self.pipe, peer, self.others)

    def feed(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.connection.data_received(piece)

    def feed_split(self, data: bytes, cuts: Iterable[int]) -> None:
        bounds = [0, *sorted(set(cuts)), len(data)]
        self.feed(*(data[start:stop] for start, stop in pairwise(bounds)))

    def end(self) -> None:
        if not self.connection.eof_received():
            self.pipe.close()

    def said(self) -> list[dict[str, Any]]:
        """Every message written since the last time, as frames or as lines."""
        self.hub.delivery.flush()
        data = bytes(self.pipe.written).removeprefix(PREFACE)
        self.pipe.written.clear()
        if data.startswith(b"{"):
            assert data.endswith(b"\n")
            return [json.loads(each) for each in data.splitlines()]
        found = []
        while data:
            size = int.from_bytes(data[:4], "big")
            assert len(data) >= 4 + size
            found.append(json.loads(data[4 : 4 + size]))
            data = data[4 + size :]
        return found

    def summary(self) -> list[Any]:
        """The same in short: the `ts` of a pong, the code of an error or a bye, else the type."""
        return [message.get("ts", message.get("code", message["type"])) for message in self.said()]

    @property
    def is_over(self) -> bool:
        """Whether our side of the conversation has ended."""
        return self.pipe.is_half_closed or self.pipe.is_closing()

    def lose(self) -> None:
        self.connection.connection_lost(None)
        assert not self.others


@asynccontextmanager
async def make_hub(limits: Limits) -> AsyncIterator[Hub]:
    clock = LoopClock()
    hub = Hub(MemoryEngine(now_ms=lambda: 1), clock, limits=limits)
    yield hub
    hub.close()
    await clock.close()
    assert not hub.sessions
    assert not hub.delivery.outboxes


@pytest_asyncio.fixture(loop_scope="module")
async def hub() -> AsyncIterator[Hub]:
    async with make_hub(LIMITS) as hub:
        yield hub


@asynccontextmanager
async def talking(hub: Hub, *first: bytes, pipe: Pipe | None = None) -> AsyncIterator[Talk]:
    talk = Talk(hub, pipe)
    talk.feed(*first)
    yield talk
    talk.lose()


IN_FRAMES = PREFACE + frame(HELLO)
IN_LINES = line(HELLO)
both_ways = pytest.mark.parametrize("greeting", [IN_FRAMES, IN_LINES], ids=["frames", "lines"])


def as_said(greeting: bytes, message: dict[str, Any]) -> bytes:
    return frame(message) if greeting is IN_FRAMES else line(message)


# ---- how the client speaks


async def test_a_client_that_speaks_in_frames_is_answered_with_the_preface_and_frames(hub: Hub) -> None:
    async with talking(hub, IN_FRAMES) as talk:
        hub.delivery.flush()
        assert talk.pipe.written.startswith(PREFACE)
        [welcome] = talk.said()
        assert (welcome["type"], welcome["identity"]["subject"]) == ("welcome", "uid:7")
        assert talk.connection.framer is FRAMES


async def test_a_client_that_speaks_in_lines_is_answered_with_lines(hub: Hub) -> None:
    async with talking(hub, IN_LINES) as talk:
        hub.delivery.flush()
        assert talk.pipe.written.startswith(b'{"type":"welcome"')
        assert talk.summary() == ["welcome"]
        assert talk.connection.framer is LINES


async def test_there_is_no_session_before_it_is_known_how_the_client_speaks(hub: Hub) -> None:
    async with talking(hub, PREFACE[:-1]) as talk:
        assert not hub.sessions
        talk.feed(PREFACE[-1:])
        assert len(hub.sessions) == 1


STREAM = [ping(1), ping(2), {"type": "publish", "topic": "a", "data": "ü" * 300, "id": 3}, ping(4)]


@pytest.mark.parametrize("is_framed", [True, False])
async def test_a_message_in_a_thousand_pieces_is_one_message(hub: Hub, is_framed: bool) -> None:
    messages = [HELLO, *STREAM]
    whole = PREFACE + b"".join(map(frame, messages)) if is_framed else b"".join(map(line, messages))
    async with talking(hub) as talk:
        talk.feed(*(whole[at : at + 1] for at in range(len(whole))))
        assert talk.summary() == ["welcome", 1, 2, "ack", 4]


@given(cuts=st.lists(st.integers(1, 600), max_size=12), is_framed=st.booleans())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_messages_are_the_same_wherever_the_bytes_are_cut(hub: Hub, cuts: list[int], is_framed: bool) -> None:
    messages = [HELLO, *STREAM]
    whole = PREFACE + b"".join(map(frame, messages)) if is_framed else b"\r\n".join(map(dumped, messages)) + b"\n"
    async with talking(hub) as talk:
        talk.feed_split(whole, cuts)
        assert talk.summary() == ["welcome", 1, 2, "ack", 4]


# ---- the loop of frames and the decoder say the same

GOOD = st.integers(0, 9).map(lambda number: frame(ping(number)))
ODD = st.sampled_from(
    [
        frame(b"no JSON"),
        frame(b"\xff\xfe"),
        frame("ü".encode()),
        frame("ü".encode()[:1]),
        bytes(4),
        (70_001).to_bytes(4, "big"),
        b"\xff\xff\xff\xff",
        (70_000).to_bytes(4, "big") + b"x" * 70_000,
        b"\x00\x00",
        b"\x00\x00\x00\x05ab",
    ]
)


def by_the_decoder(data: bytes) -> tuple[list[Any], bool]:
    """What a client should hear of these frames by the decoder, and whether there is nothing wrong with them."""
    decoder = StreamDecoder(LIMITS.max_message_bytes)
    decoder.feed(PREFACE)
    answers: list[Any] = []
    try:
        answers += map(answer_to, decoder.feed(data))
        answers += map(answer_to, decoder.finish())
    except SwarmwireError as error:
        return [*answers, *map(answer_to, error.details), error.code], False
    return answers, True


def answer_to(message: bytes) -> Any:
    try:
        return json.loads(message)["ts"]
    except ValueError:
        return "INVALID_MESSAGE"


@given(pieces=st.lists(st.one_of(GOOD, ODD), max_size=8), cuts=st.lists(st.integers(1, 300), max_size=8))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_frames_mean_what_the_decoder_says_they_mean(hub: Hub, pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    async with talking(hub, IN_FRAMES) as talk:
        assert talk.summary() == ["welcome"]
        talk.feed_split(data, [cut for cut in cuts if cut < len(data)])
        talk.end()
        *answers, bye = talk.said()
        expected, is_right = by_the_decoder(data)
        assert [answer.get("ts", answer.get("code")) for answer in answers] == expected
        assert (bye["type"], bye["code"] == CloseCode.NORMAL) == ("bye", is_right)
        assert not talk.connection._rest


@given(st.lists(st.binary(min_size=1, max_size=300), min_size=1))
async def test_a_framer_writes_what_a_decoder_reads(payloads: list[bytes]) -> None:
    block = FRAMES.join(payloads)
    assert block == b"".join(map(encode_frame, payloads))
    assert FRAMES.merge([block, block]) == block + block


async def test_the_framer_of_lines_ends_each_of_them() -> None:
    assert LINES.merge([LINES.join([b"a", b"b"]), LINES.join([b"c"])]) == b"a\nb\nc\n"


# ---- lines


async def test_blank_lines_and_line_ends_of_other_systems_are_allowed(hub: Hub) -> None:
    async with talking(hub, dumped(HELLO) + b"\r\n\r\n \t\n\n" + dumped(ping(1)) + b"\r\n") as talk:
        assert talk.summary() == ["welcome", 1]


async def test_the_last_line_needs_no_end(hub: Hub) -> None:
    async with talking(hub, line(HELLO) + dumped(ping(1))) as talk:
        assert talk.summary() == ["welcome"]
        talk.end()
        assert talk.summary() == [1, CloseCode.NORMAL]


@both_ways
async def test_the_hello_raises_the_limit_for_what_comes_in_the_same_read(greeting: bytes) -> None:
    async with make_hub(Limits(max_hello_bytes=200, outbox_bytes=4_096)) as hub:
        long = {"type": "publish", "topic": "a", "data": "x" * 1_000, "id": 1}
        async with talking(hub, greeting + as_said(greeting, long)) as talk:
            assert talk.summary() == ["welcome", "ack"]


# ---- bad input: one clear error, a close, nothing kept


@pytest.mark.parametrize(
    "junk", [b"GET / HTTP/1.1\r\n\r\n", b"SWARM/2\n", b"\x00", b"\x16\x03\x01\x02\x00", b"\n", b" {", b"SWARM/1\r\n"]
)
async def test_a_wrong_preface_is_answered_by_one_line_and_a_close(hub: Hub, junk: bytes) -> None:
    async with talking(hub, junk, b"and more") as talk:
        [error] = talk.said()
        assert (error["type"], error["code"]) == ("error", "INVALID_MESSAGE")
        assert talk.is_over
        assert not hub.sessions


async def test_the_one_word_to_who_does_not_speak_as_agreed_is_a_line_of_json() -> None:
    written = error_line(SwarmwireError(ErrorCode.PERMISSION_DENIED, "No."))
    assert written.endswith(b"}\n")
    assert json.loads(written) == {"type": "error", "code": "PERMISSION_DENIED", "message": "No."}


@both_ways
@pytest.mark.parametrize("is_welcome", [True, False])
async def test_a_message_over_the_limit_is_refused_before_it_is_read(greeting: bytes, is_welcome: bool) -> None:
    async with make_hub(Limits(max_hello_bytes=300, max_message_bytes=1_000, outbox_bytes=4_096)) as hub:
        limit = 1_000 if is_welcome else 300
        start = greeting if is_welcome else PREFACE if greeting is IN_FRAMES else b"{"
        async with talking(hub, start) as talk:
            talk.said()
            talk.feed((limit + 1).to_bytes(4, "big") if greeting is IN_FRAMES else b"x" * (limit + 1))
            error, bye = talk.said()
            assert (error["code"], bye["type"], bye["code"]) == ("MESSAGE_TOO_LARGE", "bye", CloseCode.TOO_BIG)
            assert str(limit) in error["message"]
            assert talk.is_over
            talk.feed(b"x" * 100_000)
            assert not talk.connection._rest
            assert talk.said() == []


@both_ways
async def test_a_message_of_just_the_limit_passes(hub: Hub, greeting: bytes) -> None:
    message = {"type": "publish", "topic": "a", "id": 1, "data": ""}
    message["data"] = "x" * (LIMITS.max_message_bytes - len(dumped(message)))
    async with talking(hub, greeting, as_said(greeting, message)) as talk:
        assert talk.summary() == ["welcome", "ack"]


@both_ways
async def test_invalid_utf_8_ends_the_connection(hub: Hub, greeting: bytes) -> None:
    async with talking(hub, greeting) as talk:
        talk.said()
        talk.feed(frame(b"\xff{}") if greeting is IN_FRAMES else b"\xff{}\n")
        assert talk.summary() == ["INVALID_MESSAGE", CloseCode.INVALID_DATA]
        assert talk.is_over


async def test_a_frame_without_anything_in_it_ends_the_connection(hub: Hub) -> None:
    async with talking(hub, IN_FRAMES, frame(ping(1)), bytes(4), frame(ping(2))) as talk:
        assert talk.summary() == ["welcome", 1, "INVALID_MESSAGE", CloseCode.PROTOCOL_ERROR]


@both_ways
async def test_what_is_no_message_is_an_error_and_the_connection_goes_on(hub: Hub, greeting: bytes) -> None:
    async with talking(hub, greeting) as talk:
        talk.said()
        talk.feed(frame(b"nonsense") if greeting is IN_FRAMES else b"nonsense\n", as_said(greeting, ping(5)))
        assert talk.summary() == ["INVALID_MESSAGE", 5]


@pytest.mark.parametrize("beginning", [b"", b"SWA", PREFACE, PREFACE + frame(HELLO)[:9], b"{", line(HELLO)[:9]])
async def test_who_begins_and_then_is_silent_is_closed_in_the_time_for_a_hello(beginning: bytes) -> None:
    async with make_hub(Limits(auth_timeout_ms=30, outbox_bytes=4_096)) as hub, talking(hub) as talk:
        if beginning:
            talk.feed(beginning)
        await eventually(lambda: talk.is_over)
        said = talk.said()
        assert said[0]["code"] == "NOT_AUTHENTICATED"
        has_session = beginning.startswith((b"{", PREFACE))
        assert [each["code"] for each in said[1:]] == ([CloseCode.HELLO_TIMEOUT] if has_session else [])
        assert not talk.connection._rest


async def test_the_time_for_a_hello_counts_from_the_connection() -> None:
    async with make_hub(Limits(auth_timeout_ms=50, outbox_bytes=4_096)) as hub, talking(hub) as talk:
        deadline = talk.connection._deadline
        talk.feed(PREFACE[:4])
        talk.feed(PREFACE[4:])
        talk.feed(frame(HELLO)[:9])
        assert talk.connection._deadline is deadline
        await eventually(lambda: talk.is_over)


@both_ways
async def test_who_is_silent_in_the_middle_of_a_message_misses_its_heartbeats(greeting: bytes) -> None:
    async with make_hub(Limits(heartbeat_ms=10, outbox_bytes=4_096)) as hub, talking(hub, greeting) as talk:
        talk.feed(as_said(greeting, ping(1))[:-3])
        await eventually(lambda: talk.is_over)
        assert talk.summary()[-2:] == ["HEARTBEAT_TIMEOUT", CloseCode.HEARTBEAT_TIMEOUT]
        assert not talk.connection._rest


async def test_a_welcome_client_has_all_the_time_it_wants() -> None:
    limits, begun = Limits(auth_timeout_ms=10, outbox_bytes=4_096), asyncio.get_running_loop().time()
    async with make_hub(limits) as hub, talking(hub, IN_FRAMES) as talk:
        assert talk.connection._deadline is None
        await eventually(lambda: asyncio.get_running_loop().time() > begun + 0.03)
        assert not talk.is_over


# ---- the end of the input


async def test_the_input_ends_inside_the_preface(hub: Hub) -> None:
    async with talking(hub, PREFACE[:3]) as talk:
        talk.end()
        assert talk.summary() == ["INVALID_MESSAGE"]
        assert talk.pipe.ended == "closed"


async def test_the_input_ends_inside_a_frame(hub: Hub) -> None:
    async with talking(hub, IN_FRAMES, frame(ping(1))[:-1]) as talk:
        talk.end()
        assert talk.summary() == ["welcome", "INVALID_MESSAGE", CloseCode.PROTOCOL_ERROR]
        assert talk.pipe.ended == "closed"


async def test_who_only_looks_whether_somebody_is_here_is_told_nothing(hub: Hub) -> None:
    async with talking(hub) as talk:
        talk.end()
        assert talk.pipe.ended == "closed"
        assert not talk.pipe.written
        assert not hub.sessions


@both_ways
async def test_all_that_came_before_the_end_of_the_input_is_answered(hub: Hub, greeting: bytes) -> None:
    subscribe = {"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "a"}]}
    publish = {"type": "publish", "topic": "a", "data": 1, "id": 2}
    async with talking(hub, greeting + as_said(greeting, subscribe) + as_said(greeting, publish)) as talk:
        talk.end()
        assert [each["type"] for each in talk.said()] == ["welcome", "ack", "ack", "event", "bye"]
        assert talk.pipe.ended == "closed"


@both_ways
async def test_the_end_of_the_input_waits_for_what_is_not_decided_yet(hub: Hub, greeting: bytes) -> None:
    go_on = asyncio.Event()

    async def wait(offered: Offered) -> None:
        await go_on.wait()

    hub.route("slow", wait)
    publish = {"type": "publish", "topic": "slow", "data": 1, "id": 2}
    async with talking(hub, greeting, as_said(greeting, publish)) as talk:
        assert not talk.pipe.reading
        talk.connection.eof_received()
        assert talk.summary() == ["welcome"]
        assert not talk.is_over
        assert talk.connection._timer is not None
        assert talk.connection.eof_received() is True, "once more, when reading is taken up again"
        go_on.set()
        await eventually(lambda: talk.is_over)
        assert [each["type"] for each in talk.said()] == ["ack", "bye"]
    hub.unroute("slow")


async def test_the_end_of_the_input_does_not_wait_for_ever() -> None:
    async with make_hub(Limits(drain_timeout_ms=20, outbox_bytes=4_096)) as hub:

        async def wait(offered: Offered) -> None:
            await asyncio.Event().wait()

        hub.route("#", wait)
        async with talking(hub, IN_LINES, line({"type": "publish", "topic": "a", "data": 1, "id": 2})) as talk:
            talk.end()
            await eventually(lambda: talk.is_over)
            assert talk.summary() == ["welcome", CloseCode.NORMAL]


async def test_a_replay_is_read_to_its_end_before_the_connection_ends(hub: Hub) -> None:
    publishes = b"".join(line({"type": "publish", "topic": "r", "data": "x" * 500}) for _ in range(300))
    subscribe = {"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "r", "from": "start"}]}
    async with talking(hub, IN_LINES, publishes, line(subscribe)) as talk:
        talk.end()
        await eventually(lambda: talk.is_over)
        types = [each["type"] for each in talk.said()]
        assert types.count("event") == 300
        assert types[-2:] == ["live", "bye"]


# ---- the close


@both_ways
async def test_after_bye_nothing_is_read_and_the_client_has_time_to_close(hub: Hub, greeting: bytes) -> None:
    async with talking(hub, greeting) as talk:
        hub.disconnect(next(iter(hub.sessions)))
        assert talk.summary() == ["welcome", CloseCode.REMOVED]
        assert talk.pipe.is_half_closed
        assert not talk.pipe.is_closing()
        talk.feed(as_said(greeting, ping(1)))
        assert talk.said() == []
        assert not talk.connection.eof_received()
        assert talk.pipe.ended == "closed"


async def test_a_stream_that_cannot_close_one_direction_closes_both(hub: Hub) -> None:
    async with talking(hub, IN_FRAMES, frame({"type": "bye", "code": 1000, "reason": ""}), pipe=OneWay()) as talk:
        assert talk.pipe.ended == "closed"
        assert talk.summary() == ["welcome"]


@pytest.mark.parametrize(("stuck", "ended"), [(True, "aborted"), (False, "closed")])
async def test_a_client_that_does_not_close_is_closed(stuck: bool, ended: str) -> None:
    async with make_hub(Limits(close_timeout_ms=0, outbox_bytes=4_096)) as hub, talking(hub, IN_FRAMES) as talk:
        talk.pipe.stuck = stuck
        talk.connection.shutdown()
        await eventually(lambda: talk.pipe.ended)
        assert talk.pipe.ended == ended
        assert talk.summary() == ["welcome", CloseCode.RESTART]


async def test_a_listener_that_goes_down_closes_who_has_not_begun(hub: Hub) -> None:
    async with talking(hub, PREFACE[:2]) as talk:
        talk.connection.shutdown()
        assert talk.pipe.ended == "closed"
        assert not talk.pipe.written


async def test_losing_the_connection_twice_does_no_harm(hub: Hub) -> None:
    async with talking(hub, IN_FRAMES) as talk:
        talk.connection.connection_lost(None)
        assert not hub.sessions


@both_ways
async def test_a_client_beyond_the_limit_is_told_so_in_its_own_way(greeting: bytes) -> None:
    limits = Limits(max_connections=1, outbox_bytes=4_096)
    async with make_hub(limits) as hub, talking(hub, IN_FRAMES), talking(hub, greeting) as talk:
        assert talk.summary() == ["LIMIT_EXCEEDED", CloseCode.TRY_LATER]
        assert talk.is_over


async def test_a_socket_that_is_full_makes_its_client_fall_behind_and_catch_up(hub: Hub) -> None:
    subscribe = {"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "b"}]}
    async with talking(hub, IN_FRAMES, frame(subscribe)) as talk:
        assert talk.summary() == ["welcome", "ack"]
        talk.connection.pause_writing()
        talk.feed(*(frame({"type": "publish", "topic": "b", "data": number}) for number in range(50)))
        assert talk.said() == []
        talk.connection.resume_writing()
        got: list[Any] = []

        def all_came() -> bool:
            got.extend(each["data"] for each in talk.said() if each["type"] == "event")
            return len(got) == 50

        await eventually(all_came)
        assert got == list(range(50))


async def test_what_one_client_does_wrong_is_not_felt_by_another(hub: Hub) -> None:
    async with talking(hub, IN_FRAMES) as good:
        for junk in (b"\xff" * 1_000, PREFACE + bytes(8), PREFACE + b"\xff" * 100_000, b"{" + b"\xff" * 10):
            async with talking(hub, junk) as bad:
                bad.end()
                assert bad.is_over
        good.feed(frame(ping(3)))
        assert good.summary() == ["welcome", 3]
        assert len(hub.sessions) == 1
