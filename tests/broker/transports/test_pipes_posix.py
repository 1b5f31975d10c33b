"""FIFO pairs: how clients and broker meet, who is kept out, and that nothing is left of anybody."""

from __future__ import annotations

import asyncio
import fcntl
import os
import secrets
import stat
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from swarmwire.pipes_posix import open_pipe
from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Config
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.transports import pipes_posix
from swarmwire_broker.transports.pipes import PipeListener
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.fifo import ACCEPTED, announcement
from swarmwire_protocol.framing import PREFACE
from swarmwire_protocol.places import fifo_directory

from .talker import PATIENCE, Talker
from .wire import eventually

NAME = "test"


class Fifos:
    """A client that does every step of meeting the broker by hand, or leaves it out."""

    def __init__(self, directory: Path, mode: int = 0o600) -> None:
        self.id = secrets.token_hex(16)
        self.up = directory / f"{self.id}.up"
        self.down = directory / f"{self.id}.down"
        self._control = directory / "ctl"
        self._open: list[int] = []
        os.mkfifo(self.up)
        os.mkfifo(self.down)
        self.up.chmod(mode)
        self.down.chmod(mode)

    def open(self) -> None:
        self.reading = self._opened(self.down, os.O_RDONLY)
        self.writing = self._opened(self.up, os.O_RDWR)

    def announce(self) -> None:
        self.tell(announcement(self.id))

    def tell(self, data: bytes) -> None:
        control = os.open(self._control, os.O_WRONLY | os.O_NONBLOCK)
        assert os.write(control, data) == len(data)
        os.close(control)

    async def answer(self) -> bytes:
        """The first the broker says; nothing if it lets us go."""
        happened = asyncio.Event()
        loop = asyncio.get_running_loop()
        loop.add_reader(self.reading, happened.set)
        try:
            await asyncio.wait_for(happened.wait(), PATIENCE)
        finally:
            loop.remove_reader(self.reading)
        return os.read(self.reading, 100)

    def stop_reading(self) -> None:
        self._open.remove(self.reading)
        os.close(self.reading)

    def names(self) -> int:
        return self.up.exists() + self.down.exists()

    def close(self) -> None:
        for descriptor in self._open:
            os.close(descriptor)
        self._open.clear()

    def _opened(self, path: Path, flags: int) -> int:
        self._open.append(os.open(path, flags | os.O_NONBLOCK))
        return self._open[-1]


class PipeHouse:
    """A broker that listens at FIFOs and nowhere else."""

    def __init__(self, broker: Broker, listener: Any) -> None:
        self.broker = broker
        self.listener = listener
        self.directory = fifo_directory(NAME)
        self._fifos: list[Fifos] = []

    def fifos(self, mode: int = 0o600) -> Fifos:
        """A client by hand."""
        self._fifos.append(Fifos(self.directory, mode))
        return self._fifos[-1]

    async def client(self) -> Talker:
        return await Talker.welcomed(open_pipe, NAME)

    async def is_clean(self) -> None:
        """Wait until nothing is left of any client; those by hand end here."""
        for fifos in self._fifos:
            fifos.close()
        hub = self.broker.hub
        await eventually(lambda: not hub.sessions and not hub.delivery.outboxes and not self.listener.connections)
        await eventually(lambda: sorted(os.listdir(self.directory)) == ["ctl", "lock"])


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A runtime directory of the test's own."""
    monkeypatch.setenv("SWARMWIRE_RUNTIME_DIR", str(tmp_path / "run"))
    return tmp_path / "run"


OpenHouse = Callable[..., Any]


@pytest_asyncio.fixture
async def open_house() -> AsyncIterator[OpenHouse]:
    """Opens houses, which end with the test and leave nothing."""
    houses: list[PipeHouse] = []

    async def make(**limits: Any) -> PipeHouse:
        bounds = Limits(**{"close_timeout_ms": 500, **limits})
        broker = Broker(Config(limits=bounds))
        await broker.start()
        house = PipeHouse(broker, PipeListener(broker, NAME, limits=bounds))
        houses.append(house)
        await house.listener.start()
        return house

    yield make
    for house in houses:
        house.listener.stop_listening()
        house.broker.drain()
        async with asyncio.timeout(PATIENCE):
            await house.listener.closed()
        await house.broker.stop()
        assert not house.directory.exists()


@pytest_asyncio.fixture
async def house(open_house: OpenHouse) -> AsyncIterator[PipeHouse]:
    house: PipeHouse = await open_house()
    yield house
    await house.is_clean()


class Listener(Talker):
    """Hears what comes as it comes."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        self.heard.append(data)

    async def connected(self) -> asyncio.Transport:
        return await open_pipe(NAME, lambda: self)


# ---- a conversation


async def test_a_client_publishes_and_another_gets_it(house: PipeHouse) -> None:
    reader, publisher = await house.client(), await house.client()
    assert reader.welcome["identity"]["subject"] == f"uid:{os.geteuid()}"
    await reader.subscribe("a.*")
    ack = await publisher.ask(type="publish", id="1", topic="a.b", data={"n": 1})
    event = await reader.expect("event")
    assert (ack["seq"], event["data"], event["from"]) == (1, {"n": 1}, f"uid:{os.geteuid()}")
    reader.vanish()
    publisher.transport.close()


async def test_what_is_far_larger_than_a_pipe_comes_whole(house: PipeHouse) -> None:
    reader, publisher = await house.client(), await house.client()
    await reader.subscribe("a")
    for letter in "xyz":
        publisher.send(type="publish", topic="a", data=letter * 2_000_000)
    for letter in "xyz":
        assert (await reader.expect("event"))["data"] == letter * 2_000_000
    reader.transport.close()
    publisher.transport.close()


async def test_a_client_that_does_not_read_waits_for_itself_alone(house: PipeHouse) -> None:
    slow, reader, publisher = [await house.client() for _ in range(3)]
    for talker in (slow, reader):
        await talker.subscribe("a")
    slow.transport.pause_reading()
    for number in range(300):
        publisher.send(type="publish", topic="a", data=[number, "x" * 20_000])
    assert [(await reader.expect("event"))["data"][0] for _ in range(300)] == list(range(300))
    most = max(outbox.queued_bytes for outbox in house.broker.hub.delivery.outboxes)
    assert most < 2 * house.broker.config.limits.outbox_bytes
    slow.transport.resume_reading()
    assert [(await slow.expect("event"))["data"][0] for _ in range(300)] == list(range(300))
    for talker in (slow, reader, publisher):
        talker.vanish()


async def test_what_a_client_said_before_it_vanished_counts(house: PipeHouse) -> None:
    reader, publisher = await house.client(), await house.client()
    await reader.subscribe("a")
    publisher.send(type="publish", topic="a", data="last words")
    publisher.transport.close()
    assert (await reader.expect("event"))["data"] == "last words"
    reader.transport.close()


async def test_scripts_speak_in_lines(house: PipeHouse) -> None:
    client = house.fifos()
    client.open()
    client.announce()
    assert await client.answer() == ACCEPTED
    os.write(client.writing, b'{"type":"hello","versions":["1"],"client":{"name":"script"}}\n')
    assert (await client.answer()).startswith(b'{"type":"welcome"')


async def test_rubbish_gets_one_error_and_the_end(house: PipeHouse) -> None:
    listener, other = Listener(), await house.client()
    talker = await listener.connected()
    talker.write(os.urandom(8).replace(PREFACE[:1], b"x").replace(b"{", b"x") * 1_000)
    await listener.ended()
    assert b"".join(listener.heard).count(b"INVALID_MESSAGE") == 1
    assert (await other.ask(type="publish", id="1", topic="a", data=1))["type"] == "ack"
    other.vanish()


# ---- the end of either side


async def test_the_end_of_a_client_is_noticed_without_a_write(house: PipeHouse) -> None:
    for end in ("close", "abort"):
        talker = await house.client()
        getattr(talker.transport, end)()
        await house.is_clean()


async def test_a_client_that_reads_no_more_is_let_go(house: PipeHouse) -> None:
    client = house.fifos()
    client.open()
    client.announce()
    assert await client.answer() == ACCEPTED
    await eventually(lambda: house.listener.connections)
    client.stop_reading()
    await eventually(lambda: not house.listener.connections)


async def test_a_stopping_broker_says_goodbye_and_takes_everything_away(open_house: OpenHouse, runtime: Path) -> None:
    house = await open_house()
    talker = await house.client()
    house.listener.stop_listening()
    house.listener.stop_listening()
    assert os.listdir(runtime) == []
    assert (await talker.ask(type="publish", id="1", topic="a", data=1))["type"] == "ack", "who is here may go on"
    house.broker.drain()
    bye = await talker.expect("bye")
    assert bye["code"] == 1012
    await talker.ended()


async def test_connections_can_be_cut(house: PipeHouse) -> None:
    talkers = [await house.client() for _ in range(3)]
    house.listener.abort()
    house.listener.abort()
    for talker in talkers:
        await talker.ended()


async def test_who_says_nothing_is_let_go_in_time(open_house: OpenHouse) -> None:
    house = await open_house(auth_timeout_ms=50)
    silent, half = Listener(), Listener()
    await silent.connected()
    (await half.connected()).write(PREFACE[:4])
    await silent.ended()
    await half.ended()
    await house.is_clean()


# ---- many


async def test_a_thousand_clients_in_turn_leave_no_files(house: PipeHouse) -> None:
    (await house.client()).vanish()  # the loop keeps a descriptor of its own from its first pipe on
    await house.is_clean()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(1_000):
        (await Listener().connected()).abort()
    await house.is_clean()
    await eventually(lambda: len(os.listdir("/proc/self/fd")) <= before)


async def test_a_hundred_clients_at_once(house: PipeHouse) -> None:
    talkers = await asyncio.gather(*(house.client() for _ in range(100)))
    assert len({talker.welcome["client_id"] for talker in talkers}) == 100
    assert len(house.listener.connections) == 100
    for talker in talkers:
        talker.vanish()


async def test_one_client_too_many_is_told_by_the_end(open_house: OpenHouse) -> None:
    house = await open_house(max_connections=1, max_unauthenticated=1)
    first, second = await house.client(), Talker()
    await open_pipe(NAME, lambda: second)
    with pytest.raises(SwarmwireError) as refusal:
        await open_pipe(NAME, Talker)
    assert refusal.value.code is ErrorCode.UNAVAILABLE
    first.vanish()
    second.vanish()
    await house.is_clean()


# ---- the control FIFO


@pytest.mark.parametrize(
    "garbage",
    [
        b"\n",
        b"SWARM/1 ",
        b"SWARM/2 0123456789abcdef\n",
        b"SWARM/1 too-short\n",
        b"SWARM/1 ../../0123456789abcdef\n",
        b"SWARM/1 " + b"0" * 65 + b"\n",
        bytes(range(256)) * 15,
        b"x" * 4000,
    ],
    ids=range(8),
)
async def test_garbage_in_the_control_fifo_hinders_nobody(house: PipeHouse, garbage: bytes) -> None:
    client = house.fifos()
    client.tell(garbage)
    client.open()
    client.announce()
    assert await client.answer() == ACCEPTED
    talker = await house.client()
    talker.vanish()


async def test_an_endless_stream_of_garbage_is_not_kept(house: PipeHouse) -> None:
    client = house.fifos()
    for _ in range(50):
        client.tell(b"x" * 4096)
        await asyncio.sleep(0)
    client.open()
    client.announce()
    assert await client.answer() == ACCEPTED


async def test_who_died_after_its_announcement_is_cleaned_up(house: PipeHouse) -> None:
    client = house.fifos()
    client.announce()
    await house.is_clean()


async def test_an_announcement_of_nothing_is_ignored(house: PipeHouse) -> None:
    client = house.fifos()
    client.tell(announcement("0123456789abcdef"))
    client.open()
    client.announce()
    client.announce()
    assert await client.answer() == ACCEPTED


async def test_fifos_that_others_may_open_are_refused(house: PipeHouse) -> None:
    client = house.fifos(mode=0o666)
    client.open()
    client.announce()
    await eventually(lambda: not client.names())
    assert not house.listener.connections


async def test_what_is_no_fifo_is_refused_unread(house: PipeHouse, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("of somebody else")
    client = house.fifos()
    client.open()
    client.up.unlink()
    client.up.symlink_to(secret)
    client.announce()
    await eventually(lambda: not client.names())
    assert secret.read_text() == "of somebody else"


# ---- who holds the directory


def private(runtime: Path, mode: int) -> Path:
    """The directory of the FIFOs, as somebody else has made it."""
    runtime.mkdir(mode=0o700)
    directory = runtime / f"{NAME}.pipe"
    directory.mkdir()
    directory.chmod(mode)
    return directory


async def test_a_living_broker_is_not_replaced(house: PipeHouse) -> None:
    second = PipeListener(house.broker, NAME, limits=Limits())
    with pytest.raises(OSError, match="cannot listen at pipe://test: a living broker has"):
        await second.start()
    second.stop_listening()
    talker = await house.client()
    talker.vanish()


async def test_what_a_dead_broker_left_is_replaced(open_house: OpenHouse, runtime: Path) -> None:
    directory = private(runtime, 0o700)
    (directory / "lock").touch()
    os.mkfifo(directory / "ctl", 0o600)
    os.mkfifo(directory / "ctl.new", 0o600)
    Fifos(directory)
    house = await open_house()
    assert sorted(os.listdir(directory)) == ["ctl", "lock"]
    talker = await house.client()
    talker.vanish()
    await house.is_clean()


async def test_a_lock_that_lost_its_name_is_not_taken_for_the_directory(
    open_house: OpenHouse, runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last broker leaves between our opening its lock and our locking it."""
    locked = fcntl.flock
    calls: list[int] = []

    def leave_first(descriptor: int, how: int) -> None:
        if not calls:
            (runtime / f"{NAME}.pipe" / "lock").unlink()
        calls.append(descriptor)
        locked(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", leave_first)
    house = await open_house()
    assert len(calls) == 2
    assert (house.directory / "lock").exists()


async def test_one_of_two_that_start_at_once_wins(open_house: OpenHouse) -> None:
    started = await asyncio.gather(open_house(), open_house(), return_exceptions=True)
    assert sum(isinstance(one, OSError) for one in started) == 1


async def test_the_directory_and_all_in_it_is_for_the_owner_alone(house: PipeHouse) -> None:
    assert stat.S_IMODE(house.directory.stat().st_mode) == 0o700
    for name in ("ctl", "lock"):
        assert stat.S_IMODE((house.directory / name).stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o750, 0o707])
async def test_a_directory_that_others_see_is_not_used(open_house: OpenHouse, runtime: Path, mode: int) -> None:
    directory = private(runtime, mode)
    with pytest.raises(OSError, match=f"its mode is {mode:04o}"):
        await open_house()
    directory.rmdir()


async def test_brokers_of_different_names_do_not_meet(house: PipeHouse, tmp_path: Path) -> None:
    other = Broker(Config(name="other"))
    await other.start()
    listener = PipeListener(other, "other", limits=Limits())
    await listener.start()
    mine, its = await house.client(), await Talker.welcomed(open_pipe, "other")
    assert its.welcome["server"]["name"] == "other"
    assert mine.welcome["server"]["name"] != "other"
    await its.subscribe("#")
    await mine.ask(type="publish", id="1", topic="a", data="mine")
    await its.ask(type="publish", id="1", topic="a", data="its")
    mine.vanish()
    its.vanish()
    await eventually(lambda: not other.hub.sessions)
    listener.stop_listening()
    await other.stop()


# ---- what died before it could announce itself


async def test_old_fifos_are_swept_and_young_ones_left(house: PipeHouse, monkeypatch: pytest.MonkeyPatch) -> None:
    old, young = house.fifos(), house.fifos()
    before = time.time() - 2 * pipes_posix._STALE_AFTER
    for path in (old.up, old.down):
        os.utime(path, (before, before))
    house.listener._sweep()
    assert (old.names(), young.names()) == (0, 2)
    young.up.unlink()
    young.down.unlink()
