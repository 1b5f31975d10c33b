"""Frames of a stream: what a session says, and what nobody can make it say."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from msgspec import Raw

from swarmwire_broker.web.sse import HEARTBEAT, Frames, frame
from swarmwire_protocol.codec import check_data, encode, encode_event, event_head, event_origin
from swarmwire_protocol.messages import Bye, Error, Gap, Live, Ping, Position

_TEXT = st.text(alphabet=st.one_of(st.sampled_from("\r\n: \0\u2028\u2029\x85iddataevnt"), st.characters(codec="utf-8")))


def read(stream: bytes) -> list[dict[str, str]]:
    """The frames of a stream, as the standard of EventSource reads them."""
    frames: list[dict[str, str]] = []
    fields: dict[str, str] = {}
    for line in re.split(r"\r\n|\r|\n", stream.decode()):
        if not line:
            if fields:
                frames.append(fields)
            fields = {}
            continue
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        fields[name] = f"{fields[name]}\n{value}" if name == "data" and "data" in fields else value
    assert not fields, "the last frame was not ended"
    return frames


@given(st.binary() | _TEXT.map(str.encode))
@example(b"x\n\nid: forged:1\nevent: bye\ndata: y")
@example(b"\r\r")
@example(b"\r\n")
def test_no_data_can_forge_a_frame_or_a_field(data: bytes) -> None:
    text = data.decode(errors="replace")
    frames = read(frame(text.encode(), event="gap", cursor="e:1"))
    (one,) = frames
    assert set(one) == {"id", "event", "data"}
    assert (one["id"], one["event"]) == ("e:1", "gap")
    assert one["data"] == re.sub(r"\r\n|\r", "\n", text)


@given(topic=_TEXT, name=_TEXT, value=_TEXT, data=st.recursive(_TEXT | st.none(), st.lists, max_leaves=5))
def test_an_event_is_one_frame_whatever_its_publisher_wrote(topic: str, name: str, value: str, data: Any) -> None:
    spaced = json.dumps(data, indent=1).replace("\n", "\r\n").encode()
    stored = check_data(Raw(spaced))
    origin = event_origin(name, {name: value})
    payload = bytes(encode_event(event_head(topic), 7, 1, origin, stored))
    (one,) = read(Frames("e:1", is_placed=True).of(payload))
    assert set(one) == {"id", "data"}
    assert one["id"] == "e:7"
    event = json.loads(one["data"])
    assert (event["topic"], event["from"], event["headers"], event["data"]) == (topic, name, {name: value}, data)


def told(frames: Frames, *messages: Any) -> list[dict[str, str]]:
    return [one for message in messages for one in read(frames.of(encode(message)))]


EVENT = encode_event(event_head("a"), 5, 1, b"", b"1")


def test_an_events_id_is_its_place_behind_the_epoch_told_last() -> None:
    frames = Frames("old:3", is_placed=True)
    assert read(frames.first) == [{"retry": "2000", "id": "old:3"}]
    assert read(frames.of(EVENT))[0]["id"] == "old:5"
    (gap,) = told(frames, Gap(from_="old:5", to="new:0", reason="epoch"))
    assert (gap["id"], gap["event"]) == ("new:0", "gap")
    assert read(frames.of(EVENT))[0]["id"] == "new:5"


def test_a_snapshot_has_no_ids_until_it_is_live() -> None:
    frames = Frames(None, is_placed=False)
    assert read(frames.first) == [{"retry": "2000"}]
    assert "id" not in read(frames.of(EVENT))[0]
    assert "id" not in told(frames, Gap(from_="e:0", to="e:9", reason="evicted"))[0]
    (live,) = told(frames, Live(sub="a", cursor="e:9"))
    assert live == {"id": "e:9", "event": "live", "data": '{"type":"live","cursor":"e:9"}'}
    assert read(frames.of(EVENT))[0]["id"] == "e:5"


def test_an_ephemeral_event_has_no_id() -> None:
    payload = encode_event(event_head("a"), None, 1, b"", b"1")
    assert set(read(Frames("e:3", is_placed=True).of(payload))[0]) == {"data"}


def test_a_position_is_an_id_alone() -> None:
    assert Frames("e:3", is_placed=True).of(encode(Position(cursor="e:8"))) == b"id: e:8\n\n"


def test_a_denied_pattern_moves_no_place() -> None:
    (gap,) = told(Frames("e:3", is_placed=True), Gap(from_="e:3", to="e:9", reason="denied", sub="a"))
    assert "id" not in gap


def test_a_ping_is_a_comment() -> None:
    assert Frames("e:3", is_placed=True).of(encode(Ping(ts=1))) == HEARTBEAT == b":\n\n"


def test_a_goodbye_says_why_and_when_to_come_back() -> None:
    frames = Frames("e:3", is_placed=True)
    assert told(frames, Error(code="TOKEN_EXPIRED", message="It has.")) == []
    (bye,) = told(frames, Bye(code=4401, reason="It has.", reconnect_after_ms=700))
    assert (bye["event"], bye["retry"]) == ("bye", "700")
    error = {"code": "TOKEN_EXPIRED", "message": "It has."}
    expected = {"type": "bye", "code": 4401, "reason": "It has.", "reconnect_after_ms": 700, "error": error}
    assert json.loads(bye["data"]) == expected
