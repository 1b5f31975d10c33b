"""Processes that are there for others to see, each with a name, a type, and what it can do.

    swarmwire serve                                                        # in one terminal
    python examples/registry.py watch                                      # in another: who comes, and who goes
    python examples/registry.py run resizer --type worker --can resize     # in more: processes that are there
    python examples/registry.py list --can resize                          # who can do it?

End one with ctrl-c and it is gone at once. End it with `kill -9` and it is found out all the same: nothing is heard of
it, so it is first suspect and, when its time (`--ttl`) has passed, gone. Nobody is listed who is not there.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys

from swarmwire import Being, Client, SwarmwireError, connect

__all__: list[str] = []


async def stay(client: Client, options: argparse.Namespace) -> None:
    """Be there until the end. The heartbeats go by themselves."""
    metadata = {"pid": os.getpid(), "version": "1.0"}
    register = client.registry.register(
        options.name, kind=options.type, capabilities=options.can, metadata=metadata, ttl=options.ttl
    )
    async with register as me:
        say(f"{options.name} is here as {me.id}")
        raise await me.lost


async def watch(client: Client) -> None:
    async with client.registry.watch() as changes:
        say("watching; ctrl-c ends it")
        async for change in changes:
            say(f"{change.event}: {line(change.being)}")


async def show(client: Client, options: argparse.Namespace) -> None:
    for being in await client.registry.list(kind=options.type, capabilities=options.can):
        say(line(being))


def line(being: Being) -> str:
    return f"{being.name} ({being.kind}) can {', '.join(being.capabilities) or 'nothing'}, pid {being.metadata['pid']}"


def say(text: str) -> None:
    print(text, flush=True)


async def run(options: argparse.Namespace) -> None:
    async with connect(options.url) as client:
        match options.command:
            case "run":
                await stay(client, options)
            case "watch":
                await watch(client)
            case "list":
                await show(client, options)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the broker; by default it is looked for on this machine")
    commands = parser.add_subparsers(dest="command", required=True)
    running = commands.add_parser("run", help="be there")
    running.add_argument("name")
    running.add_argument("--type", default="process")
    running.add_argument("--can", action="append", default=[], help="something it can do; may be given again")
    running.add_argument("--ttl", type=float, default=30.0, help="seconds without a sign of life until it is gone")
    commands.add_parser("watch", help="print who comes and goes")
    listing = commands.add_parser("list", help="print who is there")
    listing.add_argument("--type")
    listing.add_argument("--can", action="append", default=[])
    return parser.parse_args()


if __name__ == "__main__":
    try:
        asyncio.run(run(read_arguments()))
    except SwarmwireError as error:
        sys.exit(f"{error.code}: {error.message}")
    except KeyboardInterrupt:
        print()
