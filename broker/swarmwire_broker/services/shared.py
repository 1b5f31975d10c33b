"""What every service stands on."""

from __future__ import annotations

from typing import Protocol

from ..core.hub import Hub
from ..core.methods import Method
from ..core.settings import Limits
from ..engines.base import Engine
from .fencing import Fencing
from .leases import Deaths

__all__ = ["Service", "Shared"]


class Shared:
    """The hub with its engine, the one source of fencing tokens, and who tells of processes that have ended."""

    def __init__(self, hub: Hub, deaths: Deaths | None = None) -> None:
        self.hub = hub
        self.fencing = Fencing(hub.engine, hub.clock.now_ms)
        self.deaths = deaths

    @property
    def engine(self) -> Engine:
        return self.hub.engine

    @property
    def limits(self) -> Limits:
        """What bounds everything, as it is now: others may be put there while the broker runs."""
        return self.hub.limits


class Service(Protocol):
    """A part of the broker that answers methods."""

    def methods(self) -> list[Method]:
        """What it answers."""
        ...

    async def start(self) -> None:
        """Read what it keeps in the engine; before the first call.

        Raises:
            SwarmwireError: the engine cannot be read.
        """
        ...

    def close(self) -> None:
        """Let nothing happen by itself any more. Harmless twice."""
        ...
