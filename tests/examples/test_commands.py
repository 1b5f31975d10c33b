"""A program that serves commands."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from examples.commands import CommandServer

from swarmwire import Client, SwarmwireError, connect
from swarmwire_broker.server import Server

from .program import PATIENCE, Program, finished, program


@pytest_asyncio.fixture
async def tools(broker: Server) -> AsyncIterator[Program]:
    async with program("commands", "--url", broker.url, "serve") as server:
        await server.line("tools serves.*")
        yield server


async def running(client: Client, *ids: str) -> None:
    """Wait until these commands run, and no others."""
    async with asyncio.timeout(PATIENCE):
        while True:
            if (await client.call("tools.status"))["running"] == [*ids]:
                return


async def test_a_command_is_executed_with_its_arguments(broker: Server, tools: Program) -> None:
    assert await finished("commands", "--url", broker.url, "run", "add", 2, 3) == (0, ["5"])


async def test_a_command_that_runs_is_seen_and_can_be_cancelled(broker: Server, tools: Program) -> None:
    url = ("--url", broker.url)
    async with program("commands", *url, "run", "count", 60, "--id", "long") as counting:
        async with connect(broker.url) as client:
            await running(client, "long")
            assert (await client.call("tools.status"))["pid"] == tools.process.pid
        assert await finished("commands", *url, "cancel", "long") == (0, ["cancelled"])
        assert await counting.end() == 1
    assert counting.lines == ["CANCELLED: The command 'long' was cancelled."]
    assert await finished("commands", *url, "cancel", "long") == (0, ["there is no such command"])


async def test_a_command_whose_caller_is_killed_runs_no_longer(broker: Server, tools: Program) -> None:
    async with connect(broker.url) as client:
        async with program("commands", "--url", broker.url, "run", "count", 60, "--id", "long") as counting:
            await running(client, "long")
            counting.kill()
        await running(client)


async def test_an_unknown_command_is_an_error_by_name(broker: Server, tools: Program) -> None:
    code, lines = await finished("commands", "--url", broker.url, "run", "fly")
    assert (code, lines) == (1, ["UNKNOWN_COMMAND: There is no command 'fly'."])


async def test_whoever_orchestrates_sees_which_commands_are_served(broker: Server, tools: Program) -> None:
    async with connect(broker.url) as client:
        (being,) = await client.registry.list(kind="command")
        assert (being.name, being.capabilities) == ("tools", ("add", "count"))
        assert await tools.interrupt() == 0
        assert await client.registry.list(kind="command") == []


class Shout(CommandServer):
    """Called otherwise, and does something else."""

    name = "shout"
    commands = ("say",)

    async def execute(self, command: str, arguments: list[str]) -> Any:
        return " ".join(arguments).upper() if command == "say" else await super().execute(command, arguments)


async def test_a_subclass_decides_its_name_and_what_it_executes(broker: Server) -> None:
    async with connect(broker.url) as server, connect(broker.url) as client, Shout(server):
        answer = await client.call("shout.execute", {"command": "say", "arguments": ["hello", "there"]})
        assert answer["result"] == "HELLO THERE"
        with pytest.raises(SwarmwireError) as caught:
            await client.call("shout.execute", {"command": "add"})
        assert caught.value.handler_code == "UNKNOWN_COMMAND"
