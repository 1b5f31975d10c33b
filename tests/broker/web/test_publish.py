"""POST /v1/publish: one event."""

from __future__ import annotations

import asyncio
from typing import Any

from swarmwire_broker.core.settings import Limits
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .browser import JSON, LOGIN, client, follow, publish, serving, token

INSTANCE = {"X-Swarmwire-Instance": "one-program"}


async def test_an_event_is_in_the_log_when_it_is_answered() -> None:
    async with serving() as server, client(server) as http:
        answer = await http.post("/v1/publish", json={"topic": "a.b", "data": {"x": [1, None]}, "headers": {"h": "v"}})
        assert (answer.status_code, answer.json()) == (200, {"seq": 1})
        assert answer.headers["content-type"] == "application/json"
        (event,) = (await http.get("/v1/history", params={"pattern": "a.b"})).json()["events"]
        assert (event["topic"], event["data"], event["headers"]) == ("a.b", {"x": [1, None]}, {"h": "v"})


async def test_the_event_names_its_publisher_and_not_whom_the_body_names() -> None:
    async with serving(auth=LOGIN) as server, client(server, headers=token("alice")) as http:
        forged = await http.post("/v1/publish", json={"topic": "a", "data": 1, "from": "bob"})
        assert forged.status_code == 400
        assert forged.json()["error"]["field"] == "from"
        await publish(http, "a")
        (event,) = (await http.get("/v1/history", params={"pattern": "a"})).json()["events"]
        assert event["from"] == "alice"


async def test_an_ephemeral_event_has_no_place_and_reaches_who_listens() -> None:
    async with serving() as server, client(server) as http, follow(http, "a") as stream:
        await stream.next()
        answer = await http.post("/v1/publish", json={"topic": "a", "data": 7, "ephemeral": True})
        assert (answer.status_code, answer.json()) == (200, {})
        frame = await stream.next()
        assert frame.id is None
        assert frame.data["data"] == 7


async def test_a_repeat_under_the_same_key_is_the_first_event() -> None:
    async with serving(auth=LOGIN) as server, client(server, headers=token()) as http:
        for body in ({"key": "k"}, {"key": None}, {}):
            header = {} if body.get("key") else {"Idempotency-Key": "k"}
            answer = await http.post("/v1/publish", json={"topic": "a", "data": 1, **body}, headers=header)
            assert answer.json()["seq"] == 1
        assert answer.json()["duplicate"]
        assert await publish(http, "a") == 2


async def test_a_key_in_header_and_body_must_be_one() -> None:
    async with serving(auth=LOGIN) as server, client(server, headers=token()) as http:
        body = {"topic": "a", "data": 1, "key": "k"}
        assert (await http.post("/v1/publish", json=body, headers={"Idempotency-Key": "k"})).status_code == 200
        answer = await http.post("/v1/publish", json=body, headers={"Idempotency-Key": "other"})
        assert answer.status_code == 400
        assert answer.json()["error"]["field"] == "Idempotency-Key"


async def test_without_a_login_a_key_needs_the_name_of_a_program() -> None:
    async with serving() as server, client(server) as http:
        body = {"topic": "a", "data": 1, "key": "k"}
        refused = await http.post("/v1/publish", json=body)
        assert (refused.status_code, refused.json()["error"]["field"]) == (400, "X-Swarmwire-Instance")
        first, second = [await http.post("/v1/publish", json=body, headers=INSTANCE) for _ in range(2)]
        assert second.json() == {"seq": first.json()["seq"], "duplicate": True}
        other = await http.post("/v1/publish", json=body, headers={"X-Swarmwire-Instance": "another"})
        assert other.json() == {"seq": 2}


async def test_who_wants_no_echo_of_its_own_events_gets_none() -> None:
    async with serving() as server, client(server) as http:
        async with follow(http, "a", headers=INSTANCE) as mine, follow(http, "a") as others:
            body = {"topic": "a", "data": 1, "echo": False}
            await http.post("/v1/publish", json=body, headers=INSTANCE)
            await publish(http, "a", 2)
            assert [event["data"] for event in await others.events(2)] == [1, 2]
            assert (await mine.event())["data"] == 2
        pages = [await http.get("/v1/history?pattern=a", headers=headers) for headers in (INSTANCE, {})]
        assert [len(page.json()["events"]) for page in pages] == [1, 2]


WRONG: list[tuple[Any, str, str | None]] = [
    ({"data": 1}, "INVALID_MESSAGE", "topic"),
    ({"topic": "a"}, "INVALID_MESSAGE", "data"),
    ({"topic": 5, "data": 1}, "INVALID_MESSAGE", "topic"),
    ({"topic": "a..b", "data": 1}, "INVALID_TOPIC", "topic"),
    ({"topic": "a", "data": 1, "headers": {"h": 1}}, "INVALID_MESSAGE", "headers[...]"),
    ({"topic": "a", "data": 1, "client_id": "me"}, "INVALID_MESSAGE", "client_id"),
    ({"topic": "a", "data": 1, "ephemeral": True, "clear": True}, "INVALID_MESSAGE", "clear"),
    ("text", "INVALID_MESSAGE", None),
    (7, "INVALID_MESSAGE", None),
]


async def test_a_body_that_is_no_event_is_answered_with_the_field_at_fault() -> None:
    async with serving() as server, client(server) as http:
        for body, code, field in WRONG:
            answer = await http.post("/v1/publish", json=body)
            error = answer.json()["error"]
            assert (answer.status_code, error["code"], error.get("field")) == (400, code, field), body
            assert error["message"].endswith(".")


NO_JSON = [b"", b"{", b'{"topic": "a", "data": 1} x', b'{"topic": "\xff", "data": 1}', b"\x00"]


async def test_what_is_no_json_is_one_error() -> None:
    async with serving() as server, client(server) as http:
        for body in NO_JSON:
            answer = await http.post("/v1/publish", content=body, headers=JSON)
            assert (answer.status_code, answer.json()["error"]["code"]) == (400, "INVALID_MESSAGE"), body


async def test_a_topic_of_the_brokers_own_is_denied() -> None:
    async with serving() as server, client(server) as http:
        answer = await http.post("/v1/publish", json={"topic": "$sys.a", "data": 1})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "PERMISSION_DENIED")


async def test_a_hook_of_the_embedder_sees_and_refuses_it() -> None:
    async def refuse(offered: Any) -> None:
        raise SwarmwireError(ErrorCode.CONFLICT, "Not now.")

    async with serving() as server, client(server) as http:
        server.broker.route("a.#", refuse)
        answer = await http.post("/v1/publish", json={"topic": "a.b", "data": 1})
        assert (answer.status_code, answer.json()["error"]) == (409, {"code": "CONFLICT", "message": "Not now."})
        assert await publish(http, "b") == 1


async def test_a_hook_that_fails_is_an_internal_error_without_its_text() -> None:
    def fail(offered: Any) -> None:
        raise ValueError("secret detail")

    async with serving() as server, client(server) as http:
        server.broker.route("a", fail)
        answer = await http.post("/v1/publish", json={"topic": "a", "data": 1})
        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "INTERNAL_ERROR")
        assert "secret" not in answer.text


async def test_a_decision_that_does_not_come_is_an_unknown_outcome() -> None:
    async def think(offered: Any) -> None:
        await asyncio.Event().wait()

    async with serving(limits=Limits(request_timeout_ms=100)) as server, client(server) as http:
        server.broker.route("a", think)
        answer = await http.post("/v1/publish", json={"topic": "a", "data": 1})
        assert (answer.status_code, answer.json()["error"]["code"]) == (504, "OUTCOME_UNKNOWN")
        assert not server.broker.hub.sessions
