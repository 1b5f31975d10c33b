"""Programs that tell each other what they do, whether or not anybody listens.

    swarmwire serve                                         # in one terminal
    python examples/eventbus.py watch                       # in another: prints what the others do
    python examples/eventbus.py add "Buy milk"              # in a third
    python examples/eventbus.py set theme dark

`watch` prints a line an event, and after `--from start` first what happened before it came. `add` and `set` do their
work, tell about it, and end; where no broker runs they do it all the same and say that nobody was told.

The functions take any client. So a test needs no broker: tests/examples/test_eventbus.py gives them a `MemoryBus`.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
from collections.abc import Callable
from typing import Any, Final

from swarmwire import Client, Event, SwarmwireError, connect

__all__: list[str] = ["EVENTS", "emit", "run", "watch"]

EVENTS: Final[dict[str, tuple[str, ...]]] = {
    "config:changed": ("key", "value"),
    "task:created": ("id", "title"),
    "task:updated": ("id", "changes"),
    "task:deleted": ("id",),
    "item:created": ("id", "name"),
    "item:updated": ("id", "changes"),
    "project:created": ("id", "name"),
    "project:archived": ("id",),
}
"""What these programs tell each other, and the fields of each."""


async def emit(client: Client, event: str, **data: Any) -> None:
    """Tell everybody; a misspelt event or field is our own mistake and raises ValueError."""
    if tuple(data) != EVENTS.get(event):
        raise ValueError(f"{event} is told with {EVENTS.get(event)}, not {tuple(data)}")
    await client.publish(event, data)


async def watch(client: Client, handler: Callable[[Event], object], start: str = "now") -> None:
    """Call the handler with all events of the table, from now on."""
    for event in EVENTS:
        await client.on(event, handler, from_=start)


def show(event: Event) -> None:
    fields = " ".join(f"{name}={value!r}" for name, value in event.data.items())
    print(f"{event.topic} {fields}", flush=True)


async def run(client: Client, options: argparse.Namespace) -> None:
    match options.command:
        case "watch":
            await watch(client, show, options.start)
            print("watching; ctrl-c ends it", flush=True)
            await asyncio.Event().wait()
        case "add":
            await emit(client, "task:created", id=secrets.token_hex(3), title=options.title)
        case "set":
            await emit(client, "config:changed", key=options.key, value=options.value)


def read_arguments(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the broker; by default it is looked for on this machine")
    commands = parser.add_subparsers(dest="command", required=True)
    watching = commands.add_parser("watch", help="print what the others do")
    watching.add_argument("--from", dest="start", choices=["now", "start", "latest"], default="now")
    commands.add_parser("add", help="add a task").add_argument("title")
    setting = commands.add_parser("set", help="change the configuration")
    setting.add_argument("key")
    setting.add_argument("value")
    return parser.parse_args(arguments)


async def main() -> None:
    options = read_arguments()
    try:
        async with connect(options.url) as client:
            await run(client, options)
    except SwarmwireError as error:
        print(f"nobody was told: {error.message}", file=sys.stderr)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print()
