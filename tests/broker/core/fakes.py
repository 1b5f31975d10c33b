"""A world without sockets and without waiting: time, turns of the loop and clients that tests hold in their hands."""

from __future__ import annotations

import heapq
import itertools
import json
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any, Protocol, TypeAlias

from swarmwire_broker.core.hub import Hub
from swarmwire_broker.core.ports import Authenticator, Peer
from swarmwire_broker.core.session import Session
from swarmwire_broker.core.settings import Limits, Rates
from swarmwire_broker.engines.base import Draft, Entry, Evicted, Outcome, Page, PageLimit, Put, Stored
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_broker.engines.memory import MemoryEngine
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.topics import matches

__all__ = [
    "Client",
    "DeepEngine",
    "EngineClass",
    "FakeClock",
    "FakeSink",
    "Gate",
    "Message",
    "RemoteEngine",
    "World",
]

Message: TypeAlias = dict[str, Any]

_BEGIN_MS = 1_790_000_000_000


class _Call:
    """Something the clock will do, unless it is cancelled."""

    def __init__(self, callback: Callable[[], object]) -> None:
        self.callback = callback
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Gate:
    """What a coroutine of a test waits for: `await gate` goes on once the test has opened it."""

    def __init__(self) -> None:
        self.is_open = False
        self.passers: list[Callable[[], object]] = []

    def open(self) -> None:
        self.is_open = True
        passers, self.passers = self.passers, []
        for go_on in passers:
            go_on()

    def __await__(self) -> Generator[Gate, None, None]:
        if not self.is_open:
            yield self


class _Promise:
    """An answer that a coroutine of a test awaits."""

    def __init__(self) -> None:
        self._gate = Gate()
        self._answer: Any = None
        self._error: BaseException | None = None

    def __await__(self) -> Generator[Gate, None, Any]:
        yield from self._gate.__await__()
        if self._error is not None:
            raise self._error
        return self._answer

    def done(self) -> bool:
        return self._gate.is_open

    def set_result(self, answer: Any) -> None:
        self._answer = answer
        self._gate.open()

    def set_exception(self, error: BaseException) -> None:
        self._error = error
        self._gate.open()


class _Work:
    """A coroutine, driven one step a turn."""

    def __init__(self, work: Coroutine[Any, Any, object], clock: FakeClock) -> None:
        self._work = work
        self._clock = clock
        self._is_over = False

    def step(self) -> None:
        if self._is_over:
            return
        try:
            waits_for = self._work.send(None)
        except StopIteration:
            self._is_over = True
        except Exception as error:
            self._is_over = True
            self._clock.failures.append(error)
        else:
            self._go_on_after(waits_for)

    def _go_on_after(self, waits_for: Any) -> None:
        if isinstance(waits_for, Gate):
            waits_for.passers.append(lambda: self._clock.call_soon(self.step))
        else:
            self._clock.call_soon(self.step)

    def cancel(self) -> None:
        self._is_over = True
        self._work.close()


class FakeClock:
    """Time that stands still until a test moves it, and a loop that turns when a test says so.

    Coroutines are driven by hand: they may await a `Gate`, or give up one turn of the loop.
    """

    def __init__(self) -> None:
        self.now = 100.0
        self.failures: list[BaseException] = []
        self._ready: deque[_Call] = deque()
        self._later: list[tuple[float, int, _Call]] = []
        self._numbers = itertools.count()

    def time(self) -> float:
        return self.now

    def now_ms(self) -> int:
        return _BEGIN_MS + self.steady_ms()

    def steady_ms(self) -> int:
        return round((self.now - 100.0) * 1000)

    def call_soon(self, callback: Callable[[], object]) -> _Call:
        call = _Call(callback)
        self._ready.append(call)
        return call

    def call_later(self, delay: float, callback: Callable[[], object]) -> _Call:
        call = _Call(callback)
        heapq.heappush(self._later, (self.now + delay, next(self._numbers), call))
        return call

    def spawn(self, work: Coroutine[Any, Any, object]) -> _Work:
        task = _Work(work, self)
        self.call_soon(task.step)
        return task

    def promise(self) -> _Promise:
        return _Promise()

    @property
    def timers(self) -> int:
        """How many timers still run."""
        return sum(not call.is_cancelled for _, _, call in self._later)

    def turn(self) -> bool:
        """One turn of the loop: everything that is ready now. Whether there was anything."""
        while self._later and self._later[0][0] <= self.now:
            self._ready.append(heapq.heappop(self._later)[2])
        calls, self._ready = self._ready, deque()
        for call in calls:
            if not call.is_cancelled:
                call.callback()
        return bool(calls)

    def settle(self) -> None:
        """Turn until nothing is ready any more; time stands still."""
        for _ in range(100_000):
            if not self.turn():
                return
        raise AssertionError("the loop never comes to rest")

    def advance(self, seconds: float) -> None:
        """Let time pass, from one timer to the next."""
        end = self.now + seconds
        self.settle()
        while self._later and self._later[0][0] <= end:
            self.now = max(self.now, self._later[0][0])
            self.settle()
        self.now = end


class _Framer:
    def join(self, payloads: list[bytes]) -> list[bytes]:
        return list(payloads)

    def merge(self, blocks: list[list[bytes]]) -> list[bytes]:
        return [payload for block in blocks for payload in block]


_FRAMER = _Framer()


class FakeSink:
    """A socket that takes everything at once, or, while `stalled`, only what a test drains."""

    framer = _FRAMER

    def __init__(self, outbox_bytes: int) -> None:
        self.session: Session | None = None
        self.stalled = False
        self.is_reading = True
        self.pauses = 0
        self.max_message_bytes = 0
        self.closed: tuple[int, str] | None = None
        self.timeout: float | None = None
        self.received: list[Message] = []
        self.writes: list[int] = []
        """The bytes of each write."""
        self._high = outbox_bytes
        self._waiting: deque[bytes] = deque()
        self._bytes = 0
        self._paused = False
        self._credit = 0

    # ---- the test's side

    def stall(self) -> None:
        self.stalled = True

    def drain(self, size: int | None = None) -> None:
        """The client takes so many bytes; None: all of them, and it reads on from here."""
        if size is None:
            self.stalled = False
        self._credit = self._bytes if size is None else self._credit + size
        while self._waiting and len(self._waiting[0]) <= self._credit:
            payload = self._waiting.popleft()
            self._credit -= len(payload)
            self._bytes -= len(payload)
            self.received.append(json.loads(payload))
        if not self._waiting:
            self._credit = 0
        if self._paused and self.buffered() < self._high // 2:
            self._paused = False
            assert self.session is not None
            self.session.resumed()

    # ---- the session's side

    def write(self, block: list[bytes]) -> None:
        if self.closed is not None:
            return
        size = sum(map(len, block))
        self.writes.append(size)
        if not self.stalled:
            self.received += map(json.loads, block)
            return
        self._waiting.extend(block)
        self._bytes += size
        if not self._paused and self.buffered() > self._high:
            self._paused = True
            assert self.session is not None
            self.session.paused()

    def buffered(self) -> int:
        return self._bytes - self._credit

    def pause_reading(self) -> None:
        self.is_reading = False
        self.pauses += 1

    def resume_reading(self) -> None:
        self.is_reading = True

    def close(self, code: int, reason: str, timeout: float) -> None:
        if self.closed is None:
            self.closed = (code, reason)
            self.timeout = timeout

    def raise_limit(self, max_message_bytes: int) -> None:
        self.max_message_bytes = max_message_bytes


class DeepEngine(MemoryEngine):
    """A memory engine that pretends: only the newest `ring` events can be read at once, the rest takes a turn."""

    ring = 3

    def read(self, matcher: Matcher, after: int, limit: PageLimit) -> Page | None:
        if max(after, self.oldest - 1) < self.head - self.ring:
            return None
        return super().read(matcher, after, limit)

    async def fetch(self, matcher: Matcher, after: int, limit: PageLimit) -> Page:
        await _a_turn()
        page = await super().fetch(matcher, after, limit)
        await _a_turn()
        return page

    async def find_last(self, matcher: Matcher, count: int) -> int:
        await _a_turn()
        return await super().find_last(matcher, count)

    async def find_since(self, ts: int) -> int:
        await _a_turn()
        return await super().find_since(ts)


class Turns(Protocol):
    """Turns of a loop, for the follower of a `RemoteEngine`."""

    def call_soon(self, callback: Callable[[], object]) -> object: ...


class RemoteEngine:
    """An engine whose log is elsewhere, with a follower that brings each event a turn after it was stored.

    Beneath it is a memory engine, which is the log. What the follower has not brought yet is beyond `head`; it brings
    only what somebody is interested in, and moves over the rest. Everything but the newest `ring` of these is fetched.
    An ack comes when the follower has passed the event, where it brings it, else at once.

    Attributes:
        log: the log.
        clock: whose turns the follower takes.
        is_away: what is asked of the log is refused.
        is_stuck: the follower brings nothing, until `refresh` asks for it.
        asked: what was asked of the log, in order.
    """

    durability: str = "stored"
    defers = True
    congested = False
    remote = True
    ring = 6

    def __init__(self, **given: Any) -> None:
        self._given = given
        self.log = MemoryEngine(**given)
        self.log.listener = self._stored
        self.epoch = self.log.epoch
        self.clock: Turns | None = None
        self.listener: Callable[[Entry], None] = _ignore
        self.relieved: Callable[[], None] = _ignore_end
        self.renewed: Callable[[], None] = _ignore_end
        self.missed: Callable[[int], None] = _ignore_place
        self.head = 0
        self.oldest = 1
        self.is_away = False
        self.is_stuck = False
        self.in_flight = 0
        self.asked: list[str] = []
        self._coming: deque[tuple[Entry | None, Callable[[], None]]] = deque()
        self._wanted: dict[str, int] = {}
        self._is_due = False
        self._decided: Callable[[], None] = _ignore_end

    @property
    def trouble(self) -> str | None:
        return "The log is away." if self.is_away else None

    @property
    def latest_floor(self) -> int:
        return self.log.latest_floor

    def evicted(self, matcher: Matcher) -> Evicted:
        return Evicted(self.oldest - 1, self.oldest - 1)

    async def start(self) -> None:
        """The log is there."""

    async def close(self) -> None:
        """The log stays."""

    # ---- appending, and the follower

    def append(self, draft: Draft) -> None:
        if self.is_away:
            if draft.done is not None:
                draft.done(Outcome(error=_away()))
            return
        done, outcomes = draft.done, list[Outcome]()
        draft.done = outcomes.append

        def decide() -> None:
            if done is not None:
                done(outcomes[0])

        self._decided = decide
        before = self.log.head
        self.log.append(draft)
        if self.log.head == before:
            self._coming.append((None, decide))
            self._come_soon()

    def append_all(self, drafts: Sequence[Draft]) -> None:
        for draft in drafts:
            self.append(draft)

    def append_elsewhere(self, draft: Draft) -> None:
        """What another broker has published."""
        self._decided = _ignore_end
        self.log.append(draft)

    def _stored(self, entry: Entry) -> None:
        self._coming.append((entry, self._decided))
        assert self.clock is not None
        if not self._wants(entry):
            self.clock.call_soon(self._decided)
            self._coming[-1] = (entry, _ignore_end)
        self._come_soon()

    def _come_soon(self) -> None:
        assert self.clock is not None
        if self._coming and not self._is_due:
            self._is_due = True
            self.clock.call_soon(self._come)

    def _come(self) -> None:
        self._is_due = False
        if not self.is_stuck:
            self.bring(2)
            self._come_soon()

    def bring(self, count: int) -> None:
        """Have the follower bring the next events."""
        for _ in range(min(count, len(self._coming))):
            entry, decided = self._coming.popleft()
            if entry is not None:
                self.head = entry.seq
                if self._wants(entry):
                    self.listener(entry)
            decided()

    def lose(self) -> None:
        """The log has evicted what the follower has not brought."""
        upto = min(self.log.oldest - 1, self.log.head)
        while self._coming and ((entry := self._coming[0][0]) is None or entry.seq <= upto):
            self._coming.popleft()[1]()
        self.missed(upto)
        self.head, self.oldest = upto, upto + 1

    def _wants(self, entry: Entry) -> bool:
        return any(matches(pattern, entry.topic) for pattern in self._wanted)

    def interest(self, pattern: str, wanted: bool) -> None:
        if wanted:
            self._wanted[pattern] = self.head
        else:
            del self._wanted[pattern]

    def renew(self) -> None:
        """The log is deleted and made anew."""
        listener = self.log.listener
        self.log = MemoryEngine(**self._given)
        self.log.listener = listener
        self.epoch = self.log.epoch
        self.head, self.oldest = 0, 1
        self._coming.clear()
        self.renewed()

    # ---- reading

    def read(self, matcher: Matcher, after: int, limit: PageLimit) -> Page | None:
        since = [self._wanted.get(pattern) for pattern in (*matcher.literals, *matcher.wildcards)]
        reach = max(self.head - self.ring, self.log.oldest - 1)
        if after < reach or any(place is None or after < place for place in since):
            return None
        return self._seen(self.log.log.read(matcher, after, limit))

    def _seen(self, page: Page) -> Page:
        if page.upto <= self.head:
            return page
        return Page([entry for entry in page.entries if entry.seq <= self.head], self.head, page.scanned)

    async def _ask(self, what: str) -> None:
        self.asked.append(what)
        await _a_turn()
        if self.is_away:
            raise _away()

    async def refresh(self, upto: int = 0) -> None:
        await self._ask(f"refresh {upto}")
        self.bring(len(self._coming))
        self.oldest = min(self.log.oldest, self.head + 1)

    async def fetch(self, matcher: Matcher, after: int, limit: PageLimit) -> Page:
        await self._ask("fetch")
        page = self._seen(await self.log.fetch(matcher, after, limit))
        self.oldest = min(self.log.oldest, self.head + 1)
        await _a_turn()
        return page

    def latest(self, matcher: Matcher, after: int, until: int, limit: PageLimit) -> Page | None:
        return None

    async def fetch_latest(self, matcher: Matcher, after: int, until: int, limit: PageLimit) -> Page:
        await self._ask("fetch_latest")
        page = self.log.latest(matcher, after, until, limit)
        self.oldest = min(self.log.oldest, self.head + 1)
        await _a_turn()
        return page

    async def find_last(self, matcher: Matcher, count: int) -> int:
        await self._ask("find_last")
        return min(await self.log.find_last(matcher, count), self.head)

    async def find_since(self, ts: int) -> int:
        await self._ask("find_since")
        return min(await self.log.find_since(ts), self.head)

    # ---- state

    async def get(self, key: str) -> Stored | None:
        return await self.log.get(key)

    async def scan(self, prefix: str) -> list[tuple[str, Stored]]:
        return await self.log.scan(prefix)

    async def transact(self, puts: Sequence[Put], appends: Sequence[Draft] = ()) -> int:
        if any(draft.key is not None for draft in appends):
            raise ValueError("expected drafts without a key")
        revision = await self.log.transact(puts)
        for draft in appends:
            self.append(draft)
        while self._coming:
            await _a_turn()
        return revision


def _ignore(entry: Entry) -> None:
    """The listener until there is one."""


def _ignore_place(upto: int) -> None:
    """Nobody is told what was evicted."""


def _ignore_end() -> None:
    """Nobody waits for it."""


def _away() -> SwarmwireError:
    return SwarmwireError(ErrorCode.UNAVAILABLE, "The log is away.", retry_after_ms=500)


EngineClass: TypeAlias = type[MemoryEngine] | type[RemoteEngine]


class _ATurn:
    def __await__(self) -> Generator[None, None, None]:
        yield


async def _a_turn() -> None:
    await _ATurn()


class Client:
    """One connection, from the client's end. Everything said is followed by turns of the loop, unless `later`."""

    def __init__(self, world: World, peer: Peer) -> None:
        self.world = world
        self.sink = FakeSink(world.hub.limits.outbox_bytes)
        self.sink.session = self.session = world.hub.connect(self.sink, peer)
        self._read = 0

    @property
    def closed(self) -> int | None:
        """The code the connection was closed with, if it was."""
        return self.sink.closed[0] if self.sink.closed else None

    # ---- speaking

    def post(self, message: Message | bytes) -> None:
        """Say something; the loop does not turn."""
        raw = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
        self.session.receive(raw)

    def say(self, message: Message | bytes | None = None, /, **fields: Any) -> list[Message]:
        """Say something and let the loop come to rest: what came since the last look."""
        self.post(fields if message is None else message)
        self.world.clock.settle()
        return self.take()

    def hello(self, *, instance: str | None = None, **fields: Any) -> list[Message]:
        info = {"name": "test", **({"instance": instance} if instance else {})}
        return self.say({"type": "hello", "versions": ["1"], "client": info, **fields})

    def subscribe(self, *wanted: Message | str, id: str | int = "s") -> list[Message]:
        items = [{"pattern": one} if isinstance(one, str) else one for one in wanted]
        return self.say({"type": "subscribe", "id": id, "subscriptions": items})

    def publish(self, topic: str, data: Any = None, **fields: Any) -> list[Message]:
        return self.say({"type": "publish", "topic": topic, "data": data, **fields})

    # ---- listening

    def take(self) -> list[Message]:
        """What came since the last look."""
        new = self.sink.received[self._read :]
        self._read = len(self.sink.received)
        return new

    def took(self, kind: str) -> list[Message]:
        """The messages of one type that came since the last look."""
        return [message for message in self.take() if message["type"] == kind]

    def ever(self, kind: str) -> list[Message]:
        """The messages of one type that came at all."""
        return [message for message in self.sink.received if message["type"] == kind]


class World:
    """A hub with a memory engine, its clock, and the events its log was ever given."""

    def __init__(
        self,
        limits: Limits | None = None,
        rates: Rates | None = None,
        authenticator: Authenticator | None = None,
        engine_class: EngineClass = MemoryEngine,
    ) -> None:
        self.clock = FakeClock()
        limits = limits or Limits()
        self.engine = engine_class(
            now_ms=self.clock.now_ms,
            steady_ms=self.clock.steady_ms,
            log_events=limits.log_events,
            log_bytes=limits.log_bytes,
            log_age_ms=limits.log_age_ms,
            latest_topics=limits.latest_topics,
            latest_bytes=limits.latest_bytes,
            dedupe_ms=limits.dedupe_ms,
            dedupe_keys=limits.dedupe_keys,
            dedupe_keys_per_subject=limits.dedupe_keys_per_subject,
        )
        self.hub = Hub(self.engine, self.clock, limits=limits, rates=rates, authenticator=authenticator)
        self.log: list[Entry] = []
        log: MemoryEngine | RemoteEngine = self.engine
        if isinstance(log, RemoteEngine):
            log.clock = self.clock
            log = log.log
        deliver = log.listener

        def note(entry: Entry) -> None:
            self.log.append(entry)
            deliver(entry)

        log.listener = note

    def connect(self, *, address: str = "10.0.0.1", subject: str | None = None, token: str | None = None) -> Client:
        """A client that has not said anything."""
        return Client(self, Peer(transport="test", address=address, subject=subject, token=token))

    def client(self, *, instance: str | None = None, **fields: Any) -> Client:
        """A client that was welcomed."""
        client = self.connect()
        answer = client.hello(instance=instance, **fields)
        assert [message["type"] for message in answer] == ["welcome"], answer
        return client

    def cursor(self, seq: int) -> str:
        return f"{self.engine.epoch}:{seq}"

    def is_clean(self) -> bool:
        """Whether nothing is left of any client."""
        delivery = self.hub.delivery
        return (
            not self.hub.sessions
            and not any(self.hub.states.values())
            and delivery.router.is_empty
            and not delivery.outboxes
        )
