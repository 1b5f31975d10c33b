"""Reading server-sent events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire import ErrorCode, SwarmwireError
from swarmwire.sse import Frame, FrameReader

STREAM = (
    b"retry: 2000\nid: e:1\n\n"
    b": a heartbeat\n\n"
    b'id: e:2\ndata: {"type":"event"}\n\n'
    b"data: one\ndata:two\n\n"
    b"event: live\ndata: {}\nid: e:3\nunknown: x\n\n"
    b"id\n\n"
    b"data: unfinished\n"
)
FRAMES = [
    Frame("", b"", "e:1"),
    Frame("", b'{"type":"event"}', "e:2"),
    Frame("", b"one\ntwo", None),
    Frame("live", b"{}", "e:3"),
    Frame("", b"", ""),
]


def read(stream: bytes, cuts: list[int], limit: int = 1_000) -> list[Frame]:
    reader, found, position = FrameReader(limit), list[Frame](), 0
    for size in [*cuts, len(stream)]:
        found += reader.read(stream[position : position + size])
        position += size
    return found


@given(st.lists(st.integers(1, 40), max_size=40), st.booleans())
def test_frames_are_the_same_however_the_bytes_are_split(cuts: list[int], crlf: bool) -> None:
    stream = STREAM.replace(b"\n", b"\r\n") if crlf else STREAM
    assert read(stream, cuts) == FRAMES


def test_a_comment_is_no_frame_and_ends_none() -> None:
    assert read(b"data: a\n:x\ndata: b\n\n:y\n\n", []) == [Frame("", b"a\nb", None)]


@pytest.mark.parametrize(
    "stream", [b"data: " + b"x" * 100, b"data: x\n" * 20, b"data: " + b"x" * 60 + b"\n" + b"y" * 60]
)
@pytest.mark.parametrize("cuts", [[], [7] * 100])
def test_a_frame_over_the_limit_is_an_error(stream: bytes, cuts: list[int]) -> None:
    with pytest.raises(SwarmwireError) as raised:
        read(stream, cuts, limit=100)
    assert raised.value.code is ErrorCode.MESSAGE_TOO_LARGE


def test_many_small_frames_are_no_large_one() -> None:
    assert len(read(b"data: x\n\n" * 1000, [], limit=100)) == 1000
