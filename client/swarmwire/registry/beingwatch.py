"""Watching the registry: who is there to begin with, and what becomes of them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Generator
from types import TracebackType
from typing import Any, Final, Self

import msgspec

from ..errors import SwarmwireError
from ..records import Gap
from ..subscription import Subscription
from .beings import Being, BeingChange
from .presence import PASSING

__all__ = ["Watch"]

_FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0
"""Seconds between two tries to ask for everybody."""


class Watch:
    """Changes of beings: `async for change in watch`. It begins, lasts and ends as its subscription does.

    Where events may have been missed, as after a restart of a broker that forgets, the registry is asked for everybody,
    and what has changed is told as if it happened just then.
    """

    def __init__(self, subscription: Subscription[Any], list_all: Callable[[], Awaitable[list[Being]]]) -> None:
        self._subscription = subscription
        self._list_all = list_all
        self._known: dict[str, Being] = {}
        self._missed: deque[BeingChange] = deque()
        self._is_stale = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> BeingChange:
        while not self._missed:
            if self._is_stale:
                await self._catch_up()
                continue
            item = await anext(self._subscription)
            if isinstance(item, Gap):
                self._is_stale = True
                continue
            change = _change(item.data)
            if self._is_news(change):
                return change
        return self._missed.popleft()

    async def __aenter__(self) -> Self:
        await self._subscription
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        return self.__aenter__().__await__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.unsubscribe()

    async def unsubscribe(self) -> None:
        """End it; iterating then ends too. Harmless twice."""
        await self._subscription.unsubscribe()

    @property
    def beings(self) -> dict[str, Being]:
        """Everybody who is there, by id, up to the change that was taken last."""
        return dict(self._known)

    def _is_news(self, change: BeingChange) -> bool:
        being = change.being
        known = self._known.get(being.id)
        if known is not None and (known.epoch, known.updated_at) > (being.epoch, being.updated_at):
            return False
        if change.event == "gone":
            self._known.pop(being.id, None)
            return known is not None
        self._known[being.id] = being
        return known != being

    async def _catch_up(self) -> None:
        """Ask for everybody until there is an answer, also over the next loss of the connection."""
        pause = _FIRST_PAUSE
        while not self._subscription.closed:
            try:
                self._compare(await self._list_all())
                break
            except SwarmwireError as error:
                if error.code not in PASSING:
                    raise
            await asyncio.sleep(pause)
            pause = min(_LONGEST_PAUSE, pause * 2)
        self._is_stale = False

    def _compare(self, beings: list[Being]) -> None:
        """Tell what is otherwise than known."""
        there = {being.id: being for being in beings}
        for id, known in list(self._known.items()):
            if id not in there:
                self._missed.append(BeingChange("gone", msgspec.structs.replace(known, state="gone")))
        for being in beings:
            before = self._known.get(being.id)
            if before is None or before.epoch != being.epoch:
                self._missed.append(BeingChange("registered", being))
            elif before != being:
                self._missed.append(BeingChange(_event_of(before, being), being))
        self._known = there


def _event_of(before: Being, being: Being) -> str:
    return being.state if before.state != being.state else "updated"


def _change(data: dict[str, Any]) -> BeingChange:
    return BeingChange(data["event"], msgspec.convert(data, Being))
