"""How long a run takes, so that one knows before it begins. Figures of a small machine; a first round tells better."""

from __future__ import annotations

from typing import Final, NamedTuple

from .generator import Times
from .workloads import Workload

__all__ = ["seconds"]


class _Pace(NamedTuple):
    """Seconds until a server listens and until it has ended, and connections that it takes a second."""

    start: float
    connects: float


_PACES: Final = {
    "swarmwire": _Pace(1.2, 1_100),
    "swarmwire_stored": _Pace(1.3, 1_100),
    "swarmwire_lazy": _Pace(1.3, 1_100),
    "swarmwire_unix": _Pace(1.2, 1_100),
    "swarmwire_nats_1": _Pace(1.8, 1_100),
    "swarmwire_nats_2": _Pace(3.0, 1_100),
    "swarmwire_nats_3": _Pace(4.2, 1_100),
    "swarmwire_pipe": _Pace(1.2, 1_100),
    "coalesce": _Pace(0.05, 14_000),
    "direct": _Pace(0.05, 14_000),
    "echo": _Pace(0.05, 14_000),
    "nats": _Pace(0.1, 3_500),
    "nats_tcp": _Pace(0.1, 3_500),
    "jetstream": _Pace(0.1, 3_500),
    "jetstream_sync": _Pace(0.1, 3_500),
    "socketio": _Pace(0.4, 1_000),
}
_USUAL: Final = _Pace(0.4, 1_500)
_SETTLE: Final = 0.4
"""What the load generator waits by itself, and its own start."""


def seconds(workload: Workload, peer: str, times: Times) -> float:
    """About how long a run of this workload takes on this server, from its start to its end."""
    options = dict(zip(workload.options[::2], map(float, workload.options[1::2]), strict=True))
    pace = _PACES.get(peer, _USUAL)
    publishers = options.get("--pubs", 1)
    connections = options.get("--subs", 1) + options.get("--stalled", 0) + publishers
    loaded = 0.0 if "--missed" in options or not publishers else times.warmup + times.of(workload)
    waited = options.get("--hold", 0) + options.get("--wake", 0) / 4
    return pace.start + connections / pace.connects + _SETTLE + loaded + waited + workload.takes
