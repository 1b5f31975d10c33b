"""`cluster.members`: the brokers that are one, as far as this one can tell."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from ...core.hub import Hub
from ...core.methods import Asked, Method, Params
from .health import Checked, State

__all__ = ["MemberFacts", "Membership", "MembersTold"]


class MemberFacts(Struct, kw_only=True):
    """A broker of the cluster, as operators see it.

    Attributes:
        uptime: for how long it runs, in milliseconds.
        coordinator: whether it is the one that answers for all.
        here: whether it is the one that tells this.
        heard_ms: how long ago it was heard of.
    """

    id: str
    name: str
    version: str
    uptime: int
    clients: int
    coordinator: bool
    here: bool
    heard_ms: int


class MembersTold(Struct, kw_only=True):
    """All of them; the one that was asked comes first."""

    count: int
    members: list[MemberFacts]


class Membership:
    """Tells who belongs to the cluster; a broker alone is all of one.

    Attributes:
        members: makes the list; a cluster puts its own there.
    """

    def __init__(self, hub: Hub) -> None:
        self._hub = hub
        self._since = hub.clock.time()
        self.members: Callable[[], list[MemberFacts]] = self._alone

    def methods(self) -> list[Method]:
        return [Method("cluster.members", Params, self._members, admin=True, looks=True)]

    async def start(self) -> None:
        """There is nothing to read."""

    def close(self) -> None:
        """Nothing happens by itself."""

    def check(self) -> Checked:
        """Whether somebody answers for all."""
        members = self.members()
        if not any(member.coordinator for member in members):
            return Checked(status=State.DEGRADED, detail="No broker answers for the cluster just now.")
        return Checked(status=State.OK, detail="alone" if len(members) == 1 else f"{len(members)} brokers")

    def _members(self, asked: Asked, params: Params) -> MembersTold:
        members = self.members()
        return MembersTold(count=len(members), members=members)

    def _alone(self) -> list[MemberFacts]:
        hub = self._hub
        alone = MemberFacts(
            id=hub.info.id,
            name=hub.info.name,
            version=hub.info.version,
            uptime=round((hub.clock.time() - self._since) * 1000),
            clients=len(hub.sessions),
            coordinator=True,
            here=True,
            heard_ms=0,
        )
        return [alone]
