"""What a client asked to see: one class for each way of being served.

Modes `all` and `disconnect` share their client's live position once their replay is over. Conflating and dropping
subscriptions have a position of their own, and their events name them.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from swarmwire_protocol.codec import conflated, quote, with_sub
from swarmwire_protocol.topics import matches

from ..engines.base import Entry
from .reader import ConflatingReader, ReplayReader

if TYPE_CHECKING:
    from .outbox import Outbox
    from .ports import Timer

__all__ = ["ConflatingSubscription", "DroppingSubscription", "OwnSubscription", "SharedSubscription", "Subscription"]


_DROPPED_TOPICS = 1_000
"""Topics whose losses a dropping subscription counts one by one; what else it loses is counted under `#`."""


class Subscription:
    """One pattern of one client, under its name.

    Attributes:
        quoted: the name as JSON.
        joined: nothing at or before this place is for it any more once it is live.
    """

    __slots__ = ("_reader", "is_live", "joined", "name", "outbox", "pattern", "quoted")

    reader_class: type[ReplayReader] = ReplayReader

    def __init__(self, outbox: Outbox, name: str, pattern: str) -> None:
        self.outbox = outbox
        self.name = name
        self.pattern = pattern
        self.quoted = quote(name)
        self.joined = 0
        self.is_live = False
        self._reader: ReplayReader | None = None
        outbox.delivery.hold(pattern)

    def matches(self, topic: str) -> bool:
        return matches(self.pattern, topic)

    @property
    def position(self) -> int:
        """Everything up to here was written, or will not be."""
        if self._reader is not None:
            return self._reader.written
        return self._live_position()

    @property
    def lag(self) -> int:
        """How many places of the log lie between what was written and its head, where some may still be for it."""
        if self._reader is None and not self._is_waiting():
            return 0
        return max(0, self.outbox.delivery.engine.head - self.position)

    def start_live(self, position: int) -> None:
        """Begin with what is published from now on."""
        self.joined = position
        self.is_live = True
        self._go_live()

    def start_replay(
        self, position: int, *, snapshot_until: int | None = None, notice: bytes = b"", floor: int = 0
    ) -> None:
        """Begin with what the log holds after a position, or with the last event of every topic."""
        self._reader = self.reader_class(self, position, snapshot_until=snapshot_until, notice=notice, floor=floor)
        self.outbox.begin(self._reader)

    def replayed(self, position: int) -> None:
        """The replay has reached the head."""
        reader, self._reader = self._reader, None
        assert reader is not None
        self.outbox.ended(reader)
        self.start_live(position)

    def stop(self) -> None:
        """Nothing more is for this subscription."""
        if self._reader is not None:
            self._reader.stopped = True
            self.outbox.ended(self._reader)
            self._reader = None
        if self.is_live:
            self.is_live = False
            self._leave()
        self.outbox.delivery.release(self.pattern)

    def _go_live(self) -> None:
        raise NotImplementedError

    def _leave(self) -> None:
        raise NotImplementedError

    def _live_position(self) -> int:
        raise NotImplementedError

    def _is_waiting(self) -> bool:
        """Whether something is to be written to it that is live."""
        raise NotImplementedError


class SharedSubscription(Subscription):
    """Every event, at the position that the client's live subscriptions share.

    With `closes` (mode `disconnect`) a client that falls behind is closed instead of catching up.
    """

    __slots__ = ("closes",)

    def __init__(self, outbox: Outbox, name: str, pattern: str, *, closes: bool = False) -> None:
        super().__init__(outbox, name, pattern)
        self.closes = closes

    def _go_live(self) -> None:
        self.outbox.join(self)

    def _leave(self) -> None:
        self.outbox.leave(self)

    def _live_position(self) -> int:
        outbox = self.outbox
        shared = outbox.delivery.engine.head if outbox.live else outbox.position
        return max(self.joined, shared)

    def _is_waiting(self) -> bool:
        return self.outbox.is_behind


class OwnSubscription(Subscription):
    """A subscription with a position of its own, which the router knows by itself."""

    __slots__ = ()

    shared = False

    def offer(self, entry: Entry) -> None:
        """An event on a topic that the pattern matches has just become visible."""
        raise NotImplementedError

    def offer_ephemeral(self, topic: str, payload: bytes, hidden_from: str | None) -> None:
        """The same of an event that is not in the log."""
        raise NotImplementedError

    def advance(self, head: int) -> bool:
        """Move over what did not match, if everything that did is written; whether that moved the position."""
        raise NotImplementedError

    def missed(self, upto: int) -> None:
        """What lies between the head and a place will never be offered."""
        raise NotImplementedError

    def _go_live(self) -> None:
        self.outbox.delivery.router.add(self.pattern, self)

    def _leave(self) -> None:
        self.outbox.delivery.router.remove(self.pattern, self)

    def _hides(self, hidden_from: str | None) -> bool:
        return hidden_from is not None and hidden_from == self.outbox.instance


class ConflatingSubscription(OwnSubscription):
    """Once a tick, the last event of every topic that changed since the one before.

    A tick reads the log from where the last one ended, so nothing is queued meanwhile, however much is published.
    """

    __slots__ = ("_ephemeral", "_tick", "_ticker", "_timer")

    reader_class = ConflatingReader

    def __init__(self, outbox: Outbox, name: str, pattern: str, *, tick: float) -> None:
        super().__init__(outbox, name, pattern)
        self._tick = tick
        self._timer: Timer | None = None
        self._ticker: ConflatingReader | None = None
        self._ephemeral: dict[str, tuple[bytes, int]] = {}

    def _go_live(self) -> None:
        self._ticker = ConflatingReader(self, self.joined, ticks=True)
        super()._go_live()

    def _leave(self) -> None:
        super()._leave()
        if self._timer is not None:
            self._timer.cancel()
        if self._ticker is not None:
            self._ticker.stopped = True

    def _live_position(self) -> int:
        return self._ticker.written if self._ticker is not None else self.joined

    def _is_waiting(self) -> bool:
        return self._timer is not None or (self._ticker is not None and self._ticker.is_reading)

    def advance(self, head: int) -> bool:
        assert self._ticker is not None
        if self._timer is not None or self._ticker.is_reading or self._ticker.position >= head:
            return False
        self._ticker.position = head
        return True

    def missed(self, upto: int) -> None:
        self._arm()  # what it then reads begins with the gap

    def offer(self, entry: Entry) -> None:
        self._arm()

    def offer_ephemeral(self, topic: str, payload: bytes, hidden_from: str | None) -> None:
        if self._hides(hidden_from):
            return
        skipped = self._ephemeral.pop(topic, (b"", -1))[1] + 1
        if len(self._ephemeral) >= self.outbox.delivery.limits.queue_size:
            self.outbox.delivery.stats.ephemeral_skipped += 1
            return
        self._ephemeral[topic] = (payload, skipped)
        self._arm()

    def _arm(self) -> None:
        if self._timer is None:
            self._timer = self.outbox.delivery.clock.call_later(self._tick, self._on_tick)

    def _on_tick(self) -> None:
        self._timer = None
        assert self._ticker is not None
        ephemeral, self._ephemeral = self._ephemeral, {}
        if self.outbox.blocked:
            self.outbox.delivery.stats.ephemeral_skipped += len(ephemeral)
        else:
            for payload, skipped in ephemeral.values():
                self.outbox.notice(conflated(payload, self.quoted, skipped))
        if not self._ticker.is_reading and self._ticker.position < self.outbox.delivery.engine.head:
            self._ticker.is_reading = True
            self.outbox.delivery.catchup.add(self._ticker)


class DroppingSubscription(OwnSubscription):
    """Every event while the socket takes them; else the newest `queue_size`, and a gap in place of the others."""

    __slots__ = ("_bytes", "_draining", "_evicted", "_lost", "_lost_to", "_queue", "_queue_size", "_written", "dropped")

    def __init__(self, outbox: Outbox, name: str, pattern: str, *, queue_size: int) -> None:
        super().__init__(outbox, name, pattern)
        self._queue_size = queue_size
        self._queue: deque[tuple[int, str, bytes]] = deque()
        self._bytes = 0
        self._written = 0
        self._lost_to = 0
        self._lost = 0
        self._evicted = False  # among what was lost is what nobody has counted
        self._draining = False
        self.dropped: Counter[str] = Counter()
        """Events lost by topic since the loss was last reported."""

    def _go_live(self) -> None:
        self._written = self.joined
        super()._go_live()

    def _leave(self) -> None:
        super()._leave()
        self._queue.clear()

    def _live_position(self) -> int:
        return self._written

    def _is_waiting(self) -> bool:
        return bool(self._queue or self._lost or self._evicted)

    def advance(self, head: int) -> bool:
        if self._is_waiting() or self._written >= head:
            return False
        self._written = head
        return True

    def missed(self, upto: int) -> None:
        while self._queue:
            self._drop()
        self._lost_to = upto
        self._evicted = True
        self._drain_soon()

    def offer(self, entry: Entry) -> None:
        if not self._hides(entry.hidden_from):
            self._put(entry.seq, entry.topic, entry.payload)

    def offer_ephemeral(self, topic: str, payload: bytes, hidden_from: str | None) -> None:
        if self._hides(hidden_from):
            return
        if self.outbox.blocked:
            self.outbox.delivery.stats.ephemeral_skipped += 1
        else:
            self.outbox.notice(with_sub(payload, self.quoted))

    def _put(self, seq: int, topic: str, payload: bytes) -> None:
        self._queue.append((seq, topic, payload))
        self._bytes += len(payload)
        if not self.outbox.delivery.has_room(self.outbox):
            self._trim()
        self._drain_soon()

    def _drain_soon(self) -> None:
        if not self._draining:
            self._draining = True
            self.outbox.delivery.drain_later(self.drain)

    def _trim(self) -> None:
        while len(self._queue) > self._queue_size or self._bytes > self.outbox.delivery.limits.outbox_bytes:
            self._drop()

    def _drop(self) -> None:
        seq, topic, payload = self._queue.popleft()
        self._bytes -= len(payload)
        self._lost_to = seq
        self._lost += 1
        self.outbox.delivery.stats.drops += 1
        self.dropped[topic if topic in self.dropped or len(self.dropped) < _DROPPED_TOPICS else "#"] += 1
        self.outbox.delivery.dropping.add(self)

    def drain(self) -> None:
        """Write what waits, the gap first, if the socket takes it; else wait until it does."""
        self._draining = False
        if not self.is_live or self.outbox.lost:
            return
        if not self.outbox.delivery.has_room(self.outbox):
            self._trim()
            self._draining = True
            self.outbox.drain_when_resumed(self)
            return
        payloads = self._take_gap()
        for seq, _, payload in self._queue:
            payloads.append(with_sub(payload, self.quoted))
            self._written = seq
        self.outbox.delivery.stats.deliveries += len(self._queue)
        self._queue.clear()
        self._bytes = 0
        if payloads:
            self.outbox.write_events(payloads)

    def _take_gap(self) -> list[bytes]:
        if not (self._lost or self._evicted):
            return []
        after = self.outbox.cursor(self._written)
        reason, count = ("evicted", None) if self._evicted else ("overflow", self._lost)
        gap = self.outbox.gap(after, self._lost_to, reason, self.name, count)
        self._written = self._lost_to
        self._lost, self._evicted = 0, False
        return [gap]
