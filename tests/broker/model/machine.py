"""Everything that clients, operators, sockets and time can do, in any order, to a broker that a model watches."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from swarmwire_broker.core.settings import Limits

from .ledger import Expected
from .model import Message, Refusal, fits
from .world import GRANTS, INSTANCES, Client, Kind, World, permissions

__all__ = ["Machine"]

_MOST_CLIENTS = 4

TOPICS = ["a", "b", "a.b", "a.a", "b.b", "a.a.b", "a.b.a"]
PATTERNS = ["#", "*", "a", "b", "a.*", "a.#", "*.b", "#.b", "a.#.b", "#.a.#", "a.b", "b.#", "$sys.#"]
NAMES = ["x", "y", "z"]
GRANTED = [*["all"] * 6, "a", "a", "b", "b", "one", "none"]
TOKENS = [f"{subject}:{grant}" for subject in ("ann", "bob") for grant in GRANTED]

EXTRAS: dict[str, Message] = {
    "hidden": {"echo": False},
    "clear": {"clear": True},
    "ephemeral": {"ephemeral": True},
    "headers": {"headers": {"h": "v"}},
    "key 1": {"key": "1"},
    "key 2": {"key": "2"},
    "key 3": {"key": "3"},
    "key 1, hidden, cleared": {"key": "1", "echo": False, "clear": True},
    "ephemeral with a key": {"ephemeral": True, "key": "1"},
    "ephemeral and cleared": {"ephemeral": True, "clear": True},
    "empty key": {"key": ""},
    "long key": {"key": "k" * 257},
    "many headers": {"headers": {str(n): "" for n in range(33)}},
}

MALFORMED: list[tuple[bytes, Refusal]] = [
    (b"nonsense", Refusal("INVALID_MESSAGE")),
    (b"[]", Refusal("INVALID_MESSAGE")),
    (b'{"type":"publish","topic":"a"}', Refusal("INVALID_MESSAGE", "data")),
    (b'{"type":"publish","topic":"a","data":1,"from":"bob"}', Refusal("INVALID_MESSAGE", "from")),
    (b'{"type":"publish","topic":1,"data":1}', Refusal("INVALID_MESSAGE", "topic")),
    (b'{"type":"conquer"}', Refusal("INVALID_MESSAGE", "type")),
    (b'{"type":"subscribe","subscriptions":[]}', Refusal("INVALID_MESSAGE", "id")),
    (b'{"type":"hello","versions":["1"],"client":{"name":"again"}}', Refusal("CONFLICT")),
]
"""What is no message, without an id: answered by an error without one."""

WRONG_REQUESTS: list[tuple[Message, Refusal]] = [
    ({"type": "subscribe", "subscriptions": []}, Refusal("INVALID_MESSAGE", "subscriptions")),
    ({"type": "unsubscribe", "subs": []}, Refusal("INVALID_MESSAGE", "subs")),
    ({"type": "unsubscribe", "subs": "x"}, Refusal("INVALID_MESSAGE", "subs")),
    ({"type": "publish", "topic": "a"}, Refusal("INVALID_MESSAGE", "data")),
    ({"type": "publish", "topic": "a", "data": 1, "client_id": "1"}, Refusal("INVALID_MESSAGE", "client_id")),
    ({"type": "call", "method": "a"}, Refusal("METHOD_NOT_FOUND", "method")),
]

_who = st.integers(0, _MOST_CLIENTS - 1)
_few = st.integers(0, 6)
_topic = st.sampled_from(TOPICS)
_odd_topic = st.sampled_from(["", "a..b", "*", "a.#", "$sys.client.connected"])
_start = st.one_of(
    st.sampled_from(["now", "now", "start", "latest", "latest"]),
    st.tuples(st.sampled_from(["cursor", "last", "since_ms", "last", "since_ms", "ahead", "other"]), _few),
)
_mode = st.sampled_from(["all", "all", "all", "disconnect", "drop_oldest", "drop_oldest"]) | st.sampled_from(
    [0, 5, 80]
).map(lambda tick: {"conflate_ms": tick})
_wanted = st.fixed_dictionaries(
    {
        "pattern": st.sampled_from([*["#"] * 6, "a.#", "a.#", *PATTERNS]),
        "sub": st.sampled_from(NAMES),
        "from": _start,
        "mode": _mode,
    },
    optional={"queue_size": st.integers(0, 4)},
)
_wrong_wanted = st.sampled_from(
    [
        {"pattern": "a..b"},
        {"pattern": "a", "sub": ""},
        {"pattern": "a", "sub": "n" * 513},
        {"pattern": "a", "mode": "sometimes"},
        {"pattern": "a", "from": "yesterday"},
        {"pattern": "a", "from": {}},
        {"pattern": "a", "from": {"last": 1, "since_ms": 1}},
        {"pattern": "a", "from": {"cursor": "nowhere"}},
        {"pattern": "a", "queue_size": 100_001},
    ]
)


class Machine(RuleBasedStateMachine):
    """Plays against one broker whose limits are so small that each of them is met."""

    kind: Kind

    def __init__(self) -> None:
        super().__init__()
        self.world: World | None = None
        self.is_sound = False
        self.is_at_rest = False

    @classmethod
    def of(cls, kind: Kind) -> type[Machine]:
        """The machine for one kind of engine."""
        return type(f"{kind.name.strip('_')}Machine", (cls,), {"kind": kind})

    @initialize(
        log_events=st.sampled_from([0, 3, 8, 1_000]),
        log_age_ms=st.sampled_from([None, None, 300]),
        latest_topics=st.sampled_from([0, 2, 100]),
        total=st.sampled_from([None, 2_000]),
        max_replays=st.sampled_from([1, 2]),
        logins=st.lists(st.sampled_from(TOKENS), min_size=1, max_size=2),
        history=st.lists(_topic, min_size=2, max_size=12),
        asked=st.lists(_wanted, min_size=3, max_size=6),
    )
    def start(
        self,
        log_events: int,
        log_age_ms: int | None,
        latest_topics: int,
        total: int | None,
        max_replays: int,
        logins: list[str],
        history: list[str],
        asked: list[Message],
    ) -> None:
        limits = Limits(
            log_events=log_events,
            log_age_ms=log_age_ms,
            latest_topics=latest_topics,
            outbox_bytes=800,
            outbox_total_bytes=total,
            control_messages=6,
            page_bytes=300,
            page_scan=7,
            max_replays=max_replays,
            max_subscriptions=3,
            queue_size=3,
            heartbeat_ms=400,
            auth_timeout_ms=1_000,
            dedupe_ms=300,
            dedupe_keys=4,
            dedupe_keys_per_subject=3,
            router_cache_topics=3,
        )
        self.world = World(self.kind, limits)
        for number, token in enumerate(["ann:all", *logins]):
            self._greet(self.world.connect(INSTANCES[number % 2]), token)
        self.world.clock.settle()
        for topic in history:
            self.world.publish(self.world.clients[0], topic)
        self.world.clock.settle()
        for number, wanted in enumerate(asked):
            self._subscribe(number, [wanted])
            self.world.clock.settle()

    # ---- who is meant

    @property
    def here(self) -> World:
        assert self.world is not None
        self.is_at_rest = False
        return self.world

    def _pick(self, who: int, wanted: str = "may_speak") -> Client | None:
        """The client that a number means, of those that can do what the rule needs."""
        clients = [one for one in self.here.clients if getattr(one, wanted)]
        return clients[who % len(clients)] if clients else None

    def _greet(self, client: Client, token: str) -> None:
        client.token = token
        hello: Message = {
            "type": "hello",
            "versions": ["0.9"] if token == "old" else ["1", "7"],
            "client": {"name": "model", "instance": client.instance},
            "token": token,
        }
        client.post(hello)

    # ---- coming and going

    @rule(instance=st.sampled_from(INSTANCES), token=st.sampled_from(["", "bad", "old", *TOKENS]))
    def connect(self, instance: str, token: str) -> None:
        if len(self.here.clients) < _MOST_CLIENTS:
            client = self.here.connect(instance)
            if token:
                self._greet(client, token)

    @rule(who=_who, count=st.sampled_from([1, 3, 16]), token=st.sampled_from(["", *TOKENS]))
    def speak_before_the_hello(self, who: int, count: int, token: str) -> None:
        strangers = [one for one in self.here.clients if one.is_open and one.token is None]
        if not strangers:
            return
        client = strangers[who % len(strangers)]
        for _ in range(count):
            client.strange += 1
            if client.is_open:
                client.ledger.expected["1"] = Expected(type="error", code="NOT_AUTHENTICATED", field="type")
                client.post({"type": "publish", "id": 1, "topic": "a", "data": 1})
                self.here.clock.settle()
        if token and client.is_open:
            self._greet(client, token)

    @rule(who=_who, how=st.sampled_from(["is cut", "says bye", "is removed"]))
    def leave(self, who: int, how: str) -> None:
        if how == "is cut" and self.here.clients:
            self.here.lose(self.here.clients[who % len(self.here.clients)])
        elif how == "is removed" and (client := self._pick(who, "is_welcome")):
            client.was_removed = True
            self.here.hub.disconnect(client.session.client_id)
        elif client := self._pick(who):
            client.said_bye = True
            client.post({"type": "bye", "code": 1000})

    @rule(who=_who, token=st.sampled_from(["all", "all", "a", "one"]))
    def reconnect(self, who: int, token: str) -> None:
        """The connection is cut; the client comes again and asks for what it has not read."""
        world, client = self.here, self._pick(who, "is_welcome")
        if client is None:
            return
        known = client.resumable()
        world.lose(client)
        client = world.connect(client.instance)
        self._greet(client, f"ann:{token}")
        world.clock.settle()
        if client.may_speak and known:
            world.subscribe(client, [self._again(*one) for one in known.values()])

    def _again(self, wanted: Message, cursor: int | None) -> Message:
        start = "latest" if cursor is None else {"cursor": f"{self.here.engine.epoch}:{cursor}"}
        return {**wanted, "from": start}

    # ---- publishing

    @rule(who=_who, topic=_topic | _topic | _odd_topic, named=st.booleans(), how=st.sampled_from(["", "", *EXTRAS]))
    def publish(self, who: int, topic: str, named: bool, how: str) -> None:
        if client := self._pick(who):
            self.here.publish(client, topic, named=named, **EXTRAS.get(how, {}))

    @rule(
        who=_who,
        topics=st.lists(_topic, min_size=2, max_size=12),
        pad=st.sampled_from([0, 40, 300]),
        how=st.sampled_from([{}, {}, {"echo": False}]),
    )
    def publish_many(self, who: int, topics: list[str], pad: int, how: Message) -> None:
        """A burst; what is said while the broker does not read this client waits for its turn."""
        if client := self._pick(who, "is_welcome"):
            self.publish_all(client, topics, pad, **how)

    @rule(
        who=_who,
        reader=_who,
        topics=st.lists(_topic, min_size=3, max_size=8),
        rounds=st.integers(1, 4),
        take=st.none() | st.integers(1, 900),
    )
    def flood(self, who: int, reader: int, topics: list[str], rounds: int, take: int | None) -> None:
        """More than one reader takes, over a few turns of the loop, and then it takes some of it."""
        client, slow = self._pick(who), self._pick(reader, "is_welcome")
        if client is None or slow is None:
            return
        slow.sink.stall()
        for _ in range(rounds):
            self.publish_all(client, topics, pad=60)
            self.here.clock.turn()
        slow.sink.drain(take)

    def publish_all(self, client: Client, topics: list[str], pad: int, **how: Any) -> None:
        """Publish on one topic after the other, without waiting for an answer."""
        for topic in topics:
            if client.is_welcome:
                self.here.publish(client, topic, pad=pad, named=False, **how)

    @rule(
        who=_who,
        topic=st.sampled_from(["a", "b"]),
        key=st.sampled_from("123"),
        pause=st.sampled_from([0, 0.001, 0.2, 0.35]),
        again=_who,
    )
    def publish_once(self, who: int, topic: str, key: str, pause: float, again: int) -> None:
        """The same key twice, by one client or by two, at once or after a while."""
        for one in (who, again):
            if client := self._pick(one):
                self.here.publish(client, topic, key=key)
            self.here.wait(pause)

    # ---- subscribing

    @rule(who=_who, items=st.lists(_wanted | _wanted | _wanted | _wrong_wanted, min_size=1, max_size=3))
    def subscribe(self, who: int, items: list[Message]) -> None:
        self._subscribe(who, items)

    def _subscribe(self, who: int, items: list[Message]) -> None:
        if client := self._pick(who):
            self.here.subscribe(client, [self._placed(one) for one in items])

    def _placed(self, one: Message) -> Message:
        start = one.get("from")
        return {**one, "from": self._start(*start)} if isinstance(start, tuple) else one

    def _start(self, kind: str, number: int) -> Message:
        world = self.here
        match kind:
            case "cursor":
                return {"cursor": f"{world.engine.epoch}:{max(0, world.model.head - number)}"}
            case "ahead":
                return {"cursor": f"{world.engine.epoch}:{world.model.head + number + 1}"}
            case "other":
                return {"cursor": f"another:{number}"}
            case "since_ms":
                return {"since_ms": world.clock.now_ms() - number * 20}
        return {"last": number}

    @rule(who=_who, names=st.lists(st.sampled_from([*NAMES, "nothing"]), min_size=1, max_size=3))
    def unsubscribe(self, who: int, names: list[str]) -> None:
        if client := self._pick(who):
            self.here.unsubscribe(client, names)

    # ---- other messages

    @rule(who=_who, token=st.sampled_from(["bad", *TOKENS]))
    def renew(self, who: int, token: str) -> None:
        if client := self._pick(who):
            self.here.renew(client, token)

    @rule(who=_who, ts=st.none() | _few)
    def ping(self, who: int, ts: int | None) -> None:
        if client := self._pick(who):
            client.ledger.pongs.append(ts)
            client.post({"type": "ping"} if ts is None else {"type": "ping", "ts": ts})

    @rule(who=_who, which=st.sampled_from([*MALFORMED, *WRONG_REQUESTS]))
    def babble(self, who: int, which: tuple[bytes | Message, Refusal]) -> None:
        """Say what is no message, or no request, and once in a while call what nobody serves."""
        client = self._pick(who)
        if client is None:
            return
        message, refusal = which
        if isinstance(message, bytes):
            client.ledger.nameless.append(refusal)
            client.post(message)
        elif message["type"] == "call" and not (client.grant and client.grant.call):
            self._ask(client, message, Refusal("PERMISSION_DENIED", "method"))
        else:
            self._ask(client, message, refusal)

    def _ask(self, client: Client, message: Message, refusal: Refusal) -> None:
        request_id = f"n{self.here.number()}"
        client.ledger.expected[repr(request_id)] = Expected(type="error", code=refusal.code, field=refusal.field)
        client.post({**message, "id": request_id})

    # ---- the operator

    @rule(subject=st.sampled_from(["ann", "bob"]), name=st.sampled_from(GRANTED))
    def permit(self, subject: str, name: str) -> None:
        """The permissions of a subject are changed over its head."""
        world, grant = self.here, GRANTS[name]
        mine = [one for one in world.clients if one.is_open and one.subject == subject]
        if not all(one.may_speak for one in mine):
            return
        for client in mine:
            world.allow(client, grant)
        world.hub.permit(subject, permissions(grant))

    # ---- sockets and time

    @rule(who=_who)
    def stall(self, who: int) -> None:
        if client := self._pick(who, "is_open"):
            client.sink.stall()

    @rule(who=_who, size=st.none() | st.integers(50, 1_500))
    def drain(self, who: int, size: int | None) -> None:
        if client := self._pick(who, "is_open"):
            if client.sink.buffered() > 0:
                client.alive = self.here.clock.now
            client.sink.drain(size)

    @rule(count=st.sampled_from([1, 1, 2, 100]))
    def turn(self, count: int) -> None:
        """The loop turns a few times, or comes to rest, with whatever sockets are full."""
        for _ in range(count):
            if not self.here.clock.turn():
                return

    @rule(seconds=st.sampled_from([0.001, 0.01, 0.06, 0.1, 0.35, 1.2]), attentive=st.sampled_from([True, True, False]))
    def wait(self, seconds: float, attentive: bool) -> None:
        """Time passes; whoever is not attentive says nothing meanwhile."""
        if attentive:
            for client in self.here.clients:
                if client.may_speak:
                    client.post(b'{"type":"pong"}')
        self.here.wait(seconds)

    @rule(seconds=st.sampled_from([0.005, 0.05, 0.05, 0.08]))
    def tick(self, seconds: float) -> None:
        self.here.tick(seconds)

    @precondition(lambda self: not self.kind.at_once)
    @rule(what=st.sampled_from(["is late", "is prompt", "dies"]))
    def engine(self, what: str) -> None:
        """The engine is slow to tell what it has stored, or the process is killed and starts again."""
        if what == "dies":
            self.here.crash()
        else:
            self.here.disk.delay(what == "is late")

    @rule()
    def rest(self) -> None:
        """All read what they can, and have all that they are owed."""
        self.here.rest()
        self.is_at_rest = True

    @precondition(lambda self: self.is_at_rest)
    @rule(who=_who, topic=_topic, hidden=st.booleans())
    def tell_at_rest(self, who: int, topic: str, hidden: bool) -> None:
        """While nobody is behind, an ephemeral event reaches everyone it is for."""
        world, client = self.here, self._pick(who)
        if client is None or not (client.grant and client.grant.may_publish(topic)):
            return
        world.publish(client, topic, named=False, ephemeral=True, echo=not hidden)
        serial = max(world.ephemerals)
        world.wait(0.1)
        for other in world.clients:
            if other.is_welcome and not (hidden and other.instance == client.instance):
                _check_told(other, serial, topic)

    # ---- what holds after each step

    @invariant()
    def everything_is_as_the_model_says(self) -> None:
        if self.world is not None:
            self.is_sound = False
            self.world.check()
            self.is_sound = True

    def teardown(self) -> None:
        if self.world is None:
            return
        try:
            if self.is_sound:
                self.world.rest()
                self.world.check()
                self.world.check_end()
        finally:
            self.world.close()


def _check_told(client: Client, serial: int, topic: str) -> None:
    ledger = client.ledger
    subs = [(name, sub) for name, sub in ledger.subs.items() if sub.live and fits(sub.pattern, topic)]
    wanted: set[Any] = {None if sub.is_shared else name for name, sub in subs}
    got = {name for one, name in ledger.seen if one == serial}
    assert got == wanted, f"the ephemeral event {serial} on {topic} reached {got}, not {wanted}"
