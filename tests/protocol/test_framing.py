from __future__ import annotations

import json
import tracemalloc
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.framing import PREFACE, StreamDecoder, StreamMode, encode_frame

VECTORS = json.loads((Path(__file__).parents[2] / "protocol/spec/vectors/framing.json").read_text())

MESSAGES = st.lists(st.text(min_size=1, max_size=30).map(str.encode), max_size=8)


def pieces(data: bytes, splits: list[int]) -> list[bytes]:
    places = [0, *sorted(place for place in splits if place < len(data)), len(data)]
    return [data[start:stop] for start, stop in pairwise(places)]


def read_all(decoder: StreamDecoder, parts: list[bytes]) -> tuple[list[bytes], ErrorCode | None]:
    """All messages up to the end of the input or the error, and the error."""
    messages: list[bytes] = []
    try:
        for part in parts:
            messages += decoder.feed(part)
        messages += decoder.finish()
    except SwarmwireError as error:
        return messages + error.details, error.code
    return messages, None


def decoder_of(start: bytes, max_bytes: int = 64) -> StreamDecoder:
    decoder = StreamDecoder(max_bytes)
    assert decoder.feed(start) == []
    return decoder


# ---- The vectors


@pytest.mark.parametrize("how", ["split as it says", "in one piece", "byte by byte"])
@pytest.mark.parametrize("case", [pytest.param(case, id=case["name"]) for case in VECTORS])
def test_the_vectors_say_what_a_stream_holds(case: dict[str, Any], how: str) -> None:
    data = bytes.fromhex(case["input"])
    splits = {"split as it says": case["splits"], "in one piece": [], "byte by byte": [*range(1, len(data))]}
    decoder = StreamDecoder(case["max_bytes"])
    messages, error = read_all(decoder, pieces(data, splits[how]))
    assert [message.decode() for message in messages] == case["messages"]
    assert error == case["error"]
    assert decoder.mode is StreamMode(case["mode"])


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=case["name"]) for case in VECTORS if case["error_after"] is not None]
)
def test_the_vectors_say_with_which_byte_an_error_is_known(case: dict[str, Any]) -> None:
    data, known = bytes.fromhex(case["input"]), case["error_after"]
    decoder = StreamDecoder(case["max_bytes"])
    for place in range(known - 1):
        decoder.feed(data[place : place + 1])
    with pytest.raises(SwarmwireError) as caught:
        decoder.feed(data[known - 1 : known])
    assert caught.value.code == case["error"]


# ---- Any splits


@given(MESSAGES, st.lists(st.integers(1, 300)))
def test_frames_are_the_same_however_they_are_split(messages: list[bytes], splits: list[int]) -> None:
    data = PREFACE + b"".join(map(encode_frame, messages))
    assert read_all(StreamDecoder(200), pieces(data, splits)) == (messages, None)


@given(
    st.lists(st.tuples(st.text("a中\r\t {", max_size=12), st.sampled_from(["\n", "\r\n", "\n\n"]))),
    st.text("a中 ", max_size=5),
    st.lists(st.integers(1, 200)),
)
def test_lines_are_the_same_however_they_are_split(lines: list[tuple[str, str]], last: str, splits: list[int]) -> None:
    text = "{}\n" + "".join(line + end for line, end in lines) + last
    expected = [line.removesuffix("\r") for line in text.split("\n") if line.strip()]
    messages, error = read_all(StreamDecoder(100), pieces(text.encode(), splits))
    assert error is None
    assert [message.decode() for message in messages] == expected


@given(
    st.sampled_from([b"", b"{", PREFACE, PREFACE + encode_frame(b"{}")]),
    st.binary(max_size=60)
    | st.lists(st.sampled_from([b"\0\0\0\2", b"{}", b"\n", b"\r", b"\xff", b"ab"])).map(b"".join),
    st.integers(0, 12),
    st.lists(st.integers(1, 80)),
)
def test_any_bytes_give_the_same_messages_and_error_however_they_are_split(
    start: bytes, rest: bytes, max_bytes: int, splits: list[int]
) -> None:
    data = start + rest
    whole, parts = StreamDecoder(max_bytes), StreamDecoder(max_bytes)
    answer = read_all(whole, [data])
    assert read_all(parts, pieces(data, splits)) == answer
    assert whole.mode is parts.mode
    assert all(0 < len(message) <= max_bytes for message in answer[0])


# ---- Errors


def test_messages_before_an_error_are_in_its_details_once() -> None:
    decoder = decoder_of(PREFACE)
    with pytest.raises(SwarmwireError) as first:
        decoder.feed(encode_frame(b"1") + encode_frame(b"2") + b"\0\0\0\0" + encode_frame(b"3"))
    assert first.value.details == [b"1", b"2"]
    with pytest.raises(SwarmwireError) as again:
        decoder.feed(encode_frame(b"4"))
    assert (again.value.code, again.value.message) == (first.value.code, first.value.message)
    assert again.value.details == []


@pytest.mark.parametrize("start", [b"{}\n{\xff}\n", PREFACE + b"\0\0\0\0", b"x"])
def test_after_an_error_the_decoder_is_closed_for_good(start: bytes) -> None:
    decoder = StreamDecoder(64)
    with pytest.raises(SwarmwireError):
        decoder.feed(start)
    for more in (b"{}\n", b""):
        with pytest.raises(SwarmwireError) as caught:
            decoder.feed(more)
        assert caught.value.code is ErrorCode.INVALID_MESSAGE
    with pytest.raises(SwarmwireError):
        decoder.finish()


def test_an_input_that_ended_inside_a_frame_stays_an_error() -> None:
    decoder = decoder_of(PREFACE + b"\0\0\0\x02{")
    for _ in range(2):
        with pytest.raises(SwarmwireError, match="after 1 of 2 bytes of its payload"):
            decoder.finish()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"GET /", r"begins with 'SWARM/1\\n' or a JSON object"),
        (PREFACE + b"\0\0\0\x41", "at most 64 bytes; this is a frame of 65 bytes"),
        (b"{" + b"x" * 64, "at most 64 bytes; this is a line of 65 bytes or more"),
        (PREFACE + b"\0\0\0\0", "this one has the length 0"),
        (b'{"\xff"}\n', "the byte at offset 2 of this one is not"),
    ],
)
def test_an_error_says_what_was_expected_and_what_came(data: bytes, sentence: str) -> None:
    with pytest.raises(SwarmwireError, match=sentence):
        StreamDecoder(64).feed(data)


# ---- Limits


def test_a_limit_raised_after_the_welcome_holds_for_what_comes_next() -> None:
    frames, lines = decoder_of(PREFACE, 4), decoder_of(b"{", 4)
    frames.max_bytes = lines.max_bytes = 8
    assert frames.feed(encode_frame(b"12345678")) == [b"12345678"]
    assert lines.feed(b"1234567\n") == [b"{1234567"]
    with pytest.raises(SwarmwireError, match="at most 8 bytes"):
        frames.feed(encode_frame(b"123456789"))
    with pytest.raises(SwarmwireError, match="at most 8 bytes"):
        lines.feed(b"123456789")


def test_a_frame_whose_length_was_accepted_is_not_asked_again_when_the_limit_falls() -> None:
    decoder = decoder_of(PREFACE + b"\0\0\0\x04{", 4)
    decoder.max_bytes = 2
    assert decoder.feed(b"...") == [b"{..."]


@pytest.mark.parametrize("start", [PREFACE + b"\xff\xff\xff\xff", b"{"])
def test_nothing_is_kept_of_what_is_over_the_limit(start: bytes) -> None:
    flood = start + b"x" * 8_000_000
    decoder = StreamDecoder(1000)
    tracemalloc.start()
    try:
        with pytest.raises(SwarmwireError) as caught:
            decoder.feed(flood)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert caught.value.code is ErrorCode.MESSAGE_TOO_LARGE
    assert peak < 100_000


def test_an_announced_length_reserves_no_memory() -> None:
    decoder = decoder_of(PREFACE, 2**31)
    tracemalloc.start()
    try:
        assert decoder.feed(b"\x7f\xff\xff\xff{") == []
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000


def test_a_megabyte_byte_by_byte_arrives_whole_in_both_modes() -> None:
    # Copying what is there already at each byte would move half a terabyte here, and never end.
    message = b"{" + b"x" * 999_999
    frames, lines = decoder_of(PREFACE, 1_000_000), StreamDecoder(1_000_000)
    framed, lined = encode_frame(message), message + b"\n"
    assert [m for place in range(len(framed)) for m in frames.feed(framed[place : place + 1])] == [message]
    assert [m for place in range(len(lined)) for m in lines.feed(lined[place : place + 1])] == [message]


# ---- Frames


def test_a_frame_is_its_length_and_its_bytes() -> None:
    assert PREFACE == b"SWARM/1\n"
    assert encode_frame(b"{}") == b"\0\0\0\x02{}"
    assert encode_frame(b"x" * 258)[:4] == b"\0\0\1\2"


def test_an_empty_frame_cannot_be_made() -> None:
    with pytest.raises(SwarmwireError) as caught:
        encode_frame(b"")
    assert caught.value.code is ErrorCode.INVALID_MESSAGE


def test_the_mode_is_undecided_until_the_preface_is_whole() -> None:
    assert decoder_of(PREFACE[:-1]).mode is StreamMode.UNDECIDED
    assert decoder_of(PREFACE).mode is StreamMode.FRAMES


def test_the_first_byte_of_an_object_decides_for_lines() -> None:
    assert decoder_of(b"{").mode is StreamMode.LINES
