"""Starting the engine: what it makes, what it finds, and what it says when that will not do."""

from __future__ import annotations

import asyncio
import socket

import pytest

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.nats.engine import EngineMismatch, NatsEngine
from swarmwire_broker.natslink import JetStream, LinkError
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ....nats.servers import NatsServer, new_space
from .load import publish
from .opening import make_engine, nats_engine, remove_streams


async def ask(engine: NatsEngine, api: str, body: dict[str, object] | None = None) -> dict[str, object]:
    """Ask JetStream something by a link beside the engine's."""
    link = engine.new_link("tests")
    await link.start()
    try:
        return await JetStream(link).ask(api, body)
    finally:
        await link.close()


async def test_the_log_goes_on_where_it_was(nats_server: NatsServer) -> None:
    space = new_space()
    async with nats_engine(nats_server.url, space=space) as engine:
        epoch = engine.epoch
        assert (await publish(engine, "a", b"1", key="k")).seq == 1
    async with nats_engine(nats_server.url, space=space) as engine:
        assert (engine.epoch, engine.head, engine.oldest) == (epoch, 1, 1)
        assert await publish(engine, "a", b"1", key="k") == (1, True, None)
        assert (await publish(engine, "b", b"2")).seq == 2
        await remove_streams(engine, space)


async def test_two_brokers_that_start_at_once_have_one_log(nats_server: NatsServer) -> None:
    space = new_space()
    engines = [make_engine(nats_server.url, space=space) for _ in range(4)]
    await asyncio.gather(*(engine.start() for engine in engines))
    assert len({engine.epoch for engine in engines}) == 1
    await remove_streams(engines[0], space)
    await asyncio.gather(*(engine.close() for engine in engines))


async def test_a_log_that_is_kept_otherwise_is_named_with_all_that_differs(nats_server: NatsServer) -> None:
    space = new_space()
    async with nats_engine(nats_server.url, space=space, limits=Limits(log_events=10)) as engine:
        for more in (Limits(log_events=11, log_age_ms=100_000, dedupe_ms=1_000), Limits(log_events=11)):
            other = make_engine(nats_server.url, space=space, limits=more)
            with pytest.raises(EngineMismatch, match="max_msgs is 10 instead of 11") as caught:
                await other.start()
            assert isinstance(caught.value, OSError)
            assert f"swarmwire_{space}_log" in str(caught.value)
            assert ("duplicate_window" in str(caught.value)) == (more.dedupe_ms == 1_000)
            await other.close()
        other = make_engine(nats_server.url, space=space, limits=Limits(log_events=10), replicas=3)
        with pytest.raises(EngineMismatch, match="num_replicas is 1 instead of 3"):
            await other.start()
        await other.close()
        assert (await publish(engine, "a", b"1")).seq == 1
        await remove_streams(engine, space)


async def test_a_stream_of_somebody_else_is_left_alone(nats_server: NatsServer) -> None:
    space = new_space()
    engine = make_engine(nats_server.url, space=space)
    name = f"swarmwire_{space}_log"
    await ask(engine, f"STREAM.CREATE.{name}", {"name": name, "subjects": [f"x.{space}"], "description": "mine"})
    with pytest.raises(EngineMismatch, match=name):
        await engine.start()
    config = (await ask(engine, f"STREAM.INFO.{name}"))["config"]
    assert isinstance(config, dict)
    assert config["description"] == "mine"
    await ask(engine, f"STREAM.DELETE.{name}")
    await engine.close()


async def test_more_replicas_than_there_are_servers_cannot_be_had(nats_server: NatsServer) -> None:
    space = new_space()
    engine = make_engine(nats_server.url, space=space, replicas=3)
    with pytest.raises(EngineMismatch, match="replicas"):
        await engine.start()
    await engine.close()


async def test_servers_that_are_not_there_are_named() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        engine = make_engine(f"nats://127.0.0.1:{port}", space="x", start_timeout=0.3)
        with pytest.raises(LinkError, match=str(port)):
            await engine.start()
        await engine.close()
        await engine.close()


async def test_a_server_without_jetstream_is_said_to_have_none() -> None:
    async with NatsServer(settings="jetstream: disabled") as server:
        engine = make_engine(server.url, space="x", start_timeout=0.3)
        with pytest.raises(OSError, match="JetStream"):
            await engine.start()
        await engine.close()


async def test_a_server_that_comes_later_is_waited_for(nats_server: NatsServer) -> None:
    async with NatsServer(nats_server.version) as server:
        await server.kill()
        engine = make_engine(server.url, space="x", start_timeout=20)
        starting = asyncio.ensure_future(engine.start())
        await asyncio.sleep(0)
        await server.start()
        await starting
        assert (await publish(engine, "a", b"1")).seq == 1
        await engine.close()


async def test_a_start_that_is_given_up_leaves_nothing_open(nats_server: NatsServer) -> None:
    engine = make_engine(nats_server.url, space=new_space())
    starting = asyncio.ensure_future(engine.start())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await engine.close()
    assert (await publish(engine, "a", b"1")).error is not None


async def test_a_space_has_a_name_that_a_subject_may_have() -> None:
    with pytest.raises(ValueError, match="space"):
        make_engine("nats://127.0.0.1:1", space="a.b")


async def test_a_log_that_cannot_be_asked_is_said_to_be_away(nats_server: NatsServer) -> None:
    async with NatsServer(nats_server.version) as server, nats_engine(server.url, space="x") as engine:
        await server.kill()
        with pytest.raises(SwarmwireError) as caught:
            await engine.refresh()
        assert caught.value.code is ErrorCode.UNAVAILABLE
        assert caught.value.retry_after_ms
