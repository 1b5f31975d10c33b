"""The parser: the same messages however the bytes are cut, one clear error for all else, and a bound on everything."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from swarmwire_broker.natslink.errors import WireProblem
from swarmwire_broker.natslink.parser import MAX_LINE, Parser

Message = tuple[bytes, bytes, bytes, bytes]

words = st.text("abcXYZ0189_-.$*>", min_size=1, max_size=12).map(str.encode)
headers = st.just(b"") | st.binary(max_size=40).map(lambda some: b"NATS/1.0\r\n" + some + b"\r\n\r\n")
messages = st.tuples(words, st.just(b"") | words, headers, st.binary(max_size=300))
lines = st.sampled_from([b"PING", b"PONG", b"+OK", b"-ERR 'Stale Connection'", b'INFO {"server_id":"x"} '])


def on_the_wire(item: Message | bytes) -> bytes:
    if isinstance(item, bytes):
        return item + b"\r\n"
    subject, reply, block, payload = item
    where = subject + b" 7" + (b" " + reply if reply else b"")
    if block:
        return b"HMSG %b %d %d\r\n%b%b\r\n" % (where, len(block), len(block) + len(payload), block, payload)
    return b"MSG %b %d\r\n%b\r\n" % (where, len(payload), payload)


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    ends = sorted({place % (len(data) + 1) for place in places} | {0, len(data)})
    return [data[begin:end] for begin, end in pairwise(ends)]


class Reader:
    """A parser and all that it said, in order."""

    def __init__(self, most: int = 10_000) -> None:
        self.said: list[Message | bytes] = []
        self.parser = Parser({b"7": self._receive}, self.said.append, most)

    def _receive(self, subject: bytes, reply: bytes, block: bytes, payload: bytes) -> None:
        self.said.append((subject, reply, block, payload))


@given(st.lists(messages | lines, max_size=12), st.lists(st.integers(0, 5000), max_size=40))
@example([(b"a.b", b"", b"", b"\r\nMSG x 7 1\r\n")], list(range(60)))
def test_any_cutting_of_the_bytes_gives_the_same_messages(items: list[Message | bytes], places: list[int]) -> None:
    reader = Reader()
    for piece in cut(b"".join(map(on_the_wire, items)), places):
        reader.parser.feed(piece)
    assert reader.said == items
    assert reader.parser.is_empty


fragments = [
    b"MSG a 7 5\r\n",
    b"hello\r\n",
    b"HMSG a 7 12 14\r\n",
    b"NATS/1.0\r\n\r\n",
    b"PING\r\n",
    b"MSG a 9 0\r\n\r\n",
]
fragments += [b"MSG", b"-1", b" 7 ", b"9" * 30, b"\r\n", b"\n", b"\r", b"INFO {}", b"MSG a 7 1\r\nabc", b"\xff\x00"]
junk = st.lists(st.sampled_from(fragments) | st.binary(max_size=6), min_size=1, max_size=10).map(b"".join)


def outcome(pieces: Sequence[bytes]) -> tuple[list[Message | bytes], bool]:
    """What was said, and whether it ended in an error."""
    reader = Reader(most=1000)
    try:
        for piece in pieces:
            reader.parser.feed(piece)
    except WireProblem:
        return reader.said, True
    return reader.said, False


@given(junk, st.lists(st.integers(0, 200), max_size=10))
def test_whatever_comes_is_messages_or_one_clear_error_however_it_is_cut(data: bytes, places: list[int]) -> None:
    assert outcome(cut(data, places)) == outcome([data]) == outcome([data[at : at + 1] for at in range(len(data))])


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n",
        b"HELLO\r\n",
        b"MSG\r\n",
        b"MSG a 7 x\r\n",
        b"MSG a 7 -1\r\n",
        b"MSG a 7 r s 0\r\n\r\n",
        b"MESSAGE a 7 0\r\n\r\n",
        b"MSG a 7 1\r\nabc\r\n",
        b"HMSG a 7 5 4\r\n",
        b"HMSG a 7 -5 4\r\n",
        b"HMSG a 7 4\r\n",
        b"HTTP/1.1 400 Bad Request\r\n",
    ],
)
def test_what_is_no_protocol_is_refused(data: bytes) -> None:
    reader = Reader()
    with pytest.raises(WireProblem):
        reader.parser.feed(data)
    assert reader.said == []


def test_a_message_that_is_too_large_is_refused_when_it_is_announced() -> None:
    reader = Reader(most=100)
    reader.parser.feed(b"MSG a 7 100\r\n" + b"x" * 100 + b"\r\n")
    with pytest.raises(WireProblem, match="101 bytes, and at most 100"):
        reader.parser.feed(b"MSG a 7 101\r\n")


def test_a_line_without_an_end_is_refused_at_its_bound() -> None:
    reader = Reader()
    for _ in range(MAX_LINE // 4096):
        reader.parser.feed(b"x" * 4096)
    with pytest.raises(WireProblem, match=f"more than {MAX_LINE} bytes"):
        reader.parser.feed(b"x")


def test_a_large_message_in_small_pieces_is_joined_once() -> None:
    reader = Reader(most=10_000_000)
    payload = bytes(range(256)) * 20_000
    data = on_the_wire((b"a", b"r", b"NATS/1.0\r\n\r\n", payload))
    for begin in range(0, len(data), 1000):
        reader.parser.feed(data[begin : begin + 1000])
    assert reader.said == [(b"a", b"r", b"NATS/1.0\r\n\r\n", payload)]


def test_messages_of_subscriptions_that_ended_are_passed_over() -> None:
    reader = Reader()
    reader.parser.feed(b"MSG a 8 3\r\nabc\r\nMSG b 7 1\r\nd\r\n")
    assert reader.said == [(b"b", b"", b"", b"d")]


def test_a_receiver_that_fails_keeps_nothing_from_the_others(caplog: pytest.LogCaptureFixture) -> None:
    said: list[bytes] = []

    def receive(subject: bytes, reply: bytes, block: bytes, payload: bytes) -> None:
        if payload == b"bad":
            raise RuntimeError("no")
        said.append(payload)

    with caplog.at_level(logging.ERROR):
        Parser({b"7": receive}, said.append).feed(b"MSG a 7 3\r\nbad\r\nMSG a 7 4\r\ngood\r\nPING\r\n")
    assert said == [b"good", b"PING"]
    assert "receiver" in caplog.text


def test_a_receiver_may_end_its_subscription_while_it_is_called() -> None:
    said: list[bytes] = []

    def receive(subject: bytes, reply: bytes, block: bytes, payload: bytes) -> None:
        said.append(payload)
        del receivers[b"7"]

    receivers = {b"7": receive}
    Parser(receivers, said.append).feed(b"MSG a 7 1\r\n1\r\nMSG a 7 1\r\n2\r\n")
    assert said == [b"1"]
