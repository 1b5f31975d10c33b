from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import pytest
from msgspec import Raw, Struct

from swarmwire_protocol.codec import (
    InvalidMessage,
    check_data,
    decode_from_broker,
    decode_from_client,
    encode,
)
from swarmwire_protocol.errors import SwarmwireError
from swarmwire_protocol.messages import BrokerMessage, ClientMessage

VECTORS = json.loads((Path(__file__).parents[2] / "protocol/spec/vectors/messages.json").read_text())


def named(cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in cases]


def read_by_broker(wire: str) -> ClientMessage:
    """A client's message, with all checks that need no more than the message itself."""
    message = decode_from_client(wire.encode())
    for field in ("data", "params"):
        if isinstance(value := getattr(message, field, None), Raw):
            setattr(message, field, Raw(check_data(value, field)))
    return message


READERS: dict[str, Callable[[str], object]] = {
    "to_broker": read_by_broker,
    "from_broker": decode_from_broker,
}


def refusal(wire: str) -> dict[str, Any]:
    """What the broker's error says of a message that is wrong."""
    try:
        decode_from_client(wire.encode())
    except InvalidMessage as error:
        return {"code": error.code, "field": error.field, "id": error.request_id}
    with pytest.raises(SwarmwireError) as caught:
        read_by_broker(wire)
    request_id = json.loads(wire)["id"]
    return {"code": caught.value.code, "field": caught.value.field, "id": request_id}


@pytest.mark.parametrize("case", named(VECTORS["valid"]))
def test_a_valid_message_is_read_and_written_again(case: dict[str, Any]) -> None:
    read = READERS[case["direction"]]
    assert encode(read(case["wire"])).decode() == case["canonical"]


@pytest.mark.parametrize("case", named(VECTORS["valid"]))
def test_a_canonical_message_is_its_own_canonical_form(case: dict[str, Any]) -> None:
    read = READERS[case["direction"]]
    assert encode(read(case["canonical"])).decode() == case["canonical"]


@pytest.mark.parametrize("case", named(VECTORS["invalid"]))
def test_an_invalid_message_is_refused_with_its_field_and_id(case: dict[str, Any]) -> None:
    assert refusal(case["wire"]) == case["error"]


@pytest.mark.parametrize("case", named(VECTORS["invalid"]))
def test_a_refusal_is_a_sentence_that_shows_nothing_of_the_parser(case: dict[str, Any]) -> None:
    with pytest.raises(SwarmwireError) as caught:
        read_by_broker(case["wire"])
    sentence = caught.value.message
    assert sentence.endswith(".")
    assert len(sentence) < 200
    assert not {"`", "$"} & set(sentence)
    assert not re.search(r"position|offset|byte [0-9]|[Mm]alformed", sentence)


@pytest.mark.parametrize(
    ("direction", "union"), [("to_broker", ClientMessage), ("from_broker", BrokerMessage)], ids=str
)
def test_the_vectors_show_every_message_in_its_direction(direction: str, union: Any) -> None:
    shown = {json.loads(case["canonical"])["type"] for case in VECTORS["valid"] if case["direction"] == direction}
    assert shown == {record.__struct_config__.tag for record in get_args(union)}


@pytest.mark.parametrize("record", get_args(ClientMessage), ids=lambda record: record.__name__)
def test_the_vectors_set_every_field_a_client_may_set(record: type[Struct]) -> None:
    tag = record.__struct_config__.tag
    cases = [case for case in VECTORS["valid"] if case["direction"] == "to_broker"]
    shown = {field for case in cases if f'"type":"{tag}"' in case["wire"] for field in json.loads(case["wire"])}
    optional = set(record.__struct_encode_fields__) - {"from", "client_id"}
    never_sent = {"error": {"field", "retry_after_ms", "results", "versions"}, "bye": {"reconnect_after_ms"}}
    assert optional - never_sent.get(str(tag), set()) <= shown


def test_names_of_cases_are_unique() -> None:
    names = [case["name"] for part in VECTORS.values() for case in part]
    assert len(set(names)) == len(names)
