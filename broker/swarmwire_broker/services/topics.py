"""Topics and subscriptions, for operators: what was published last where, and who would hear of the next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from typing import Annotated, Final

from msgspec import Meta, Struct

from swarmwire_protocol.errors import SwarmwireError
from swarmwire_protocol.topics import check_pattern, check_topic, contains, matches

from ..core.methods import Asked, Method, Params, Where
from ..core.session import Session, SessionState
from ..core.subscription import ConflatingSubscription, DroppingSubscription, SharedSubscription, Subscription
from ..engines.base import PageLimit
from ..engines.matcher import Matcher
from .shared import Shared

__all__ = ["SubscriptionFacts", "SubscriptionsFound", "TopicFacts", "Topics", "TopicsFound"]

_PAGE: Final = PageLimit(entries=1_000, bytes=4 * 1024 * 1024, scan=2_000)
"""How much of the table of last events is looked at in one turn of the loop."""

_TURN: Final = 2_000
"""Subscriptions looked at in one turn of the loop."""

_Limit = Annotated[int, Meta(ge=0, le=1_000)]
_Offset = Annotated[int, Meta(ge=0, le=2**53)]


class _ListTopics(Params, kw_only=True):
    pattern: str = "#"
    limit: _Limit = 100
    offset: _Offset = 0


class _FindSubscribers(Params, kw_only=True):
    topic: str
    limit: _Limit = 100
    offset: _Offset = 0


class _ListSubscriptions(Params, kw_only=True):
    """Subscriptions of one client, or to patterns that this one contains."""

    pattern: str | None = None
    client_id: str | None = None
    limit: _Limit = 100
    offset: _Offset = 0


class TopicFacts(Struct, kw_only=True):
    """A topic and its last event: the place, the time in milliseconds since 1970, the bytes of it as a message."""

    topic: str
    seq: int
    ts: int
    bytes: int


class TopicsFound(Struct, kw_only=True):
    """Some of the topics that were asked for, in the order in which they last changed, and how many there are."""

    count: int
    topics: list[TopicFacts]


class SubscriptionFacts(Struct, kw_only=True):
    """A subscription of a client: `mode` as it was asked for, `live` once it has seen its past."""

    client_id: str
    name: str
    subject: str | None
    transport: str
    sub: str
    pattern: str
    mode: str
    live: bool

    @classmethod
    def of(cls, session: Session, subscription: Subscription) -> SubscriptionFacts:
        return cls(
            client_id=session.client_id,
            name=session.client.name if session.client is not None else "",
            subject=session.author.sender,
            transport=session.peer.transport,
            sub=subscription.name,
            pattern=subscription.pattern,
            mode=_mode(subscription),
            live=subscription.is_live,
        )


class SubscriptionsFound(Struct, kw_only=True):
    """Some of the subscriptions that were asked for, and how many there are of them."""

    count: int
    subscriptions: list[SubscriptionFacts]


class Topics:
    """Answers what is asked of topics and subscriptions."""

    def __init__(self, shared: Shared) -> None:
        self._hub = shared.hub

    def methods(self) -> list[Method]:
        return [
            Method("topic.list", _ListTopics, self._list, admin=True, looks=True),
            Method(
                "topic.subscribers",
                _FindSubscribers,
                self._subscribers,
                admin=True,
                looks=True,
                where=Where.GATHERED,
            ),
            Method(
                "subscription.list",
                _ListSubscriptions,
                self._subscriptions,
                admin=True,
                looks=True,
                where=Where.GATHERED,
            ),
        ]

    async def start(self) -> None:
        """Nothing is kept of topics."""

    def close(self) -> None:
        """Nothing happens here by itself."""

    async def _list(self, asked: Asked, params: _ListTopics) -> TopicsFound:
        _checked(check_pattern, params.pattern, "params.pattern")
        engine, matcher = self._hub.engine, Matcher([params.pattern])
        await engine.refresh()
        found, shown, after, head = 0, list[TopicFacts](), 0, engine.head
        while after < head:
            page = engine.latest(matcher, after, head, _PAGE)
            if page is None:
                page = await engine.fetch_latest(matcher, after, head, _PAGE)
            for entry in page.entries:
                if params.offset <= found < params.offset + params.limit:
                    size = len(entry.payload)
                    shown.append(TopicFacts(topic=entry.topic, seq=entry.seq, ts=entry.ts, bytes=size))
                found += 1
            after = page.upto
            await asyncio.sleep(0)
        return TopicsFound(count=found, topics=shown)

    async def _subscribers(self, asked: Asked, params: _FindSubscribers) -> SubscriptionsFound:
        _checked(check_topic, params.topic, "params.topic")
        return await self._found(lambda _, one: matches(one.pattern, params.topic), params)

    async def _subscriptions(self, asked: Asked, params: _ListSubscriptions) -> SubscriptionsFound:
        pattern, client_id = params.pattern, params.client_id
        if pattern is not None:
            _checked(check_pattern, pattern, "params.pattern")

        def fits(session: Session, one: Subscription) -> bool:
            is_theirs = client_id is None or session.client_id == client_id
            return is_theirs and (pattern is None or contains(pattern, one.pattern))

        return await self._found(fits, params)

    async def _found(
        self, fits: Callable[[Session, Subscription], bool], params: _FindSubscribers | _ListSubscriptions
    ) -> SubscriptionsFound:
        found, shown = 0, list[SubscriptionFacts]()
        async for session, subscription in self._all():
            if fits(session, subscription):
                if params.offset <= found < params.offset + params.limit:
                    shown.append(SubscriptionFacts.of(session, subscription))
                found += 1
        return SubscriptionsFound(count=found, subscriptions=shown)

    async def _all(self) -> AsyncGenerator[tuple[Session, Subscription], None]:
        """All subscriptions; what comes and goes meanwhile may be among them or not."""
        looked_at = 0
        for session in list(self._hub.sessions.values()):
            if session.state is not SessionState.AUTHENTICATED:
                continue
            for subscription in list(session.subscriptions):
                yield session, subscription
                looked_at += 1
                if looked_at % _TURN == 0:
                    await asyncio.sleep(0)


def _mode(subscription: Subscription) -> str:
    match subscription:
        case SharedSubscription(closes=closes):
            return "disconnect" if closes else "all"
        case ConflatingSubscription():
            return "conflate"
        case DroppingSubscription():
            return "drop_oldest"
    return "all"


def _checked(check: Callable[[str], None], text: str, field: str) -> None:
    try:
        check(text)
    except SwarmwireError as error:
        raise SwarmwireError(error.code, error.message, field=field) from None
