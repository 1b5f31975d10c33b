"""Named pipes of Windows: the listener, the client's way to it, and the end of either."""

from __future__ import annotations

import asyncio
import ctypes
import re
import secrets
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
import pytest_asyncio
from tests.broker.transports.talker import Talker

from swarmwire import ErrorCode, SwarmwireError, connect, pipes_windows
from swarmwire.pipes import open_pipe
from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Config
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.server import Server
from swarmwire_broker.transports.pipes import PipeListener
from swarmwire_broker.transports.windowspipe import new_instance
from swarmwire_protocol.places import windows_pipe

from .children import PATIENCE, Children, is_wine

SOON: dict[str, Any] = {"base_delay": 0.05, "max_delay": 0.1, "max_attempts": None}


class PipeHouse:
    """A broker that listens at a pipe and nowhere else."""

    def __init__(self, name: str, broker: Broker, listener: Any) -> None:
        self.name = name
        self.broker = broker
        self.listener = listener

    async def client(self) -> Talker:
        return await Talker.welcomed(open_pipe, self.name)

    async def is_clean(self) -> None:
        hub = self.broker.hub
        await eventually(lambda: not hub.sessions and not hub.delivery.outboxes and not self.listener.connections)


async def eventually(holds: Callable[[], object]) -> None:
    """Wait until something is true; fail when patience ends."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never became true"
        await asyncio.sleep(0.01)


def access_list(handle: int) -> str:
    """Who may do what with an open pipe, in the system's own language."""
    windll: Any = getattr(ctypes, "WinDLL")  # noqa: B009 - other systems do not have it
    advapi, descriptor, text = windll("advapi32"), ctypes.c_void_p(), ctypes.c_wchar_p()
    kernel_object, dacl = 6, 4
    unasked = (None, None, None, None)
    of = ctypes.c_void_p(handle)
    assert advapi.GetSecurityInfo(of, kernel_object, dacl, *unasked, ctypes.byref(descriptor)) == 0
    convert = advapi.ConvertSecurityDescriptorToStringSecurityDescriptorW
    assert convert(descriptor, 1, dacl, ctypes.byref(text), None)
    return text.value or ""


async def opened(name: str, **limits: Any) -> PipeHouse:
    bounds = Limits(**{"close_timeout_ms": 500, **limits})
    broker = Broker(Config(limits=bounds))
    await broker.start()
    house = PipeHouse(name, broker, PipeListener(broker, name, limits=bounds))
    await house.listener.start()
    return house


async def closed(house: PipeHouse) -> None:
    house.listener.stop_listening()
    house.broker.drain()
    async with asyncio.timeout(PATIENCE):
        await house.listener.closed()
    await house.broker.stop()


@pytest.fixture
def name() -> str:
    return f"test-{secrets.token_hex(8)}"


@pytest_asyncio.fixture
async def house(name: str) -> AsyncIterator[PipeHouse]:
    house = await opened(name)
    yield house
    await house.is_clean()
    await closed(house)


# ---- a conversation


async def test_a_client_publishes_and_another_gets_it(house: PipeHouse) -> None:
    reader, publisher = await house.client(), await house.client()
    assert reader.welcome["identity"]["subject"].startswith("anonymous:"), "a pipe proves nothing"
    await reader.subscribe("a.*")
    ack = await publisher.ask(type="publish", id="1", topic="a.b", data={"n": 1})
    event = await reader.expect("event")
    assert (ack["seq"], event["data"]) == (1, {"n": 1})
    reader.vanish()
    publisher.transport.close()


async def test_what_is_far_larger_than_the_buffer_comes_whole(house: PipeHouse) -> None:
    reader, publisher = await house.client(), await house.client()
    await reader.subscribe("a")
    for letter in "xyz":
        publisher.send(type="publish", topic="a", data=letter * 1_000_000)
    for letter in "xyz":
        assert (await reader.expect("event"))["data"] == letter * 1_000_000
    reader.vanish()
    publisher.vanish()


async def test_a_client_that_does_not_read_waits_for_itself_alone(house: PipeHouse) -> None:
    slow, reader, publisher = [await house.client() for _ in range(3)]
    for talker in (slow, reader):
        await talker.subscribe("a")
    slow.transport.pause_reading()
    for number in range(200):
        publisher.send(type="publish", topic="a", data=[number, "x" * 20_000])
    assert [(await reader.expect("event"))["data"][0] for _ in range(200)] == list(range(200))
    slow.transport.resume_reading()
    assert [(await slow.expect("event"))["data"][0] for _ in range(200)] == list(range(200))
    for talker in (slow, reader, publisher):
        talker.vanish()


async def test_twenty_clients_at_once(house: PipeHouse) -> None:
    talkers = await asyncio.gather(*(house.client() for _ in range(20)))
    assert len({talker.welcome["client_id"] for talker in talkers}) == 20
    for talker in talkers:
        await talker.subscribe("a")
    await talkers[0].ask(type="publish", id="1", topic="a", data=1)
    for talker in talkers[1:]:
        assert (await talker.expect("event"))["data"] == 1
    for talker in talkers:
        talker.vanish()


async def test_one_client_too_many_is_let_go(name: str) -> None:
    house = await opened(name, max_connections=1, max_unauthenticated=1)
    talkers = [await house.client(), Talker(), Talker()]
    for talker in talkers[1:]:
        await open_pipe(name, lambda talker=talker: talker)  # type: ignore[misc]
    await asyncio.wait_for(talkers[2].lost.wait(), PATIENCE)
    for talker in talkers[:2]:
        talker.vanish()
    await house.is_clean()
    await closed(house)


async def test_rubbish_gets_one_error_and_the_end(house: PipeHouse) -> None:
    heard: list[bytes] = []

    class Listener(Talker):
        def data_received(self, data: bytes) -> None:
            heard.append(data)

    talker, other = Listener(), await house.client()
    await open_pipe(house.name, lambda: talker)
    talker.write(b"\x00junk\xff" * 1_000)
    await asyncio.wait_for(talker.lost.wait(), PATIENCE)
    assert b"".join(heard).count(b"INVALID_MESSAGE") == 1
    assert (await other.ask(type="publish", id="1", topic="a", data=1))["type"] == "ack"
    other.vanish()


# ---- the end of either side


@pytest.mark.parametrize("end", ["close", "abort"])
async def test_the_end_of_a_client_is_noticed_without_a_write(house: PipeHouse, end: str) -> None:
    talker = await house.client()
    getattr(talker.transport, end)()
    await house.is_clean()


async def test_a_killed_client_is_noticed_at_once(house: PipeHouse, children: Children) -> None:
    script = f"""
import asyncio
from swarmwire import connect
async def main():
    async with connect("pipe://{house.name}") as client:
        await client.publish("here", 1)
        print("connected", flush=True)
        await asyncio.sleep(600)
asyncio.run(main())
"""
    child = children.python("-c", script)
    await child.says("connected")
    assert len(house.broker.hub.sessions) == 1
    child.kill()
    began = time.monotonic()
    await house.is_clean()
    assert time.monotonic() - began < house.broker.config.limits.heartbeat_ms / 1000


async def test_a_killed_broker_is_noticed_at_once_and_its_successor_found(children: Children, name: str) -> None:
    broker = await children.broker("--pipe", name)
    async with connect(f"pipe://{name}", **SOON) as client:
        states: asyncio.Queue[str] = asyncio.Queue()
        client.listen("disconnected", lambda *_: states.put_nowait("disconnected"))
        for _ in range(3):
            broker.kill()
            began = time.monotonic()
            assert await asyncio.wait_for(states.get(), PATIENCE) == "disconnected"
            assert time.monotonic() - began < 5
            await broker.ended()
            broker = await children.broker("--pipe", name)
            assert (await client.publish("a", "again")).seq == 1


async def test_a_stopping_broker_says_goodbye(name: str) -> None:
    house = await opened(name)
    talker = await house.client()
    house.listener.stop_listening()
    house.listener.stop_listening()
    house.broker.drain()
    assert (await talker.expect("bye"))["code"] == 1012
    await asyncio.wait_for(talker.lost.wait(), PATIENCE)
    await closed(house)


async def test_connections_can_be_cut(house: PipeHouse) -> None:
    talkers = [await house.client() for _ in range(3)]
    house.listener.abort()
    house.listener.abort()
    for talker in talkers:
        await asyncio.wait_for(talker.lost.wait(), PATIENCE)


# ---- who has the name


async def test_where_nobody_listens_no_broker_is_running(name: str) -> None:
    with pytest.raises(SwarmwireError) as refusal:
        await open_pipe(name, Talker)
    assert refusal.value.code is ErrorCode.UNAVAILABLE
    assert refusal.value.message == f"Nobody answers at pipe://{name}: no broker of this name is running."


async def test_a_living_broker_is_not_replaced(house: PipeHouse) -> None:
    second = PipeListener(house.broker, house.name, limits=Limits())
    with pytest.raises(OSError, match="a living broker has"):
        await second.start()
    second.stop_listening()
    (await house.client()).vanish()


@pytest.mark.skipif(is_wine(), reason="real Windows only: wine 8 does not enforce FILE_FLAG_FIRST_PIPE_INSTANCE")
async def test_the_system_lets_only_one_have_the_first_instance(house: PipeHouse) -> None:
    with pytest.raises(PermissionError):
        new_instance(windows_pipe(house.name), is_first=True)


async def test_a_name_is_free_when_its_broker_has_gone(name: str) -> None:
    for _ in range(3):
        house = await opened(name)
        (await house.client()).vanish()
        await closed(house)


async def test_the_pipe_is_for_its_owner_alone(house: PipeHouse) -> None:
    talker = await house.client()
    assert re.fullmatch(r"D:P\(A;;(GA|FA);;;OW\)", access_list(talker.transport.get_extra_info("pipe").handle))
    talker.vanish()


async def test_the_pipe_of_another_user_is_not_spoken_to(house: PipeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def is_own(handle: int) -> bool:
        asked.append(handle)
        return False

    monkeypatch.setattr(pipes_windows, "is_own", is_own)
    talker = Talker()
    with pytest.raises(SwarmwireError) as refusal:
        await open_pipe(house.name, lambda: talker)
    assert refusal.value.code is ErrorCode.UNAVAILABLE
    assert refusal.value.message.endswith("the pipe of this name belongs to another user.")
    assert len(asked) == 1
    assert not hasattr(talker, "transport")


async def test_brokers_of_different_names_do_not_meet(house: PipeHouse) -> None:
    other = await opened(f"{house.name}-other")
    mine, its = await house.client(), await other.client()
    await its.subscribe("#")
    await mine.ask(type="publish", id="1", topic="a", data="mine")
    await its.ask(type="publish", id="1", topic="a", data="its")
    assert (await its.ask(type="publish", id="2", topic="a", data="its"))["seq"] == 2
    mine.vanish()
    its.vanish()
    await other.is_clean()
    await closed(other)


# ---- the whole of it


async def test_the_sdk_speaks_with_a_server_by_its_pipe(name: str) -> None:
    async with (
        Server(Config(port=0, pipe=name)) as server,
        connect(f"pipe://{name}") as reader,
        connect(server.url) as publisher,
    ):
        events = await reader.subscribe("a")
        await publisher.publish("a", "by the other way")
        assert (await anext(aiter(events))).data == "by the other way"
