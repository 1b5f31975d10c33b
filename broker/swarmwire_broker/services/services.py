"""All services of a broker, in the order in which they start."""

from __future__ import annotations

from collections.abc import Mapping

from ..core.caller import Caller
from ..core.hub import Hub
from ..core.methods import Where
from .clients import Clients
from .leases import Deaths
from .locks.locks import Locks
from .operators.control import Control
from .operators.membership import Membership
from .operators.operators import operators
from .processes import Processes
from .registry.registry import Registry
from .rpc import Rpc
from .shared import Service, Shared
from .swarms.swarms import Swarms
from .tasks.projects import Projects
from .tasks.queues import Queues
from .tasks.tasks import Tasks
from .tasks.workers import Workers
from .topics import Topics

__all__ = ["Services"]


class Services:
    """Builds every service and lets its methods be called. Start them before the first client comes.

    Some are answered by each broker for itself. The others keep something, so in a cluster one broker has them at a
    time: there they are taken up and laid down as it comes and goes.

    Arguments:
        deaths: who tells of processes that have ended, for a broker of a cluster; alone it watches them itself.

    Attributes:
        processes: the processes of this machine that are watched.
        membership: who belongs to the cluster.
    """

    def __init__(self, hub: Hub, control: Control, deaths: Deaths | None = None) -> None:
        self.processes = Processes(lambda: hub.limits.max_watched_processes)
        self._deaths = self.processes if deaths is None else deaths
        self._hub = hub
        self.membership = Membership(hub)
        self._is_one_of_many = deaths is not None
        shared = self._shared = self._new_shared()
        self._own: list[Service] = [
            *operators(hub, control, self.membership),
            Rpc(shared),
            Clients(shared),
            Topics(shared),
        ]
        for service in self._own:
            for method in service.methods():
                hub.calls.add(method)
        self._make(shared)

    def _new_shared(self) -> Shared:
        return Shared(self._hub, self._deaths, takes_over=self._is_one_of_many)

    def _make(self, shared: Shared) -> None:
        """Build those of which a cluster has one, not started."""
        self._registry = Registry(shared)
        self._locks = Locks(shared)
        self._kept = _kept(shared, self._registry, self._locks)
        for service in self._kept:
            for method in service.methods():
                self._hub.calls.replace(method._replace(where=Where.COORDINATOR))

    async def start(self) -> None:
        """Read what the engine keeps for them.

        Raises:
            SwarmwireError: it cannot be read.
        """
        await self.start_own()
        await self.take_up()

    async def start_own(self) -> None:
        """Start those that each broker of a cluster has for itself."""
        for service in self._own:
            await service.start()

    async def take_up(self) -> None:
        """Start those of which a cluster has one, here.

        Raises:
            SwarmwireError: it cannot be read what they keep; then lay them down.
        """
        for service in self._kept:
            await service.start()

    def lay_down(self) -> None:
        """Let another broker have them; they can be taken up again."""
        self._close_kept()
        self._shared = self._new_shared()
        self._make(self._shared)

    def meet(self, callers: Mapping[str, Caller]) -> None:
        """These connections, by client id, outlived the broker that had the services: they hold what they held."""
        self._registry.meet(callers)
        self._locks.meet(callers)

    def close(self) -> None:
        """Let nothing happen by itself any more. Harmless twice."""
        self._close_kept()
        for service in reversed(self._own):
            service.close()
        self.processes.close()

    def _close_kept(self) -> None:
        self._shared.engine.end()
        for service in reversed(self._kept):
            service.close()


def _kept(shared: Shared, registry: Registry, locks: Locks) -> list[Service]:
    tasks = Tasks(shared)
    queues = Queues(shared, tasks)
    projects = Projects(shared, tasks, queues)
    return [
        registry,
        locks,
        projects,
        queues,
        tasks,
        Workers(shared, registry, tasks, projects),
        Swarms(shared, registry),
    ]
