"""A broker's part in the election, in a process of its own: it says a hundred times a second whether it is elected.

python -m tests.broker.cluster.electionprocess URL SPACE NAME
"""

from __future__ import annotations

import asyncio
import sys
import time

from swarmwire_broker.cluster.election import new_election
from swarmwire_broker.natslink import JetStream, Link


async def main(url: str, space: str, name: str) -> None:
    link = Link([url], name=name)
    await link.start()
    election = new_election(link, JetStream(link), space=space, me=name, replicas=None)
    await election.start()
    while True:
        # The time first: whoever is stopped between the two says nothing of the time in which it was.
        now = time.monotonic()
        print(f"{now:.6f}", int(election.is_coordinator), election.coordinator or "-", flush=True)
        await asyncio.sleep(0.01)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
