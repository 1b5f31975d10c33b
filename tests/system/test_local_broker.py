"""A broker of this machine that nobody gave the address of: found, started, and left stopped."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from swarmwire import Client, ErrorCode, SwarmwireError, connect
from swarmwire_protocol.places import runtime_directory, socket_path

from .collected import PATIENCE
from .journal import States, watch
from .processes import BrokerProcess, Command, Shell, clean_environment

SOON: dict[str, Any] = {"base_delay": 0.05, "max_delay": 0.2}

STARTS = """
import sys, time
from swarmwire import connect_sync
with connect_sync(broker=sys.argv[1], autostart=True, connect_timeout=30.0) as client:
    print(client.publish("race.runner", None).seq, client.broker_pid, flush=True)
    sys.stdin.readline()
"""


def alive(name: str) -> set[int]:
    """The processes of brokers of this name."""
    found = set()
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except (OSError, IndexError):
            continue
        if entry.name.isdigit() and b"serve" in words and name.encode() in words and state != "Z":
            found.add(int(entry.name))
    return found


@pytest.fixture
def name(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A name that no other broker has; a broker that was started under it is gone afterwards."""
    # The usual port may be anyone's; where nothing ever listens nobody is found.
    monkeypatch.setattr("swarmwire.finding.DEFAULT_URL", "ws://127.0.0.1:1/ws")
    name = f"t-{secrets.token_hex(4)}"
    yield name
    for pid in alive(name):
        os.kill(pid, signal.SIGKILL)


async def started(name: str, **options: Any) -> Client:
    return await connect(broker=name, autostart=True, connect_timeout=30.0, **SOON, **options)


def pid_of(client: Client) -> int:
    assert client.server is not None
    return client.server.pid


async def gone(pid: int) -> None:
    """Wait until a process is listed no more: until then it is a zombie of its starter's."""
    async with asyncio.timeout(PATIENCE):
        while str(pid) in os.listdir("/proc"):  # noqa: ASYNC110 - nothing tells when a process was reaped
            await asyncio.sleep(0.01)


async def served(shell: Shell, name: str, *arguments: str) -> BrokerProcess:
    return await shell.serve("--name", name, *arguments)


# ---- Finding


async def test_a_broker_is_found_at_its_socket_by_its_name(shell: Shell, name: str) -> None:
    await served(shell, name)
    async with connect(broker=name) as client:
        assert client.url == f"unix://{socket_path(name)}"
        assert client.server is not None
        assert client.server.name == name


async def test_a_broker_without_a_socket_is_found_at_its_pipe(shell: Shell, name: str) -> None:
    await served(shell, name, "--unix", "off", "--pipe")
    async with connect(broker=name) as client:
        assert client.url == f"pipe://{name}"
        assert (await client.publish("a", 1)).seq == 1


async def test_a_broker_with_neither_is_found_at_the_usual_port(
    shell: Shell, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = await served(shell, name, "--unix", "off")
    monkeypatch.setattr("swarmwire.finding.DEFAULT_URL", broker.url)
    async with connect(broker=name) as client:
        assert client.url == broker.url


async def test_two_brokers_of_different_names_do_not_meet(
    shell: Shell, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = f"{name}-other"
    broker = await served(shell, name)
    monkeypatch.setattr("swarmwire.finding.DEFAULT_URL", broker.url)
    with pytest.raises(SwarmwireError, match=f"is called '{name}', not '{other}'") as raised:
        await connect(broker=other)
    assert raised.value.code is ErrorCode.UNAVAILABLE

    await served(shell, other)
    async with connect(broker=name) as one, connect(broker=other) as two:
        heard = await watch(one, "#")
        await two.publish("a", "of the other")
        await one.publish("a", "own")
        await heard.saw("own")
        assert heard.data == ["own"]


async def test_a_broker_that_comes_back_by_another_way_is_found(
    shell: Shell, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = str(shell.directory / "log")
    broker = await served(shell, name, "--data", data)
    async with connect(broker=name, **SOON) as client:
        states, heard = States(client), await watch(client, "#")
        for life, way in enumerate((["--unix", "off", "--pipe"], ["--unix", "off"], []), start=1):
            await client.publish("a", life)
            await broker.kill()
            await states.until("disconnected", life)
            broker = await served(shell, name, "--data", data, *way)
            monkeypatch.setattr("swarmwire.finding.DEFAULT_URL", broker.url)
            await states.until("resumed", life)
        await client.publish("a", 4)
        await heard.saw(4)
        assert heard.story == [1, 2, 3, 4]
        assert client.url == f"unix://{socket_path(name)}"


async def test_a_command_without_an_address_finds_the_broker(shell: Shell) -> None:
    # Commands look for the default name; the runtime directory of the tests is their own.
    broker = await shell.serve()
    assert (await shell.run("pub", "a.b", "5")).out == ["1"]
    found = await shell.run("status", "--json")
    status = orjson.loads(found.out[0])
    assert status["server"]["pid"] == broker.pid
    assert status["url"].startswith("unix://")


# ---- Starting


async def test_a_broker_is_started_where_there_is_none_and_outlives_its_starter(name: str) -> None:
    async with await started(name) as client:
        pid = pid_of(client)
        assert (await client.publish("a", 1)).seq == 1
        assert os.getsid(pid) == pid != os.getsid(0)
        standard = [os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)]
        log = str(runtime_directory() / f"{name}.log")
        assert standard == [os.devnull, log, log]
    async with await started(name) as client:
        assert pid_of(client) == pid
        assert (await client.publish("a", 2)).seq == 2
    assert alive(name) == {pid}


async def test_arguments_reach_the_broker_that_is_started(name: str, tmp_path: Path) -> None:
    async with connect(broker=name, autostart=["--data", str(tmp_path / "log")], connect_timeout=30.0) as client:
        assert client.durability == "stored"


async def test_of_six_processes_that_try_one_starts_it(name: str, tmp_path: Path) -> None:
    script = tmp_path / "starts.py"
    script.write_text(STARTS.replace("client.broker_pid", "client._client.server.pid"), encoding="utf-8")
    env = clean_environment() | {"PYTHONWARNINGS": "error"}
    runners = await asyncio.gather(
        *(
            Command.start(sys.executable, str(script), name, directory=tmp_path, env=env, stdin=asyncio.subprocess.PIPE)
            for _ in range(6)
        )
    )
    said = [(await runner.out.first(bool)).split() for runner in runners]
    assert len({pid for _, pid in said}) == 1
    assert sorted(int(seq) for seq, _ in said) == [1, 2, 3, 4, 5, 6]
    assert alive(name) == {int(said[0][1])}
    for runner in runners:
        runner.close_input()
    finished = [await runner.finish() for runner in runners]
    assert [(each.code, each.err) for each in finished] == [(0, [])] * 6
    async with connect(broker=name) as client:  # it belongs to none of them
        assert (await client.publish("a", 1)).seq == 7


async def test_a_broker_that_crashed_is_started_again_by_a_client_that_was_connected(name: str, tmp_path: Path) -> None:
    arguments = ["--data", str(tmp_path / "log")]
    async with connect(broker=name, autostart=arguments, connect_timeout=30.0, **SOON) as client:
        states, heard = States(client), await watch(client, "#")
        for life in (1, 2, 3):
            await client.publish("a", life)
            pid = pid_of(client)
            os.kill(pid, signal.SIGKILL)
            await states.until("resumed", life)
            assert pid_of(client) != pid
            await gone(pid)
        await client.publish("a", 4)
        await heard.saw(4)
        assert heard.story == [1, 2, 3, 4]


async def test_a_broker_that_was_stopped_stays_stopped(name: str) -> None:
    async with await started(name) as client:
        states = States(client)
        pid = pid_of(client)
        os.kill(pid, signal.SIGTERM)
        await states.until("disconnected")
        await states.until("reconnecting", 4)  # looked for three times
        await gone(pid)
        assert alive(name) == set()
        async with await started(name) as other:  # who asks for one anew gets one
            assert pid_of(other) != pid
            await states.until("connected")


async def test_a_broker_that_does_not_come_up_is_an_error_that_tells_its_log(name: str) -> None:
    for _ in range(2):
        with pytest.raises(SwarmwireError, match="No such option: --nonsense") as raised:
            await connect(broker=name, autostart=["--nonsense"], connect_timeout=30.0)
        assert raised.value.code is ErrorCode.UNAVAILABLE
        assert str(runtime_directory() / f"{name}.log") in raised.value.message
    assert "--nonsense" in (runtime_directory() / f"{name}.log.old").read_text()
    async with await started(name) as client:
        assert client.is_ready
