"""The state of a space: its journal in a stream of its own, the events of its changes in the log."""

from __future__ import annotations

from collections.abc import Callable

from ....natslink import JetStream, Link
from ...entry import Draft
from ...waking import waking_ms
from .journaled import JournaledState
from .logsearch import NatsEventLog
from .natsstorage import NatsStorage

__all__ = ["NatsState"]

_STARTING = 30.0


class NatsState(JournaledState):
    """The state of a space.

    Arguments:
        link, js: the link that everything goes over, and JetStream over it.
        replicas: servers that keep it; None: three in a cluster, else one.
        publish: puts an event into the log under an id that the log knows again; the outcome comes by `draft.done`.
        position: the epoch of the log, and a place that is not beyond its end.
        log_stream, prefix: the stream of the log, and what the subjects of its topics begin with.
        steady_ms: milliseconds that only rise, also while the machine sleeps.
        dedupe_ms: how long the log knows an id again.
        patience: seconds after which whoever waits is told that it cannot be done, or is not known.
    """

    def __init__(
        self,
        link: Link,
        js: JetStream,
        *,
        space: str,
        replicas: int | None,
        publish: Callable[[Draft, bytes], None],
        position: Callable[[], tuple[str, int]],
        log_stream: str,
        prefix: bytes,
        steady_ms: Callable[[], int] = waking_ms,
        dedupe_ms: int = 60_000,
        patience: float = 10.0,
    ) -> None:
        self._link = link
        self._stored = NatsStorage(link, js, space, replicas)
        events = NatsEventLog(link, js, publish=publish, position=position, stream=log_stream, prefix=prefix)
        trusted_ms = min(10_000, dedupe_ms // 2)
        super().__init__(self._stored, events, steady_ms=steady_ms, patience=patience, trusted_ms=trusted_ms)

    async def start(self, timeout: float = _STARTING) -> None:
        """Find the stream, or make it, in so many seconds.

        Raises:
            EngineMismatch: it is there and is not as it should be.
            LinkError: there was no answer in time.
        """
        server = self._link.server
        await self._stored.open(clustered=bool(server and server.cluster), timeout=timeout)

    async def close(self) -> None:
        await super().close()
        self._stored.close()
