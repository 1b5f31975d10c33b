"""The hub: the one place that ties sessions, router and log together, and what embedders hold in their hands."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from swarmwire_protocol.codec import encode, encode_event, event_head
from swarmwire_protocol.errors import ERRORS, CloseCode, ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions, ServerInfo

from ..engines.base import Engine
from .calls import Calls
from .delivery import Delivery
from .hooks import Hook, Hooks
from .login import Login
from .permissions import EVERYTHING
from .ports import Authenticator, Clock, Peer, Sink, Timer
from .publishing import Publishing
from .rates import LoginGuard, RateLimiter
from .session import Session, SessionState
from .settings import Limits, Rates
from .signals import Callback, Signal, Signals
from .startnews import StartNews
from .stats import Stats
from .tokens import Tokens

if TYPE_CHECKING:
    from .subscription import DroppingSubscription

__all__ = ["Hub"]

_SLICES: Final = 8
"""The sessions are looked at for their heartbeat in so many parts, one after the other."""


class Hub:
    """A broker without its sockets: sessions come in by `connect`, events by `publishing` and go to the engine.

    Arguments:
        engine: the log, started.
        clock: time, and turns of the loop.
        limits, rates: what is bounded, and how.
        authenticator: checks logins; None lets everyone in with every permission.
        name, version: how the welcome names this broker.
        hooks, signals: those of an owner that outlives the hub.
    """

    def __init__(
        self,
        engine: Engine,
        clock: Clock,
        *,
        limits: Limits | None = None,
        rates: Rates | None = None,
        authenticator: Authenticator | None = None,
        name: str = "swarmwire",
        version: str = "",
        stats: Stats | None = None,
        hooks: Hooks | None = None,
        signals: Signals | None = None,
    ) -> None:
        self.engine = engine
        self.clock = clock
        self.limits = limits or Limits()
        self.stats = stats or Stats()
        self.info = ServerInfo(id=secrets.token_hex(6), name=name, version=version, pid=os.getpid(), ppid=os.getppid())
        self.open_permissions: Permissions = EVERYTHING
        self.tokens = Tokens()
        self.delivery = Delivery(engine, self.limits, self.stats, clock)
        self.signals = signals if signals is not None else Signals()
        self.signals.clock = clock
        self.hooks = hooks if hooks is not None else Hooks()
        self.publishing = Publishing(self.delivery, self.hooks, self.signals)
        rates = rates or Rates()
        self.login = Login(self, authenticator, RateLimiter(rates), LoginGuard(rates.failed_logins))
        self.calls = Calls(self)
        self.sessions: dict[str, Session] = {}
        self.states = dict.fromkeys(SessionState, 0)
        self.is_draining = False
        self._slowed: dict[object, list[Callable[[], None]]] = {}
        engine.relieved = self._relieved
        engine.renewed = self._renewed
        engine.missed = self._missed
        self._slices: list[set[Session]] = [set() for _ in range(_SLICES)]
        self._slice = 0
        self._beat: Timer | None = None
        self.start_news = StartNews(self)

    # ---- connections

    def connect(self, sink: Sink, peer: Peer) -> Session:
        """A client has connected. Over a limit it is told so and closed before it said anything."""
        session = Session(self, sink, peer)
        self.stats.connections_opened += 1
        refused = self._refusal()
        self.sessions[session.client_id] = session
        self._slices[len(self.sessions) % _SLICES].add(session)
        if not peer.brief:
            facts = {"client_id": session.client_id, "transport": peer.transport}
            self.signals.emit("connection", facts)
            self.announce("$sys.client.connected", facts)
        if refused is not None:
            self.stats.refused_connections += 1
            session.close(ERRORS[refused.code].close or CloseCode.TRY_LATER, refused.message, refused)
        else:
            self._start_beating()
        return session

    def _refusal(self) -> SwarmwireError | None:
        if self.is_draining:
            return SwarmwireError(ErrorCode.SHUTTING_DOWN, retry_after_ms=self.limits.reconnect_window_ms)
        # The new one is counted already.
        strangers = self.states[SessionState.CONNECTING]
        most = self.limits.max_connections
        if most is not None and strangers + self.states[SessionState.AUTHENTICATED] > most:
            return SwarmwireError(
                ErrorCode.LIMIT_EXCEEDED, f"The broker holds at most {most} connections.", retry_after_ms=1_000
            )
        most = self.limits.max_unauthenticated
        if most is not None and strangers > most:
            return SwarmwireError(
                ErrorCode.LIMIT_EXCEEDED, f"The broker holds at most {most} logins at once.", retry_after_ms=1_000
            )
        return None

    def forget(self, session: Session) -> None:
        """A connection is gone."""
        if self.sessions.pop(session.client_id, None) is None:
            return
        self._slowed.pop(session, None)
        for part in self._slices:
            part.discard(session)
        self.states[SessionState.CLOSING] -= 1
        self.stats.connections_closed += 1
        if not session.peer.brief:
            facts = {"client_id": session.client_id}
            self.signals.emit("disconnect", facts)
            self.announce("$sys.client.disconnected", facts)

    def disconnect(self, client_id: str, reason: str = "Closed by an operator.") -> None:
        """Close a client's connection for good.

        Raises:
            SwarmwireError: NOT_FOUND.
        """
        session = self.sessions.get(client_id)
        if session is None:
            raise SwarmwireError(ErrorCode.NOT_FOUND, "There is no client with this id.", field="client_id")
        session.close(CloseCode.REMOVED, reason)

    def revoke(self, *, subject: str | None = None, token_id: str | None = None) -> int:
        """Close every connection of this subject and every one of this token, at once; how many there were."""
        if subject is None and token_id is None:
            raise ValueError("expected a subject or a token_id")
        gone = [
            session
            for session in self.sessions.values()
            if session.state is SessionState.AUTHENTICATED
            and (
                (subject is not None and session.author.sender == subject)
                or (token_id is not None and session.author.token_id == token_id)
            )
        ]
        for session in gone:
            error = SwarmwireError(ErrorCode.AUTHENTICATION_FAILED, "The login was revoked.")
            session.close(CloseCode.UNAUTHORIZED, error.message, error)
        return len(gone)

    def permit(self, subject: str, permissions: Permissions) -> int:
        """Give every connection of a subject other permissions, and end what they do not allow; how many there were."""
        sessions = [session for session in self.sessions.values() if session.author.sender == subject]
        for session in sessions:
            session.author.permit(permissions)
            session.recheck()
        return len(sessions)

    def bound(self, limits: Limits) -> None:
        """Hold to other limits from now on. What a connection was told at its welcome stays true for it."""
        self.limits = limits
        self.delivery.bound(limits)
        self.login.tell_limits(limits)

    # ---- publishers ahead of the log

    def when_relieved(self, publisher: object, go_on: Callable[[], None]) -> None:
        """Have a publisher called when the engine, which is congested, has room again."""
        self._slowed.setdefault(publisher, []).append(go_on)

    def _relieved(self) -> None:
        slowed, self._slowed = self._slowed, {}
        for calls in slowed.values():
            for go_on in calls:
                go_on()

    # ---- a log that is elsewhere

    def _missed(self, upto: int) -> None:
        """The log has let go of what this broker had not heard of yet."""
        self.delivery.settle()
        for session in list(self.sessions.values()):
            session.subscriptions.missed(upto)

    def _renewed(self) -> None:
        """The log is another: everyone comes again, with cursors that are of the one before."""
        self.delivery.flush()
        for session in list(self.sessions.values()):
            peer = session.peer
            # What serves calls in this process has no place in the log.
            if peer.transport != "local" or peer.brief or len(session.subscriptions):
                self._send_away(session, "The log was made anew.")

    # ---- the heartbeat

    def _start_beating(self) -> None:
        if self._beat is None:
            self._beat = self.clock.call_later(self.limits.heartbeat_ms / 1000 / _SLICES, self._on_beat)

    def _on_beat(self) -> None:
        self._beat = None
        self.delivery.flush()
        for session in list(self._slices[self._slice]):
            session.beat()
        self._slice = (self._slice + 1) % _SLICES
        dropping, self.delivery.dropping = self.delivery.dropping, set()
        for subscription in dropping:
            self._tell_dropped(subscription)
        if self.sessions:
            self._start_beating()

    # ---- draining

    def drain(self) -> None:
        """Say goodbye to everyone, with the reconnects spread over the window. New connections are refused."""
        self.is_draining = True
        self.announce("$sys.daemon.stopping", {"server": self.info.id})
        self.signals.emit("stopping", {})
        self.delivery.flush()
        for session in list(self.sessions.values()):
            self._send_away(session, "The broker is shutting down.")

    def _send_away(self, session: Session, reason: str) -> None:
        session.close(
            CloseCode.RESTART,
            reason,
            reconnect_after_ms=secrets.randbelow(self.limits.reconnect_window_ms + 1),
            timeout_ms=self.limits.drain_timeout_ms if session.outbox.sink.buffered() else None,
        )

    def close(self) -> None:
        """Stop the heartbeat. Harmless twice."""
        if self._beat is not None:
            self._beat.cancel()
            self._beat = None

    # ---- for embedders

    def on(self, signal: Signal, callback: Callback) -> Callable[[], None]:
        """Hear of the broker's own events; the answer takes the callback away."""
        return self.signals.on(signal, callback)

    def route(self, pattern: str, handler: Hook, middleware: Iterable[Hook] = ()) -> None:
        """Let a handler see publishes on matching topics before they are accepted, after its middleware."""
        self.hooks.route(pattern, handler, middleware)

    def unroute(self, pattern: str) -> bool:
        """Take the routes of a pattern away; whether there were any."""
        return self.hooks.unroute(pattern)

    # ---- telling of the broker itself

    def announce(self, topic: str, facts: dict[str, Any]) -> None:
        """Publish on one of the broker's own topics; it costs little where nobody listens."""
        route, others = self.delivery.router.route(topic), self.delivery.others
        is_wanted = others is not None and others.want(topic)
        if route.shared or route.own or is_wanted:
            payload = encode_event(event_head(topic), None, self.clock.now_ms(), b"", encode(facts))
            self.delivery.deliver_ephemeral(topic, payload, None)
            if others is not None and is_wanted:
                others.tell(topic, payload, None)

    def tell_error(self, session: Session, error: SwarmwireError) -> None:
        self.stats.error(error.code)
        if "error" in self.signals:
            facts = {"client_id": session.client_id, "code": error.code, "message": error.message}
            self.signals.emit("error", facts)

    def tell_authenticated(self, session: Session) -> None:
        if session.peer.brief:
            return
        facts = {"client_id": session.client_id, "subject": session.author.sender}
        self.signals.emit("authenticated", facts)
        self.announce("$sys.client.authenticated", facts)

    def tell_subscribed(self, session: Session, pattern: str, name: str) -> None:
        facts = {"client_id": session.client_id, "pattern": pattern, "sub": name}
        self.signals.emit("subscribe", facts)
        self.announce("$sys.client.subscribed", facts)

    def tell_unsubscribed(self, session: Session, pattern: str, name: str) -> None:
        facts = {"client_id": session.client_id, "pattern": pattern, "sub": name}
        self.signals.emit("unsubscribe", facts)
        self.announce("$sys.client.unsubscribed", facts)

    def _tell_dropped(self, subscription: DroppingSubscription) -> None:
        client_id = subscription.outbox.client_id
        dropped, subscription.dropped = subscription.dropped, type(subscription.dropped)()
        for topic, count in dropped.items():
            facts = {"client_id": client_id, "topic": topic, "count": count}
            self.signals.emit("dropped", facts)
            self.announce("$sys.client.dropped", facts)
