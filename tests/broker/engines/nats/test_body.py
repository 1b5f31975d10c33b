"""What is stored of an event, and the event that is made of it again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.engines.entry import Draft, placed
from swarmwire_broker.engines.nats.body import (
    Topics,
    entry_of,
    message_id_of,
    place_of,
    stored_headers,
    stored_payload,
)
from swarmwire_broker.engines.nats.subjects import Subjects
from swarmwire_broker.natslink import header
from swarmwire_protocol.codec import event_head, event_origin

from ..models import topics

SUBJECTS = Subjects(b"swarmwire.main.e.")

instances = st.none() | st.text(min_size=1, max_size=40) | st.sampled_from(["\ud800", "a\r\nSwarmwire-Clear: 1", "%41"])

drafts = st.builds(
    lambda topic, sender, headers, data, hidden_from, clear: Draft(
        topic, event_head(topic), event_origin(sender, headers), data, None, hidden_from, clear
    ),
    topics | st.sampled_from(["agent.ü", ">", "a.>>.b"]),
    st.none() | st.text(alphabet="abcü", min_size=1),
    st.none() | st.just({"x": "y"}),
    st.sampled_from([b"1", b"null", b'{"seq":7}', b'"\\"data\\":"']),
    instances,
    st.booleans(),
)


@given(drafts, st.integers(1, 2**53), st.integers(0, 2**42), st.sampled_from([b"", b"id"]))
def test_what_is_made_of_a_stored_event_is_what_any_engine_makes_of_it(
    draft: Draft, seq: int, ts: int, message_id: bytes
) -> None:
    headers = stored_headers(draft, message_id)
    made = entry_of(seq, ts, SUBJECTS.subject(draft.topic), headers, stored_payload(draft), Topics(SUBJECTS))
    wanted = placed(draft, seq, ts)
    assert made is not None
    for name in ("seq", "ts", "topic", "payload", "hidden_from", "clear"):
        assert getattr(made, name) == getattr(wanted, name)
    if message_id:
        assert header(headers, b"Nats-Msg-Id") == message_id


def test_most_events_have_no_headers() -> None:
    draft = Draft("a", event_head("a"), b"", b"1")
    assert stored_headers(draft) == b""


@pytest.mark.parametrize(
    ("subject", "payload"),
    [
        (b"swarmwire.main.e.a", b"hello"),
        (b"swarmwire.main.e.a", b'{"type":"event","topic":"b","data":1}'),
        (b"swarmwire.main.e.\xff", b'{"type":"event","topic":"b","data":1}'),
    ],
)
def test_what_no_broker_has_stored_is_no_event(subject: bytes, payload: bytes) -> None:
    assert entry_of(1, 1, subject, b"", payload, Topics(SUBJECTS)) is None


def test_topics_are_remembered_up_to_a_limit() -> None:
    topics = Topics(SUBJECTS, most=2)
    first = topics.of(b"swarmwire.main.e.a")
    assert topics.of(b"swarmwire.main.e.a") is first
    for name in (b"b", b"c", b"d"):
        topics.of(b"swarmwire.main.e." + name)
    again = topics.of(b"swarmwire.main.e.a")
    assert again is not first
    assert again is not None
    assert again.topic == "a"


@pytest.mark.parametrize(
    "reply",
    [
        b"$JS.ACK.stream.consumer.1.17.5.1700000000123456789.9",
        b"$JS.ACK.domain.account.stream.consumer.1.17.5.1700000000123456789.9",
        b"$JS.ACK.domain.account.stream.consumer.1.17.5.1700000000123456789.9.random",
    ],
)
def test_a_place_is_read_from_the_subject_of_every_generation_of_servers(reply: bytes) -> None:
    assert place_of(reply) == (17, 5, 1_700_000_000_123, 9)


@pytest.mark.parametrize("reply", [b"", b"_INBOX.a.b", b"$JS.ACK.a.b.c.d.e.f.g", b"$JS.ACK.1.2.3.4.5.6.7.8"])
def test_what_is_no_place_is_not_read_as_one(reply: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - that it is no number is all there is to say
        place_of(reply)


keys = st.tuples(st.text(max_size=4), st.sampled_from(["a", "b"]), st.text(max_size=4))


@given(keys, keys)
def test_two_keys_have_two_ids(one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
    assert (message_id_of(one) == message_id_of(other)) == (one == other)


def test_a_scope_and_a_key_that_touch_are_told_apart() -> None:
    assert message_id_of(("x\0a", "t", "k")) != message_id_of(("x", "a\0t", "k"))
    assert message_id_of(("a", "b", "c\0d\0e")) != message_id_of(("a\0b\0c", "d", "e"))
