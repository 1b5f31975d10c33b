from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import NODEFAULT, UNSET, Raw, Struct
from msgspec.structs import FieldInfo, fields

from swarmwire_protocol.codec import (
    BROKER_ID_PREFIX,
    MAX_DEPTH,
    InvalidMessage,
    check_data,
    conflated,
    decode_from_broker,
    decode_from_client,
    encode,
    encode_event,
    event_head,
    event_origin,
    quote,
    with_sub,
)
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import (
    MAX_SEQ,
    BrokerMessage,
    ClientInfo,
    ClientMessage,
    Conflate,
    Error,
    Event,
    Identity,
    Permissions,
    RequestId,
    ServerInfo,
    StartAt,
    SubscribeResult,
    Subscription,
)

# ---- What messages are made of

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
COUNT = st.integers(0, MAX_SEQ)
FLAG = st.booleans()
IDS = st.integers(-(10**20), 10**20) | TEXT.filter(lambda text: 0 < len(text.encode()) <= 64).filter(
    lambda text: not text.startswith(BROKER_ID_PREFIX)
)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | FLAG | st.integers(-(2**70), 2**70) | FINITE | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)
RAWS = JSON.map(lambda value: Raw(json.dumps(value).encode()))


def optional(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | values


STARTS = TEXT | st.builds(StartAt, cursor=optional(TEXT), last=optional(COUNT), since_ms=optional(COUNT))
MODES = TEXT | st.builds(Conflate, conflate_ms=st.integers(0, 3_600_000))
RESULTS = st.lists(
    st.builds(
        SubscribeResult,
        sub=TEXT,
        cursor=optional(TEXT),
        error=optional(st.builds(Error, from_=st.none(), client_id=st.none(), code=TEXT, message=TEXT)),
    ),
    max_size=3,
)
STRINGS = st.lists(TEXT, max_size=3)
HEADERS = st.dictionaries(TEXT, TEXT, max_size=3)

BY_FIELD: dict[str, st.SearchStrategy[Any]] = {
    "id": IDS,
    "data": RAWS,
    "params": RAWS,
    "details": RAWS,
    "metadata": st.dictionaries(TEXT, JSON, max_size=3),
    "limits": st.dictionaries(TEXT, optional(COUNT), max_size=3),
    "headers": HEADERS,
    "versions": STRINGS,
    "subs": STRINGS,
    "features": STRINGS,
    "client": st.builds(
        ClientInfo, name=TEXT, version=TEXT, instance=optional(TEXT), pid=optional(COUNT), kind=optional(TEXT)
    ),
    "server": st.builds(ServerInfo, id=TEXT, name=TEXT, version=TEXT, pid=COUNT, ppid=COUNT),
    "identity": st.builds(
        Identity,
        subject=TEXT,
        permissions=st.builds(Permissions, publish=STRINGS, subscribe=STRINGS, call=STRINGS, admin=FLAG, observe=FLAG),
        expires_at=optional(COUNT),
    ),
    "subscriptions": st.lists(
        st.builds(
            Subscription,
            pattern=TEXT,
            sub=optional(TEXT),
            from_=STARTS,
            mode=MODES,
            queue_size=optional(COUNT),
        ),
        max_size=3,
    ),
    "results": RESULTS,
}
NUMBERS = {"ts", "seq", "skipped", "dropped", "deadline", "code", "timeout_ms", "heartbeat_ms"} | {
    "retry_after_ms",
    "reconnect_after_ms",
}
FLAGS = {"echo", "ephemeral", "clear", "more", "end", "duplicate", "direct"}


def values_of(record: type[Struct], field: FieldInfo) -> st.SearchStrategy[Any]:
    if {"from_", "client_id"} <= set(record.__struct_fields__) and field.name in ("from_", "client_id"):
        return st.none()
    if field.name == "code" and record is Error:
        return TEXT
    kinds = BY_FIELD | dict.fromkeys(NUMBERS, COUNT) | dict.fromkeys(FLAGS, FLAG)
    values: st.SearchStrategy[Any] = kinds.get(field.name, TEXT)
    if field.default is None or field.default is UNSET:
        return st.just(field.default) | values
    return values


def messages(union: Any) -> st.SearchStrategy[Any]:
    kinds = [
        st.builds(record, **{field.name: values_of(record, field) for field in fields(record)})
        for record in get_args(union)
    ]
    return st.one_of(kinds)


# ---- Round trips


@given(messages(ClientMessage))
def test_what_a_client_writes_is_what_the_broker_reads(message: ClientMessage) -> None:
    assert decode_from_client(encode(message)) == message


@given(messages(BrokerMessage))
def test_what_the_broker_writes_is_what_a_client_reads(message: BrokerMessage) -> None:
    assert decode_from_broker(encode(message)) == message


@given(messages(BrokerMessage))
def test_a_client_reads_text_as_it_reads_bytes(message: BrokerMessage) -> None:
    assert decode_from_broker(encode(message).decode()) == message


@given(messages(ClientMessage), st.data())
def test_null_in_an_optional_field_is_as_if_it_were_absent(message: ClientMessage, data: st.DataObject) -> None:
    optional_fields = [
        field.encode_name
        for field in fields(message)
        if field.name not in ("params", "details")
        and (field.default is not NODEFAULT or field.default_factory is not NODEFAULT)
    ]
    nulls = data.draw(st.sets(st.sampled_from(optional_fields)))
    written = json.loads(encode(message))
    without = {name: value for name, value in written.items() if name not in nulls}
    with_nulls = written | dict.fromkeys(nulls)
    read = decode_from_client(json.dumps(with_nulls).encode())
    assert encode(read) == encode(decode_from_client(json.dumps(without).encode()))


# ---- Bad input


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_but_invalid_message(raw: bytes) -> None:
    for decode in (decode_from_client, decode_from_broker):
        with pytest.raises(InvalidMessage):
            decode(raw)


@given(messages(ClientMessage), st.data())
def test_damaged_messages_raise_nothing_but_invalid_message(message: ClientMessage, data: st.DataObject) -> None:
    raw = bytearray(encode(message))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    for decode in (decode_from_client, decode_from_broker):
        survives(decode, bytes(raw))


@given(JSON)
def test_random_json_raises_nothing_but_invalid_message(value: Any) -> None:
    for decode in (decode_from_client, decode_from_broker):
        survives(decode, json.dumps(value).encode())


@given(st.text(st.characters()))  # lone surrogates too
def test_random_text_raises_nothing_but_invalid_message(text: str) -> None:
    survives(decode_from_broker, text)


def survives(decode: Callable[[Any], object], raw: bytes | str) -> None:
    with suppress(InvalidMessage):
        decode(raw)


@pytest.mark.parametrize("opening", [b"[", b'{"a":'])
def test_nesting_deeper_than_any_parser_takes_is_refused(opening: bytes) -> None:
    raw = b'{"type":"publish","topic":"a","data":' + opening * 100_000
    with pytest.raises(InvalidMessage, match=f"at most {MAX_DEPTH} levels"):
        decode_from_client(raw)


@pytest.mark.parametrize(
    ("request_id", "wire"),
    [("x", b'{"type":"publish","id":"x","topic":1,"data":1}'), (7, b'{"id":7,"type":"subscribe"}')],
)
def test_a_refusal_carries_the_id_with_its_type(request_id: RequestId, wire: bytes) -> None:
    with pytest.raises(InvalidMessage) as caught:
        decode_from_client(wire)
    assert caught.value.request_id == request_id
    assert type(caught.value.request_id) is type(request_id)


@pytest.mark.parametrize("kind", ["reply", "error"])
def test_only_answers_of_a_client_carry_ids_of_the_broker(kind: str) -> None:
    answer = {"type": kind, "id": "b:1", "data": 1, "code": "X", "message": "m"}
    assert encode(decode_from_client(json.dumps(answer).encode()))


# ---- Data

SPACES = st.text(" \t\r\n", max_size=3)


@st.composite
def spaced(draw: st.DrawFn, value: Any) -> str:
    """A JSON text of the value with white space of all kinds between its tokens."""

    def space(text: str) -> str:
        return draw(SPACES) + text + draw(SPACES)

    match value:
        case list():
            return space("[" + ",".join(draw(spaced(part)) for part in value) + "]")
        case dict():
            parts = (space(json.dumps(name)) + ":" + draw(spaced(part)) for name, part in value.items())
            return space("{" + ",".join(parts) + "}")
    return space(json.dumps(value, ensure_ascii=draw(FLAG)))


@given(JSON.flatmap(lambda value: st.tuples(st.just(value), spaced(value))))
def test_checked_data_is_the_same_value_on_one_line(case: tuple[Any, str]) -> None:
    value, text = case
    checked = check_data(Raw(text.encode()))
    assert json.loads(checked) == value
    assert not set(b"\r\n") & set(checked)


@given(JSON)
def test_data_on_one_line_passes_untouched(value: Any) -> None:
    written = json.dumps(value).encode()
    assert check_data(Raw(written)) == written


def nested(value: str, path: str) -> str:
    """The value inside arrays and objects, one for each letter."""
    for kind in path:
        value = f'["]",{value}]' if kind == "a" else f'{{"\\"{{":{value}}}'
    return value


PATHS = st.text("ao", min_size=1, max_size=3)


@given(
    digits=st.integers(1, 10**30),
    exponent=st.integers(310, 99_999),
    sign=st.sampled_from(["", "-"]),
    mark=st.sampled_from(["e", "E", "e+", "E+", "e0", "e+00"]),
    path=st.text("ao", max_size=3),
)
def test_a_number_beyond_a_double_is_refused(digits: int, exponent: int, sign: str, mark: str, path: str) -> None:
    refused(nested(f"{sign}{digits}{mark}{exponent}", path), "numbers that fit a 64-bit float")


@given(st.integers(309, 2000), st.sampled_from("123456789"), st.sampled_from(["", ".0", ".5e1", "e0"]))
def test_an_integer_beyond_a_double_is_refused(size: int, digit: str, end: str) -> None:
    refused(digit + "9" * size + end, "numbers that fit a 64-bit float")


@given(st.integers(2, 308), st.integers(1, 99))
def test_long_digits_and_a_short_exponent_are_weighed_together(digits: int, exponent: int) -> None:
    text = "1" * digits + f"e{exponent}"
    if digits - 1 + exponent > 308:
        refused(text, "numbers that fit a 64-bit float")
    else:
        assert check_data(Raw(text.encode())) == text.encode()


@given(FINITE)
def test_every_double_passes(number: float) -> None:
    written = repr(number).encode()
    assert check_data(Raw(written)) == written


@pytest.mark.parametrize("number", ["1e-999", "0e99999", "-0.0e+99999", "1.7976931348623157e308", "0." + "1" * 500])
def test_a_number_that_rounds_to_a_double_passes(number: str) -> None:
    assert check_data(Raw(number.encode())) == number.encode()


@given(st.text('0123456789eE+-.[]{}"\\,: \n', max_size=80), st.integers(1, 80))
def test_a_string_is_never_taken_for_numbers_or_brackets(text: str, times: int) -> None:
    written = json.dumps([text * times, {text: "1e999"}]).encode()
    assert check_data(Raw(written)) == written


@pytest.mark.parametrize("end", ["\\", "\\\\", '"', '\\"', '"\\', "", '""'])
def test_a_backslash_or_quote_at_an_end_of_a_string_hides_nothing(end: str) -> None:
    text = json.dumps([end, "[" * 300, f"]{end}", f"{end}["])
    assert check_data(Raw(text.encode())) == text.encode()
    refused(f"[{json.dumps(end)},{nested('1', 'a' * 200)},{json.dumps(end)}]", "at most 128 levels of nesting")


@given(PATHS, st.integers(1, MAX_DEPTH))
def test_nesting_up_to_the_limit_passes(path: str, depth: int) -> None:
    written = nested("1e1", (path * depth)[:depth]).encode()
    assert check_data(Raw(written)) == written


@given(PATHS, st.integers(MAX_DEPTH + 1, 3 * MAX_DEPTH), st.text("ao", max_size=3))
def test_nesting_over_the_limit_is_refused(path: str, depth: int, beside: str) -> None:
    refused(f"[{nested('0', beside)},{nested('1e1', (path * depth)[: depth - 1])}]", "at most 128 levels of nesting")


def test_many_brackets_side_by_side_are_not_deep() -> None:
    written = json.dumps([[{}]] * 10_000).encode()
    assert check_data(Raw(written)) == written


def test_the_depth_a_refusal_names_is_the_depth_that_came() -> None:
    refused("[[1]," + nested("1", "a" * 199) + "]", "at most 128 levels of nesting, got 200")


def test_a_refusal_names_the_field_that_was_checked() -> None:
    with pytest.raises(SwarmwireError) as caught:
        check_data(Raw(b"1e999"), "params")
    assert caught.value.field == "params"


def refused(text: str, sentence: str) -> None:
    with pytest.raises(SwarmwireError, match=sentence) as caught:
        check_data(Raw(text.encode()))
    assert (caught.value.code, caught.value.field) == (ErrorCode.INVALID_MESSAGE, "data")


# ---- Events


@given(
    topic=TEXT,
    seq=optional(COUNT),
    ts=COUNT,
    sender=optional(TEXT),
    headers=optional(HEADERS),
    data=RAWS,
    clear=FLAG,
)
def test_an_event_made_of_parts_reads_as_the_record(
    topic: str, seq: int | None, ts: int, sender: str | None, headers: Any, data: Raw, clear: bool
) -> None:
    written = encode_event(event_head(topic), seq, ts, event_origin(sender, headers), bytes(data), clear)
    expected = Event(topic=topic, seq=seq, ts=ts, from_=sender, headers=headers or None, data=data, clear=clear)
    assert decode_from_broker(written) == expected


@given(topic=TEXT, sub=TEXT, skipped=COUNT)
def test_an_event_can_be_addressed_to_one_subscription(topic: str, sub: str, skipped: int) -> None:
    written = encode_event(event_head(topic), 7, 0, b"", b"[1]")
    event = Event(topic=topic, seq=7, ts=0, data=Raw(b"[1]"), sub=sub)
    assert decode_from_broker(with_sub(written, quote(sub))) == event
    event.skipped = skipped
    assert decode_from_broker(conflated(written, quote(sub), skipped)) == event
