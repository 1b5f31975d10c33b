"""What is checked of every request: where it comes from, its method, its kind, and who asks."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount

from swarmwire_broker.app import create_app
from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Config
from swarmwire_broker.credentials import Auth

from ..transports import houses
from .browser import JSON, LOGIN, client, serving, token

ROUTES = [
    ("GET", "/v1/hello"),
    ("POST", "/v1/publish"),
    ("GET", "/v1/events?pattern=a"),
    ("GET", "/v1/history?pattern=a"),
    ("POST", "/v1/call/x"),
    ("GET", "/v1/openapi.json"),
    ("GET", "/v1/nothing"),
]
BODY = json.dumps({"topic": "a", "data": 1})
EVIL = {"Origin": "https://evil.example"}


async def ask(http: httpx.AsyncClient, method: str, path: str, **headers: str) -> httpx.Response:
    content = BODY if method == "POST" else None
    return await http.request(method, path, content=content, headers={**JSON, **headers})


@pytest.mark.parametrize("foreign", [{"Host": "evil.example"}, EVIL, {"Origin": "null"}])
async def test_a_foreign_site_is_refused_on_every_route(foreign: dict[str, str]) -> None:
    async with serving() as server, client(server) as http:
        for method, path in ROUTES:
            answer = await ask(http, method, path, **foreign)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "PERMISSION_DENIED")
            assert "access-control-allow-origin" not in answer.headers
        assert server.broker.stats.publishes == 0


FORMS = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "application/jsonp",
     "text/plain; application/json"]  # fmt: skip


async def test_what_a_form_of_a_web_page_can_send_publishes_nothing() -> None:
    async with serving() as server, client(server) as http:
        for kind in FORMS:
            for path in ("/v1/publish", "/v1/call/x"):
                answer = await http.post(path, content=BODY, headers={"Content-Type": kind})
                assert (answer.status_code, answer.json()["error"]["field"]) == (415, "Content-Type"), kind
        assert server.broker.stats.publishes == 0


async def test_a_kind_may_name_its_charset() -> None:
    async with serving() as server, client(server) as http:
        headers = {"Content-Type": "Application/JSON; charset=utf-8"}
        assert (await http.post("/v1/publish", content=BODY, headers=headers)).json() == {"seq": 1}


async def test_a_compressed_body_is_not_taken() -> None:
    async with serving() as server, client(server) as http:
        answer = await ask(http, "POST", "/v1/publish", **{"Content-Encoding": "gzip"})
        assert (answer.status_code, answer.json()["error"]["field"]) == (415, "Content-Encoding")


async def test_another_method_is_answered_with_those_there_are() -> None:
    async with serving() as server, client(server) as http:
        for method, path in ROUTES[:-1]:
            for wrong in {"GET", "POST", "PUT", "DELETE", "PATCH"} - {method}:
                answer = await http.request(wrong, path)
                assert (answer.status_code, answer.json()["error"]["code"]) == (405, "INVALID_MESSAGE")
                assert answer.headers["allow"] == f"{method}, OPTIONS"
            head = await http.head(path)
            assert (head.status_code, head.content) == (405, b"")


async def test_a_path_that_is_none_is_not_found() -> None:
    async with serving() as server, client(server) as http:
        for path in ("/v1/nothing", "/v1/", "/v1/publish/x", "/v1/hello/", "/v1/%0A", "/v1/x%0Ay"):
            for method in ("GET", "POST", "PUT"):
                answer = await http.request(method, path)
                assert (answer.status_code, answer.json()["error"]["code"]) == (404, "NOT_FOUND"), path


# ---- pages that may ask


async def test_a_page_of_an_allowed_site_may_read_the_answer() -> None:
    page = {"Origin": "https://app.example.org"}
    async with serving(allowed_origins=["https://app.example.org"]) as server, client(server) as http:
        assert (await ask(http, "GET", "/v1/hello", Origin="https://app.example.org.evil.example")).status_code == 403
        for method, path in (("POST", "/v1/publish"), ("POST", "/v1/call/x"), ("GET", "/v1/hello")):
            answer = await ask(http, method, path, **page)
            assert answer.headers["access-control-allow-origin"] == "https://app.example.org"
            assert answer.headers["access-control-expose-headers"] == "Retry-After"
            assert answer.headers["vary"] == "Origin"
        async with http.stream("GET", "/v1/events?pattern=a", headers=page) as stream:
            assert stream.headers["access-control-allow-origin"] == "https://app.example.org"


async def test_the_question_of_a_browser_before_a_request_is_answered() -> None:
    question = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "POST"}
    async with serving(auth=LOGIN) as server, client(server) as http:
        answer = await http.options("/v1/publish", headers=question)
        assert (answer.status_code, answer.content) == (204, b"")
        assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
        assert "POST" in answer.headers["access-control-allow-methods"]
        allowed = answer.headers["access-control-allow-headers"].lower().split(", ")
        assert {"authorization", "content-type", "idempotency-key", "last-event-id"} <= set(allowed)
        refused = await http.options("/v1/publish", headers={**question, **EVIL})
        assert refused.status_code == 403
        assert "access-control-allow-methods" not in refused.headers


# ---- who asks


@pytest.mark.parametrize("login", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic YTpi"}])
async def test_every_route_needs_the_login(login: dict[str, str]) -> None:
    async with serving(auth=LOGIN) as server, client(server) as http:
        for method, path in ROUTES[:5]:
            answer = await ask(http, method, path, **login)
            assert (answer.status_code, answer.json()["error"]["code"]) == (401, "AUTHENTICATION_FAILED")
            assert answer.headers["www-authenticate"] == "Bearer"
        assert not server.broker.hub.sessions


async def test_a_token_in_the_url_is_none() -> None:
    shared = "a shared token of some length"
    async with serving(auth=Auth(token=shared)) as server, client(server) as http:
        assert (await http.get("/v1/hello", params={"token": shared})).status_code == 401
        answer = await http.get("/v1/hello", headers={"Authorization": f"bearer {shared}"})
        assert answer.status_code == 200


async def test_hello_tells_what_a_welcome_tells() -> None:
    async with serving(auth=LOGIN) as server, client(server, headers=token("alice")) as http:
        welcome = (await http.get("/v1/hello")).json()
        assert welcome["identity"]["subject"] == "alice"
        assert welcome["cursor"].endswith(":0")
        assert {"limits", "durability", "features", "heartbeat_ms", "server", "version"} <= set(welcome)
        assert not server.broker.hub.sessions


async def test_permissions_are_those_of_the_token() -> None:
    mine = token(permissions={"publish": ["a.#"]})
    async with serving(auth=LOGIN) as server, client(server, headers=mine) as http:
        assert (await http.post("/v1/publish", json={"topic": "a.b", "data": 1})).status_code == 200
        answer = await http.post("/v1/publish", json={"topic": "b", "data": 1})
        assert (answer.status_code, answer.json()["error"]["field"]) == (403, "topic")
        assert (await ask(http, "POST", "/v1/call/x")).status_code == 403
        assert (await http.get("/v1/events?pattern=a")).status_code == 403


async def test_the_name_of_a_program_is_short_and_plain() -> None:
    async with serving() as server, client(server) as http:
        for instance in ("x" * 129, "a b", "é"):
            headers = httpx.Headers({"X-Swarmwire-Instance": instance}, "utf-8")
            answer = await http.get("/v1/hello", headers=headers)
            assert (answer.status_code, answer.json()["error"]["field"]) == (400, "X-Swarmwire-Instance")


# ---- the broker behind it


async def test_mounted_into_another_app_the_first_request_starts_the_broker() -> None:
    broker = Broker(Config())
    app = Starlette(routes=[Mount("/bus", create_app(broker))])
    async with houses.serving(app) as (port, _), client(port) as http:
        answer = await http.post("/bus/v1/publish", json={"topic": "a", "data": 1})
        assert answer.json() == {"seq": 1}
        document = (await http.get("/bus/v1/openapi.json")).json()
        assert document["servers"] == [{"url": "/bus"}]
        await broker.stop()
        answer = await http.get("/bus/v1/hello")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "UNAVAILABLE")


async def test_a_broker_that_drains_lets_nobody_in() -> None:
    async with serving() as server, client(server) as http:
        server.broker.drain()
        answer = await http.get("/v1/hello")
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "SHUTTING_DOWN")
        assert int(answer.headers["retry-after"]) == 5


async def test_requests_that_end_at_once_are_not_announced_and_streams_are() -> None:
    heard: list[Any] = []
    async with serving() as server, client(server) as http:
        for signal in ("connection", "authenticated", "disconnect"):
            server.broker.on(signal, heard.append)
        async with server.broker.subscribe("$sys.client.*") as told:
            heard.clear()
            await http.get("/v1/hello")
            await http.post("/v1/publish", json={"topic": "a", "data": 1})
            await http.get("/v1/history?pattern=a")
            assert heard == []
            async with http.stream("GET", "/v1/events?pattern=a") as stream:
                assert stream.status_code == 200
                topics = [(await anext(told)).topic for _ in range(3)]  # type: ignore[union-attr]
            assert topics == ["$sys.client.connected", "$sys.client.authenticated", "$sys.client.subscribed"]
            assert heard[0]["transport"] == "http"
