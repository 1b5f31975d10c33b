"""What publishes are checked against at a broker that has not the services: a copy of what they keep, as it changes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeAlias

import msgspec

from ..core.hub import Hub
from ..core.identity import Author
from ..engines.base import Stored
from ..services.registry.beings import BeingRecord
from ..services.registry.fences import Fences
from ..services.tasks.lifecycle import check_lifecycle

__all__ = ["Changed", "Guarding", "Watched"]

_TASKS: Final = "task/"
_BEINGS: Final = "registry/"

Changed: TypeAlias = Callable[[str, Stored | None], None]
"""Called with a key and its value; None: there is none any more."""


class Watched(Protocol):
    """State that others write."""

    def watch(self, prefix: str, changed: Changed) -> Awaitable[Callable[[], None]]:
        """Tell what there is below a prefix, and then every change, in order; what is returned ends it.

        Raises:
            SwarmwireError: it cannot be read.
        """
        ...


class Guarding:
    """Refuses publishes that tell of managed tasks, and those of former holders of beings."""

    def __init__(self, hub: Hub, state: Watched) -> None:
        self._hub = hub
        self._state = state
        self._decode = msgspec.msgpack.Decoder(BeingRecord).decode
        self._tasks: set[str] = set()
        self._beings: dict[str, BeingRecord] = {}
        self._fences = Fences(hub.publishing)
        self._ends: list[Callable[[], None]] = []

    async def start(self) -> None:
        """Read what there is, and refuse from now on what it says. After an error it can be tried again.

        Raises:
            SwarmwireError: it cannot be read.
        """
        self.close()
        self._hub.publishing.guard("task", self._guard)
        self._ends.append(await self._state.watch(_TASKS, self._task_changed))
        self._ends.append(await self._state.watch(_BEINGS, self._being_changed))

    def close(self) -> None:
        """Refuse nothing any more. Harmless twice."""
        ends, self._ends = self._ends, []
        for end in ends:
            end()
        self._hub.publishing.unguard("task", self._guard)
        self._fences.close()

    def _guard(self, topic: str, author: Author) -> None:
        check_lifecycle(topic, self._tasks.__contains__)

    def _task_changed(self, key: str, stored: Stored | None) -> None:
        id = key.removeprefix(_TASKS)
        if stored is None:
            self._tasks.discard(id)
        else:
            self._tasks.add(id)

    def _being_changed(self, key: str, stored: Stored | None) -> None:
        id = key.removeprefix(_BEINGS)
        former = self._beings.pop(id, None)
        if former is not None:
            self._fences.take_down(former)
        if stored is not None:
            record = self._decode(stored.value)
            if record.formers:
                self._beings[id] = record
                self._fences.put_up(record)
