"""All services of a broker, in the order in which they start."""

from __future__ import annotations

from ..core.hub import Hub
from .clients import Clients
from .locks.locks import Locks
from .operators.control import Control
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
    """Builds every service and lets its methods be called. Start them before the first client comes."""

    def __init__(self, hub: Hub, control: Control) -> None:
        self._processes = Processes(lambda: hub.limits.max_watched_processes)
        shared = Shared(hub, self._processes)
        self._hub = hub
        self._all: list[Service] = [*operators(hub, control), *_services(shared)]
        for service in self._all:
            for method in service.methods():
                hub.calls.add(method)

    async def start(self) -> None:
        """Read what the engine keeps for them.

        Raises:
            SwarmwireError: it cannot be read.
        """
        for service in self._all:
            await service.start()

    def close(self) -> None:
        """Let nothing happen by itself any more. Harmless twice."""
        for service in reversed(self._all):
            service.close()
        self._processes.close()


def _services(shared: Shared) -> list[Service]:
    registry = Registry(shared)
    tasks = Tasks(shared)
    queues = Queues(shared, tasks)
    projects = Projects(shared, tasks, queues)
    return [
        Rpc(shared),
        registry,
        Clients(shared),
        Topics(shared),
        Locks(shared),
        projects,
        queues,
        tasks,
        Workers(shared, registry, tasks, projects),
        Swarms(shared, registry),
    ]
