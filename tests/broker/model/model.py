"""The contract in plain lists: what a broker must answer, keep and let through, slow and obviously right.

Nothing here uses the broker or the protocol package: patterns, permissions, keys and retention are said again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple, TypeAlias

__all__ = ["Grant", "Message", "Model", "Refusal", "Table", "Written", "covered", "fits"]

Message: TypeAlias = dict[str, Any]

_UNIVERSE = [".".join(parts) for depth in range(1, 5) for parts in product("abz", repeat=depth)]
"""Every topic that can tell two patterns of the machine apart: `z` stands for segments that no pattern names."""


@lru_cache(100_000)
def fits(pattern: str, topic: str) -> bool:
    """Whether a pattern matches a topic, by the words of its definition."""
    if topic.startswith("$") and pattern[0] in "*#":
        return False
    return _fits(tuple(pattern.split(".")), tuple(topic.split(".")))


def _fits(pattern: tuple[str, ...], topic: tuple[str, ...]) -> bool:
    if not pattern:
        return not topic
    if pattern[0] == "#":
        return any(_fits(pattern[1:], topic[taken:]) for taken in range(len(topic) + 1))
    return bool(topic) and pattern[0] in ("*", topic[0]) and _fits(pattern[1:], topic[1:])


@lru_cache(10_000)
def covered(granted: tuple[str, ...], pattern: str) -> bool:
    """Whether one of the granted patterns matches all that this one does."""
    meant = [topic for topic in _UNIVERSE if fits(pattern, topic)]
    return any(all(fits(one, topic) for topic in meant) for one in granted)


class Grant(NamedTuple):
    """What a login allows. The topics of `$sys` are for those who may do everything."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    call: bool = False
    admin: bool = False

    def may_publish(self, topic: str) -> bool:
        return not topic.startswith("$") and any(fits(pattern, topic) for pattern in self.publish)

    def may_subscribe(self, pattern: str) -> bool:
        return self.admin if pattern.startswith("$") else covered(self.subscribe, pattern)


class Refusal(NamedTuple):
    """The error that answers a request."""

    code: str
    field: str | None = None


class Written(NamedTuple):
    """One event of the log: the message as every client must see it, and the instance that must not."""

    seq: int
    ts: int
    topic: str
    message: Message
    hidden_from: str | None
    clear: bool
    size: int


class Table(NamedTuple):
    """The last event of every topic, and the highest `seq` that had to make room."""

    last: dict[str, Written]
    floor: int


class _Key(NamedTuple):
    scope: str
    topic: str
    key: str
    serial: int
    until: int


class Model:
    """One log, its keys and its table of last events, by the limits given.

    `log[seq - 1]` is the event `seq`, evicted or not.
    """

    def __init__(
        self, *, events: int, age_ms: int | None, topics: int, dedupe_ms: int, keys: int, keys_per_scope: int
    ) -> None:
        self.log: list[Written] = []
        self.serials: dict[int, int] = {}
        """The serial number of a publish -> the `seq` it was given."""
        self._events = events
        self._age_ms = age_ms
        self._topics = topics
        self._dedupe_ms = dedupe_ms
        self._most_keys = keys
        self._most_keys_per_scope = keys_per_scope
        self._keys: list[_Key] = []

    # ---- the log

    @property
    def head(self) -> int:
        return len(self.log)

    def oldest(self, now: int) -> int:
        """The lowest `seq` that the limits let the log hold."""
        for written in self.log[max(0, len(self.log) - self._events) :]:
            if self._age_ms is None or written.ts >= now - self._age_ms:
                return written.seq
        return self.head + 1

    def meant_for(self, pattern: str, instance: str, after: int, to: int) -> list[Written]:
        """The events after one place, up to and with another, that a subscription is owed."""
        return [one for one in self.log[max(0, after) : to] if one.hidden_from != instance and fits(pattern, one.topic)]

    def table(self) -> Table:
        """The table of last events, built from the first event on."""
        last: dict[str, Written] = {}
        floor = 0
        for written in self.log:
            last.pop(written.topic, None)
            if not written.clear:
                last[written.topic] = written
            while len(last) > self._topics:
                floor = last.pop(next(iter(last))).seq
        return Table(last, floor)

    # ---- keys

    def known(self, scope: str, topic: str, key: str, now: int) -> int | None:
        """The serial number of the publish that this one repeats, if any."""
        for one in self._remembered(now):
            if (one.scope, one.topic, one.key) == (scope, topic, key):
                return one.serial
        return None

    def has_room(self, scope: str, now: int) -> bool:
        """Whether one more key can be remembered."""
        keys = self._remembered(now)
        return len(keys) < self._most_keys and sum(one.scope == scope for one in keys) < self._most_keys_per_scope

    def remember(self, scope: str, topic: str, key: str, serial: int, now: int) -> None:
        self._keys.append(_Key(scope, topic, key, serial, now + self._dedupe_ms))

    def forget_unwritten(self) -> None:
        """The broker died: what was not written never was."""
        self._keys = [one for one in self._keys if one.serial in self.serials]

    def _remembered(self, now: int) -> list[_Key]:
        return [one for one in self._keys if one.until > now]

    # ---- what is asked for

    def refuse_publish(self, grant: Grant, message: Message) -> Refusal | None:
        """What is wrong with a publish, if anything, in the order in which it is looked at."""
        topic = message["topic"]
        if "" in topic.split(".") or {"*", "#"} & set(topic.split(".")):
            return Refusal("INVALID_TOPIC", "topic")
        if not grant.may_publish(topic):
            return Refusal("PERMISSION_DENIED", "topic")
        if message.get("ephemeral") and "key" in message:
            return Refusal("INVALID_MESSAGE", "key")
        if message.get("ephemeral") and message.get("clear"):
            return Refusal("INVALID_MESSAGE", "clear")
        if "key" in message and not 0 < len(message["key"]) <= 256:
            return Refusal("INVALID_MESSAGE", "key")
        if len(message.get("headers", ())) > 32:
            return Refusal("INVALID_MESSAGE", "headers")
        return None

    def refuse_subscriptions(
        self, grant: Grant, wanted: Sequence[Message], held: Iterable[str], most: int
    ) -> list[Refusal | None]:
        """The same of each subscription of a request; `held` are the names that the client has."""
        held = list(held)
        taken: list[str] = []
        verdicts = []
        for index, one in enumerate(wanted):
            name: str = one["sub"] if "sub" in one else one["pattern"]
            verdict = _refuse_name(one, name, taken, grant)
            if verdict is None and name not in held and len({*held, *taken}) >= most:
                verdict = Refusal("LIMIT_EXCEEDED")
            verdict = verdict or _refuse_service(one)
            if verdict is None:
                taken.append(name)
            verdicts.append(verdict and verdict._replace(field=_path(index, verdict.field)))
        return verdicts


def _path(index: int, field: str | None) -> str:
    return f"subscriptions[{index}]" + (f".{field}" if field else "")


def _refuse_name(one: Message, name: str, taken: list[str], grant: Grant) -> Refusal | None:
    if "" in one["pattern"].split("."):
        return Refusal("INVALID_TOPIC", "pattern")
    if not 0 < len(name) <= 512:
        return Refusal("INVALID_MESSAGE", "sub")
    if name in taken:
        return Refusal("CONFLICT", "sub")
    if not grant.may_subscribe(one["pattern"]):
        return Refusal("PERMISSION_DENIED", "pattern")
    return None


def _refuse_service(one: Message) -> Refusal | None:
    mode, start = one.get("mode", "all"), one.get("from", "now")
    if not isinstance(mode, dict) and mode not in ("all", "disconnect", "drop_oldest"):
        return Refusal("INVALID_MESSAGE", "mode")
    if one.get("queue_size", 0) > 100_000:
        return Refusal("INVALID_MESSAGE", "queue_size")
    if isinstance(start, str):
        return None if start in ("now", "start", "latest") else Refusal("INVALID_MESSAGE", "from")
    if len(start) != 1:
        return Refusal("INVALID_MESSAGE", "from")
    if "cursor" in start and not start["cursor"].rpartition(":")[2].isdigit():
        return Refusal("INVALID_MESSAGE", "from.cursor")
    return None
