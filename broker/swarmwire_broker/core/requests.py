"""What a welcome client asks for: each kind of message, decided."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Raw

from swarmwire_protocol.codec import InvalidMessage
from swarmwire_protocol.errors import CloseCode, ErrorCode, SwarmwireError
from swarmwire_protocol.messages import (
    Ack,
    Auth,
    Bye,
    Call,
    Cancel,
    ClientMessage,
    Error,
    Hello,
    Ping,
    Pong,
    Publish,
    Reply,
    RequestId,
    Subscribe,
    SubscribeResult,
    Unsubscribe,
)
from swarmwire_protocol.messages import Subscription as Wanted

from ..engines.entry import Outcome
from .subscriptions import Start, learn

if TYPE_CHECKING:
    from .session import Session

__all__ = ["decide", "publish", "publish_plain"]

_Accepted: TypeAlias = list[tuple[Wanted, SubscribeResult]]


def decide(session: Session, message: ClientMessage) -> None:
    """Do what a message asks for, and answer it.

    Raises:
        SwarmwireError: what is wrong with it.
    """
    match message:
        case Publish():
            publish(session, message)
        case Call():
            _call(session, message)
        case Reply() | Error():
            session.hub.calls.answer(session, message)
        case Ping():
            session.outbox.send(Pong(ts=message.ts))
        case Subscribe():
            _subscribe(session, message)
        case Unsubscribe():
            _unsubscribe(session, message)
        case Auth():
            _renew(session, message)
        case Bye():
            session.close(CloseCode.NORMAL, "", quiet=True)
        case Hello():
            raise SwarmwireError(ErrorCode.CONFLICT, "The version is agreed already; a hello comes once.")
        case Cancel():
            session.hub.calls.cancel(session, message.id)
        case Pong():
            pass


def _check_unused(session: Session, request_id: RequestId | None) -> None:
    if session.pending and request_id in session.pending:
        raise SwarmwireError(ErrorCode.CONFLICT, "A request with this id is still being decided.", field="id")


# ---- publish


def publish(session: Session, message: Publish) -> None:
    """Publish an event, once the hooks that it concerns have seen it.

    Raises:
        SwarmwireError: what is wrong with it.
    """
    if session.pending:
        _check_unused(session, message.id)
    publishing = session.publishing
    if publishing.hooks and publishing.hooks.concern(message.topic):
        session.work(_publish_hooked(session, message), message.id)
    elif message.id is None and message.key is None and not publishing.defers:
        publishing.publish(message, session.author, None)
    else:
        _append(session, message)


def publish_plain(
    session: Session, topic: str, data: bytes, request_id: RequestId | None, key: str | None = None
) -> None:
    """The same for a publish without anything else, whose data is checked already; a key is not empty.

    Raises:
        SwarmwireError: what is wrong with it.
    """
    publishing = session.publishing
    if publishing.hooks and publishing.hooks.concern(topic):
        publish(session, Publish(topic=topic, data=Raw(data), id=request_id, key=key))
    elif request_id is None and key is None and not publishing.defers:
        publishing.publish_plain(topic, data, session.author, None)
    else:
        if session.pending:
            _check_unused(session, request_id)
        done = _outstanding(session, request_id)
        try:
            publishing.publish_plain(topic, data, session.author, done, key)
        except SwarmwireError:
            _forget(session, request_id)
            raise
        if publishing.defers:
            _slow_down(session)


async def _publish_hooked(session: Session, message: Publish) -> None:
    await session.publishing.ask_hooks(message, session.author)
    if session.is_welcome:
        _append(session, message)


def _append(session: Session, message: Publish) -> None:
    """Publish what somebody is to hear of again: its ack, or that it was there before."""
    done = _outstanding(session, message.id)
    try:
        session.publishing.publish(message, session.author, done)
    except SwarmwireError:
        _forget(session, message.id)
        raise
    if session.publishing.defers:
        _slow_down(session)


def _slow_down(session: Session) -> None:
    """Read on from this client only when the engine has room, should it be behind."""
    if session.hub.engine.congested:
        session.hub.when_relieved(session, session.go_on)
        session.slow_down()


def _outstanding(session: Session, request_id: RequestId | None) -> Callable[[Outcome], None]:
    if request_id is not None:
        if session.pending is None:
            session.pending = set()
        session.pending.add(request_id)
    return partial(_published, session, request_id)


def _forget(session: Session, request_id: RequestId | None) -> None:
    if session.pending is not None:
        session.pending.discard(request_id)


def _published(session: Session, request_id: RequestId | None, outcome: Outcome) -> None:
    if outcome.duplicate:
        session.hub.stats.duplicates += 1
    _forget(session, request_id)
    if outcome.error is not None:
        session.refuse(outcome.error, request_id)
    elif request_id is not None:
        session.outbox.send(Ack(id=request_id, seq=outcome.seq or None, duplicate=outcome.duplicate))


# ---- subscribe


def _subscribe(session: Session, message: Subscribe) -> None:
    _check_unused(session, message.id)
    if not message.subscriptions:
        raise InvalidMessage("Expected at least one subscription.", field="subscriptions", request_id=message.id)
    table = session.subscriptions
    results = table.check(message.subscriptions, session.author.grants)
    refused = [result.error for result in results if result.error is not None]
    for error in refused:
        session.hub.stats.error(error.code)
    if len(refused) == len(results):
        first = refused[0]
        raise SwarmwireError(ErrorCode(first.code), first.message, field=first.field, details=results)
    pairs = zip(message.subscriptions, results, strict=True)
    accepted = [(wanted, result) for wanted, result in pairs if result.error is None]
    if any(table.is_elsewhere(wanted) for wanted, _ in accepted):
        session.work(_begin_found(session, message.id, results, accepted), message.id)
    else:
        session.hub.delivery.end_turn()  # what came before these subscriptions is not for them
        starts = [table.start_of(wanted, result.sub) for wanted, result in accepted]
        _begin(session, message.id, results, accepted, starts)


async def _begin_found(
    session: Session, request_id: RequestId, results: list[SubscribeResult], accepted: _Accepted
) -> None:
    table = session.subscriptions
    await learn(session.hub.engine, *(wanted.from_ for wanted, _ in accepted))
    found = [
        await table.find_start(wanted, result.sub) if table.is_elsewhere(wanted) else None
        for wanted, result in accepted
    ]
    if session.is_welcome:
        session.hub.delivery.end_turn()
        # `now` is this moment, when all are found.
        starts = [
            start or table.start_of(wanted, result.sub) for start, (wanted, result) in zip(found, accepted, strict=True)
        ]
        _begin(session, request_id, results, accepted, starts)
        session.recheck()  # the permissions may have changed meanwhile


def _begin(
    session: Session,
    request_id: RequestId,
    results: list[SubscribeResult],
    accepted: _Accepted,
    starts: list[Start],
) -> None:
    for (_, result), start in zip(accepted, starts, strict=True):
        result.cursor = session.outbox.cursor(start.position)
    session.outbox.send_behind(Ack(id=request_id, results=results))
    for (wanted, result), start in zip(accepted, starts, strict=True):
        session.subscriptions.add(wanted, result.sub, start)
        session.hub.tell_subscribed(session, wanted.pattern, result.sub)
        session.hub.start_news.recall(session, wanted.pattern, result.sub, wanted.from_)


def _unsubscribe(session: Session, message: Unsubscribe) -> None:
    _check_unused(session, message.id)
    if not message.subs:
        raise InvalidMessage("Expected at least one name.", field="subs", request_id=message.id)
    table = session.subscriptions
    patterns = {name: one.pattern for name in message.subs if (one := table.get(name)) is not None}
    if not patterns:
        raise SwarmwireError(ErrorCode.NOT_FOUND, "There is no subscription of this name.", field="subs[0]")
    session.hub.delivery.end_turn()  # and after the ack none of their events comes
    for name, pattern in patterns.items():
        table.remove(name)
        session.hub.tell_unsubscribed(session, pattern, name)
    session.outbox.send(Ack(id=message.id))


# ---- auth and call


def _renew(session: Session, message: Auth) -> None:
    _check_unused(session, message.id)

    async def renew() -> None:
        try:
            await session.hub.login.renew(session, message.token)
        finally:
            timer.cancel()
        session.outbox.send(Ack(id=message.id))

    def give_up() -> None:
        session.refuse(SwarmwireError(ErrorCode.AUTHENTICATION_FAILED, "The login took too long."), message.id)
        work.cancel()

    work = session.work(renew(), message.id)
    timer = session.hub.clock.call_later(session.hub.limits.auth_timeout_ms / 1000, give_up)


def _call(session: Session, message: Call) -> None:
    _check_unused(session, message.id)
    session.hub.calls.call(session, message)
