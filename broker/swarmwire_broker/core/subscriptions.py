"""The subscriptions of one client: what may be asked for, where each begins, and how they end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from msgspec import UNSET, Raw, UnsetType

from swarmwire_protocol.codec import encode
from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Conflate, Error, StartAt, SubscribeResult
from swarmwire_protocol.messages import Subscription as Wanted
from swarmwire_protocol.topics import check_pattern

from ..engines.base import Engine
from ..engines.matcher import Matcher
from .permissions import Grants
from .subscription import (
    ConflatingSubscription,
    DroppingSubscription,
    OwnSubscription,
    SharedSubscription,
    Subscription,
)

if TYPE_CHECKING:
    from .outbox import Outbox

__all__ = ["Start", "Subscriptions", "is_passed", "is_unknown", "learn", "refusal"]

MAX_SUB_BYTES = 512
_WORDS = ("now", "start", "latest")
_COME_AGAIN_MS = 500


class Start(NamedTuple):
    """Where a subscription begins: live at once, or with a replay after `position`.

    `floor` is the place up to which a snapshot may lack last events, as `notice` says.
    """

    position: int
    live: bool = False
    snapshot_until: int | None = None
    notice: bytes = b""
    floor: int = 0


def is_unknown(engine: Engine, begin: str | StartAt) -> bool:
    """Whether a place can be told only when a remote log has been asked: any but now and what was passed here."""
    return engine.remote and begin != "now" and not 0 < _upto(engine, begin) <= engine.head


def is_passed(engine: Engine, cursor: Cursor) -> bool:
    """Whether a cursor is of this log and the log has come so far.

    Raises:
        SwarmwireError: UNAVAILABLE, with `retry_after_ms`; a remote log has, and this broker does not know it yet.
    """
    if cursor.epoch != engine.epoch:
        return False
    if cursor.seq > engine.head and engine.remote:
        raise SwarmwireError(
            ErrorCode.UNAVAILABLE, "This broker has not come as far as this cursor.", retry_after_ms=_COME_AGAIN_MS
        )
    return cursor.seq <= engine.head


async def learn(engine: Engine, *begins: str | StartAt) -> None:
    """Learn what must be known of a remote log to tell these places in it.

    Raises:
        SwarmwireError: UNAVAILABLE, with `retry_after_ms`.
    """
    if engine.remote:
        await engine.refresh(max((_upto(engine, begin) for begin in begins), default=0))


def _upto(engine: Engine, begin: str | StartAt) -> int:
    """How far the log must go for a place to be in it: the place of a cursor of this log, else 0."""
    if isinstance(begin, StartAt) and begin.cursor is not None:
        cursor = Cursor.parse(begin.cursor)
        return cursor.seq if cursor.epoch == engine.epoch else 0
    return 0


def refusal(error: SwarmwireError, field: str | None = None) -> Error:
    """An error as it is sent."""
    return Error(
        code=error.code,
        message=error.message,
        field=field if field is not None else error.field,
        retry_after_ms=error.retry_after_ms,
        handler_code=error.handler_code,
        details=_details(error.details),
    )


def _details(details: object) -> Raw | UnsetType:
    """What an error says beside its sentence, as it is sent; a list is that of a subscribe, which goes elsewhere."""
    match details:
        case Raw():
            return details
        case dict():
            return Raw(encode(details))
    return UNSET


class Subscriptions:
    """The table of one client's subscriptions by name."""

    __slots__ = ("_by_name", "_outbox")

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._by_name: dict[str, Subscription] = {}

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Subscription]:
        return iter(self._by_name.values())

    def get(self, name: str) -> Subscription | None:
        return self._by_name.get(name)

    # ---- asking

    def check(self, wanted: list[Wanted], grants: Grants) -> list[SubscribeResult]:
        """Decide each subscription asked for: a result with its name, and an error if it is refused."""
        names: set[str] = set()
        held = len(self._by_name)
        results = []
        for index, one in enumerate(wanted):
            name = one.sub if one.sub is not None else one.pattern
            try:
                self._check_one(one, name, names, held, grants)
            except SwarmwireError as error:
                where = f"subscriptions[{index}]"
                field = f"{where}.{error.field}" if error.field else where
                results.append(SubscribeResult(sub=name, error=refusal(error, field)))
            else:
                names.add(name)
                held += name not in self._by_name
                results.append(SubscribeResult(sub=name))
        return results

    def _check_one(self, wanted: Wanted, name: str, names: set[str], held: int, grants: Grants) -> None:
        limits = self._outbox.delivery.limits
        try:
            check_pattern(wanted.pattern)
        except SwarmwireError as error:
            raise SwarmwireError(error.code, error.message, field="pattern") from None
        if not 0 < len(name.encode()) <= MAX_SUB_BYTES:
            raise _invalid(f"Expected a name of 1 to {MAX_SUB_BYTES} bytes.", "sub")
        if name in names:
            raise SwarmwireError(ErrorCode.CONFLICT, "Expected a name that no other item has.", field="sub")
        if not grants.may_subscribe(wanted.pattern):
            raise SwarmwireError(
                ErrorCode.PERMISSION_DENIED, "The pattern reaches topics you may not subscribe to.", field="pattern"
            )
        most = limits.max_subscriptions
        if most is not None and name not in self._by_name and held >= most:
            raise SwarmwireError(ErrorCode.LIMIT_EXCEEDED, f"A connection may hold {most} subscriptions.")
        self._check_mode(wanted)
        self._check_start(wanted.from_)

    def _check_mode(self, wanted: Wanted) -> None:
        limits = self._outbox.delivery.limits
        if not isinstance(wanted.mode, Conflate) and wanted.mode not in ("all", "drop_oldest", "disconnect"):
            raise _invalid("Expected all, drop_oldest, disconnect or {conflate_ms: n}.", "mode")
        if wanted.queue_size is not None and wanted.queue_size > limits.max_queue_size:
            raise SwarmwireError(
                ErrorCode.INVALID_MESSAGE, f"A queue holds at most {limits.max_queue_size} events.", field="queue_size"
            )

    def _check_start(self, start: str | StartAt) -> None:
        if isinstance(start, str):
            if start not in _WORDS:
                raise _invalid("Expected now, start, latest, {cursor: c}, {last: n} or {since_ms: t}.", "from")
            return
        given = [value for value in (start.cursor, start.last, start.since_ms) if value is not None]
        if len(given) != 1:
            raise _invalid("Expected exactly one of cursor, last and since_ms.", "from")
        if start.cursor is not None:
            try:
                Cursor.parse(start.cursor)
            except SwarmwireError as error:
                raise _invalid(error.message, "from.cursor") from None

    # ---- where to begin

    def is_elsewhere(self, wanted: Wanted) -> bool:
        """Whether the log must be asked where a subscription begins."""
        is_sought = isinstance(wanted.from_, StartAt) and wanted.from_.cursor is None
        return is_sought or is_unknown(self._outbox.delivery.engine, wanted.from_)

    def start_of(self, wanted: Wanted, name: str) -> Start:
        """Where a subscription begins, if that is known without asking the log."""
        engine = self._outbox.delivery.engine
        match wanted.from_:
            case "now":
                return Start(engine.head, live=True)
            case "start":
                return Start(engine.evicted(Matcher([wanted.pattern])).whole)
            case "latest":
                return self._snapshot(name)
            case StartAt(cursor=str(text)):
                return self._resume(text, name)
        raise AssertionError("the start was not checked")

    async def find_start(self, wanted: Wanted, name: str) -> Start:
        """The same, asking the log where that is needed. Of a remote log `learn` first."""
        engine = self._outbox.delivery.engine
        match wanted.from_:
            case StartAt(last=int(count)):
                return Start(await engine.find_last(Matcher([wanted.pattern]), count))
            case StartAt(since_ms=int(ts)):
                return Start(await engine.find_since(ts))
        return self.start_of(wanted, name)

    def _snapshot(self, name: str) -> Start:
        engine = self._outbox.delivery.engine
        floor = engine.latest_floor
        notice = self._outbox.gap(self._outbox.cursor(0), floor, "evicted", name) if floor else b""
        return Start(0, snapshot_until=engine.head, notice=notice, floor=floor)

    def _resume(self, text: str, name: str) -> Start:
        engine = self._outbox.delivery.engine
        cursor = Cursor.parse(text)
        if is_passed(engine, cursor):
            return Start(cursor.seq)
        position = engine.oldest - 1
        return Start(position, notice=self._outbox.gap(text, position, "epoch", name))

    # ---- beginning and ending

    def add(self, wanted: Wanted, name: str, start: Start) -> None:
        """Begin a subscription that was checked; one of the same name ends."""
        self.remove(name)
        self._by_name[name] = subscription = self._make(wanted, name)
        if start.live:
            subscription.start_live(start.position)
        else:
            subscription.start_replay(
                start.position, snapshot_until=start.snapshot_until, notice=start.notice, floor=start.floor
            )

    def _make(self, wanted: Wanted, name: str) -> Subscription:
        match wanted.mode:
            case Conflate(conflate_ms=tick):
                return ConflatingSubscription(self._outbox, name, wanted.pattern, tick=tick / 1000)
            case "drop_oldest":
                size = wanted.queue_size
                if size is None:
                    size = self._outbox.delivery.limits.queue_size
                return DroppingSubscription(self._outbox, name, wanted.pattern, queue_size=size)
            case mode:
                return SharedSubscription(self._outbox, name, wanted.pattern, closes=mode == "disconnect")

    def remove(self, name: str) -> bool:
        """End a subscription; whether there was one."""
        subscription = self._by_name.pop(name, None)
        if subscription is None:
            return False
        subscription.stop()
        return True

    def clear(self) -> None:
        for name in list(self._by_name):
            self.remove(name)

    def recheck(self, allowed: Callable[[str], bool]) -> None:
        """End what is not allowed any more, with a gap in its place."""
        outbox = self._outbox
        outbox.delivery.end_turn()
        for subscription in list(self):
            if not allowed(subscription.pattern):
                after = outbox.cursor(subscription.position)
                self.remove(subscription.name)
                outbox.notice(outbox.gap(after, outbox.delivery.engine.head, "denied", subscription.name))

    def moved(self, head: int) -> list[str]:
        """The subscriptions with a position of their own that have everything up to `head` without knowing it yet."""
        return [one.name for one in self if isinstance(one, OwnSubscription) and one.is_live and one.advance(head)]

    def missed(self, upto: int) -> None:
        """What lies between the head and a place will never be brought: all that are live say so."""
        self._outbox.missed()
        for one in self:
            if isinstance(one, OwnSubscription) and one.is_live:
                one.missed(upto)

    @property
    def closes(self) -> bool:
        """Whether a subscription in mode `disconnect` shares the live position."""
        return any(isinstance(one, SharedSubscription) and one.closes and one.is_live for one in self)


def _invalid(sentence: str, field: str) -> SwarmwireError:
    return SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field=field)
