"""From the log to the outboxes: what is published in one turn of the loop is written once to each client.

The delivery is the engine's listener. It collects events into runs and, at the end of the turn, hands each live
client its answers and its runs in one write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Final, Protocol

from ..engines.base import Engine
from ..engines.entry import Entry
from .catchup import ROOM_RETRY, CatchUp
from .ports import Clock, Timer
from .router import Router
from .settings import Limits
from .stats import Stats
from .turn import Run, new_run

if TYPE_CHECKING:
    from .outbox import Outbox
    from .subscription import DroppingSubscription

__all__ = ["Delivery", "Others"]

_SPARSE: Final = 0.0002
"""Seconds without a turn after which the next is not put off: there is nothing to gather."""

_COSTLY: Final = 0.002
"""Seconds that a turn took from which on the next one waits for what this broker has sent to a log elsewhere."""

_GATHERING: Final = 0.001
"""Seconds that it waits so: what comes in two halves would be written to every client twice."""

_SELDOM: Final = 1 << 40
"""Bytes between two looks at what sockets hold, where there is no limit to it."""


class Others(Protocol):
    """The other brokers of a cluster, as far as ephemeral events are concerned."""

    def want(self, topic: str) -> bool:
        """Whether one of them may have a subscriber of this topic."""
        ...

    def tell(self, topic: str, payload: bytes, hidden_from: str | None) -> None:
        """Let them have an event of such a topic; some may not get it."""
        ...

    def tell_all(self, topic: str, payload: bytes) -> None:
        """Let all have an event, whoever may want it."""
        ...


class Delivery:
    """What every outbox and every subscription of a broker share: engine, router, limits, counters, clock, turn.

    Attributes:
        others: told of each event that is for whoever is live just now, beside the clients of this broker.
        wanted: told of each pattern that somebody here wants now, or nobody any more.
    """

    def __init__(self, engine: Engine, limits: Limits, stats: Stats, clock: Clock) -> None:
        self.engine = engine
        self.limits = limits
        self.stats = stats
        self.clock = clock
        self._time = clock.time
        self.router = Router(limits.router_cache_topics)
        self.catchup = CatchUp(limits, clock, self.settle, self.has_room)
        self.outboxes: set[Outbox] = set()
        self.dropping: set[DroppingSubscription] = set()
        self.crowded = False
        self._runs: list[Run] = []
        self._dirty: list[Outbox] = []
        self._draining: list[Callable[[], None]] = []
        self._scheduled = False
        self._is_reading = False
        self._is_wanted = False
        self._read_at = 0.0
        self._turn_began = 0.0
        self._turn_ended = 0.0
        self._is_remote = engine.remote
        self._is_costly = False
        self._retrying: Timer | None = None
        self.unaudited = 0
        self._audit_every = _audit_every(limits)
        self.others: Others | None = None
        self.wanted: Callable[[str, bool], None] | None = None
        engine.listener = self.deliver

    def bound(self, limits: Limits) -> None:
        """Hold to other limits from now on."""
        self.limits = limits
        self.catchup.limits = limits
        self._audit_every = _audit_every(limits)

    # ---- what comes in

    def deliver(self, entry: Entry) -> None:
        """Take an event that has just become visible."""
        route = self.router.route(entry.topic)
        receivers = route.shared
        if receivers:
            hidden_from = entry.hidden_from
            run = self._runs[-1] if self._runs else None
            # Most events continue the run before them.
            if run is None or run.receivers is not receivers or run.hidden_from != hidden_from or not run.first:
                run = self._begin(receivers, entry.seq, hidden_from)
            run.add(entry.payload)
            run.last = entry.seq
        for subscription in route.own:
            subscription.offer(entry)

    def deliver_ephemeral(self, topic: str, payload: bytes, hidden_from: str | None) -> None:
        """Take an event that is for whoever is live just now, and nobody else."""
        route = self.router.route(topic)
        receivers = route.shared
        if receivers:
            run = self._runs[-1] if self._runs else None
            if run is None or run.receivers is not receivers or run.hidden_from != hidden_from or run.first:
                run = self._begin(receivers, 0, hidden_from)
            run.add(payload)
        for subscription in route.own:
            subscription.offer_ephemeral(topic, payload, hidden_from)

    def deliver_direct(self, receivers: Iterable[Outbox], payload: bytes) -> int:
        """Take an event for these clients alone, whatever they subscribe to; how many of them it will be written to.

        The others are gone, or read too slowly just now.
        """
        reached = tuple(outbox for outbox in receivers if outbox.live and self.has_room(outbox))
        if reached:
            self._begin(reached, 0, None).add(payload)
        return len(reached)

    def _begin(self, receivers: tuple[Outbox, ...], seq: int, hidden_from: str | None) -> Run:
        if not self._runs:
            self._turn_began = self._read_at if self._is_reading else self._time()
            self.schedule()
        run = new_run(receivers, seq, hidden_from)
        self._runs.append(run)
        return run

    def touch(self, outbox: Outbox) -> None:
        """This outbox has something to write at the end of the turn."""
        if not outbox.dirty:
            outbox.dirty = True
            self._dirty.append(outbox)
            self.schedule()

    def drain_later(self, drain: Callable[[], None]) -> None:
        """Call this at the end of the turn, after the outboxes were written."""
        self._draining.append(drain)
        self.schedule()

    def schedule(self) -> None:
        if self._is_reading:
            self._is_wanted = True
        elif not self._scheduled:
            self._scheduled = True
            if self._is_costly and self.engine.in_flight:
                self.clock.call_later(_GATHERING, self.flush)
            else:
                self.clock.call_soon(self.flush)

    def begin_read(self) -> None:
        """A socket was read: when its messages are all decided, `end_read` tells when they are written."""
        self._is_reading = True
        self._read_at = self._time()

    def end_read(self, large: bool) -> None:
        """At once where little is going on, or where much was read; else with what other sockets bring this turn."""
        self._is_reading = False
        if self._is_wanted:
            self._is_wanted = False
            if large or (not self._scheduled and self._read_at - self._turn_ended > _SPARSE):
                self.flush()
            else:
                self.schedule()

    # ---- what goes out

    def end_turn(self) -> None:
        """End the turn early if events wait in it, for what must come after them.

        Ending it may let a client be read again whose answers had filled its lane, and what that one publishes is of
        the next turn: that is ended too.
        """
        while self._runs:
            self.flush()

    def flush(self) -> None:
        """End the turn: write what has come together. Harmless when there is nothing."""
        self._scheduled = False
        began = self._time() if self._is_remote else 0.0
        runs = self._runs
        if runs:
            self._runs = []
        if len(runs) == 1 and not self.crowded:
            self._spread_alone(runs[0])
        else:
            for run in runs:
                self._spread(run)
        if self._dirty:
            self._flush_dirty()
        if self._draining:
            self._drain()
        self._turn_ended = self._time()
        if runs:
            self._is_costly = self._is_remote and self._turn_ended - began > _COSTLY
            self._observe(runs)
        self._audit()

    def _flush_dirty(self) -> None:
        dirty, self._dirty = self._dirty, []
        for outbox in dirty:
            outbox.flush()

    def _drain(self) -> None:
        draining, self._draining = self._draining, []
        for drain in draining:
            drain()

    def _observe(self, runs: list[Run]) -> None:
        count = 0
        for run in runs:
            count += len(run.payloads)
        self.stats.latency.observe(self._turn_ended - self._turn_began, count)

    def settle(self) -> None:
        """End the turn, and what ending it has brought about, until nothing is on its way any more."""
        self.flush()
        while self._runs or self._dirty or self._draining:
            self.flush()

    def _spread(self, run: Run) -> None:
        hidden_from = run.hidden_from
        for outbox in run.receivers:
            if outbox.live and (hidden_from is None or outbox.instance != hidden_from):
                self._give(outbox, run)
        if not run.first:
            self._count_skipped(run)

    def _give(self, outbox: Outbox, run: Run) -> None:
        """Let an outbox write this run with whatever else it has, in the turn that is just ending."""
        outbox.runs.append(run)
        self.unaudited += run.size
        if not outbox.dirty:
            outbox.dirty = True
            self._dirty.append(outbox)

    def _spread_alone(self, run: Run) -> None:
        """Spread the only run of a turn: whoever has nothing else to be told is written to at once."""
        hidden_from, last = run.hidden_from, run.last
        framer, block = None, b""
        written = 0
        for outbox in run.receivers:
            if not outbox.live or (hidden_from is not None and outbox.instance == hidden_from):
                continue
            if outbox.dirty or outbox.blocked:
                self._give(outbox, run)
                continue
            if last:
                outbox.told = last
            sink = outbox.sink
            if sink.framer is not framer:
                framer = sink.framer
                block = run.block(framer)
            sink.write(block)
            written += 1
        self.stats.deliveries += written * len(run.payloads)
        self.stats.delivery_bytes += written * run.size
        self.unaudited += written * run.size
        if not run.first:
            self._count_skipped(run)

    def _count_skipped(self, run: Run) -> None:
        behind = sum(1 for outbox in run.receivers if outbox.is_behind)
        self.stats.ephemeral_skipped += len(run.payloads) * behind

    # ---- all outboxes together

    def _audit(self) -> None:
        """Look at what all sockets hold together, but only when enough was written that it can matter."""
        if self.crowded or self.unaudited > self._audit_every:
            self._look_at_all()

    def _look_at_all(self) -> None:
        total = self.limits.outbox_total_bytes
        self.unaudited = 0
        if total is not None:
            self.crowded = sum(outbox.sink.buffered() for outbox in self.outboxes) > total
            if self.crowded and self._retrying is None:
                self._retrying = self.clock.call_later(ROOM_RETRY, self._retry)

    def _retry(self) -> None:
        self._retrying = None
        self._audit()

    def has_room(self, outbox: Outbox) -> bool:
        """Whether this outbox may be written to: its own limit allows it, and that of all together."""
        return not outbox.blocked and not (self.crowded and outbox.sink.buffered() > 0)

    # ---- what the engine is to watch

    def hold(self, pattern: str) -> None:
        """One more subscription wants events of this pattern."""
        if self.router.want(pattern):
            self.engine.interest(pattern, True)
            if self.wanted is not None:
                self.wanted(pattern, True)

    def release(self, pattern: str) -> None:
        """One subscription fewer wants them."""
        if self.router.unwant(pattern):
            self.engine.interest(pattern, False)
            if self.wanted is not None:
                self.wanted(pattern, False)


def _audit_every(limits: Limits) -> int:
    """Bytes after which it is looked what all sockets hold."""
    total = limits.outbox_total_bytes
    return _SELDOM if total is None else total // 4
