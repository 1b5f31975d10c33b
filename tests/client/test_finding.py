"""Where a broker of this machine is looked for, and which one is taken."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from swarmwire import DEFAULT_URL, ErrorCode, SwarmwireError, connect
from swarmwire.finding import is_ours, places
from swarmwire_broker.config import Auth, Config
from swarmwire_broker.server import Server
from swarmwire_protocol.places import fifo_directory, socket_path


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty runtime directory; at the usual port nobody listens."""
    directory = tmp_path / "run dir"
    directory.mkdir(mode=0o700)
    monkeypatch.setenv("SWARMWIRE_RUNTIME_DIR", str(directory))
    monkeypatch.delenv("SWARMWIRE_URL", raising=False)
    monkeypatch.setattr("swarmwire.finding.DEFAULT_URL", "ws://127.0.0.1:1/ws")
    return directory


def serving(name: str, **settings: object) -> Server:
    return Server(Config(port=0, name=name, **settings))  # type: ignore[arg-type]


def usual_port(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swarmwire.finding.DEFAULT_URL", server.url)


async def refused(**options: object) -> SwarmwireError:
    with pytest.raises(SwarmwireError) as raised:
        await connect(**options)  # type: ignore[arg-type]
    assert raised.value.code is ErrorCode.UNAVAILABLE
    return raised.value


# ---- Places


def test_what_is_there_is_looked_at_in_the_order_socket_pipe_port(runtime: Path) -> None:
    assert list(places("b")) == ["ws://127.0.0.1:1/ws"]
    fifo_directory("b").mkdir()
    assert list(places("b")) == ["pipe://b", "ws://127.0.0.1:1/ws"]
    socket_path("b").touch()
    assert list(places("b")) == [f"unix://{runtime.parent}/run%20dir/b.sock", "pipe://b", "ws://127.0.0.1:1/ws"]
    assert list(places("other")) == ["ws://127.0.0.1:1/ws"]


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_directory_that_others_can_write_to_is_passed_over(runtime: Path, mode: int) -> None:
    socket_path("b").touch()
    runtime.chmod(mode)
    assert not is_ours(runtime)
    assert list(places("b")) == ["ws://127.0.0.1:1/ws"]


def test_a_link_to_a_directory_is_not_ours(runtime: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(runtime)
    assert is_ours(runtime)
    assert not is_ours(link)
    assert not is_ours(tmp_path / "missing")


# ---- Connecting without an address


async def test_the_socket_is_taken_before_the_port(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving("b") as server:
        usual_port(server, monkeypatch)
        async with connect(broker="b") as client:
            assert client.url is not None
            assert client.url.startswith("unix://")


async def test_a_dead_socket_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as dead:
        dead.bind(str(socket_path("b")))
    async with serving("b", unix="off") as server:
        usual_port(server, monkeypatch)
        async with connect(broker="b") as client:
            assert client.url == server.url


async def test_a_refusal_is_told_and_nobody_else_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving("b", auth=Auth(token="right", local="token")), serving("b", unix="off") as open_to_all:
        usual_port(open_to_all, monkeypatch)
        with pytest.raises(SwarmwireError) as raised:
            await connect(broker="b", token="wrong")
        assert raised.value.code is ErrorCode.AUTHENTICATION_FAILED


async def test_a_broker_of_another_name_at_the_usual_port_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving("a") as server:
        usual_port(server, monkeypatch)
        error = await refused(broker="b")
        assert "No broker called 'b' is found on this machine." in error.message
        assert "The broker there is called 'a', not 'b'." in error.message
        assert "No broker called 'swarmwire'" in (await refused()).message


async def test_a_broker_of_another_name_at_the_socket_is_not_taken() -> None:
    async with serving("a", unix=str(socket_path("b"))):
        assert "is called 'a', not 'b'" in (await refused(broker="b")).message


async def test_an_address_in_the_environment_is_taken_unless_a_name_is_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serving("a", unix="off") as server, serving("b"):
        monkeypatch.setenv("SWARMWIRE_URL", server.url)
        async with connect() as client:
            assert client.url == server.url
        async with connect(broker="b") as client:
            assert client.server is not None
            assert client.server.name == "b"
        monkeypatch.setenv("SWARMWIRE_URL", "")
        assert "No broker called 'swarmwire'" in (await refused()).message


async def test_an_address_in_the_environment_is_where_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWARMWIRE_URL", "ws://127.0.0.1:1/ws")
    monkeypatch.setattr("swarmwire.reach.Starter", None)  # using it would raise
    assert "127.0.0.1:1" in (await refused(autostart=True)).message


@pytest.mark.parametrize("name", ["", "..", "a/b", "x" * 65])
def test_what_is_no_name_is_an_error_of_its_field(name: str) -> None:
    with pytest.raises(SwarmwireError) as raised:
        connect(broker=name)
    assert (raised.value.code, raised.value.field) == (ErrorCode.INVALID_MESSAGE, "broker")


@pytest.mark.parametrize("options", [{"url": DEFAULT_URL, "autostart": True}, {"autostart": "--data log"}])
def test_what_cannot_be_started_is_an_error_of_its_field(options: dict[str, object]) -> None:
    with pytest.raises(SwarmwireError) as raised:
        connect(**options)  # type: ignore[arg-type]
    assert (raised.value.code, raised.value.field) == (ErrorCode.INVALID_MESSAGE, "autostart")
