"""The OpenAPI document is what the routes do: a real broker is asked by it, for what it allows and what it does not."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, seed, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.web.errors import STATUSES
from swarmwire_broker.web.openapi import document
from swarmwire_broker.web.routes import HANDLERS

from .browser import LOGIN, client, serving, token

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    negative_data_rejection,
    unsupported_method,
]
EXAMPLES = settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    """A broker in a thread of its own: who asks it here waits without a loop."""
    started: Future[str] = Future()
    stop: list[Any] = []

    async def serve() -> None:
        over = asyncio.Event()
        stop.extend((asyncio.get_running_loop(), over))
        async with serving(auth=LOGIN, limits=Limits(request_timeout_ms=2_000)) as server:
            started.set_result(f"http://127.0.0.1:{server.port}")
            await over.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    try:
        yield started.result(10)
    finally:
        loop, over = stop
        loop.call_soon_threadsafe(over.set)
        thread.join(10)


@schemathesis.serializer("application/x-ndjson")
def _lines(context: schemathesis.SerializationContext, value: Any) -> bytes:
    return value.encode(errors="replace") if isinstance(value, str) else json.dumps(value).encode()


schema = schemathesis.openapi.from_dict(document())


@seed(1)
@schema.parametrize()
@EXAMPLES
def test_every_answer_is_one_that_the_document_names(case: schemathesis.Case[Any], base_url: str) -> None:
    # A stream has no end, so it is asked by somebody who may follow nothing. What it sends has tests of its own.
    login = token(permissions={}) if case.path == "/v1/events" else token()
    # What is made up as wrong may be right as it is sent: one value for a list, any text for lines.
    is_like_right = case.media_type == "application/x-ndjson" or "pattern" in case.operation.query
    checks = [check for check in CHECKS if not (is_like_right and check is negative_data_rejection)]
    case.call_and_validate(base_url=base_url, headers=login, checks=checks)


async def test_it_is_served_as_it_is_made() -> None:
    async with serving() as server, client(server) as http:
        answer = await http.get("/v1/openapi.json")
        assert answer.json() == {**json.loads(json.dumps(document())), "servers": [{"url": "/"}]}


def test_it_has_every_route_and_no_other() -> None:
    routes = {
        path.replace(":swarmwire_rest", ""): {name.lower() for name in methods}
        for path, methods in HANDLERS.items()
        if methods
    }
    assert {path: set(methods) for path, methods in document()["paths"].items()} == routes


def test_the_statuses_it_names_are_those_there_are() -> None:
    named = {
        int(status)
        for methods in document()["paths"].values()
        for one in methods.values()
        for status in one["responses"]
    }
    assert named - {200} <= {*STATUSES.values(), 406, 408, 415}


def test_a_publish_is_described_without_what_the_broker_states() -> None:
    item = document()["components"]["schemas"]["Item"]
    assert item["required"] == ["topic", "data"]
    assert not {"from", "client_id", "type", "id"} & set(item["properties"])
