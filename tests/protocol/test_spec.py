"""The pages for people who write a client say what the code does."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, get_args

import pytest
import websockets
import yaml
from msgspec import NODEFAULT, Struct, structs
from msgspec.json import schema_components

from swarmwire_broker.core.settings import Limits
from swarmwire_protocol import messages
from swarmwire_protocol.codec import MAX_DEPTH, MAX_ID_BYTES, decode_from_broker, decode_from_client
from swarmwire_protocol.errors import CLOSES, ERRORS
from swarmwire_protocol.messages import BrokerMessage, ClientMessage
from swarmwire_protocol.topics import MAX_SEGMENTS, MAX_TOPIC_BYTES, check_pattern, check_topic, matches

SPEC = Path(__file__).parents[2] / "protocol/spec"
PAGE = (SPEC / "PROTOCOL.md").read_text(encoding="utf-8")
ASYNCAPI = yaml.safe_load((SPEC / "asyncapi.yaml").read_text(encoding="utf-8"))

CLIENT_MESSAGES: tuple[type[Struct], ...] = get_args(ClientMessage)
BROKER_MESSAGES: tuple[type[Struct], ...] = get_args(BrokerMessage)
MESSAGES = tuple(dict.fromkeys((*CLIENT_MESSAGES, *BROKER_MESSAGES)))
RECORDS: list[type[Struct]] = [
    record
    for name in messages.__all__
    if isinstance(record := getattr(messages, name), type) and issubclass(record, Struct)
]


def rows(text: str) -> list[list[str]]:
    """The rows of all tables in the text, heads and rules included; a cell is stripped of white space and marks."""
    lines = re.findall(r"^\|(.*)\|$", text, re.MULTILINE)
    return [[cell.strip().strip("`") for cell in line.split("|")] for line in lines]


def table(head: str) -> list[list[str]]:
    """The rows below the head of the page's table that begins with `head`."""
    _, _, rest = PAGE.partition(f"\n{head}\n")
    return rows(rest.partition("\n\n")[0])[1:]


def section(record: type[Struct]) -> str:
    """The heading and the text about a record, up to the next heading."""
    name = record.__struct_config__.tag or record.__name__
    found = re.findall(rf"^###+ `{name}`.*?(?=^#|\Z)", PAGE, re.MULTILINE | re.DOTALL)
    if name == "call":
        found = [text for text in found if ("to a handler" in text) is (record is messages.Dispatch)]
    assert len(found) == 1, f"one section about {name}"
    return str(found[0])


def field_table(record: type[Struct]) -> list[list[str]]:
    """The rows of the first table about a record, its head included."""
    found = re.search(r"^\|(?:.*\|\n\|)*.*\|$", section(record), re.MULTILINE)
    assert found, f"a table of fields of {record.__name__}"
    head, _, *fields = rows(found[0])
    return [head, *fields]


def shown_fields(record: type[Struct]) -> dict[str, str]:
    """What a client may write or read of a record, by name: whether it is required."""
    refused = {"from_", "client_id"} if {"from_", "client_id"} <= set(record.__struct_fields__) else set()
    return {
        field.encode_name: "yes" if field.default is field.default_factory is NODEFAULT else "no"
        for field in structs.fields(record)
        if field.name not in refused
    }


def by_name(record: type[Struct]) -> str:
    return record.__name__


# ---- PROTOCOL.md


@pytest.mark.parametrize("record", RECORDS, ids=by_name)
def test_the_page_lists_exactly_the_fields_of_each_record(record: type[Struct]) -> None:
    head, *fields = field_table(record)
    assert head == ["field", "type", "required", "meaning"]
    assert {name: required for name, _, required, _ in fields} == shown_fields(record)
    assert len(fields) == len(shown_fields(record))


@pytest.mark.parametrize("record", MESSAGES, ids=by_name)
def test_the_page_says_who_sends_each_message(record: type[Struct]) -> None:
    directions = {
        (True, False): "(to the broker)",
        (False, True): "(to a handler)" if record is messages.Dispatch else "(to the client)",
        (True, True): "(both ways)",
    }
    heading = section(record).splitlines()[0]
    assert heading.endswith(directions[record in CLIENT_MESSAGES, record in BROKER_MESSAGES])


JSON_TYPES = {
    "string": {"string"},
    "integer": {"integer"},
    "boolean": {"boolean"},
    "object": {"object"},
    "object of strings": {"object"},
    "list of strings": {"array"},
    "string or integer": {"string", "integer"},
    "any JSON value": set(),
}


@pytest.mark.parametrize("record", RECORDS, ids=by_name)
def test_the_page_gives_each_field_its_type(record: type[Struct]) -> None:
    schema = ASYNCAPI["components"]["schemas"][record.__name__]["properties"]
    for name, kind, _, _ in field_table(record)[1:]:
        assert json_types(schema[name]) == types_in_words(kind), name


def json_types(schema: dict[str, Any]) -> set[str]:
    """The types a schema allows beside null; of other records the name, of lists of them the name in brackets."""
    if "anyOf" in schema:
        return set().union(*map(json_types, schema["anyOf"])) - {"null"}
    if "$ref" in schema:
        return {schema["$ref"].rpartition("/")[2]}
    if "$ref" in schema.get("items", {}):
        return {f"[{schema['items']['$ref'].rpartition('/')[2]}]"}
    return {schema["type"]} if "type" in schema else set()


def types_in_words(kind: str) -> set[str]:
    if kind in JSON_TYPES:
        return JSON_TYPES[kind]
    if kind.startswith("list of "):
        return {f"[{kind.removeprefix('list of ')}]"}
    return set(kind.split(" or "))


def conversations() -> Iterator[tuple[str, str]]:
    for block in re.findall(r"^```jsonl\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL):
        for line in block.splitlines():
            arrow, _, text = line.partition(" ")
            yield arrow, text


def test_every_example_is_a_message_of_its_direction() -> None:
    read = {"->": decode_from_client, "<-": decode_from_broker}
    told = {type(read[arrow](text.encode())) for arrow, text in conversations()}
    assert {messages.Hello, messages.Welcome, messages.Event, messages.Live, messages.Gap} <= told


def test_no_example_has_a_field_that_the_page_does_not_list() -> None:
    read = {"->": decode_from_client, "<-": decode_from_broker}
    for arrow, text in conversations():
        known = shown_fields(type(read[arrow](text.encode())))
        assert set(json.loads(text)) - {"type"} <= set(known)


@pytest.mark.parametrize(("pattern", "topic", "answer"), table("| pattern | topic | matches |"))
def test_the_examples_of_patterns_match_as_they_say(pattern: str, topic: str, answer: str) -> None:
    check_pattern(pattern)
    check_topic(topic)
    assert matches(pattern, topic) is {"yes": True, "no": False}[answer]


def test_the_table_of_errors_is_that_of_the_code() -> None:
    words = {True: "yes", False: "no"}
    assert table("| code | meaning | retry | outcome | close |") == [
        [code, info.sentence, words[info.retry], info.outcome, "" if info.close is None else str(info.close.value)]
        for code, info in ERRORS.items()
    ]


def test_the_table_of_close_codes_is_that_of_the_code() -> None:
    words = {True: "yes", False: "no"}
    assert table("| close | meaning | reconnect |") == [
        [str(code.value), info.sentence, words[info.reconnect]] for code, info in CLOSES.items()
    ]


def test_the_limits_on_the_page_are_the_defaults() -> None:
    fixed = {
        "max_id_bytes": MAX_ID_BYTES,
        "max_depth": MAX_DEPTH,
        "max_topic_bytes": MAX_TOPIC_BYTES,
        "max_segments": MAX_SEGMENTS,
    }
    defaults = structs.asdict(Limits()) | fixed
    listed = {name: int(default) for name, default, _ in table("| limit | default | beyond it |")}
    assert listed == {name: defaults[name] for name in listed}
    assert set(fixed) < set(listed)


def test_every_code_the_page_speaks_of_exists() -> None:
    prose = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    spoken = set(re.findall(r"\b[A-Z]{3,}(?:_[A-Z]+)+\b", prose))
    assert spoken <= set(ERRORS)
    assert set(map(int, re.findall(r"\b(?:4[0-9]{3}|10[01][0-9])\b", prose))) <= set(CLOSES)


# ---- asyncapi.yaml


def test_the_asyncapi_file_is_what_its_generator_writes() -> None:
    done = subprocess.run(
        [sys.executable, "generate_asyncapi.py"], cwd=SPEC, check=True, capture_output=True, timeout=60
    )
    assert done.stdout.decode() == (SPEC / "asyncapi.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("record", RECORDS, ids=by_name)
def test_each_schema_is_that_of_the_record(record: type[Struct]) -> None:
    _, schemas = schema_components([record], ref_template="#/components/schemas/{name}")
    schema = schemas[record.__name__]
    shown = {"type", *shown_fields(record)}
    wanted = {name: part for name, part in schema["properties"].items() if name in shown}
    written = ASYNCAPI["components"]["schemas"][record.__name__]
    assert (written["properties"], written.get("required", [])) == (wanted, schema.get("required", []))


@pytest.mark.parametrize(("action", "records"), [("send", CLIENT_MESSAGES), ("receive", BROKER_MESSAGES)])
def test_each_operation_has_exactly_the_messages_of_its_direction(
    action: str, records: tuple[type[Struct], ...]
) -> None:
    operation = ASYNCAPI["operations"][action]
    assert operation["action"] == action
    payloads = [resolve(resolve(message))["payload"]["$ref"] for message in operation["messages"]]
    assert payloads == [f"#/components/schemas/{record.__name__}" for record in records]


def test_every_reference_of_the_asyncapi_file_leads_somewhere() -> None:
    found = list(references(ASYNCAPI))
    assert found
    for reference in found:
        assert isinstance(resolve({"$ref": reference}), dict)


def resolve(part: dict[str, Any]) -> dict[str, Any]:
    """What a reference leads to; anything else as it is."""
    target: Any = ASYNCAPI
    for step in part["$ref"].removeprefix("#/").split("/"):
        target = target[step]
    return dict(target)


def references(part: Any) -> Iterator[str]:
    match part:
        case {"$ref": str(reference)}:
            yield reference
        case dict():
            for inner in part.values():
                yield from references(inner)
        case list():
            for inner in part:
                yield from references(inner)


# ---- The client on the page


def client_class() -> Any:
    """The class that the page shows, ready to use."""
    _, _, last = PAGE.partition("\n## 14. ")
    [source] = re.findall(r"^```python\n(.*?)^```$", last, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(source, "PROTOCOL.md", "exec"), names)
    return names["Client"]


@asynccontextmanager
async def running(client: Any) -> Any:
    """The client, connected and subscribed."""
    task = asyncio.create_task(client.run())
    try:
        await client.publish("warm.up", None)  # its ack comes after that of the subscribe
        yield client
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_the_client_on_the_page_receives_what_it_publishes(broker: Any) -> None:
    got: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    async with asyncio.timeout(20), running(client_class()(broker.url, "agent.*", got.put_nowait)) as client:
        ack = await client.publish("agent.a1", {"state": "working"})
        event = await got.get()
    assert (event["topic"], event["data"], event["seq"]) == ("agent.a1", {"state": "working"}, ack["seq"])


async def test_the_client_on_the_page_misses_nothing_while_it_is_away(broker: Any) -> None:
    got: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    gaps: list[object] = []
    watcher = client_class()(broker.url, "task.#", got.put_nowait, gaps.append)
    worker = client_class()(broker.url, "nothing", print)
    async with asyncio.timeout(20), running(worker):
        async with running(watcher):
            await worker.publish("task.1", "before")
            assert (await got.get())["data"] == "before"
        for number in range(50):
            await worker.publish(f"task.{number}", number)
        async with running(watcher):
            assert [(await got.get())["data"] for _ in range(50)] == list(range(50))
            await worker.publish("task.1", "after")
            assert (await got.get())["data"] == "after"
    assert gaps == []


async def test_the_client_on_the_page_hands_back_the_error_of_a_publish(broker: Any) -> None:
    async with asyncio.timeout(20), running(client_class()(broker.url, "agent.*", print)) as client:
        answer = await client.publish("agent..status", None)
    assert (answer["type"], answer["code"], answer["field"]) == ("error", "INVALID_TOPIC", "topic")


# ---- The conversation on the page

EXAMPLES_OF = {"server": {}, "client_id": "", "limits": {}, "message": "", "ts": 0, "subject": "", "from": ""}


def without_examples(value: Any, told: str = "") -> Any:
    """A message with what is an example on the page made alike; `ts` is one only where the broker's clock tells it."""
    match value:
        case dict():
            told = value.get("type", told)
            return {
                name: EXAMPLES_OF[name]
                if name in EXAMPLES_OF and (name, told) != ("ts", "pong")
                else f"e:{part.partition(':')[2]}"
                if name == "cursor"
                else without_examples(part, told)
                for name, part in value.items()
            }
        case list():
            return [without_examples(part, told) for part in value]
    return value


async def test_the_first_conversation_happens_as_it_is_written(broker: Any) -> None:
    first = PAGE.partition("\n## 2. ")[0]
    lines = re.findall(r"^(->|<-) (.*)$", first, re.MULTILINE)
    assert len(lines) > 15
    async with asyncio.timeout(20), websockets.connect(broker.url) as socket:
        for arrow, text in lines:
            if arrow == "->":
                await socket.send(text)
            else:
                came = json.loads(await socket.recv())
                assert without_examples(came) == without_examples(json.loads(text))
        with pytest.raises(websockets.ConnectionClosedOK):
            await socket.recv()
