"""A worker as a process: takes tasks and locks, works, dawdles, gives up, and writes down what it holds.

python -m tests.history.holding.worker URL NAME FILE SEED
"""

from __future__ import annotations

import asyncio
import random
import sys
import time
from pathlib import Path
from typing import Any

import msgspec

from swarmwire import Client, SwarmwireError, connect

from .records import Finished, Got, LeftOff, Note, Renewed

__all__ = ["LEASE_MS", "LOCKS", "Worker", "main"]

LEASE_MS = 1_000
LOCKS = ("lock-1", "lock-2")
_RETRY = 0.05


class Worker:
    """Works until it is killed. What it does next is drawn by its seed."""

    def __init__(self, client: Client, name: str, path: Path, seed: int) -> None:
        self._client = client
        self._name = name
        self._file = path.open("ab", buffering=0)
        self._draw = random.Random(seed)

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._for_ever(self._one_task))
            group.create_task(self._for_ever(self._one_lock))

    async def _for_ever(self, step: Any) -> None:
        while True:
            try:
                await step()
            except SwarmwireError:
                await asyncio.sleep(_RETRY)  # the broker is away, or somebody else has it: a turn later, anew

    def _note(self, note: Note) -> None:
        self._file.write(msgspec.json.encode(note) + b"\n")

    # ---- tasks

    async def _one_task(self) -> None:
        begun = time.monotonic()
        params = {"queues": ["work"], "wait": 500, "lease": LEASE_MS}
        task = (await self._client.call("task.claim", params))["task"]
        if task is None:
            return
        held = {"holder": self._name, "name": task["id"], "token": task["token"]}
        self._note(Got(begun=begun, at=time.monotonic(), ttl=LEASE_MS / 1000, **held))
        try:
            if not await self._work("task.renew", {"id": task["id"], "token": task["token"]}, held):
                return
            begun = time.monotonic()
            self._note(LeftOff(begun=begun, at=begun, **held))
            await self._finish(task, held, begun)
        except SwarmwireError:
            self._note(LeftOff(begun=time.monotonic(), at=time.monotonic(), **held))
            raise

    async def _finish(self, task: dict[str, Any], held: dict[str, Any], begun: float) -> None:
        what = {"id": task["id"], "token": task["token"]}
        if self._draw.random() < 0.2:
            await self._client.call("task.fail", {**what, "error": {"message": "by chance"}})
            return
        await self._client.call("task.complete", {**what, "result": self._name})
        self._note(Finished(begun=begun, at=time.monotonic(), **held))

    async def _work(self, renewing: str, params: dict[str, Any], held: dict[str, Any]) -> bool:
        """Hold on for a while, renewing; False where it dawdles until the lease has passed, and drops it."""
        if self._draw.random() < 0.05:
            await asyncio.sleep(LEASE_MS / 1000 * 1.2)
            return False
        for _ in range(self._draw.choice((0, 0, 0, 1, 3))):
            await asyncio.sleep(self._draw.uniform(0, LEASE_MS / 3000))
            begun = time.monotonic()
            await self._client.call(renewing, params)
            self._note(Renewed(begun=begun, at=time.monotonic(), ttl=LEASE_MS / 1000, **held))
        return True

    # ---- locks

    async def _one_lock(self) -> None:
        name, begun = self._draw.choice(LOCKS), time.monotonic()
        asked = {"name": name, "ttl": LEASE_MS, "wait": 500, "owner": f"{self._name}-{begun}"}
        lock = await self._client.call("lock.acquire", asked)
        held = {"holder": self._name, "name": name, "token": lock["token"]}
        self._note(Got(begun=begun, at=time.monotonic(), ttl=LEASE_MS / 1000, **held))
        what = {"name": name, "token": lock["token"]}
        try:
            kept = await self._work("lock.renew", what, held)
        finally:
            begun = time.monotonic()
            self._note(LeftOff(begun=begun, at=begun, **held))
        if kept:
            await self._client.call("lock.release", what)


async def main(arguments: list[str]) -> None:
    """Connect, and work until the end."""
    url, name, path, seed = arguments
    async with connect(url, name=name, retry_first=True, base_delay=0.05, max_delay=0.2, request_timeout=5) as client:
        print("ready", flush=True)
        await Worker(client, name, Path(path), int(seed)).run()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
