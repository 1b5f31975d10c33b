"""The listener at a Unix socket, with real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import pytest

from swarmwire_broker.broker import Broker
from swarmwire_broker.config import Auth, Config
from swarmwire_broker.core.settings import Limits
from swarmwire_broker.listeners import Listeners
from swarmwire_broker.server import Server
from swarmwire_broker.transports.peercred import Allowed
from swarmwire_broker.transports.unixsocket import UnixListener
from swarmwire_protocol.errors import CloseCode
from swarmwire_protocol.framing import PREFACE
from swarmwire_protocol.places import socket_path

from .wire import HELLO, PATIENCE, Message, eventually

ME = f"uid:{os.geteuid()}"
STRANGER = 61_234
THIS_PROGRAM = str(Path(sys.executable).resolve())


@pytest.fixture
def path(runtime_directory: Path) -> Iterator[Path]:
    """A short path in a directory that is nobody else's; nothing may be left there."""
    directory = runtime_directory / "unix"
    directory.mkdir(mode=0o700, parents=True)
    yield directory / "b.sock"
    directory.rmdir()


def is_there(path: Path) -> bool:
    return path.exists()


class UnixWire:
    """A client that speaks in lines, or in frames."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, is_framed: bool) -> None:
        self.reader = reader
        self.writer = writer
        self.is_framed = is_framed

    @classmethod
    async def open(cls, path: Path, *, is_framed: bool = False) -> Self:
        wire = cls(*await asyncio.open_unix_connection(path), is_framed)
        if is_framed:
            wire.writer.write(PREFACE)
            async with asyncio.timeout(PATIENCE):
                assert await wire.reader.readexactly(len(PREFACE)) == PREFACE
        return wire

    @classmethod
    async def welcomed(cls, path: Path, *, is_framed: bool = False, **hello: Any) -> Self:
        wire = await cls.open(path, is_framed=is_framed)
        await wire.send({**HELLO, **hello})
        wire.welcome = await wire.message()
        assert wire.welcome["type"] == "welcome", wire.welcome
        return wire

    welcome: Message

    async def send(self, *messages: Message) -> None:
        for message in messages:
            data = json.dumps(message).encode()
            self.writer.write(len(data).to_bytes(4, "big") + data if self.is_framed else data + b"\n")
        await self.writer.drain()

    async def message(self) -> Message:
        async with asyncio.timeout(PATIENCE):
            if self.is_framed:
                size = int.from_bytes(await self.reader.readexactly(4), "big")
                data = await self.reader.readexactly(size)
            else:
                data = await self.reader.readline()
        message: Message = json.loads(data)
        return message

    async def rest(self) -> list[Message]:
        """What is said up to the end, by a broker that speaks in lines."""
        async with asyncio.timeout(PATIENCE):
            data = await self.reader.read()
        return [json.loads(line) for line in data.splitlines()]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc: object) -> None:
        self.writer.transport.abort()
        with contextlib.suppress(OSError):
            await self.writer.wait_closed()


@asynccontextmanager
async def listening(path: Path, allowed: Allowed | None = None, **settings: Any) -> AsyncIterator[UnixListener]:
    broker = Broker(Config(**settings))
    await broker.start()
    listener = UnixListener(broker, path, allowed=allowed, limits=broker.config.limits)
    await listener.start()
    try:
        yield listener
        listener.stop_listening()
        broker.drain()
        async with asyncio.timeout(PATIENCE):
            await listener.closed()
    finally:
        listener.stop_listening()
        listener.abort()
        await broker.stop()


def hub_of(listener: UnixListener) -> Any:
    return listener._house.hub


both_ways = pytest.mark.parametrize("is_framed", [True, False], ids=["frames", "lines"])


# ---- talking


@both_ways
async def test_an_event_says_which_user_has_published_it(path: Path, is_framed: bool) -> None:
    async with listening(path), await UnixWire.welcomed(path, is_framed=is_framed) as wire:
        assert wire.welcome["identity"]["subject"] == ME
        assert wire.welcome["identity"]["permissions"]["publish"] == ["#"]
        await wire.send({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "#"}]})
        assert (await wire.message())["type"] == "ack"
        await wire.send({"type": "publish", "topic": "a.b", "data": {"x": 1}})
        event = await wire.message()
        assert (event["topic"], event["from"], event["data"]) == ("a.b", ME, {"x": 1})


async def test_clients_who_speak_in_either_way_hear_each_other(path: Path) -> None:
    async with (
        listening(path),
        await UnixWire.welcomed(path, is_framed=True) as framed,
        await UnixWire.welcomed(path) as lined,
    ):
        for wire in (framed, lined):
            await wire.send({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "#"}]})
            await wire.message()
        await framed.send({"type": "publish", "topic": "a", "data": 1, "echo": False})
        assert (await lined.message())["data"] == 1
        await lined.send({"type": "publish", "topic": "a", "data": 2, "echo": False})
        assert (await framed.message())["data"] == 2


async def test_large_messages_pass_in_both_directions(path: Path) -> None:
    async with listening(path), await UnixWire.welcomed(path, is_framed=True) as wire:
        await wire.send({"type": "subscribe", "id": 1, "subscriptions": [{"pattern": "#"}]})
        await wire.message()
        large = "ü" * 1_500_000
        await wire.send({"type": "publish", "topic": "a", "data": large})
        assert (await wire.message())["data"] == large


@pytest.mark.parametrize("has_data", [True, False], ids=["on disk", "in memory"])
async def test_a_script_that_ends_its_input_is_answered(path: Path, tmp_path: Path, has_data: bool) -> None:
    settings: dict[str, Any] = {"data": str(tmp_path / "log")} if has_data else {}
    async with listening(path, **settings), await UnixWire.open(path) as wire:
        await wire.send(HELLO, *({"type": "publish", "topic": "a", "data": n, "id": n} for n in range(100)))
        wire.writer.write_eof()
        welcome, *acks, bye = await wire.rest()
        assert welcome["type"] == "welcome"
        assert [ack["seq"] for ack in acks] == list(range(1, 101))
        assert (bye["type"], bye["code"]) == ("bye", CloseCode.NORMAL)


async def test_a_client_that_vanishes_is_forgotten(path: Path) -> None:
    async with listening(path) as listener:
        async with await UnixWire.welcomed(path, is_framed=True):
            assert len(hub_of(listener).sessions) == 1
        await eventually(lambda: not hub_of(listener).sessions)
        assert not listener.connections


async def test_the_last_words_reach_a_client_that_goes_on_sending(path: Path) -> None:
    async with listening(path), await UnixWire.welcomed(path, is_framed=True) as wire:
        wire.writer.write(b"\xff" * 4 + b"x" * 2_000_000)
        error, bye = await wire.message(), await wire.message()
        assert (error["code"], bye["code"]) == ("MESSAGE_TOO_LARGE", CloseCode.TOO_BIG)


# ---- who may connect


async def denied(path: Path) -> None:
    async with await UnixWire.open(path) as wire:
        await wire.send(HELLO)
        [error] = await wire.rest()
        assert (error["type"], error["code"]) == ("error", "PERMISSION_DENIED")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the program")
async def test_a_program_that_is_not_listed_gets_one_error(path: Path) -> None:
    async with listening(path, Allowed(executables=["/usr/bin/other"])) as listener:
        await denied(path)
        await eventually(lambda: not listener.connections)
        assert hub_of(listener).stats.refused_connections == 1
        assert not hub_of(listener).sessions


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the program")
async def test_a_program_that_is_listed_may_connect(path: Path) -> None:
    async with listening(path, Allowed(executables=[THIS_PROGRAM])), await UnixWire.welcomed(path):
        pass


AS_A_STRANGER = """
import os, socket, sys
uid, gid, *groups = map(int, sys.argv[3:])
os.setgroups(groups)
os.setgid(gid)
os.setuid(uid)
client = socket.socket(socket.AF_UNIX)
client.connect(sys.argv[1])
client.sendall(sys.argv[2].encode() + b"\\n")
client.shutdown(socket.SHUT_WR)
sys.stdout.write(client.makefile().readline())
"""


async def as_a_stranger(path: Path, gid: int = STRANGER, *groups: int) -> Message:
    """What the first line says that another user gets. Raises PermissionError where it cannot connect."""
    who = map(str, (STRANGER, gid, *groups))
    command = (sys.executable, "-c", AS_A_STRANGER, str(path), json.dumps(HELLO), *who)
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate()
    if b"PermissionError" in err:
        raise PermissionError
    message: Message = json.loads(out)
    return message


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@pytest.fixture
def open_path(path: Path, runtime_directory: Path) -> Iterator[Path]:
    """The same where other users can reach it."""
    for directory in (path.parent, runtime_directory, runtime_directory.parent):
        directory.chmod(0o711)
    yield path
    for directory in (runtime_directory, runtime_directory.parent):
        directory.chmod(0o700)


@as_root
async def test_another_user_is_let_in_by_the_list_and_known_by_the_kernel(open_path: Path) -> None:
    async with listening(open_path, Allowed(uids=[STRANGER])):
        welcome = await as_a_stranger(open_path)
        assert welcome["identity"]["subject"] == f"uid:{STRANGER}"


@as_root
async def test_a_member_of_a_listed_group_is_let_in(open_path: Path) -> None:
    async with listening(open_path, Allowed(gids=[77])):
        assert (await as_a_stranger(open_path, 5, 76, 77))["type"] == "welcome"
        assert (await as_a_stranger(open_path, 77))["type"] == "welcome"
        assert (await as_a_stranger(open_path, 5))["code"] == "PERMISSION_DENIED"


@as_root
async def test_another_user_who_is_not_listed_gets_one_error(open_path: Path) -> None:
    async with listening(open_path, Allowed(uids=[STRANGER + 1])):
        assert (await as_a_stranger(open_path))["code"] == "PERMISSION_DENIED"


@as_root
async def test_the_file_keeps_other_users_out_where_no_list_names_any(open_path: Path) -> None:
    open_path.parent.chmod(0o700)
    async with listening(open_path):
        open_path.parent.chmod(0o711)
        with pytest.raises(PermissionError):
            await as_a_stranger(open_path)


# ---- authentication


async def test_with_authentication_a_token_is_needed_here_too(path: Path) -> None:
    async with listening(path, auth=Auth(token="t0ken-t0ken")):
        async with await UnixWire.open(path) as wire:
            await wire.send(HELLO)
            error, bye = await wire.rest()
            assert (error["code"], bye["code"]) == ("AUTHENTICATION_FAILED", CloseCode.UNAUTHORIZED)
        async with await UnixWire.welcomed(path, token="t0ken-t0ken") as wire:
            assert wire.welcome["identity"]["subject"] == "token"


async def test_the_own_user_needs_no_token_where_the_configuration_says_so(path: Path) -> None:
    async with listening(path, auth=Auth(token="t0ken-t0ken", local="full")):
        async with await UnixWire.welcomed(path) as wire:
            assert wire.welcome["identity"]["subject"] == ME
            assert wire.welcome["identity"]["permissions"]["admin"] is True
        async with await UnixWire.open(path) as wire:
            await wire.send({**HELLO, "token": "another"})
            assert (await wire.message())["code"] == "AUTHENTICATION_FAILED"


@as_root
async def test_a_listed_user_needs_a_token_all_the_same(open_path: Path) -> None:
    async with listening(open_path, Allowed(uids=[STRANGER]), auth=Auth(token="t0ken-t0ken", local="full")):
        assert (await as_a_stranger(open_path))["code"] == "AUTHENTICATION_FAILED"


# ---- bounds


async def test_sockets_over_both_limits_together_are_cut(path: Path) -> None:
    limits = Limits(max_connections=1, max_unauthenticated=1)
    async with listening(path, limits=limits) as listener, contextlib.AsyncExitStack() as stack:
        for _ in range(2):
            await stack.enter_async_context(await UnixWire.open(path))
        await eventually(lambda: len(listener.connections) == 2)
        async with await UnixWire.open(path) as one_too_many:
            assert await one_too_many.rest() == []
        assert len(listener.connections) == 2


@pytest.mark.parametrize(
    "junk", [b"\x00" * 70_000, b"POST / HTTP/1.1\r\n\r\n", PREFACE + b"\xff" * 70_000, b"{" * 70_000]
)
async def test_junk_is_answered_and_closed_and_others_do_not_feel_it(path: Path, junk: bytes) -> None:
    async with listening(path) as listener, await UnixWire.welcomed(path, is_framed=True) as good:
        async with await UnixWire.open(path) as bad:
            bad.writer.write(junk)
            async with asyncio.timeout(PATIENCE):
                answer = await bad.reader.read()
            assert answer.count(b'"type":"error"') == 1
            assert answer.count(b'"type":"bye"') <= 1
        await eventually(lambda: len(listener.connections) == 1)
        await good.send({"type": "ping", "ts": 5})
        assert await good.message() == {"type": "pong", "ts": 5}


async def test_half_a_preface_and_silence_is_closed_in_time(path: Path) -> None:
    async with listening(path, limits=Limits(auth_timeout_ms=30)) as listener, await UnixWire.open(path) as wire:
        wire.writer.write(PREFACE[:3])
        assert [error["code"] for error in await wire.rest()] == ["NOT_AUTHENTICATED"]
        wire.writer.write_eof()
        await eventually(lambda: not listener.connections)


async def test_a_client_that_never_closes_is_closed(path: Path) -> None:
    async with listening(path, limits=Limits(close_timeout_ms=20)) as listener, await UnixWire.open(path) as wire:
        wire.writer.write(b"junk")
        await eventually(lambda: not listener.connections)


# ---- the end


async def test_those_who_are_connected_are_told_that_the_broker_stops(path: Path) -> None:
    async with contextlib.AsyncExitStack() as stack:
        async with listening(path, limits=Limits(close_timeout_ms=100)) as listener:
            wire = await stack.enter_async_context(await UnixWire.welcomed(path))
            undecided = await stack.enter_async_context(await UnixWire.open(path))
            await eventually(lambda: len(listener.connections) == 2)
        [bye] = await wire.rest()
        assert (bye["type"], bye["code"]) == ("bye", CloseCode.RESTART)
        assert "reconnect_after_ms" in bye
        assert await undecided.rest() == []
    assert not is_there(path)


async def test_what_does_not_end_by_itself_is_cut(path: Path) -> None:
    limits = Limits(close_timeout_ms=60_000)
    async with listening(path, limits=limits) as listener, await UnixWire.welcomed(path) as wire:
        listener.stop_listening()
        hub_of(listener).drain()
        assert [each["type"] for each in await wire.rest()] == ["bye"]
        assert listener.connections
        listener.abort()
        await eventually(lambda: not listener.connections)


async def test_stopping_twice_does_no_harm_and_starting_again_works(path: Path) -> None:
    async with listening(path) as listener:
        with pytest.raises(RuntimeError, match="started already"):
            await listener.start()
        for _ in range(2):
            listener.stop_listening()
            listener.stop_listening()
            assert not list(path.parent.iterdir())
            with pytest.raises(FileNotFoundError):
                await UnixWire.open(path)
            await listener.start()
            async with await UnixWire.welcomed(path):
                pass


async def test_a_broker_that_does_not_run_cuts_who_connects(path: Path) -> None:
    listener = UnixListener(Broker(Config()), path, limits=Limits())
    await listener.start()
    async with await UnixWire.open(path) as wire:
        assert await wire.rest() == []
    listener.stop_listening()


def test_the_url_names_the_path_so_that_it_can_be_read_back() -> None:
    assert UnixListener(Broker(Config()), Path("/run/a b/#.sock"), limits=Limits()).url == "unix:///run/a%20b/%23.sock"


# ---- the server


async def test_a_server_listens_where_clients_of_its_name_look() -> None:
    async with Server(Config(port=0, name="by-name")) as server:
        assert server.urls[:2] == [server.url, f"unix://{socket_path('by-name')}"]
        async with await UnixWire.welcomed(socket_path("by-name")) as wire:
            assert wire.welcome["server"]["name"] == "by-name"
    assert not is_there(socket_path("by-name"))


async def test_a_server_goes_on_without_a_place_that_was_not_asked_for(caplog: pytest.LogCaptureFixture) -> None:
    async with Server(Config(port=0, name="twice")), Server(Config(port=0, name="twice")) as second:
        assert not any(url.startswith("unix:") for url in second.urls)
        assert f"goes on without unix://{socket_path('twice')}: somebody listens" in caplog.text
    async with Server(Config(port=0, name="twice")) as third:
        assert f"unix://{socket_path('twice')}" in third.urls


async def test_a_server_does_not_start_without_a_place_that_was_asked_for(path: Path) -> None:
    config = Config(port=0, unix=str(path))
    async with Server(config):
        second = Server(config)
        with pytest.raises(OSError, match=f"somebody listens at {path} already"):
            await second.start()
        assert not second.broker.is_running
    await second.start()
    async with await UnixWire.welcomed(path):
        pass
    await second.stop()
    assert not list(path.parent.iterdir())


async def test_a_server_that_is_told_so_has_no_unix_socket() -> None:
    async with Server(Config(port=0, unix="off", name="none")) as server:
        assert not any(url.startswith("unix:") for url in server.urls)
        assert not is_there(socket_path("none"))


async def test_a_server_that_stops_tells_who_is_connected_here(path: Path) -> None:
    server = Server(Config(port=0, unix=str(path)))
    await server.start()
    async with await UnixWire.welcomed(path) as wire:
        stopping = asyncio.create_task(server.stop())
        assert [each["code"] for each in await wire.rest()] == [CloseCode.RESTART]
        wire.writer.close()
        async with asyncio.timeout(PATIENCE):
            await stopping


async def test_a_relative_path_is_one_of_the_current_directory(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    async with Server(Config(port=0, unix="./b.sock")) as server:
        assert f"unix://{path}" in server.urls


async def test_a_system_without_unix_sockets_is_told_of_only_where_one_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("swarmwire_broker.listeners._HAS_UNIX", False)
    house = Broker(Config())
    with caplog.at_level(logging.WARNING):
        listeners = Listeners(Config(), house)
        await listeners.start()
    assert (listeners.urls, caplog.text) == ([], "")
    with pytest.raises(OSError, match="there are no Unix sockets on this system"):
        await Listeners(Config(unix="/x/y"), house).start()
    assert socket.AF_UNIX
