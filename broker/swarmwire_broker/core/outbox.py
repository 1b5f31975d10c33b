"""The way to one client: a control lane and an event lane, both bounded, written together once a turn.

Live -> behind -> live. While the socket takes what it is given, events go straight to it. Once it does not, nothing
is queued: the outbox remembers the place in the log it has written up to, and reads on from there when the socket
drains. Memory for a slow client is a constant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from swarmwire_protocol.codec import encode
from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.messages import BrokerMessage, Gap

from ..engines.matcher import Matcher
from .catchup import ROOM_RETRY
from .reader import LagReader, Reader
from .turn import Run

if TYPE_CHECKING:
    from .delivery import Delivery
    from .ports import Sink
    from .subscription import DroppingSubscription, SharedSubscription

__all__ = ["Outbox", "Owner"]


class Owner(Protocol):
    """Whose outbox it is, and who hears how it fares."""

    def hold(self) -> None:
        """The control lane is full of answers: nothing more is to be asked until `unhold`."""
        ...

    def unhold(self) -> None:
        """It has room again."""
        ...

    def fell_behind(self) -> None:
        """The client has just fallen behind. The turn is still being written."""
        ...


class Outbox:
    """Both lanes of one client, and the place in the log that all its live subscriptions share.

    Attributes:
        live: events of the turn go straight to this client.
        position: while behind, everything up to here was written.
        told: the last place in the log that the client knows it has reached.
        last_joined: the place at which the last of the subscriptions that share the position joined.
        blocked: the socket holds more than its limit.
    """

    __slots__ = (
        "_matcher",
        "blocked",
        "client_id",
        "control",
        "control_size",
        "delivery",
        "dirty",
        "draining",
        "full",
        "instance",
        "last_joined",
        "live",
        "lost",
        "members",
        "notices",
        "owner",
        "parked",
        "position",
        "replaying",
        "runs",
        "sink",
        "told",
        "waiting",
    )

    shared = True

    def __init__(self, delivery: Delivery, sink: Sink, owner: Owner) -> None:
        self.delivery = delivery
        self.sink = sink
        self.owner = owner
        self.client_id = ""
        self.instance = ""
        self.live = True
        self.lost = False
        self.blocked = False
        self.dirty = False
        self.full = False
        self.position = 0
        self.told = delivery.engine.head
        self.control: list[bytes] = []
        self.control_size = 0
        self.notices: list[bytes] = []
        self.runs: list[Run] = []
        self.members: dict[str, SharedSubscription] = {}
        self.parked: list[Reader] = []
        self.waiting: list[Reader] | None = None  # these two are made when they are needed: most clients are idle
        self.draining: list[DroppingSubscription] | None = None
        self.replaying = 0
        self._matcher: Matcher | None = None
        self.last_joined = 0
        delivery.outboxes.add(self)

    @property
    def is_behind(self) -> bool:
        """Whether the shared position is being brought up from the log."""
        return not self.live and not self.lost

    @property
    def queued_bytes(self) -> int:
        """Bytes that wait for this client."""
        return self.control_size + self.sink.buffered()

    # ---- control lane

    def send(self, message: BrokerMessage) -> None:
        """Answer in the control lane: it may overtake events."""
        if self.lost:
            return
        payload = encode(message)
        self.control.append(payload)
        self.control_size += len(payload)
        self.delivery.touch(self)
        limits = self.delivery.limits
        if self.control_size > limits.control_bytes or len(self.control) > limits.control_messages:
            self._fill()

    def offer(self, message: BrokerMessage) -> bool:
        """Send what others have to say to this client; False: too much waits, and it was not taken."""
        if self.lost:
            return False
        payload = encode(message)
        if not self._has_place(len(payload)) and not self.blocked:
            self.flush()  # whereupon the client is heard again, and may say bye
        if self.lost or not self._has_place(len(payload)):
            return False
        self.control.append(payload)
        self.control_size += len(payload)
        self.delivery.touch(self)
        return True

    def _has_place(self, size: int) -> bool:
        """Whether a message fits into the control lane; where it is empty, any does."""
        limits = self.delivery.limits
        fits = self.control_size + size <= limits.control_bytes and len(self.control) < limits.control_messages
        return fits or not self.control

    def send_behind(self, message: BrokerMessage) -> None:
        """Answer what begins under a name: nothing that is said of the name's last bearer may come after it."""
        if self.notices:
            self.flush()
        if self.notices:
            # The socket is full. The answer waits behind them, and nothing more is read before it is written.
            self.notice(encode(message))
            self._fill()
        else:
            self.send(message)

    def _fill(self) -> None:
        if not self.full:
            self.full = True
            self.owner.hold()

    # ---- event lane

    def notice(self, payload: bytes) -> None:
        """Put a message in the event lane, behind everything written there."""
        if not self.lost:
            self.notices.append(payload)
            self.delivery.touch(self)

    def write_events(self, payloads: list[bytes]) -> None:
        """Write to the event lane at once. Only for readers, whose turn begins with an empty lane."""
        size = sum(map(len, payloads))
        self.delivery.stats.delivery_bytes += size
        self.delivery.unaudited += size
        self.sink.write(self.sink.framer.join(payloads))

    def gap(self, after: str, to: int, reason: str, sub: str | None = None, dropped: int | None = None) -> bytes:
        """A gap as it is written; `after` is a cursor, `to` a place in the log of today."""
        self.delivery.stats.gap(reason)
        gap = Gap(from_=after, to=self.cursor(to), reason=reason, sub=sub, dropped=dropped)
        return encode(gap)

    def cursor(self, seq: int) -> str:
        return str(Cursor(self.delivery.engine.epoch, seq))

    # ---- the end of a turn

    def flush(self) -> None:
        """Write both lanes, the answers first."""
        self.dirty = False
        if self.runs and not self.delivery.has_room(self):
            self._fall_behind()
        if self.blocked:
            return
        framer = self.sink.framer
        blocks = []
        if self.control:
            blocks.append(framer.join(self.control))
            self.control = []
            self.control_size = 0
        if self.notices:
            blocks.append(framer.join(self.notices))
            self.notices = []
        if self.runs:
            blocks.extend(self._take_runs())
        if blocks:
            self.sink.write(blocks[0] if len(blocks) == 1 else framer.merge(blocks))
        if self.full:
            self.full = False
            self.owner.unhold()

    def _take_runs(self) -> list[object]:
        runs, self.runs = self.runs, []
        framer = self.sink.framer
        stats = self.delivery.stats
        blocks = []
        for run in runs:
            blocks.append(run.block(framer))
            stats.deliveries += len(run.payloads)
            stats.delivery_bytes += run.size
            if run.last:
                self.told = run.last
        return blocks

    def _fall_behind(self) -> None:
        runs, self.runs = self.runs, []
        for run in runs:
            if run.first == 0:
                self.delivery.stats.ephemeral_skipped += len(run.payloads)
            elif self.live:
                self.live = False
                self.position = run.first - 1
                self._park_or_read(LagReader(self))
                self.owner.fell_behind()

    def missed(self) -> None:
        """What follows the head was never brought here: the log, where live subscriptions go on, names the gap."""
        if self.live and self.members:
            self.live = False
            self.position = self.delivery.engine.head
            self._park_or_read(LagReader(self))

    def force_flush(self) -> None:
        """Write the control lane whatever the socket holds: for the last words before a close."""
        if self.control and not self.lost:
            self.sink.write(self.sink.framer.join(self.control))
            self.control = []
            self.control_size = 0

    # ---- the socket's side

    def paused(self) -> None:
        """The socket holds more than its limit."""
        self.blocked = True

    def resumed(self) -> None:
        """The socket has drained."""
        self.blocked = False
        self.delivery.touch(self)
        parked, self.parked = self.parked, []
        for reader in parked:
            self.delivery.catchup.add(reader)
        draining, self.draining = self.draining, None
        for subscription in draining or ():
            self.delivery.drain_later(subscription.drain)

    def drain_when_resumed(self, subscription: DroppingSubscription) -> None:
        """Let this subscription write as soon as there is room."""
        if self.blocked:
            if self.draining is None:
                self.draining = []
            self.draining.append(subscription)
        else:
            self.delivery.clock.call_later(ROOM_RETRY, lambda: self.delivery.drain_later(subscription.drain))

    def close(self) -> None:
        """Nothing is written any more. Harmless twice."""
        self.lost = True
        self.live = False
        self.delivery.outboxes.discard(self)
        self.control.clear()
        self.control_size = 0
        self.notices.clear()
        self.runs.clear()
        self.parked.clear()
        self.waiting = self.draining = None

    # ---- reading from the log

    def _park_or_read(self, reader: Reader) -> None:
        if self.blocked:
            self.parked.append(reader)
        else:
            self.delivery.catchup.add(reader)

    def begin(self, reader: Reader) -> None:
        """Start a replay, or let it wait while as many as allowed are running."""
        self.delivery.stats.replays += 1
        if self.replaying >= self.delivery.limits.max_replays:
            if self.waiting is None:
                self.waiting = []
            self.waiting.append(reader)
            return
        self.replaying += 1
        self._park_or_read(reader)

    def ended(self, reader: Reader) -> None:
        """A replay is over, finished or not: the next may start."""
        if self.waiting and reader in self.waiting:
            self.waiting.remove(reader)
            return
        self.replaying -= 1
        if self.waiting:
            self.replaying += 1
            self._park_or_read(self.waiting.pop(0))

    # ---- the subscriptions that share the live position

    def join(self, member: SharedSubscription) -> None:
        self.members[member.name] = member
        self.last_joined = max(self.last_joined, member.joined)
        self._matcher = None
        self.delivery.router.add(member.pattern, self)

    def leave(self, member: SharedSubscription) -> None:
        del self.members[member.name]
        self._matcher = None
        self.delivery.router.remove(member.pattern, self)

    @property
    def matcher(self) -> Matcher:
        """What any of the members matches."""
        if self._matcher is None:
            self._matcher = Matcher(member.pattern for member in self.members.values())
        return self._matcher
