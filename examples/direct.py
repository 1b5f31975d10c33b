"""One program asks another by its name, and gets an answer.

    swarmwire serve                                               # in one terminal
    python examples/direct.py serve greeter                       # in another: answers what "greeter" is asked
    python examples/direct.py ask greeter '{"name": "Ada"}'       # in a third: "Hello Ada, ..."
    python examples/direct.py ask greeter '{}'                    # an error that names the field

There is no path to agree on and no port: whoever serves a name is found by it, several may share it, and a request
that nobody answers fails at once. `swarmwire call direct.greeter '{"name": "Ada"}'` asks the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from typing import Any

from swarmwire import Call, CallError, CallHandler, Client, SwarmwireError, connect

__all__: list[str] = ["ask", "serve"]


def serve(client: Client, name: str) -> CallHandler:
    """Answer what `name` is asked."""

    @client.handler(f"direct.{name}")
    async def answer(request: Any, call: Call) -> dict[str, Any]:
        who = validated(request)
        return {"greeting": f"Hello {who}, says {name}", "pid": os.getpid(), "asked_by": call.caller}

    return answer


def validated(request: Any) -> str:
    """The name to greet.

    Raises:
        CallError: INVALID_REQUEST, which the one who asked gets to see.
    """
    match request:
        case {"name": str(name)} if name:
            return name
        case {"name": _}:
            raise CallError("INVALID_REQUEST", "Expected a name that is a text with letters in it.", field="name")
    raise CallError("INVALID_REQUEST", 'Expected {"name": "..."}.', field="name")


async def ask(client: Client, name: str, request: Any) -> Any:
    """Ask, and return the answer."""
    return await client.call(f"direct.{name}", request, timeout=10)


async def run(options: argparse.Namespace) -> None:
    async with connect(options.url) as client:
        if options.command == "ask":
            print(json.dumps(await ask(client, options.name, options.request)))
            return
        await serve(client, options.name)
        print(f"{options.name} answers; ctrl-c ends it", flush=True)
        await asyncio.Event().wait()


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="the broker; by default it is looked for on this machine")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="answer").add_argument("name")
    asking = commands.add_parser("ask", help="ask, and print the answer")
    asking.add_argument("name")
    asking.add_argument("request", type=json.loads, help="JSON")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        asyncio.run(run(read_arguments()))
    except SwarmwireError as error:
        sys.exit(f"{error.handler_code or error.code}: {error.message}")
    except KeyboardInterrupt:
        print()
