"""From a publish to the log: what is checked, in which order, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from swarmwire_protocol.codec import check_data, encode_event, event_head, event_origin
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Publish
from swarmwire_protocol.topics import check_pattern, check_topic, is_reserved, matches

from ..engines.entry import Outcome, new_draft
from .hooks import Hooks, Offered
from .rates import retry_after_ms

if TYPE_CHECKING:
    from .delivery import Delivery
    from .identity import Author
    from .signals import Signals

__all__ = ["Guard", "Publishing", "Topic"]

_DONE: Final = Outcome()

Guard: TypeAlias = Callable[[str, "Author"], None]
"""Looks at each publish of a client on certain topics, and raises SwarmwireError to refuse it."""


class Topic:
    """A topic that was seen lately: its name, as one string for all its events, what they begin with, its guards."""

    __slots__ = ("guards", "head", "name")

    def __init__(self, name: str, head: bytes, guards: tuple[Guard, ...] | None) -> None:
        self.name = name
        self.head = head
        self.guards = guards


class Publishing:
    """The one way into the log, for clients and for the process the broker lives in.

    What `hooks` concern is to be asked by `ask_hooks` first. Where the engine `defers`, an event may yet fail to be
    stored, and somebody should be there to hear of it.
    """

    def __init__(self, delivery: Delivery, hooks: Hooks, signals: Signals) -> None:
        self._delivery = delivery
        self._stats = delivery.stats
        self._append = delivery.engine.append
        self._append_all = delivery.engine.append_all
        self.defers = delivery.engine.defers
        self.hooks = hooks
        self._signals = signals
        self._topics: dict[str, Topic] = {}
        self._guards: dict[str, tuple[Guard, ...]] = {}
        self._reserved: tuple[str, ...] = ()

    # ---- for the broker's services

    def reserve(self, *patterns: str) -> None:
        """Refuse all publishes of clients on these topics, whatever they are granted: the services alone publish there.

        Raises:
            SwarmwireError: INVALID_TOPIC for what is no pattern.
        """
        for pattern in patterns:
            check_pattern(pattern)
        self._reserved = tuple(dict.fromkeys((*self._reserved, *patterns)))
        self._topics.clear()

    def guard(self, segment: str, guard: Guard) -> None:
        """Ask `guard` at every publish of a client on a topic that begins with this segment. It must be quick."""
        self._guards[segment] = (*self._guards.get(segment, ()), guard)
        self._topics.clear()

    def unguard(self, segment: str, guard: Guard) -> None:
        """Do not ask this guard any more. Harmless where it was not asked."""
        left = tuple(one for one in self._guards.get(segment, ()) if one != guard)
        if left:
            self._guards[segment] = left
        else:
            self._guards.pop(segment, None)
        self._topics.clear()

    def check(self, message: Publish, author: Author) -> None:
        """See that this author may publish this, now: for what the broker is to publish on its behalf.

        Raises:
            SwarmwireError: what `publish` would raise, but for rates and data.
        """
        self._admit(message.topic, author)
        self._check_extras(message)

    # ---- the way in

    def publish(self, message: Publish, author: Author, done: Callable[[Outcome], None] | None) -> None:
        """Check a publish and append it; `done` hears what became of it, at once or when it is stored.

        Raises:
            SwarmwireError: what is wrong with it; then nothing has happened.
        """
        topic = self._admit(message.topic, author)
        self._check_extras(message)
        data = check_data(message.data)
        if author.rates is not None and author.rates.by_topic:
            self._check_rate(author, topic.name)
        origin = author.origin if not message.headers else event_origin(author.sender, message.headers)
        hidden_from = None if message.echo else author.instance
        if message.ephemeral:
            self._send(topic, origin, data, hidden_from)
            if done is not None:
                done(_DONE)
        else:
            key = (author.scope, message.key) if message.key is not None else None
            self._append(new_draft(topic.name, topic.head, origin, data, key, hidden_from, message.clear, done))
        self._count(topic, data, author)

    def publish_plain(
        self,
        name: str,
        data: bytes,
        author: Author,
        done: Callable[[Outcome], None] | None,
        key: str | None = None,
    ) -> None:
        """The same for a publish that has nothing but these; the data is checked already, and a key is not empty."""
        topic = self._admit(name, author)
        scoped = None
        if key is not None:
            self._check_key(key)
            scoped = (author.scope, key)
        if author.rates is not None and author.rates.by_topic:
            self._check_rate(author, topic.name)
        self._append(new_draft(topic.name, topic.head, author.origin, data, scoped, None, False, done))
        self._count(topic, data, author)

    def publish_run(self, name: str, run: list[bytes], author: Author) -> bool:
        """The same for publishes on one topic that nobody is to hear of again, with one look at what they share.

        False, and nothing has happened, where each of them is to be looked at by itself.
        """
        topic = self._topics.get(name)
        if topic is None or self._regards_each(topic, author) or not _may_publish(author, name):
            return False
        drafts, size = [], 0
        for data in run:
            drafts.append(new_draft(topic.name, topic.head, author.origin, data, None, None, False, None))
            size += len(data)
        self._append_all(drafts)
        self._stats.publishes += len(run)
        self._stats.publish_bytes += size
        return True

    def _regards_each(self, topic: Topic, author: Author) -> bool:
        """Whether somebody is asked, told or counted on at each publish of this author on a topic."""
        return (
            self.defers
            or topic.guards is not None
            or "publish" in self._signals
            or (author.rates is not None and author.rates.by_topic)
            or self.hooks.concern(topic.name)
        )

    def _count(self, topic: Topic, data: bytes, author: Author) -> None:
        stats = self._stats
        stats.publishes += 1
        stats.publish_bytes += len(data)
        if "publish" in self._signals:
            self._signals.emit("publish", {"topic": topic.name, "data": data, "sender": author.sender})

    def _send(self, topic: Topic, origin: bytes, data: bytes, hidden_from: str | None) -> None:
        payload = encode_event(topic.head, None, self._delivery.clock.now_ms(), origin, data)
        self._delivery.deliver_ephemeral(topic.name, payload, hidden_from)
        others = self._delivery.others
        if others is not None and others.want(topic.name):
            others.tell(topic.name, payload, hidden_from)

    async def ask_hooks(self, message: Publish, author: Author) -> None:
        """Let the hooks refuse a publish that is otherwise in order.

        Raises:
            SwarmwireError: what is wrong with it, or the refusal.
        """
        self._admit(message.topic, author)
        self._check_extras(message)
        data = check_data(message.data)
        await self.hooks.run(Offered(message.topic, data, author.sender, message.headers))

    # ---- checks

    def _admit(self, name: str, author: Author) -> Topic:
        """The topic, if this author may publish on it."""
        topic = self._topics.get(name)
        if topic is None:
            topic = self._learn(name)
        if not _may_publish(author, name):
            raise _denied()
        if topic.guards is not None:
            for guard in topic.guards:
                guard(name, author)
        return topic

    def _learn(self, name: str) -> Topic:
        try:
            check_topic(name)
        except SwarmwireError as error:
            raise SwarmwireError(error.code, error.message, field="topic") from None
        if is_reserved(name) or any(matches(pattern, name) for pattern in self._reserved):
            raise _denied()
        if len(self._topics) >= self._delivery.limits.router_cache_topics:
            self._topics.clear()
        topic = self._topics[name] = Topic(name, event_head(name), self._guards.get(name.partition(".")[0]))
        return topic

    def _check_extras(self, message: Publish) -> None:
        if message.headers is None and message.key is None and not message.ephemeral and not message.clear:
            return
        limits = self._delivery.limits
        if message.ephemeral and message.key is not None:
            raise _invalid("An ephemeral event cannot have a key: nothing of it is kept.", "key")
        if message.ephemeral and message.clear:
            raise _invalid("An ephemeral event cannot clear a topic: nothing of it is kept.", "clear")
        if message.key is not None:
            if not message.key:
                raise _invalid("Expected a key of at least one byte.", "key")
            self._check_key(message.key)
        if message.headers:
            if len(message.headers) > limits.max_headers:
                raise _invalid(f"A publish has at most {limits.max_headers} headers.", "headers")
            if sum(len(k.encode()) + len(v.encode()) for k, v in message.headers.items()) > limits.max_headers_bytes:
                raise _invalid(f"Headers have at most {limits.max_headers_bytes} bytes together.", "headers")

    def _check_key(self, key: str) -> None:
        most = self._delivery.limits.max_key_bytes
        # A character has at most four bytes, so short keys need not be encoded.
        if len(key) > most // 4 and len(key.encode()) > most:
            raise _invalid(f"A key has at most {most} bytes.", "key")

    def _check_rate(self, author: Author, topic: str) -> None:
        assert author.rates is not None
        wait = author.rates.publish(topic, self._delivery.clock.time())
        if wait > 0:
            raise SwarmwireError(
                ErrorCode.RATE_LIMIT_EXCEEDED,
                "Too many publishes on this topic.",
                field="topic",
                retry_after_ms=retry_after_ms(wait),
            )


def _may_publish(author: Author, name: str) -> bool:
    """Whether an author may publish on a topic that was learned."""
    # Topics of the broker's own are never learned, so with a grant for all there is nothing left to ask.
    return author.grants.publishes_all or author.grants.may_publish(name)


def _denied() -> SwarmwireError:
    return SwarmwireError(ErrorCode.PERMISSION_DENIED, "You may not publish on this topic.", field="topic")


def _invalid(sentence: str, field: str) -> SwarmwireError:
    return SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field=field)
