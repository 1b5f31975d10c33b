"""From a publish to the log: what is checked, in which order, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from swarmwire_protocol.codec import check_data, encode_event, event_head, event_origin
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Publish
from swarmwire_protocol.topics import check_topic, is_reserved

from ..engines.base import Draft, Outcome
from .hooks import Hooks, Offered
from .rates import retry_after_ms

if TYPE_CHECKING:
    from .delivery import Delivery
    from .identity import Author
    from .signals import Signals

__all__ = ["Publishing"]

_DONE: Final = Outcome()


class Publishing:
    """The one way into the log, for clients and for the process the broker lives in.

    What `hooks` concern is to be asked by `ask_hooks` first.
    """

    def __init__(self, delivery: Delivery, hooks: Hooks, signals: Signals) -> None:
        self._delivery = delivery
        self._stats = delivery.stats
        self._append = delivery.engine.append
        self.hooks = hooks
        self._signals = signals
        self._heads: dict[str, bytes] = {}

    def publish(self, message: Publish, author: Author, done: Callable[[Outcome], None] | None) -> None:
        """Check a publish and append it; `done` hears what became of it, at once or when it is stored.

        Raises:
            SwarmwireError: what is wrong with it; then nothing has happened.
        """
        topic = message.topic
        head = self._heads.get(topic)
        if head is None:
            head = self._learn(topic)
        # Topics of the broker's own are never learned, so with a grant for all there is nothing left to ask.
        if not author.grants.publishes_all and not author.grants.may_publish(topic):
            raise _denied()
        if message.headers is not None or message.key is not None or message.ephemeral or message.clear:
            self._check_extras(message)
        data = check_data(message.data)
        if author.rates is not None:
            self._check_rate(author, topic)
        stats = self._stats
        stats.publishes += 1
        stats.publish_bytes += len(data)
        origin = author.origin if not message.headers else event_origin(author.sender, message.headers)
        hidden_from = None if message.echo else author.instance
        if message.ephemeral:
            payload = encode_event(head, None, self._delivery.clock.now_ms(), origin, data)
            self._delivery.deliver_ephemeral(topic, payload, hidden_from)
            if done is not None:
                done(_DONE)
        else:
            key = (author.scope, message.key) if message.key is not None else None
            self._append(Draft(topic, head, origin, data, key, hidden_from, message.clear, done))
        if "publish" in self._signals:
            self._signals.emit("publish", {"topic": topic, "data": data, "sender": author.sender})

    async def ask_hooks(self, message: Publish, author: Author) -> None:
        """Let the hooks refuse a publish that is otherwise in order.

        Raises:
            SwarmwireError: what is wrong with it, or the refusal.
        """
        self._learn(message.topic)
        if not author.grants.may_publish(message.topic):
            raise _denied()
        self._check_extras(message)
        data = check_data(message.data)
        await self.hooks.run(Offered(message.topic, data, author.sender, message.headers))

    # ---- checks

    def _learn(self, topic: str) -> bytes:
        """The start of all events of a topic that was not seen lately."""
        try:
            check_topic(topic)
        except SwarmwireError as error:
            raise SwarmwireError(error.code, error.message, field="topic") from None
        if is_reserved(topic):
            raise _denied()
        if len(self._heads) >= self._delivery.limits.router_cache_topics:
            self._heads.clear()
        head = self._heads[topic] = event_head(topic)
        return head

    def _check_extras(self, message: Publish) -> None:
        limits = self._delivery.limits
        if message.ephemeral and message.key is not None:
            raise _invalid("An ephemeral event cannot have a key: nothing of it is kept.", "key")
        if message.ephemeral and message.clear:
            raise _invalid("An ephemeral event cannot clear a topic: nothing of it is kept.", "clear")
        if message.key is not None:
            if not message.key:
                raise _invalid("Expected a key of at least one byte.", "key")
            if len(message.key.encode()) > limits.max_key_bytes:
                raise _invalid(f"A key has at most {limits.max_key_bytes} bytes.", "key")
        if message.headers:
            if len(message.headers) > limits.max_headers:
                raise _invalid(f"A publish has at most {limits.max_headers} headers.", "headers")
            if sum(len(k.encode()) + len(v.encode()) for k, v in message.headers.items()) > limits.max_headers_bytes:
                raise _invalid(f"Headers have at most {limits.max_headers_bytes} bytes together.", "headers")

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


def _denied() -> SwarmwireError:
    return SwarmwireError(ErrorCode.PERMISSION_DENIED, "You may not publish on this topic.", field="topic")


def _invalid(sentence: str, field: str) -> SwarmwireError:
    return SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field=field)
