"""A handler is killed in the middle of a call: its caller hears of it at once, and nobody is asked a second time."""

from __future__ import annotations

import asyncio
import shlex
import sys
import time

import pytest

from swarmwire import ErrorCode, Outcome, SwarmwireError, connect

from .processes import Command, Shell

HANDLER = """
import asyncio, sys
from swarmwire import connect

async def main():
    async with connect(sys.argv[1]) as client:
        @client.handler("work")
        async def work(params):
            print("begun", flush=True)
            # It asks, too, so that it waits for an answer when it is killed.
            await client.call("never", timeout=600) if params == "ask" else await asyncio.sleep(600)
        await client.handler("never", lambda: asyncio.sleep(600))
        await work
        print("ready", flush=True)
        await asyncio.sleep(600)

asyncio.run(main())
"""

SOON = 3.0
"""Seconds, far less than the broker's heartbeat of 15."""


async def handler(shell: Shell, url: str) -> Command:
    command = await shell.script(shlex.join(["exec", sys.executable, shell.file("handler.py", HANDLER), url]))
    await command.out.first(lambda line: line == "ready")
    return command


@pytest.mark.parametrize(("way", "params"), [("ws", "wait"), ("unix", "wait"), ("unix", "ask")])
async def test_a_handler_that_is_killed_fails_its_calls_at_once(shell: Shell, way: str, params: str) -> None:
    path = shell.directory / "s"
    broker = await shell.serve("--unix", str(path))
    url = broker.url if way == "ws" else f"unix://{path}"
    process = await handler(shell, url)
    async with connect(url) as client:
        calling = asyncio.create_task(client.call("work", params, timeout=600))
        await process.out.first(lambda line: line == "begun")
        other = await handler(shell, url)
        began = time.monotonic()
        await process.kill()
        with pytest.raises(SwarmwireError) as raised:
            await calling
        assert time.monotonic() - began < SOON
        assert (raised.value.code, raised.value.outcome) == (ErrorCode.HANDLER_GONE, Outcome.UNKNOWN)
        listed = await client.call("rpc.list", {"method": "work"})
        assert listed["methods"] == [{"method": "work", "builtin": False, "handlers": 1}]
    await other.kill()
    assert other.out.items == ["ready"], "a call is handed to one handler, and never again"
