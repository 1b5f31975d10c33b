"""GET /v1/openapi.json: what the routes take and give, written down from the records they use."""

from __future__ import annotations

from functools import cache
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct
from starlette.responses import Response

from swarmwire_protocol.messages import Gap, Publish, Welcome

from ..services.operators.pages import HistoryPage
from ..version import VERSION
from .calling import Answer
from .errors import Failure, json
from .publishing import JSON, KEY, NDJSON, Batch, Published
from .query import LAST_EVENT_ID, CallQuery, EventsQuery, HistoryQuery
from .visit import INSTANCE, MAX_INSTANCE, PRINTABLE, Visit

__all__ = ["document", "openapi"]

_COMPONENT: Final = "#/components/schemas/{name}"
_NOT_TAKEN: Final = ("type", "id", "from", "client_id")
_STREAM: Final = "text/event-stream"
_EVERYWHERE: Final = (400, 401, 403, 408, 429, 500, 503)
"""What may be answered wherever somebody logs in: the request is wrong, nobody was let in, or not now."""


class _Operation(NamedTuple):
    """One method of one path: what it says of itself, takes and gives."""

    path: str
    method: str
    summary: str
    query: type[Struct] | None = None
    headers: tuple[str, ...] = (INSTANCE,)
    takes: dict[str, Any] | None = None
    gives: dict[str, Any] | None = None
    errors: tuple[int, ...] = ()
    needs_body: bool = True


def _ref(*names: str) -> dict[str, Any]:
    schemas = [{"$ref": _COMPONENT.format(name=name)} for name in names]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


_TEXT: Final = {"type": "string"}
_HEADERS: Final[dict[str, dict[str, Any]]] = {
    INSTANCE: {
        "description": "the program that asks, over its requests",
        "schema": {"type": "string", "maxLength": MAX_INSTANCE, "pattern": f"^({PRINTABLE})?$"},
    },
    KEY: {
        "description": "the key of a single publish",
        "schema": {"type": "string", "pattern": f"^({PRINTABLE})?$"},
    },
    LAST_EVENT_ID: {"description": "the cursor to go on from", "schema": _TEXT},
}
_FRAME: Final = {
    "type": "object",
    "description": "one frame of the stream, with its fields as EventSource reads them",
    "properties": {
        "id": {"type": "string", "description": "the cursor behind it"},
        "event": {"type": "string", "enum": ["live", "gap", "bye"], "description": "absent: an event of a topic"},
        "data": {"type": "string", "description": "a message of the protocol in JSON"},
        "retry": {"type": "integer", "description": "come back after so many milliseconds"},
    },
}
_BATCH: Final = {"type": "array", "description": "a batch: each item as for a single publish, decided by itself"}

_OPERATIONS: Final = (
    _Operation("/v1/hello", "get", "Who the token is, and what a welcome tells", gives={JSON: _ref("Welcome")}),
    _Operation(
        "/v1/publish",
        "post",
        "Publish one event, or many",
        headers=(INSTANCE, KEY),
        takes={JSON: {"anyOf": [_ref("Item"), _BATCH]}, NDJSON: _TEXT},
        gives={JSON: _ref("Published", "Batch")},
        errors=(409, 413, 415, 504),
    ),
    _Operation(
        "/v1/events",
        "get",
        "Events as they come, as server-sent events",
        query=EventsQuery,
        headers=(INSTANCE, LAST_EVENT_ID),
        gives={_STREAM: _FRAME},
    ),
    _Operation(
        "/v1/history",
        "get",
        "One page of stored events",
        query=HistoryQuery,
        gives={JSON: _ref("HistoryPage")},
        errors=(409,),
    ),
    _Operation(
        "/v1/call/{method}",
        "post",
        "Call a method",
        query=CallQuery,
        takes={JSON: {}},
        gives={JSON: _ref("Answer"), NDJSON: _TEXT},
        errors=(404, 406, 409, 413, 415, 502, 504),
        needs_body=False,
    ),
    _Operation("/v1/openapi.json", "get", "This document", headers=(), gives={JSON: {"type": "object"}}),
)


async def openapi(visit: Visit) -> Response:
    """Answer the document, with the prefix that this application is mounted at."""
    prefix = str(visit.request.scope.get("root_path", ""))
    return json({**document(), "servers": [{"url": prefix or "/"}]})


@cache
def document() -> dict[str, Any]:
    """The OpenAPI document."""
    schemas = _schemas()
    queries = {name: schemas.pop(name) for name in ("EventsQuery", "HistoryQuery", "CallQuery")}
    paths: dict[str, Any] = {}
    for operation in _OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation, queries)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Swarmwire", "version": VERSION, "description": "A publish/subscribe broker over HTTP."},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "responses": {"Failure": {"description": "An error.", "content": {JSON: {"schema": _ref("Failure")}}}},
        },
    }


def _schemas() -> dict[str, Any]:
    """The JSON schemas of all records by their names."""
    records = [Welcome, Publish, Published, Batch, Gap, HistoryPage, Answer, Failure]
    queries = [EventsQuery, HistoryQuery, CallQuery]
    _, schemas = msgspec.json.schema_components([*records, *queries], ref_template=_COMPONENT)
    item = schemas.pop("Publish")
    item |= {"title": "Item", "description": "One event to publish."}
    for name in _NOT_TAKEN:
        item["properties"].pop(name)
    item["required"] = [name for name in item["required"] if name not in _NOT_TAKEN]
    return {**schemas, "Item": item}


def _operation(operation: _Operation, queries: dict[str, Any]) -> dict[str, Any]:
    errors = sorted({*_EVERYWHERE, *operation.errors})
    found: dict[str, Any] = {
        "summary": operation.summary,
        "operationId": operation.path.split("/")[2].partition(".")[0],
        "security": [{}, {"token": []}],
        "parameters": _parameters(operation, queries),
        "responses": {
            "200": {"description": "Done.", "content": _content(operation.gives)},
            **{str(status): {"$ref": "#/components/responses/Failure"} for status in errors},
        },
    }
    if operation.takes is not None:
        found["requestBody"] = {"required": operation.needs_body, "content": _content(operation.takes)}
    return found


def _content(by_type: dict[str, Any] | None) -> dict[str, Any]:
    return {kind: {"schema": schema} for kind, schema in (by_type or {}).items()}


def _parameters(operation: _Operation, queries: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = [{"name": name, "in": "header", **_HEADERS[name]} for name in operation.headers]
    if "{method}" in operation.path:
        found.append({"name": "method", "in": "path", "required": True, "schema": _TEXT})
    if operation.query is not None:
        schema = queries[operation.query.__name__]
        required = schema.get("required", [])
        found += [_parameter(name, part, name in required) for name, part in schema["properties"].items()]
    return found


def _parameter(name: str, schema: dict[str, Any], required: bool) -> dict[str, Any]:
    """A parameter of a URL, which cannot be null: what is absent is left out."""
    given = [part for part in schema.get("anyOf", [schema]) if part != {"type": "null"}]
    schema = {key: value for key, value in given[0].items() if key != "default"}
    return {"name": name, "in": "query", "required": required, "schema": schema}
