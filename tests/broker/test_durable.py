"""A broker with a log on disk, from a client's side."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec import Raw

from swarmwire_broker.app import create_app
from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Config, ConfigError, load_config
from swarmwire_broker.core.ports import Peer
from swarmwire_broker.core.session import Session
from swarmwire_broker.core.settings import Limits, LogRule
from swarmwire_broker.engines.sqlite import SqliteEngine
from swarmwire_broker.engines.sqlitestore import Store
from swarmwire_broker.local import LocalEvent
from swarmwire_protocol.codec import encode
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Ack, ClientInfo, Error, Gap, Hello, Publish, Welcome

from .core.fakes import FakeSink


@asynccontextmanager
async def running(directory: Path, limits: Limits | None = None, **settings: Any) -> AsyncIterator[Broker]:
    broker = Broker(Config(data=str(directory), limits=limits or Limits(), **settings))
    await broker.start()
    try:
        yield broker
    finally:
        await broker.stop()


class Writing:
    """Holds back what writes to the disk, or has it fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.error: Exception | None = None
        commit = Store.commit

        def held(store: Store, latest_floor: int) -> None:
            self.goes_on.wait()
            if self.error is not None:
                raise self.error
            commit(store, latest_floor)

        monkeypatch.setattr(Store, "commit", held)


@pytest.fixture
def writing(monkeypatch: pytest.MonkeyPatch) -> Writing:
    return Writing(monkeypatch)


class Client:
    """A session without a socket, on the running loop."""

    def __init__(self, broker: Broker) -> None:
        self.sink = FakeSink(1_000_000)
        self.session = Session(broker.hub, self.sink, Peer(transport="test"))
        broker.hub.sessions[self.session.client_id] = self.session
        self.say(Hello(versions=["1"], client=ClientInfo(name="test")))

    def say(self, message: Any) -> None:
        self.session.receive(encode(message))

    async def heard(self, kind: type[Any], count: int = 1) -> list[dict[str, Any]]:
        """The messages of a kind, once so many are there."""
        name = kind.__struct_config__.tag
        for _ in range(2_000):
            found = [message for message in self.sink.received if message["type"] == name]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.005)
        raise AssertionError(f"{count} x {name} did not come: {self.sink.received}")


async def test_what_was_published_is_there_after_a_restart(tmp_path: Path) -> None:
    async with running(tmp_path) as broker:
        assert await broker.publish("a", 1, key="k") == 1
        epoch = broker.hub.engine.epoch
    async with running(tmp_path) as broker:
        assert broker.hub.engine.epoch == epoch
        assert await broker.publish("a", 1, key="k") == 1
        assert await broker.publish("a", 2) == 2
        async with broker.subscribe("#", from_="start") as events:
            found = [await anext(events), await anext(events)]
    assert [event.data for event in found if isinstance(event, LocalEvent)] == [1, 2]


async def test_a_broker_that_is_started_twice_at_once_opens_its_log_once(tmp_path: Path) -> None:
    broker = Broker(Config(data=str(tmp_path)))
    await asyncio.gather(broker.start(), broker.start(), broker.start())
    await broker.publish("a", 1)
    await broker.stop()


async def test_two_brokers_cannot_share_a_directory(tmp_path: Path) -> None:
    async with running(tmp_path):
        other = Broker(Config(data=str(tmp_path)))
        with pytest.raises(OSError, match="in use by the process"):
            await other.start()
        assert not other.is_running


async def test_a_welcome_says_how_durable_events_are(tmp_path: Path) -> None:
    for sync, durability in (("full", "stored"), ("normal", "stored_lazily")):
        async with running(tmp_path, sync=sync) as broker:
            client = Client(broker)
            assert (await client.heard(Welcome))[0]["durability"] == durability


async def test_an_ack_comes_after_the_event_is_stored(tmp_path: Path, writing: Writing) -> None:
    async with running(tmp_path) as broker:
        client = Client(broker)
        await client.heard(Welcome)
        writing.goes_on.clear()
        client.say(Publish(topic="a", data=Raw(b"1"), id=1))
        await broker.hub.engine.get("time for a thread to answer")
        assert not [one for one in client.sink.received if one["type"] == "ack"]
        writing.goes_on.set()
        assert [(one["id"], one["seq"]) for one in await client.heard(Ack)] == [(1, 1)]


# ---- a full disk


async def test_a_publish_that_cannot_be_stored_is_an_error_even_if_nobody_waits_for_its_ack(
    tmp_path: Path, writing: Writing
) -> None:
    async with running(tmp_path) as broker:
        client = Client(broker)
        await client.heard(Welcome)
        writing.error = _disk_full()
        client.say(Publish(topic="a", data=Raw(b"1"), id=1))
        client.say(Publish(topic="a", data=Raw(b"2")))
        client.say(Publish(topic="a", data=Raw(b"3"), key="k"))
        errors = await client.heard(Error, 3)
        assert [(one.get("id"), one["code"], one["retry_after_ms"]) for one in errors] == [
            (1, "UNAVAILABLE", 1_000),
            (None, "UNAVAILABLE", 1_000),
            (None, "UNAVAILABLE", 1_000),
        ]
        with pytest.raises(SwarmwireError) as caught:
            await broker.publish("a", 4)
        assert caught.value.code is ErrorCode.UNAVAILABLE
        writing.error = None
        assert await broker.publish("a", 5) == 1


async def test_readyz_stays_ready_on_a_full_disk_and_says_that_it_cannot_be_written(
    tmp_path: Path, writing: Writing
) -> None:
    async with running(tmp_path) as broker:
        transport = httpx.ASGITransport(app=create_app(broker))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            assert (await http.get("/readyz")).json()["writable"] is True
            writing.error = _disk_full()
            with pytest.raises(SwarmwireError, match="UNAVAILABLE"):
                await broker.publish("a", 1)
            answer = await http.get("/readyz")
            assert (answer.status_code, answer.json()["writable"], answer.json()["durability"]) == (
                200,
                False,
                "stored",
            )
            assert "swarmwire_writable 0.0" in (await http.get("/metrics")).text


def _disk_full() -> Exception:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    return error


# ---- publishers ahead of the log


async def test_a_client_that_publishes_faster_than_the_disk_is_read_more_slowly(
    tmp_path: Path, writing: Writing
) -> None:
    async with running(tmp_path, Limits(write_queue_events=10)) as broker:
        fast, idle = Client(broker), Client(broker)
        await fast.heard(Welcome)
        await idle.heard(Welcome)
        writing.goes_on.clear()
        for number in range(100):
            fast.say(Publish(topic="a", data=Raw(b"1"), id=number))
        engine = broker.hub.engine
        assert isinstance(engine, SqliteEngine)
        assert engine.queue.events == 11
        assert (fast.sink.is_reading, idle.sink.is_reading) == (False, True)
        writing.goes_on.set()
        acks = await fast.heard(Ack, 100)
        assert [(one["id"], one["seq"]) for one in acks] == [(number, number + 1) for number in range(100)]
        assert fast.sink.is_reading


async def test_a_client_that_leaves_while_it_is_held_back_is_forgotten(tmp_path: Path, writing: Writing) -> None:
    async with running(tmp_path, Limits(write_queue_events=1)) as broker:
        client = Client(broker)
        await client.heard(Welcome)
        writing.goes_on.clear()
        for number in range(5):
            client.say(Publish(topic="a", data=Raw(b"1"), id=number))
        client.session.lost()
        writing.goes_on.set()
        assert await broker.publish("a", 1) == 3


async def test_this_process_waits_for_the_disk_too(tmp_path: Path, writing: Writing) -> None:
    async with running(tmp_path, Limits(write_queue_events=10)) as broker:
        writing.goes_on.clear()
        publishes = [asyncio.ensure_future(broker.publish("a", number)) for number in range(50)]
        await broker.hub.engine.get("time for a thread to answer")
        engine = broker.hub.engine
        assert isinstance(engine, SqliteEngine)
        assert engine.queue.events == 11
        writing.goes_on.set()
        assert sorted(await asyncio.gather(*publishes)) == list(range(1, 51))  # type: ignore[type-var]


async def test_transactions_are_counted(tmp_path: Path) -> None:
    async with running(tmp_path) as broker:
        await asyncio.gather(*(broker.publish("a", number) for number in range(50)))
        assert 1 <= broker.stats.commits.count <= 5
        assert broker.stats.batches.total == 50


# ---- retention


async def test_a_gap_stands_wherever_a_rule_has_let_events_go(tmp_path: Path) -> None:
    limits = Limits(log_rules={"audit.#": LogRule(), "*.log": LogRule(events=2)}, window_events=0)
    async with running(tmp_path, limits) as broker:
        for number in range(5):
            await broker.publish("a.log", number)
            await broker.publish("audit.a", number)
        assert await _read(broker, "#") == ["gap 0-1", 2, "gap 2-3", 4, "gap 4-5", 6, 7, 8, 9, 10]
        assert await _read(broker, "audit.#") == [2, 4, 6, 8, 10]
        assert await _read(broker, "*.log", last=9) == [7, 9]
        assert await _read(broker, "*.log", cursor=3) == ["gap 3-5", 7, 9]
        assert await _read(broker, "*.log", cursor=7) == [9]


async def _read(broker: Broker, pattern: str, *, cursor: int | None = None, last: int | None = None) -> list[Any]:
    """Everything a subscription gets up to the head: events as their places, gaps in words."""
    engine = broker.hub.engine
    start: Any = "start"
    if cursor is not None:
        start = {"cursor": f"{engine.epoch}:{cursor}"}
    elif last is not None:
        start = {"last": last}
    found: list[Any] = []
    async with broker.subscribe(pattern, from_=start, gaps=True) as events:
        end = await broker.publish("audit.log" if pattern != "*.log" else "z.log", "end", ephemeral=True)
        assert end is None
        async with asyncio.timeout(5):
            while not found or found[-1] not in (9, 10) or (pattern != "*.log" and found[-1] == 9):
                match await anext(events):
                    case Gap(from_=after, to=to):
                        found.append(f"gap {after.split(':')[1]}-{to.split(':')[1]}")
                    case LocalEvent(seq=int(seq)):
                        found.append(seq)
    return found


# ---- settings


def test_rules_of_retention_are_settings(tmp_path: Path) -> None:
    file = tmp_path / "swarmwire.toml"
    file.write_text('data = "x"\n[limits.log_rules]\n"*.log" = { events = 5 }\n"audit.#" = {}\n', encoding="utf-8")
    assert load_config({}, {}, file).limits.log_rules == {"*.log": LogRule(events=5), "audit.#": LogRule()}
    env = {"SWARMWIRE_DATA": "x", "SWARMWIRE_LIMITS_LOG_RULES": "*.log=events:5,age_ms:none a.#=bytes:7"}
    assert load_config({}, env).limits.log_rules == {"*.log": LogRule(events=5), "a.#": LogRule(bytes=7)}


@pytest.mark.parametrize("text", ["*.log", "*.log=5", "*.log=events:x", "*.log=colour:5", "a..b=events:5"])
def test_a_rule_that_cannot_be_read_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match=r"limits\.log_rules"):
        load_config({"data": "x", "limits.log_rules": text}, {})


def test_rules_without_a_directory_are_refused() -> None:
    with pytest.raises(ConfigError, match="set data to a directory"):
        load_config({"limits.log_rules": "a=events:5"}, {})


@pytest.mark.parametrize("text", ["", "half"])
def test_sync_is_full_or_normal(text: str) -> None:
    with pytest.raises(ConfigError, match="full, normal"):
        load_config({"data": "x", "sync": text}, {})
