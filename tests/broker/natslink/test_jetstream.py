"""Questions to JetStream: its errors by name, and patience where it has no leader just now."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping

import pytest

from swarmwire_broker.natslink import ApiError, JetStream, LinkDown, NoAnswer, NoResponders, WireProblem

from ...nats.pool import shared
from ...nats.servers import VERSIONS, Version, new_space
from .fakeserver import FakeServer
from .linking import linked

NO_LEADER = {"error": {"code": 503, "err_code": 10008, "description": "JetStream system temporarily unavailable"}}
NOT_FOUND = {"error": {"code": 404, "err_code": 10059, "description": "stream not found"}}


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_stream_is_made_and_asked_for(version: Version) -> None:
    name = new_space()
    async with linked(shared(version).url) as link:
        js = JetStream(link)
        await js.ask(f"STREAM.CREATE.{name}", {"name": name, "subjects": [f"{name}.>"]})
        stored = await link.request(f"{name}.a".encode(), b"x", timeout=5)
        assert json.loads(stored.payload) == {"stream": name, "seq": 1}
        told = await js.ask(f"STREAM.INFO.{name}")
        assert told["state"]["last_seq"] == 1
        await js.ask(f"STREAM.DELETE.{name}")
        with pytest.raises(ApiError) as refused:
            await js.ask(f"STREAM.INFO.{name}")
    assert (refused.value.code, refused.value.err_code) == (404, 10059)
    assert refused.value.description == "stream not found"


def api(*answers: Mapping[str, object] | bytes | None) -> tuple[FakeServer, Callable[[], int]]:
    """A server that gives these answers in turn (None: none at all), and how often it was asked."""
    left, asked = list(answers), list[bytes]()

    def answer(line: bytes) -> bytes | None:
        if not line.startswith(b"PUB $JS."):
            return None
        asked.append(line)
        one = left.pop(0)
        reply = line.split()[2]
        if one is None:
            return b""
        if one == b"503":
            return b"HMSG %b 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n" % reply
        body = one if isinstance(one, bytes) else json.dumps(one).encode()
        return b"MSG %b 1 %d\r\n%b\r\n" % (reply, len(body), body)

    return FakeServer(answer), lambda: len(asked)


async def test_it_is_asked_again_while_there_is_no_leader() -> None:
    server, asked = api(b"503", NO_LEADER, {"error": {"err_code": 10009}}, {"ok": True})
    async with server, linked(server.url) as link:
        assert await JetStream(link).ask("X") == {"ok": True}
    assert asked() == 4


async def test_the_last_refusal_is_told_when_the_time_is_up() -> None:
    server, asked = api(*[NO_LEADER] * 100)
    async with server, linked(server.url) as link:
        with pytest.raises(ApiError, match=r"temporarily unavailable \(10008\)"):
            await JetStream(link).ask("X", timeout=0.3)
    assert asked() > 1


async def test_nobody_there_and_silence_are_told_apart() -> None:
    server, _ = api(*[b"503"] * 100)
    async with server, linked(server.url) as link:
        with pytest.raises(NoResponders):
            await JetStream(link).ask("X", timeout=0.5)
    server, _ = api(*[None] * 100)
    async with server, linked(server.url) as link:
        with pytest.raises(NoAnswer):
            await JetStream(link).ask("X", timeout=0.1)


async def test_what_is_decided_is_not_asked_again() -> None:
    server, asked = api(NOT_FOUND)
    async with server, linked(server.url) as link:
        with pytest.raises(ApiError, match=r"JetStream answered STREAM\.INFO\.s with: stream not found \(10059\)"):
            await JetStream(link).ask("STREAM.INFO.s")
    assert asked() == 1


@pytest.mark.parametrize("body", [b"nonsense", b"[]", b""])
async def test_an_answer_that_is_no_object_is_refused(body: bytes) -> None:
    server, _ = api(body)
    async with server, linked(server.url) as link:
        with pytest.raises(WireProblem, match="no JSON object"):
            await JetStream(link).ask("X")


async def test_a_lost_link_is_told_at_once() -> None:
    server, asked = api(None)
    async with server, linked(server.url) as link:
        asking = asyncio.create_task(JetStream(link).ask("X", timeout=20))
        await server.hears(b"PUB $JS.API.X ")
        server.cut()
        with pytest.raises(LinkDown):
            await asking
    assert asked() == 1


async def test_a_domain_has_an_api_of_its_own() -> None:
    server, _ = api({})
    async with server, linked(server.url) as link:
        assert await JetStream(link, domain="hub").ask("INFO", {"a": 1}) == {}
        await server.hears(b"PUB $JS.hub.API.INFO ")
        await server.hears(b'{"a":1}')
