"""What a subscription makes of sealed events: which it hands out, and by which name it refuses the others."""

from __future__ import annotations

import asyncio
import json
import math
from typing import Any

import msgspec
import pytest

from swarmwire import (
    Encryption,
    ErrorCode,
    Keyring,
    PlainPayload,
    Published,
    ReplayedPayload,
    SwarmwireError,
    TamperedPayload,
    UnknownKey,
)
from swarmwire.outgoing import Outgoing
from swarmwire.sealedpublish import SealedPublish
from swarmwire.sealing import Opener, Sealing
from swarmwire_protocol.messages import Event, Publish

from .test_outgoing import Outlet

NOW = 1_764_000_000_000
RING = Keyring.of(bytes(range(32)), "k1")
OTHER = Keyring.of(bytes(32), "k1")


def raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(value).encode())


def sealed(value: Any, *, topic: str = "a", t: int = NOW, ring: Keyring = RING) -> msgspec.Raw:
    return Encryption(ring).seal(raw(value), topic, "key", t)


def event(data: msgspec.Raw, seq: int | None = 1, *, topic: str = "a", ts: int = NOW) -> Event:
    return Event(topic=topic, ts=ts, seq=seq, data=data)


def opener(**options: Any) -> Opener:
    return Sealing(Encryption(RING, **options)).opener()


# ---- Keys


def test_what_was_sealed_is_opened() -> None:
    assert opener().open(event(sealed({"a": [1, None]})), "e") == {"a": [1, None]}


def test_the_broker_does_not_see_the_text() -> None:
    assert b"secret" not in bytes(sealed("secret"))
    assert bytes(sealed("secret")) != bytes(sealed("secret"))


def test_another_key_is_an_unknown_one_even_under_the_same_name() -> None:
    with pytest.raises(UnknownKey, match="k1:"):
        opener().open(event(sealed(1, ring=OTHER)), "e")


def test_after_a_rotation_what_the_old_key_sealed_is_still_read() -> None:
    rotated = Sealing(Encryption(RING.rotated("k2"))).opener()
    assert rotated.open(event(sealed(1)), "e") == 1


def test_a_running_client_takes_other_keys() -> None:
    new = RING.rotated("k2")
    encryption = Encryption(RING)
    reader = Sealing(encryption).opener()
    theirs = event(sealed("new", ring=new), 2)
    with pytest.raises(UnknownKey):
        reader.open(theirs, "e")
    encryption.use(new)
    assert reader.open(theirs, "e") == "new"
    assert new.current.id.encode() in bytes(encryption.seal(raw(1), "a", None, NOW))
    with pytest.raises(KeyError):
        encryption.use(new, "b.#")


def test_the_first_pattern_that_matches_says_which_keys() -> None:
    hr = Keyring.generate("hr")
    encryption = Encryption({"open.#": None, "pay.#": hr, "#": RING})
    found = {topic: encryption.ring_of(topic) for topic in ("open.a", "pay.a", "x", "$sys.client")}
    assert found == {"open.a": None, "pay.a": hr, "x": RING, "$sys.client": None}
    assert bytes(encryption.seal(raw(1), "open.a", None, NOW)) == b"1"

    reader = Sealing(encryption).opener()
    assert reader.open(event(raw({"plain": 1}), 1, topic="open.a"), "e") == {"plain": 1}
    with pytest.raises(UnknownKey):  # whoever holds another topic's key cannot speak here
        reader.open(event(sealed(1, topic="pay.a"), 2, topic="pay.a"), "e")


def test_plain_data_where_there_is_a_key_is_refused() -> None:
    with pytest.raises(PlainPayload) as caught:
        opener().open(event(raw({"a": 1})), "e")
    assert (caught.value.topic, caught.value.cursor, caught.value.code) == ("a", "e:1", ErrorCode.INVALID_MESSAGE)


def test_data_moved_to_another_topic_is_tampered_with() -> None:
    with pytest.raises(TamperedPayload):
        opener().open(event(sealed(1, topic="b")), "e")


def test_sealed_text_that_is_no_json_is_an_error_and_no_crash() -> None:
    data = Encryption(RING).seal(msgspec.Raw(b"{"), "a", None, NOW)
    with pytest.raises(SwarmwireError, match="valid JSON"):
        opener().open(event(data), "e")


# ---- Replays


def test_the_same_payload_at_another_place_is_a_replay() -> None:
    reader, data = opener(), sealed(1)
    assert reader.open(event(data, 1), "e") == 1
    with pytest.raises(ReplayedPayload, match="event 1 of the log e") as caught:
        reader.open(event(data, 2), "e")
    assert caught.value.code is ErrorCode.REPLAYED


def test_the_same_payload_at_the_same_place_is_the_same_event() -> None:
    reader, data = opener(), sealed(1)
    assert [reader.open(event(data, 1), "e") for _ in range(2)] == [1, 1]


def test_the_same_place_of_another_log_is_another_place() -> None:
    reader, data = opener(), sealed(1)
    reader.open(event(data, 1), "e")
    with pytest.raises(ReplayedPayload):
        reader.open(event(data, 1), "f")


def test_equal_data_sealed_twice_is_no_replay() -> None:
    reader = opener()
    assert [reader.open(event(sealed(1), seq), "e") for seq in (1, 2)] == [1, 1]


def test_a_second_subscription_is_handed_the_same_event_and_knows_the_copy() -> None:
    sealing, data = Sealing(Encryption(RING)), sealed(1)
    first, second, third = sealing.opener(), sealing.opener(), sealing.opener()
    assert first.open(event(data, 1), "e") == 1
    assert second.open(event(data, 1), "e") == 1
    with pytest.raises(ReplayedPayload):  # it never had the original, but its client had
        third.open(event(data, 2), "e")


def test_an_ephemeral_event_is_handed_to_each_subscription_once() -> None:
    sealing, data = Sealing(Encryption(RING)), sealed(1)
    first, second = sealing.opener(), sealing.opener()
    assert [each.open(event(data, None), "e") for each in (first, second)] == [1, 1]
    with pytest.raises(ReplayedPayload, match="came before"):
        first.open(event(data, None), "e")
    with pytest.raises(ReplayedPayload, match="ephemeral"):
        first.open(event(data, 5), "e")
    with pytest.raises(ReplayedPayload):
        sealing.opener().open(event(data, None, ts=NOW + 1), "e")


def test_what_is_refused_is_not_remembered() -> None:
    reader, data = opener(), sealed(1)
    with pytest.raises(TamperedPayload):
        reader.open(event(data, 1, topic="b"), "e")
    assert reader.open(event(data, 2), "e") == 1


def test_an_old_payload_sent_again_is_a_replay_to_who_never_saw_it() -> None:
    data = sealed(1)
    assert opener(max_age=10).open(event(data, 1, ts=NOW + 10_000), "e") == 1
    with pytest.raises(ReplayedPayload, match="at most 10000 ms"):
        opener(max_age=10).open(event(data, 1, ts=NOW + 10_001), "e")


def test_a_payload_of_the_future_is_refused() -> None:
    data = sealed(1)
    assert opener(max_skew=5).open(event(data, 1, ts=NOW - 5_000), "e") == 1
    with pytest.raises(ReplayedPayload, match="a clock is wrong"):
        opener(max_skew=5).open(event(data, 1, ts=NOW - 5_001), "e")


def test_a_log_of_long_ago_is_read_beside_what_is_new() -> None:
    sealing = Sealing(Encryption(RING, max_age=10, memory=4))
    live, past = sealing.opener(), sealing.opener()
    year = 365 * 86_400_000
    for step in range(20):
        old, new = NOW - year + step * 60_000, NOW + step * 60_000
        assert live.open(event(sealed(step, t=new), 1000 + step, ts=new), "e") == step
        assert past.open(event(sealed(step, t=old), 1 + step, ts=old), "e") == step


def test_a_copy_within_the_past_is_found_too() -> None:
    reader, old = opener(max_age=10), NOW - 10**10
    data = sealed(1, t=old)
    reader.open(event(data, 1, ts=old), "e")
    for seq, ts in ((2, old + 9_000), (3, old + 20_000)):
        with pytest.raises(ReplayedPayload):
            reader.open(event(data, seq, ts=ts), "e")


def test_with_a_full_memory_what_is_older_than_all_of_it_is_refused() -> None:
    reader = opener(memory=2)
    first = sealed(0, t=NOW)
    reader.open(event(first, 1, ts=NOW), "e")
    for step in range(1, 4):
        reader.open(event(sealed(step, t=NOW + step), 1 + step, ts=NOW + step), "e")
    with pytest.raises(ReplayedPayload, match="still remembered"):
        reader.open(event(first, 9, ts=NOW + 9), "e")
    with pytest.raises(ReplayedPayload, match="still remembered"):
        reader.open(event(sealed("late", t=NOW), 10, ts=NOW + 9), "e")
    assert reader.open(event(sealed("fresh", t=NOW + 9), 11, ts=NOW + 9), "e") == "fresh"


# ---- Sealing on the way out


def test_a_key_seals_no_more_than_it_may() -> None:
    encryption = Encryption(Keyring.generate(), seals_per_key=2)
    for _ in range(2):
        encryption.seal(raw(1), "a", None, NOW)
    with pytest.raises(SwarmwireError, match="rotate") as caught:
        encryption.seal(raw(1), "a", None, NOW)
    assert caught.value.code is ErrorCode.LIMIT_EXCEEDED
    with pytest.raises(SwarmwireError):
        Encryption(Keyring.generate(), seals_per_key=0).seal(raw(1), "a", None, NOW)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_age", -1),
        ("max_age", math.nan),
        ("max_skew", math.inf),
        ("memory", 0),
        ("memory", 2**24 + 1),
        ("seals_per_key", -1),
        ("seals_per_key", 2**32 + 1),
    ],
)
def test_settings_out_of_range_are_refused(name: str, value: float) -> None:
    options: dict[str, Any] = {name: value}
    with pytest.raises(SwarmwireError) as caught:
        Encryption(RING, **options)
    assert caught.value.field == name


class Clock:
    def __init__(self) -> None:
        self.seconds = NOW / 1000

    def __call__(self) -> float:
        return self.seconds


def publish(clock: Clock, encryption: Encryption) -> SealedPublish:
    answer: asyncio.Future[Published] = asyncio.get_running_loop().create_future()
    message = Publish(topic="a", data=raw("text"), id=1, key="k")
    return SealedPublish(message, Sealing(encryption, now=clock), answer)


def sealed_at(payload: bytes) -> int:
    t: int = json.loads(payload)["data"]["sealed"]["t"]
    return t


async def test_a_publish_that_waited_bears_the_time_at_which_it_set_out() -> None:
    clock, outgoing, outlet = Clock(), Outgoing(10), Outlet()
    waiting = publish(clock, Encryption(RING))
    await outgoing.add(waiting)
    clock.seconds += 3600
    outgoing.connected(outlet, None)
    assert [sealed_at(each) for each in outlet.sent] == [NOW + 3_600_000]
    outgoing.end(SwarmwireError(ErrorCode.UNAVAILABLE))
    assert waiting.answer is not None
    assert waiting.answer.exception() is not None


async def test_a_publish_that_is_repeated_is_the_same_bytes() -> None:
    clock, outgoing, first, second = Clock(), Outgoing(10), Outlet(), Outlet()
    outgoing.connected(first, None)
    repeated = publish(clock, Encryption(RING))
    await outgoing.add(repeated)
    outgoing.lost()
    clock.seconds += 3600
    outgoing.connected(second, None)
    assert first.sent == second.sent
    outgoing.succeeded(1, Published(1))
    assert repeated.answer is not None
    assert repeated.answer.result() == Published(1)


async def test_a_publish_whose_key_is_used_up_while_it_waits_goes_out_as_it_was_sealed() -> None:
    clock = Clock()
    waiting = publish(clock, Encryption(Keyring.generate(), seals_per_key=1))
    before = waiting.payload
    clock.seconds += 3600
    assert waiting.payload == before
