"""Opening FIFO pairs: what is said where no broker answers, and that nothing is left behind."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path

import pytest
import pytest_asyncio

from swarmwire import ErrorCode, SwarmwireError, pipes_posix
from swarmwire.pipes import open_pipe
from swarmwire_protocol.fifo import ACCEPTED, AnnouncementReader, fifo_names

PATIENCE = 10.0


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory of the FIFOs of the broker `test`, which nobody has made yet."""
    monkeypatch.setenv("SWARMWIRE_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "test.pipe"


async def eventually(holds: Callable[[], object]) -> None:
    """Wait until something is true; fail when patience ends."""
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, "it never became true"
        await asyncio.sleep(0.002)


def open_in(place: Path) -> list[str]:
    """What this process has open of the files there, whether they have names or not."""
    links = []
    for descriptor in os.listdir("/proc/self/fd"):
        with suppress(FileNotFoundError):
            links.append(os.readlink(f"/proc/self/fd/{descriptor}"))
    return [link for link in links if link.startswith(str(place))]


class Mute(asyncio.Protocol):
    """Notices the end."""

    def __init__(self) -> None:
        self.heard = b""
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self.heard += data

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(None)


class Broker:
    """Reads announcements, and answers them as the test wants."""

    def __init__(self, place: Path) -> None:
        self.place = place
        place.mkdir(mode=0o700)
        os.mkfifo(place / "ctl", 0o600)
        self.control = os.open(place / "ctl", os.O_RDWR | os.O_NONBLOCK)
        self.ends: list[int] = []

    async def announced(self) -> str:
        """The id of the next client."""
        loop, came = asyncio.get_running_loop(), asyncio.Event()
        loop.add_reader(self.control, came.set)
        await asyncio.wait_for(came.wait(), PATIENCE)
        loop.remove_reader(self.control)
        (client,) = AnnouncementReader().feed(os.read(self.control, 4096))
        return client

    def open(self, client: str) -> None:
        names = fifo_names(self.place, client)
        for name, flags in ((names.up, os.O_RDONLY), (names.down, os.O_WRONLY)):
            self.ends.append(os.open(name, flags | os.O_NONBLOCK))
            name.unlink()

    def close(self) -> None:
        """Die: all that it has open is closed."""
        for descriptor in (*self.ends, self.control):
            if descriptor >= 0:
                os.close(descriptor)
        self.ends, self.control = [], -1


@pytest_asyncio.fixture
async def broker(place: Path) -> AsyncIterator[Broker]:
    broker = Broker(place)
    yield broker
    broker.close()
    assert os.listdir(place) == ["ctl"], "the client has left something behind"
    await eventually(lambda: not open_in(place))


async def refused(name: str = "test") -> SwarmwireError:
    with pytest.raises(SwarmwireError) as refusal:
        await open_pipe(name, Mute)
    assert refusal.value.code is ErrorCode.UNAVAILABLE
    return refusal.value


async def meeting(broker: Broker, answer: Callable[[str], None]) -> str:
    """Try to connect to a broker that answers so; what the client raises."""
    opening = asyncio.create_task(refused())
    answer(await broker.announced())
    return (await asyncio.wait_for(opening, PATIENCE)).message


async def test_where_nobody_ever_was_no_broker_is_running() -> None:
    assert (await refused()).message == "Nobody answers at pipe://test: no broker of this name is running."


async def test_where_a_dead_broker_left_its_files_no_broker_is_running(broker: Broker) -> None:
    broker.close()
    assert (await refused()).message == "Nobody answers at pipe://test: no broker of this name is running."


async def test_what_is_no_name_is_refused() -> None:
    with pytest.raises(SwarmwireError) as refusal:
        await open_pipe("../x", Mute)
    assert refusal.value.code is ErrorCode.INVALID_MESSAGE


async def test_a_broker_that_dies_before_it_answers_is_noticed_at_once(broker: Broker) -> None:
    began = time.monotonic()
    assert "the broker" in await meeting(broker, lambda client: broker.close())
    assert time.monotonic() - began < pipes_posix.OPEN_TIMEOUT / 2


async def test_a_broker_that_lets_us_go_is_full(broker: Broker) -> None:
    def let_go(client: str) -> None:
        broker.open(client)
        for descriptor in broker.ends:
            os.close(descriptor)
        broker.ends.clear()

    assert (await meeting(broker, let_go)).endswith("the broker is full, or ends.")


async def test_an_answer_that_is_none_is_refused(broker: Broker) -> None:
    def babble(client: str) -> None:
        broker.open(client)
        os.write(broker.ends[1], b"HTTP/1.1 200 OK")

    assert (await meeting(broker, babble)).endswith("the broker is full, or ends.")


async def test_a_broker_that_does_not_answer_is_given_up(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes_posix, "OPEN_TIMEOUT", 0.05)
    assert (await refused()).message.endswith("it did not answer within 0.05 seconds.")


async def test_a_full_control_fifo_is_waited_for(broker: Broker) -> None:
    filled = 0
    while True:
        try:
            filled += os.write(broker.control, b"x" * 4096)
        except BlockingIOError:
            break
    opening = asyncio.create_task(open_pipe("test", Mute))
    await eventually(lambda: any(name.endswith(".up") for name in os.listdir(broker.place)))
    while filled:
        filled -= len(os.read(broker.control, filled))
    client = await broker.announced()
    broker.open(client)
    os.write(broker.ends[1], ACCEPTED)
    (await opening).abort()


async def test_giving_up_in_the_middle_leaves_nothing(broker: Broker) -> None:
    opening = asyncio.create_task(open_pipe("test", Mute))
    await broker.announced()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening


async def test_the_first_words_after_the_answer_are_the_protocols(broker: Broker) -> None:
    mute = Mute()
    opening = asyncio.create_task(open_pipe("test", lambda: mute))
    broker.open(await broker.announced())
    os.write(broker.ends[1], ACCEPTED + b"hello")
    transport = await opening
    transport.write(b"up")
    os.close(broker.ends.pop())
    await asyncio.wait_for(mute.lost, PATIENCE)
    assert mute.heard == b"hello"
    assert os.read(broker.ends[0], 100) == b"up"


async def test_the_death_of_the_broker_is_noticed_without_a_write(broker: Broker) -> None:
    mute = Mute()
    opening = asyncio.create_task(open_pipe("test", lambda: mute))
    broker.open(await broker.announced())
    os.write(broker.ends[1], ACCEPTED)
    await opening
    broker.close()
    await asyncio.wait_for(mute.lost, PATIENCE)


# ---- who is not trusted


async def test_a_directory_that_others_may_change_is_not_trusted(broker: Broker) -> None:
    broker.place.chmod(0o777)
    message = (await refused()).message
    assert "is not to be trusted: its mode is 0777" in message


async def test_a_control_fifo_that_is_none_is_not_trusted(broker: Broker) -> None:
    control = broker.place / "ctl"
    control.rename(broker.place / "kept")
    control.write_text("")
    assert (await refused()).message.endswith("ctl is not to be trusted: it is no FIFO.")
    assert control.read_text() == ""
    control.unlink()
    control.symlink_to(broker.place / "kept")
    await refused()
    (broker.place / "kept").rename(control)
