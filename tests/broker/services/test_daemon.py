"""daemon.*: what runs, its end, and its configuration read again, over a broker with a server and without."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import pytest_asyncio
from msgspec import structs

from swarmwire import Client, connect
from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Auth, Config, load_config
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.server import Server
from swarmwire_broker.services.services import Services
from swarmwire_broker.testing import BrokerFactory
from swarmwire_broker.version import VERSION
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions

METHODS = [
    "daemon.status",
    "daemon.stop",
    "daemon.reload",
    "daemon.metrics",
    "health.check",
    "metrics.get",
    "logs.tail",
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The configuration of `served`, to be written anew."""
    file = tmp_path / "swarmwire.toml"
    file.write_text("port = 0\nunix = 'off'\n", encoding="utf-8")
    return file


@pytest_asyncio.fixture
async def served(file: Path) -> AsyncIterator[Server]:
    def load() -> Config:
        return load_config({}, {}, file)

    async with Server(load(), load=load) as server:
        yield server


def rewrite(file: Path, text: str) -> None:
    file.write_text(f"port = 0\nunix = 'off'\n{text}", encoding="utf-8")


async def test_status_tells_what_runs_and_since_when() -> None:
    async with Server(Config(port=0, unix="off", name="factory")) as server, connect(server.url) as client:
        status = await client.call("daemon.status")
    assert (status["status"], status["name"], status["version"]) == ("running", "factory", VERSION)
    assert status["pid"] == os.getpid()
    assert 0 <= status["uptime"] < 60_000
    assert status["started"] > 1_600_000_000_000
    assert status["urls"][0].startswith("ws://")
    assert status["config"]["log_level"] == "info"
    assert status["components"]["log"] == "ok"
    assert status["engine"] == {"kind": "memory", "durability": "accepted", "writable": True}
    assert set(status["system"]) == {"platform", "python", "cpus", "cpu_seconds", "memory_bytes"}


async def test_status_shows_no_secret() -> None:
    config = Config(port=0, unix="off", auth=Auth(token="sesame-sesame"))
    async with Server(config) as server, connect(server.url, token="sesame-sesame") as client:
        assert "sesame" not in str(await client.call("daemon.status"))


@pytest.mark.parametrize("method", METHODS)
async def test_who_is_no_admin_calls_none_of_them_whatever_is_granted(method: str) -> None:
    may = Permissions(publish=["#"], subscribe=["#"], call=["#"])
    config = Config(port=0, unix="off", auth=Auth(token="sesame", default_permissions=may))
    async with Server(config) as server, connect(server.url, token="sesame") as client:
        with pytest.raises(SwarmwireError) as refused:
            await client.call(method)
        assert refused.value.code is ErrorCode.PERMISSION_DENIED
        assert server.is_listening


async def test_metrics_tell_what_is_counted_and_what_the_process_takes() -> None:
    broker = Broker()
    await broker.start()
    await broker.publish("a", 1)
    told = await broker.call("daemon.metrics")
    await broker.stop()
    assert told["metrics"]["counters"]["publishes"] == 1
    assert told["metrics"]["gauges"]["log_events"] == 1
    assert told["timestamp"] > 1_600_000_000_000
    assert told["system"]["cpu_seconds"] > 0


# ---- the end


async def test_stop_answers_and_then_drains_the_server() -> None:
    server = Server(Config(port=0, unix="off"))
    await server.start()
    byes: list[object] = []
    client = await connect(server.url, reconnect=False)
    client.listen("disconnected", byes.append)
    assert await client.call("daemon.stop") == {"message": "Daemon shutdown initiated"}
    async with asyncio.timeout(10):
        await server.stopped()
    assert not server.is_listening
    assert not server.broker.is_running
    await client.disconnect()
    await server.stop()


async def test_stop_ends_a_broker_that_no_server_is_around() -> None:
    broker = Broker()
    stopping = asyncio.Event()
    broker.on("stopping", lambda _: stopping.set())
    await broker.start()
    assert await broker.call("daemon.stop") == {"message": "Daemon shutdown initiated"}
    async with asyncio.timeout(10):
        await stopping.wait()
        await broker.stop()
    assert broker.is_stopped


async def test_whoever_runs_the_server_may_decide_what_a_stop_does() -> None:
    async with Server(Config(port=0, unix="off")) as server, connect(server.url) as client:
        asked = asyncio.Event()
        server.when_asked_to_stop(asked.set)
        await client.call("daemon.stop")
        async with asyncio.timeout(10):
            await asked.wait()
        assert server.is_listening


async def test_waiting_for_the_end_of_a_server_that_does_not_run_is_no_wait() -> None:
    async with asyncio.timeout(1):
        await Server(Config(port=0, unix="off")).stopped()


# ---- the configuration read again


async def test_reload_applies_limits_and_names_what_needs_a_restart(served: Server, file: Path) -> None:
    rewrite(file, "path = '/other'\n[limits]\nmax_connections = 7\nlog_events = 5\n")
    async with connect(served.url) as client:
        told = await client.call("daemon.reload")
        assert told["applied"] == ["limits.max_connections"]
        assert told["restart"] == ["path", "limits.log_events"]
        assert told["message"] == "1 settings applied; 2 need a restart"
    assert served.config.limits.max_connections == served.broker.hub.limits.max_connections == 7
    assert served.config.limits.log_events == 100_000
    assert served.config.path == "/ws"


async def test_what_needs_a_restart_is_named_each_time_until_there_is_one(served: Server, file: Path) -> None:
    rewrite(file, "path = '/other'\n")
    for _ in range(2):
        assert (await served.reload()).restart == ["path"]


async def test_a_limit_holds_from_the_reload_on(served: Server, file: Path) -> None:
    async with connect(served.url) as client:
        await client.publish("a", "x" * 2_000)
        rewrite(file, "[limits]\nmax_message_bytes = 1000\nmax_connections = 1\n")
        await client.call("daemon.reload")
        with pytest.raises(SwarmwireError) as full:
            await connect(served.url, reconnect=False)
        assert full.value.code is ErrorCode.LIMIT_EXCEEDED
        # What it was told at its welcome stays true for who was there before.
        await client.publish("a", "x" * 2_000)
    rewrite(file, "[limits]\nmax_message_bytes = 1000\n")
    await served.reload()
    async with connect(served.url) as other:
        assert other.limits["max_message_bytes"] == 1_000


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("log_lvel = 'debug'\n", "log_lvel"),
        ("log_level = 'loud'\n", "log_level"),
        ("[limits]\nmax_connections = -1\nmax_subscriptions = 3\n", "limits.max_connections"),
        ("[limits]\nqueue_size = 10\nmax_queue_size = 1\n", "limits.queue_size"),
        ("host = '0.0.0.0'\n[limits]\nmax_subscriptions = 3\n", "host"),
    ],
)
async def test_a_broken_file_changes_nothing_and_the_error_names_the_key(
    served: Server, file: Path, text: str, key: str
) -> None:
    before = served.config
    async with connect(served.url) as client:
        rewrite(file, text)
        with pytest.raises(SwarmwireError) as refused:
            await client.call("daemon.reload")
        assert refused.value.code is ErrorCode.UNAVAILABLE
        assert refused.value.field == key
        assert served.config is before
        assert served.broker.hub.limits is before.limits
        health = await client.call("health.check")
        assert health["checks"]["config"]["status"] == "degraded"
        rewrite(file, "")
        assert (await client.call("daemon.reload"))["message"] == "Nothing to apply"
        assert (await client.call("health.check"))["status"] == "ok"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("lock.acquire", {"name": "x"}),
        ("task.submit", {"type": "x"}),
        ("project.add", {"path": "/x"}),
        ("registry.register", {"name": "x", "kind": "agent"}),
        ("swarm.propose", {"swarm_id": "s", "voters": ["a"]}),
        ("rpc.register", {"methods": ["greet"]}),
    ],
)
async def test_limits_of_every_service_hold_from_the_reload_on(
    served: Server, file: Path, method: str, params: dict[str, Any]
) -> None:
    names = ("max_locks", "max_tasks", "max_projects", "max_registrations", "max_proposals", "max_handlers")
    async with connect(served.url) as client:
        rewrite(file, "[limits]\n" + "".join(f"{name} = 0\n" for name in names))
        await client.call("daemon.reload")
        with pytest.raises(SwarmwireError) as full:
            await client.call(method, params)
        assert full.value.code is ErrorCode.LIMIT_EXCEEDED
        rewrite(file, "")
        await client.call("daemon.reload")
        await client.call(method, params)


async def test_rates_are_applied_to_who_is_connected(served: Server, file: Path) -> None:
    async with connect(served.url) as client:
        rewrite(file, "[rates]\nclient_messages = { rate = 0, burst = 2 }\n")
        assert (await client.call("daemon.reload"))["applied"] == ["rates.client_messages"]
        for _ in range(2):
            await client.publish("a", 1)
        with pytest.raises(SwarmwireError) as refused:
            await client.publish("a", 1)
        assert refused.value.code is ErrorCode.RATE_LIMIT_EXCEEDED


# ---- logins


def put(token: Path, text: str) -> None:
    token.write_text(text, encoding="utf-8")


async def locked(broker_factory: BrokerFactory, token: Path, **auth: Any) -> Server:
    put(token, "first")
    return await broker_factory(auth=Auth(token_file=str(token), **auth))


async def gone(client: Client) -> None:
    ended = asyncio.Event()
    client.listen("disconnected", lambda *_: ended.set())
    async with asyncio.timeout(10):
        while client.is_ready:
            await ended.wait()
            ended.clear()


async def test_another_shared_token_in_the_file_turns_out_who_came_in_by_the_former(
    broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    server = await locked(broker_factory, token)
    client = await connect(server.url, token="first", reconnect=False)
    token.write_text("second", encoding="utf-8")
    told = await client.call("daemon.reload")  # who asks is answered, and then turned out too
    assert told["applied"] == ["auth.token_file"]
    await gone(client)
    await client.disconnect()
    with pytest.raises(SwarmwireError) as refused:
        await connect(server.url, token="first", reconnect=False)
    assert refused.value.code is ErrorCode.AUTHENTICATION_FAILED
    async with connect(server.url, token="second") as again:
        assert again.is_ready


async def test_who_comes_by_the_new_token_at_once_stays_when_the_others_are_turned_out(
    broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    server = await locked(broker_factory, token)
    former = await connect(server.url, token="first", reconnect=False)
    put(token, "other")
    await former.call("daemon.reload")
    async with connect(server.url, token="other", reconnect=False) as client:
        await gone(former)
        await client.ping()


async def test_a_web_token_cannot_pass_for_the_shared_one() -> None:
    secret = "s" * 32
    few = Permissions(subscribe=["a.#"])
    auth = Auth(token="sesame", jwt_secret=secret, default_permissions=few)
    forged = jwt.encode({"sub": "eve", "jti": "the shared token", "permissions": {}}, secret)
    async with Server(Config(port=0, unix="off", auth=auth), load=lambda: wanted) as server:
        wanted = structs.replace(server.config, auth=structs.replace(auth, default_permissions=None))
        async with connect(server.url, token=forged) as eve:
            await server.reload()
            with pytest.raises(SwarmwireError):
                await eve.publish("a.b", 1)


async def test_the_same_token_read_again_changes_nothing(broker_factory: BrokerFactory, tmp_path: Path) -> None:
    server = await locked(broker_factory, tmp_path / "token")
    async with connect(server.url, token="first") as client:
        told = await client.call("daemon.reload")
        assert (told["applied"], told["restart"]) == ([], [])
        assert await client.ping() >= 0


async def test_other_permissions_hold_for_who_is_connected(broker_factory: BrokerFactory, tmp_path: Path) -> None:
    token = tmp_path / "token"
    server = await locked(broker_factory, token, default_permissions=Permissions(publish=["a"], subscribe=["a"]))
    narrower = Auth(token_file=str(token), default_permissions=Permissions(publish=["b"]))
    async with connect(server.url, token="first") as client:
        await client.publish("a", 1)
        applied = server.hold_to(structs.replace(server.config, auth=narrower))
        assert applied.applied == ["auth.default_permissions"]
        with pytest.raises(SwarmwireError) as refused:
            await client.publish("a", 1)
        assert refused.value.code is ErrorCode.PERMISSION_DENIED
        await client.publish("b", 1)


async def test_what_is_applied_while_it_starts_holds_when_it_has_started(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker()
    starts = Services.start

    async def start(self: Services) -> None:
        broker.hold_to(Config(limits=Limits(max_subscriptions=7)))
        await starts(self)

    monkeypatch.setattr(Services, "start", start)
    await broker.start()
    assert broker.hub.limits is broker.config.limits
    assert broker.hub.limits.max_subscriptions == 7
    await broker.stop()


async def test_that_clients_must_log_in_at_all_takes_a_restart(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    told = server.hold_to(structs.replace(server.config, auth=Auth(token="sesame")))
    assert (told.applied, told.restart) == ([], ["auth.token"])
    async with connect(server.url) as client:
        assert client.is_ready


async def test_a_secret_file_that_is_gone_is_an_error_and_the_former_secret_holds(
    broker_factory: BrokerFactory, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    server = await locked(broker_factory, token)
    token.unlink()
    async with connect(server.url, token="first") as client:
        with pytest.raises(SwarmwireError) as refused:
            await client.call("daemon.reload")
        assert refused.value.field == "auth.token_file"
        assert "first" not in refused.value.message
    async with connect(server.url, token="first") as client:
        assert client.is_ready
