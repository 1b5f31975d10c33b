"""A program that does not mind being first: it starts before the broker, and outlives every restart of it.

    python examples/patient.py           # nobody is there yet: it says so, and goes on trying
    swarmwire serve                      # in another terminal: it connects. Stop and start this as often as you like

It counts, publishes each number as `tick.<name>`, and reads the ticks of everybody. What is published while there is
no broker waits in the client, in order, and goes out with the next connection: no number is missing in the end.
"""

from __future__ import annotations

import argparse
import asyncio
import logging

from swarmwire import Client, Event, connect

__all__: list[str] = []


def say(line: str) -> None:
    print(line, flush=True)


def tell(client: Client) -> None:
    """Print what becomes of the connection."""
    say(f"connected to {client.url}")
    client.listen("connected", lambda client_id: say(f"connected again, now as {client_id}"))
    client.listen("disconnected", lambda code, reason: say(f"lost the broker: {reason or code}"))
    client.listen("gap", lambda gap, pattern: say(f"the broker has another log than before ({gap.reason})"))


def read(event: Event) -> None:
    say(f"{event.topic} {event.data}")


async def count(client: Client, name: str, times: int | None, pause: float) -> None:
    number = 0
    while times is None or number < times:
        number += 1
        await client.publish(f"tick.{name}", number)
        await asyncio.sleep(pause)


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="where the broker will be; by default it is looked for on this machine")
    parser.add_argument("--name", default="patient", help="whose ticks these are")
    parser.add_argument("--count", type=int, help="end after so many ticks; by default never")
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two ticks")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")  # the client logs its attempts

    # `retry_first`: the first connection is tried again as every later one is, with growing pauses.
    async with connect(options.url, retry_first=True, base_delay=0.2, max_delay=2.0) as client:
        tell(client)
        await client.on("tick.*", read)
        await count(client, options.name, options.count, options.pause)


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        print()
