"""What a client saw: the events and gaps of a subscription, and the changes of its state."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from swarmwire import Client, Event, Gap, Subscription, SwarmwireError

from .collected import Collected

__all__ = ["Journal", "States", "watch"]

_STATES = ("connected", "disconnected", "reconnecting", "resumed", "gap", "error")


class Journal(Collected[Event | Gap]):
    """Everything that iterating over a subscription gives, in order."""

    def __init__(self, subscription: Subscription[Event | Gap]) -> None:
        super().__init__()
        self.error: SwarmwireError | None = None
        self._subscription = subscription
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            async for item in self._subscription:
                self.add(item)
        except SwarmwireError as error:
            self.error = error
        finally:
            self.end()

    @property
    def events(self) -> list[Event]:
        return [item for item in self.items if isinstance(item, Event)]

    @property
    def gaps(self) -> list[Gap]:
        return [item for item in self.items if isinstance(item, Gap)]

    @property
    def data(self) -> list[Any]:
        return [event.data for event in self.events]

    @property
    def story(self) -> list[Any]:
        """The data of events, and the reasons of gaps between them."""
        return [item.data if isinstance(item, Event) else f"gap: {item.reason}" for item in self.items]

    async def saw(self, data: object) -> None:
        """Wait for the event with this data."""
        await self.first(lambda item: isinstance(item, Event) and item.data == data)

    async def close(self) -> None:
        self._subscription.close()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task


async def watch(client: Client, pattern: str, **options: Any) -> Journal:
    """Subscribe; returns once the broker has acknowledged it."""
    return Journal(await client.subscribe(pattern, gaps=True, **options))


class States(Collected[tuple[Any, ...]]):
    """The state events of a client: their names, each with its arguments."""

    def __init__(self, client: Client) -> None:
        super().__init__()
        for name in _STATES:
            client.listen(name, lambda *arguments, name=name: self.add((name, *arguments)))

    def count(self, name: str) -> int:
        return sum(state[0] == name for state in self.items)

    async def until(self, name: str, times: int = 1) -> tuple[Any, ...]:
        """Wait until it happened so often; returns the name and the arguments of the last of these."""
        seen = 0

        def wanted(state: tuple[Any, ...]) -> bool:
            nonlocal seen
            seen += int(state[0] == name)
            return seen == times

        return await self.first(wanted)
