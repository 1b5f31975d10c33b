"""A broker beside its model: whatever is said to the one is said to the other, and what comes out is compared."""

from __future__ import annotations

import inspect
import json
import warnings
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from swarmwire_broker.core.hub import Hub
from swarmwire_broker.core.ports import Peer, Verified
from swarmwire_broker.core.settings import Limits, Rates
from swarmwire_broker.engines.base import Engine, Entry
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions

from ..core.fakes import FakeClock, FakeSink, _Work
from .ledger import CLOSES, Begun, Expected, Ledger, Resumable
from .model import Grant, Message, Model, Written

__all__ = ["GRANTS", "INSTANCES", "Client", "Disk", "Kind", "World", "forget", "permissions"]

GRANTS = {
    "all": Grant(("#",), ("#",), call=True, admin=True),
    "a": Grant(("a.#", "b"), ("a.#", "b")),
    "b": Grant(("#",), ("*.b", "b", "a.*")),
    "one": Grant(("a",), ("a",)),
    "none": Grant((), ()),
}
"""What the second half of a token grants; the first is the subject."""

INSTANCES = ("i" * 32, "j" * 32)


def permissions(grant: Grant) -> Permissions:
    """A grant as a token states it."""
    return Permissions(
        publish=[*grant.publish],
        subscribe=[*grant.subscribe],
        call=["#"] if grant.call else [],
        admin=grant.admin,
    )


class Disk:
    """Where the engine of one world lives, and the clock that goes with it."""

    clock: FakeClock

    def open(self) -> Engine:
        raise NotImplementedError

    def delay(self, is_late: bool) -> None:
        """From now on the engine is slow to say what it has stored; or no longer is."""

    def crash(self) -> tuple[Engine, list[int]]:
        """The process dies and another begins: the engine, and the publishes that it stored and never told of."""
        raise NotImplementedError

    def events(self, after: int) -> list[Entry]:
        """What the log holds after a place."""
        raise NotImplementedError

    def close(self) -> None:
        """The game is over."""


_NOTICE = 400
"""More bytes than a gap has."""


class Kind(NamedTuple):
    """An engine under test.

    `at_once`: an append is visible before it returns, the log holds no more than its limits, and nothing survives.
    """

    name: str
    disk: Callable[[Limits], Disk]
    at_once: bool = True
    hub: type[Hub] = Hub


class _Draft(NamedTuple):
    """A publish that must become an event."""

    message: Message
    hidden_from: str | None
    since: int


class _Socket(FakeSink):
    """A socket that shows each write to the ledger."""

    def __init__(self, outbox_bytes: int, ledger: Ledger, wrong: list[str]) -> None:
        super().__init__(outbox_bytes)
        self._ledger = ledger
        self._wrong = wrong

    def write(self, block: list[bytes]) -> None:
        if self.closed is not None:
            return
        messages = [json.loads(payload) for payload in block]
        # A replay may say what it has lost and write its first page in one step.
        if (
            self._paused
            and self.buffered() > self._high + _NOTICE
            and any(one["type"] in ("event", "gap", "live", "position") for one in messages)
        ):
            self._wrong.append("events were written to a socket that is full")
        self._ledger.block(messages)
        super().write(block)

    def stall(self) -> None:
        super().stall()
        self._ledger.was_stalled = True


class Client:
    """One connection and all that the model knows of it.

    Attributes:
        grant: what it may do, once it is welcome.
        queue: serial numbers of its publishes that are not visible yet, in order.
        strange: messages it sent before its hello.
    """

    def __init__(self, world: World, number: int, instance: str) -> None:
        self.world = world
        self.number = number
        self.instance = instance
        self.ledger = Ledger(
            world.model,
            instance,
            outbox_bytes=world.limits.outbox_bytes,
            oldest=lambda: world.engine.oldest,
            wrong=world.wrong,
        )
        self.ledger.ephemerals = world.ephemerals
        self.sink = _Socket(world.limits.outbox_bytes, self.ledger, world.wrong)
        self.sink.session = self.session = world.hub.connect(self.sink, Peer(transport="test", address=str(number)))
        self.token: str | None = None
        self.subject = ""
        self.grant: Grant | None = None
        self.next_grant: Grant | None = None
        self.queue: deque[int] = deque()
        self.strange = 0
        self.born = self.alive = world.clock.now
        self.said_bye = self.was_removed = False
        self.is_ahead = False
        """It has published while its messages had to wait; what became of that is not known at once."""

    @property
    def is_open(self) -> bool:
        return self.sink.closed is None

    @property
    def is_welcome(self) -> bool:
        return self.is_open and self.grant is not None

    @property
    def may_speak(self) -> bool:
        """Whether what it says is decided at once."""
        return self.is_welcome and self.sink.is_reading

    def post(self, message: Message | bytes) -> None:
        raw = message if isinstance(message, bytes) else json.dumps(message, ensure_ascii=False).encode()
        self.alive = self.world.clock.now
        self.session.receive(raw)

    def resumable(self) -> dict[str, Resumable]:
        """What it would ask for on its next connection, after what it has read."""
        read = len(self.sink.received)
        return self.ledger.known[read - 1] if read else {}


class World:
    """One broker, its clients, and the model that both are held to."""

    def __init__(self, kind: Kind, limits: Limits) -> None:
        self.kind = kind
        self.limits = limits
        self.disk = kind.disk(limits)
        self.clock = self.disk.clock
        self.wrong: list[str] = []
        self.ephemerals: dict[int, tuple[Message, str | None]] = {}
        self.model = Model(
            events=limits.log_events or 0,
            age_ms=limits.log_age_ms,
            topics=limits.latest_topics,
            dedupe_ms=limits.dedupe_ms,
            keys=limits.dedupe_keys,
            keys_per_scope=limits.dedupe_keys_per_subject,
        )
        self.clients: list[Client] = []
        self._at: dict[str, Client] = {}
        self._serial = 0
        self._numbers = 0
        self._oldest = 1
        self._epoch = ""
        self._drafts: dict[int, tuple[Client, _Draft]] = {}
        self._begin(self.disk.open())

    def _begin(self, engine: Engine) -> None:
        """Start the broker."""
        self.engine = engine
        self.hub = self.kind.hub(
            self.engine,
            self.clock,
            limits=self.limits,
            rates=Rates(failed_logins=None),
            authenticator=self._authenticate,
        )
        deliver = self.engine.listener

        def witness(entry: Entry) -> None:
            self.witness(entry)
            deliver(entry)

        self.engine.listener = witness
        self.hub.on("subscribe", self._begun)
        self.hub.on("unsubscribe", self._ended)
        self._epoch = engine.epoch
        self._accepted = self._repeated = self._told = 0
        self._connected = 0
        self._counts = True

    def number(self) -> int:
        self._numbers += 1
        return self._numbers

    # ---- what the broker decides

    def _client(self, client_id: str) -> Client:
        return next(one for one in self.clients if one.session.client_id == client_id)

    def _begun(self, facts: Mapping[str, Any]) -> None:
        begun = Begun(facts["pattern"], self.model.head, self.engine.oldest, self.model.table())
        self._client(facts["client_id"]).ledger.begin(facts["sub"], begun)

    def _ended(self, facts: Mapping[str, Any]) -> None:
        self._client(facts["client_id"]).ledger.end(facts["sub"])

    async def _authenticate(self, token: str | None, metadata: dict[str, Any], peer: Peer) -> Verified:
        client = self._at[peer.address]
        subject, _, name = (token or "").partition(":")
        if name not in GRANTS:
            raise SwarmwireError(ErrorCode.AUTHENTICATION_FAILED)
        grant = GRANTS[name]
        if not client.subject:
            client.subject = subject
            cursor = f"{self.engine.epoch}:{self.model.head}"
            client.ledger.welcome = {"version": "1", "cursor": cursor, "durability": self.engine.durability}
        if client.is_open and client.subject == subject:
            self.allow(client, grant)
        return Verified(subject=subject, permissions=permissions(grant))

    def allow(self, client: Client, grant: Grant) -> None:
        """From now on this is what a client may do."""
        client.grant = grant
        client.ledger.narrow(grant.may_subscribe, self._serial)

    def witness(self, entry: Entry) -> None:
        """An event becomes visible: it must be the next of its publisher, and what was published."""
        message = json.loads(entry.payload)
        client, draft = self._drafts.pop(message["data"][0], (None, None))
        seq, now = self.model.head + 1, self.clock.now_ms()
        if client is None or draft is None or not client.queue or client.queue[0] != message["data"][0]:
            self.wrong.append(f"it became visible twice, or before its turn: {message}")
        else:
            client.queue.popleft()
            since = now if self.kind.at_once and client.sink.is_reading else draft.since
            if not since <= entry.ts <= now or message != {**draft.message, "seq": seq, "ts": entry.ts}:
                self.wrong.append(f"expected {draft.message} as {seq} at {since}: {message}")
            if (entry.seq, entry.hidden_from) != (seq, draft.hidden_from):
                self.wrong.append(f"expected it to be hidden from {draft.hidden_from}: {entry}")
        clear = bool(message.get("clear"))
        self.model.serials[message["data"][0]] = seq
        self.model.log.append(
            Written(seq, entry.ts, message["topic"], message, entry.hidden_from, clear, len(entry.payload))
        )

    # ---- connections

    def connect(self, instance: str) -> Client:
        client = Client(self, self.number(), instance)
        self.clients.append(client)
        self._at[str(client.number)] = client
        self._connected += 1
        return client

    def lose(self, client: Client) -> None:
        """The transport tells that a connection is gone."""
        if client.is_ahead:
            self._counts = False
        client.session.lost()
        self.clients.remove(client)
        self._told += client.ledger.events

    def crash(self) -> None:
        """The broker dies and starts again: the connections are gone, and so is what was not stored."""
        self.clients.clear()
        engine, stored = self.disk.crash()
        epoch, self._epoch = self._epoch, engine.epoch
        assert epoch == self._epoch, "the log is another one"
        found = {entry.seq: entry for entry in self.disk.events(self.model.head)}
        assert engine.head == self.model.head + len(stored), "what is stored is not what was acknowledged"
        for serial in stored:
            self._find(serial, found.get(self.model.head + 1))
        self._drafts.clear()
        self.model.forget_unwritten()
        self._begin(engine)

    def _find(self, serial: int, entry: Entry | None) -> None:
        """An event was stored, and nobody had been told."""
        client, draft = self._drafts[serial]
        seq = self.model.head + 1
        if entry is None:  # retention has taken it already
            payload = json.dumps({**draft.message, "seq": seq, "ts": draft.since}).encode()
            entry = Entry(seq, draft.since, draft.message["topic"], payload, draft.hidden_from)
        client.queue = deque([serial])
        self.witness(entry)

    # ---- publishing

    def publish(self, client: Client, topic: str, *, pad: int = 0, named: bool = True, **extra: Any) -> None:
        """Let a client publish, and predict what becomes of it."""
        self._serial += 1
        serial, grant = self._serial, client.next_grant or client.grant
        assert grant is not None
        client.is_ahead |= not client.may_speak
        message = {"type": "publish", "topic": topic, "data": [serial, "x" * pad], **extra}
        expected = self._decide(client, grant, message, serial)
        if named:
            message["id"] = self.number()
            client.ledger.expected[repr(message["id"])] = expected
        elif expected.fields["type"] == "error":
            client.ledger.nameless.append(_refusal(expected))
        client.post(message)

    def _decide(self, client: Client, grant: Grant, message: Message, serial: int) -> Expected:
        refusal = self.model.refuse_publish(grant, message)
        if refusal is not None:
            return Expected(type="error", code=refusal.code, field=refusal.field)
        self._accepted += 1
        key, now = message.get("key"), self.clock.now_ms()
        event = _as_event(message, client.subject)
        hidden_from = None if message.get("echo", True) else client.instance
        if message.get("ephemeral"):
            self.ephemerals[serial] = ({**event, "ts": now}, hidden_from)
            return Expected(type="ack", seq=None, duplicate=None)
        if key is not None:
            steady = self.clock.steady_ms()
            known = self.model.known(client.subject, message["topic"], key, steady)
            if known is not None:
                self._repeated += 1
                return Expected(type="ack", serial=known, duplicate=True)
            if not self.model.has_room(client.subject, steady):
                return Expected(type="error", code="UNAVAILABLE", field="key")
            self.model.remember(client.subject, message["topic"], key, serial, steady)
        self._drafts[serial] = (client, _Draft(event, hidden_from, now))
        client.queue.append(serial)
        return Expected(type="ack", serial=serial, duplicate=None)

    # ---- subscribing

    def subscribe(self, client: Client, wanted: list[Message]) -> None:
        assert client.grant is not None
        most = self.limits.max_subscriptions or 0
        verdicts = self.model.refuse_subscriptions(client.grant, wanted, client.ledger.decided, most)
        request_id = self.number()
        if all(verdicts):
            first = verdicts[0]
            assert first is not None
            expected = Expected(type="error", code=first.code, field=first.field)
        else:
            expected = Expected(type="ack", wanted=wanted)
        expected.verdicts = verdicts
        expected.asked = (self.model.head, self.engine.oldest)
        client.ledger.expected[repr(request_id)] = expected
        client.post({"type": "subscribe", "id": request_id, "subscriptions": wanted})

    def unsubscribe(self, client: Client, names: list[str]) -> None:
        request_id = self.number()
        known = [name for name in names if name in client.ledger.decided]
        refused = Expected(type="error", code="NOT_FOUND", field="subs[0]")
        client.ledger.expected[repr(request_id)] = Expected(type="ack", subs=known) if known else refused
        client.post({"type": "unsubscribe", "id": request_id, "subs": names})

    def renew(self, client: Client, token: str) -> None:
        request_id = self.number()
        subject, _, name = token.partition(":")
        if name not in GRANTS:
            expected = Expected(type="error", code="AUTHENTICATION_FAILED", field=None)
        elif subject != client.subject:
            expected = Expected(type="error", code="PERMISSION_DENIED", field="token")
        else:
            expected = Expected(type="ack")
            client.next_grant = GRANTS[name]
        client.ledger.expected[repr(request_id)] = expected
        client.post({"type": "auth", "id": request_id, "token": token})

    # ---- checking

    def check(self) -> None:
        """What must be true after every step."""
        for client in self.clients:
            self._check_client(client)
        self._check_engine()
        self._check_hub()
        assert not self.wrong, self.wrong[0]
        assert self.clock.failures == []

    def _check_engine(self) -> None:
        oldest, predicted = self.engine.oldest, self.model.oldest(self.clock.now_ms())
        assert self.engine.head == self.model.head
        assert self._oldest <= oldest
        assert oldest <= predicted or self._drafts
        assert oldest == predicted or not self.kind.at_once
        self._oldest = oldest
        if self.kind.at_once:
            assert self.engine.latest_floor == self.model.table().floor

    def _check_hub(self) -> None:
        hub, stats = self.hub, self.hub.stats
        assert {*hub.sessions} == {client.session.client_id for client in self.clients}
        assert "INTERNAL_ERROR" not in stats.errors
        assert stats.connections_opened == self._connected
        assert stats.connections_opened - stats.connections_closed == len(self.clients)
        assert stats.deliveries == self._told + sum(client.ledger.events for client in self.clients)
        if self._counts and all(client.may_speak for client in self.clients):
            assert stats.publishes == self._accepted
            if self.kind.at_once:
                assert stats.duplicates == self._repeated
        if not any(client.ledger.decided for client in self.clients):
            assert hub.delivery.router.is_empty

    def _check_client(self, client: Client) -> None:
        outbox = client.session.outbox
        assert len(outbox.control) <= self.limits.control_messages + 4
        assert len(outbox.notices) <= 40
        if client.may_speak:
            client.next_grant, client.is_ahead = None, False
            assert not self.kind.at_once or not client.queue, "a publish was forgotten"
        if client.sink.closed is not None:
            self._check_close(client, client.sink.closed[0])

    def _check_close(self, client: Client, code: int) -> None:
        ledger = client.ledger
        assert ledger.bye == code or client.said_bye
        if ledger.last_error is not None and not client.said_bye:
            assert CLOSES[ledger.last_error] == code
        assert self._may_close(client, code), f"closed with {code}"

    def _may_close(self, client: Client, code: int) -> bool:
        silent = (self.clock.now - client.alive) * 1000
        match code:
            case 1000:
                return client.said_bye
            case 1008:
                return client.strange >= 16
            case 4401:
                return client.token == "bad"
            case 4402:
                return (self.clock.now - client.born) * 1000 >= self.limits.auth_timeout_ms - 1
            case 4403:
                return client.was_removed
            case 4406:
                return client.token == "old"
            case 4408:
                return client.ledger.was_stalled
            case 4409:
                return silent >= self.limits.heartbeat_ms - 1
        return False

    def wait(self, seconds: float) -> None:
        """Time passes. An engine that is late stops being so: how long it holds a key back is not promised."""
        self.disk.delay(False)
        self.clock.advance(seconds)

    def tick(self, seconds: float) -> None:
        """The loop turns once after a while: timers are due, and what they bring about is still on its way."""
        self.disk.delay(False)
        if not self.kind.at_once:
            self.clock.turn()
        self.clock.now += seconds
        self.clock.turn()

    def rest(self) -> None:
        """Every reader reads, time passes, and nothing is on its way any more."""
        for _ in range(3):
            for client in self.clients:
                client.sink.drain()
                if client.is_open:
                    client.alive = self.clock.now
                    client.post(b'{"type":"pong"}') if client.is_welcome else None
            self.wait(0.2)
        for client in self.clients:
            if client.is_welcome:
                lacks = client.ledger.check_rest(whole=True)
                assert not lacks, lacks[0]
                assert not client.queue, "a publish was forgotten"
                assert client.sink.is_reading

    def check_end(self) -> None:
        """When all are gone, nothing is left of them."""
        for client in list(self.clients):
            self.lose(client)
        self.clock.advance(1)
        self.check()
        delivery = self.hub.delivery
        assert not self.hub.sessions
        assert not any(self.hub.states.values())
        assert delivery.router.is_empty
        assert not delivery.outboxes
        assert not len(delivery.catchup)
        assert self.clock.timers == 0

    def close(self) -> None:
        """The game is over, however it went."""
        forget(self.clock)
        self.disk.close()


def forget(clock: FakeClock) -> None:
    """Whatever was to happen does not."""
    for call in [*clock._ready, *(call for _, _, call in clock._later)]:
        work = getattr(call.callback, "__self__", None)
        if isinstance(work, _Work):
            _discard(work._work)
    clock._ready.clear()
    clock._later.clear()


def _discard(work: Any) -> None:
    """End a coroutine, and those that were handed to it, without a word about what was never begun."""
    if inspect.iscoroutine(work) and inspect.getcoroutinestate(work) == inspect.CORO_CREATED:
        for part in inspect.getcoroutinelocals(work).values():
            if inspect.iscoroutine(part):
                part.close()
    with warnings.catch_warnings():
        # A compiled coroutine does not show what it holds, so that cannot be closed before.
        warnings.simplefilter("ignore", RuntimeWarning)
        work.close()


def _as_event(message: Message, subject: str) -> Message:
    """A publish as its event, but for `seq` and `ts`."""
    event = {"type": "event", "topic": message["topic"], "data": message["data"], "from": subject}
    if message.get("headers"):
        event["headers"] = message["headers"]
    if message.get("clear"):
        event["clear"] = True
    return event


def _refusal(expected: Expected) -> Any:
    return (expected.fields["code"], expected.fields["field"])
