"""The channels in JavaScript know the same records as those in Python, and find the same faults in the same fields."""

from __future__ import annotations

import copy
import json
import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from msgspec import inspect
from tests.channels.strategies import records

from swarmwire_channels.kinds import KINDS
from swarmwire_channels.record import Record, from_data, to_data
from swarmwire_protocol.errors import SwarmwireError

TELL = Path(__file__).parents[2] / "client" / "js" / "tests" / "channels" / "tell.js"

WRONG: list[Any] = [None, True, -1, 1.5, -0.5, 2**53, "x", "", [], [None], [{}], {}, {"a": 1}]
"""Values of all sorts; in most places most of them are faults."""

node = pytest.mark.skipif(shutil.which("node") is None, reason="there is no node on this machine")
pytestmark = node


def told(cases: list[dict[str, Any]]) -> dict[str, Any]:
    """What the JavaScript channels say of these cases, and which fields they know."""
    asked = subprocess.run(["node", TELL], input=orjson.dumps(cases), capture_output=True, timeout=60, check=False)
    assert asked.returncode == 0, asked.stderr.decode()
    answer: dict[str, Any] = json.loads(asked.stdout, parse_int=as_number)
    return answer


def as_number(digits: str) -> int | float:
    """A number as JavaScript has it: a large float is written in digits that no integer of Python's stands for."""
    number = int(digits)
    return number if abs(number) <= 2**53 else float(digits)


# ---- Fields


def fields_of(kind: type) -> dict[str, Any]:
    """The fields of a record, by their names on the wire, and of the records in it."""
    return {
        field.encode_name: {"required": field.required, **inner_fields(field.type)}
        for field in struct_of(inspect.type_info(kind)).fields
    }


def struct_of(info: inspect.Type) -> inspect.StructType:
    assert isinstance(info, inspect.StructType)
    return info


def inner_fields(info: inspect.Type) -> dict[str, Any]:
    match info:
        case inspect.StructType(cls=cls):
            return {"fields": fields_of(cls)}
        case inspect.ListType(item_type=item):
            return inner_fields(item)
        case inspect.UnionType(types=types):
            return next((found for part in types if (found := inner_fields(part))), {})
    return {}


def without_quorum(fields: dict[str, Any]) -> dict[str, Any]:
    """A quorum is a word or a record, of which JavaScript shows no fields; the cases below have both."""
    if "quorum" in fields:
        fields["quorum"].pop("fields", None)
    return fields


def test_the_fields_of_every_record_are_those_of_python() -> None:
    known = told([])["fields"]
    expected = {
        f"{channel} {event}": without_quorum(fields_of(record))
        for channel, kind in KINDS.items()
        for event, record in kind.events.items()
    }
    assert len(expected) >= 28
    assert known == expected


# ---- Values


def samples(count: int) -> list[Record]:
    found: list[Record] = []

    @settings(
        max_examples=count, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
    )
    @given(records)
    def collect(record: Record) -> None:
        found.append(record)

    collect()
    return found


def case_of(record: Record) -> dict[str, Any]:
    kind = next(kind for kind in KINDS.values() if kind.event_of(record) is not None)
    return {"channel": kind.name, "event": kind.event_of(record), "data": orjson.loads(orjson.dumps(to_data(record)))}


def spots(data: Any, depth: int = 0) -> Iterator[tuple[Any, Any]]:
    """The places in a piece of JSON: each container with a key of it."""
    if depth < 3 and isinstance(data, dict | list):
        for key in data if isinstance(data, dict) else range(len(data)):
            yield data, key
            yield from spots(data[key], depth + 1)


def spoiled(case: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    """The case with one value exchanged, left out or added, which mostly makes it wrong."""
    twin = copy.deepcopy(case)
    container, key = chance.choice(list(spots(twin["data"])))
    if isinstance(container, dict) and chance.random() < 0.3:
        del container[key]
    else:
        container[key] = chance.choice(WRONG)
    return twin


def verdict(case: dict[str, Any]) -> dict[str, Any]:
    """What Python makes of a case, in the words of `tell.js`."""
    kind = KINDS[case["channel"]].events[case["event"]]
    try:
        record = from_data(copy.deepcopy(case["data"]), kind, 0)
    except SwarmwireError as error:
        return {"code": error.code.value, "field": error.field}
    return {"record": msgspec.to_builtins(to_data(record))}


def test_the_same_data_is_a_record_in_both_or_has_the_same_fault_in_the_same_field() -> None:
    chance = random.Random(7)
    good = [case_of(record) for record in samples(400)]
    cases = good + [spoiled(case, chance) for case in good for _ in range(5)]
    expected = [verdict(case) for case in cases]
    assert sum("field" in outcome for outcome in expected) > 500
    assert all("record" in outcome for outcome in expected[: len(good)])
    assert {(case["channel"], case["event"]) for case in good} == {
        (name, event) for name, kind in KINDS.items() for event in kind.events
    }
    differences = [
        (case, wanted, got)
        for case, wanted, got in zip(cases, expected, told(cases)["checked"], strict=True)
        if wanted != got
    ]
    assert not differences, json.dumps(differences[:5], indent=1)[:4000]
