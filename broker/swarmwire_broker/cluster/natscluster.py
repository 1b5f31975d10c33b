"""A cluster whose brokers share a log on NATS."""

from __future__ import annotations

from collections.abc import Callable

from ..core.hub import Hub
from ..engines.nats.engine import NatsEngine
from ..natslink.jetstream import JetStream
from ..services.leases import Deaths
from ..services.services import Services
from .cluster import Cluster
from .election import new_election
from .natsbus import NatsBus

__all__ = ["new_cluster"]


def new_cluster(
    hub: Hub,
    engine: NatsEngine,
    make_services: Callable[[Deaths], Services],
    *,
    space: str,
    replicas: int | None,
    start_timeout: float,
) -> Cluster:
    """The cluster of the brokers of a space; what they say to each other is not in the way of events.

    `replicas` and `start_timeout` are those of the engine.
    """
    link = engine.new_link(f"swarmwire {hub.info.name} cluster")
    election = new_election(link, JetStream(link), space=space, me=hub.info.id, replicas=replicas)
    return Cluster(
        hub,
        make_services,
        NatsBus(link),
        election,
        engine.state,
        prefix=f"swarmwire.{space}.b",
        start_timeout=start_timeout,
    )
