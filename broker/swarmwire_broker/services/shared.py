"""What every service stands on."""

from __future__ import annotations

from typing import Protocol

from ..core.hub import Hub
from ..core.methods import Method
from ..core.settings import Limits
from .fencing import Fencing
from .leases import Deaths
from .tenure import Tenure

__all__ = ["Service", "Shared"]


class Shared:
    """The hub, the state in its engine, the one source of fencing tokens, and who tells of processes that have ended.

    Attributes:
        takes_over: whether connections may outlive the services that know them, since another broker had these before.
    """

    def __init__(self, hub: Hub, deaths: Deaths | None = None, *, takes_over: bool = False) -> None:
        self.hub = hub
        self.takes_over = takes_over
        self.engine = Tenure(hub.engine)
        self.fencing = Fencing(self.engine, hub.clock.now_ms)
        self.deaths = deaths

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
