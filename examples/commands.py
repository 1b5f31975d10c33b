"""A program that serves commands: they are executed, asked for their status, and cancelled, from anywhere.

    swarmwire serve                                      # in one terminal
    python examples/commands.py serve                    # in another: serves the commands of "tools"
    python examples/commands.py run add 2 3              # in a third: 5
    python examples/commands.py run count 60 --id long   # takes a minute ...
    python examples/commands.py status                   # ... and is seen to run
    python examples/commands.py cancel long              # ... until somebody cancels it

`CommandServer` is the part to take over: a subclass says what it is called and what it executes. It is registered, so
whoever orchestrates sees which commands there are and whether they are served just now.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import sys
import time
from contextlib import AsyncExitStack
from typing import Any, ClassVar

from swarmwire import CallError, Client, SwarmwireError, connect

__all__ = ["CommandServer", "Tools"]


class CommandServer:
    """Serves `<name>.execute`, `<name>.status` and `<name>.cancel`. To be subclassed."""

    name: ClassVar[str]
    commands: ClassVar[tuple[str, ...]]

    def __init__(self, client: Client) -> None:
        self._client = client
        self._began = time.monotonic()
        self._running: dict[str, asyncio.Task[Any]] = {}
        self._stack = AsyncExitStack()

    async def execute(self, command: str, arguments: list[str]) -> Any:
        """Do a command and return its result. To be overridden."""
        raise CallError("UNKNOWN_COMMAND", f"There is no command {command!r}.")

    async def __aenter__(self) -> CommandServer:
        """Serve, and let the others know."""
        for method, function in (("execute", self._execute), ("status", self._status), ("cancel", self._cancel)):
            handler = self._client.handler(f"{self.name}.{method}", function)
            await handler
            self._stack.callback(handler)
        await self._stack.enter_async_context(
            self._client.registry.register(self.name, kind="command", capabilities=self.commands)
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    # ---- What is called

    async def _execute(self, params: dict[str, Any]) -> dict[str, Any]:
        id = params.get("id") or secrets.token_hex(4)
        if id in self._running:
            raise CallError("ALREADY_RUNNING", f"A command with the id {id!r} runs.", field="id")
        work = self._running[id] = asyncio.ensure_future(self.execute(params["command"], params.get("arguments", [])))
        try:
            return {"id": id, "result": await work}
        except asyncio.CancelledError:
            if not work.cancelled():  # whoever called has given up, so the work is given up, too
                work.cancel()
                raise
            raise CallError("CANCELLED", f"The command {id!r} was cancelled.") from None
        finally:
            del self._running[id]

    async def _status(self) -> dict[str, Any]:
        return {
            "running": sorted(self._running),
            "uptime": round(time.monotonic() - self._began, 1),
            "pid": os.getpid(),
        }

    async def _cancel(self, params: dict[str, str]) -> bool:
        work = self._running.get(params["id"])
        return work is not None and work.cancel()


class Tools(CommandServer):
    """Commands that add, and that take their time."""

    name = "tools"
    commands = ("add", "count")

    async def execute(self, command: str, arguments: list[str]) -> Any:
        match command, arguments:
            case "add", [*numbers]:
                return sum(map(int, numbers))
            case "count", [seconds]:
                await asyncio.sleep(float(seconds))
                return f"counted to {seconds}"
        return await super().execute(command, arguments)


async def run(options: argparse.Namespace) -> None:
    async with connect(options.url, request_timeout=None) as client:
        match options.command:
            case "serve":
                async with Tools(client):
                    print("tools serves its commands; ctrl-c ends it", flush=True)
                    await asyncio.Event().wait()
            case "run":
                params = {"id": options.id, "command": options.name, "arguments": options.arguments}
                print((await client.call("tools.execute", params))["result"])
            case "status":
                print(await client.call("tools.status"))
            case "cancel":
                done = await client.call("tools.cancel", {"id": options.id})
                print("cancelled" if done else "there is no such command")


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the broker; by default it is looked for on this machine")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="serve the commands")
    running = commands.add_parser("run", help="have a command executed, and print its result")
    running.add_argument("name")
    running.add_argument("arguments", nargs="*")
    running.add_argument("--id", help="what it is called in status and cancel")
    commands.add_parser("status", help="print what runs")
    commands.add_parser("cancel", help="end a command").add_argument("id")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        asyncio.run(run(read_arguments()))
    except SwarmwireError as error:
        sys.exit(f"{error.handler_code or error.code}: {error.message}")
    except KeyboardInterrupt:
        print()
