"""The hello: the version both will speak, who the client is, and the welcome."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, cast

from msgspec import Raw

from swarmwire_protocol.codec import MAX_DEPTH, MAX_ID_BYTES, encode
from swarmwire_protocol.errors import CloseCode, ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Error, Hello, Welcome
from swarmwire_protocol.topics import MAX_SEGMENTS, MAX_TOPIC_BYTES
from swarmwire_protocol.versions import VERSIONS, select_version

from .identity import ANONYMOUS
from .ports import Authenticator, Peer, PromptAuthenticator, Verified
from .rates import LoginGuard, RateLimiter, origin_of, retry_after_ms
from .session import SessionState
from .settings import Limits, Rates

if TYPE_CHECKING:
    from .hub import Hub
    from .session import Session

__all__ = ["FEATURES", "Login"]

log = logging.getLogger("swarmwire.broker.login")

FEATURES: Final = ["conflate", "dedupe", "disconnect", "drop_oldest", "ephemeral", "latest"]
"""What this broker offers beyond the bare version, as the welcome lists it."""

_FEATURES: Final = cast(Any, Raw(encode(FEATURES)))

_USUAL: Final = [[version] for version in VERSIONS]

_REFUSALS: Final = (ErrorCode.AUTHENTICATION_FAILED, ErrorCode.TOKEN_EXPIRED, ErrorCode.UNAVAILABLE)


class Login:
    """Decides hellos. Without an authenticator everyone is let in with every permission, and tokens are ignored."""

    def __init__(self, hub: Hub, authenticator: Authenticator | None, limiter: RateLimiter, guard: LoginGuard) -> None:
        self._hub = hub
        self.ask(authenticator)
        # What all welcomes say alike is encoded once.
        self._server = cast(Any, Raw(encode(hub.info)))
        self.tell_limits(hub.limits)
        self._limiter = limiter
        self._guard = guard

    def ask(self, authenticator: Authenticator | None) -> None:
        """Have this authenticator decide from now on. Who is in stays in."""
        self._authenticator = authenticator
        self._prompt = authenticator if isinstance(authenticator, PromptAuthenticator) else None

    def tell_limits(self, limits: Limits) -> None:
        """Tell these limits in welcomes from now on."""
        self._told = cast(Any, Raw(encode(_told(limits))))

    @property
    def limiter(self) -> RateLimiter:
        """The rate limits of all sessions."""
        return self._limiter

    def meter(self, rates: Rates, *, forget_failures: bool) -> None:
        """Hold everyone to other rates from now on; all begin with what they may do at once."""
        limiter = self._limiter = RateLimiter(rates)
        if forget_failures:
            self._guard = LoginGuard(rates.failed_logins)
        for session in self._hub.sessions.values():
            if session.is_welcome and session.client is not None:  # the broker's own process has no rates
                if session.author.rates is not None:
                    session.author.rates.close()
                session.author.rates = limiter.session(_payer(session), shared=session.peer.shares_rates)

    def begin(self, session: Session, hello: Hello) -> None:
        """Answer a hello: with the welcome, or with the error that ends the connection."""
        version = hello.versions[0] if hello.versions in _USUAL else select_version(hello.versions)
        if version is None:
            self._refuse_version(session)
            return
        wait = self._guard.blocked(session.peer.address, self._hub.clock.time())
        if wait > 0:
            error = _too_many(wait)
            session.close(CloseCode.TRY_LATER, error.message, error)
        elif self._authenticator is None:
            self._admit_anyone(session)
            self._welcome(session, version)
        elif not self._decide_now(session, hello, version):
            session.work(self._check(session, hello, version))

    def _refuse_version(self, session: Session) -> None:
        error = SwarmwireError(ErrorCode.UNSUPPORTED_VERSION)
        self._hub.stats.error(error.code)
        session.outbox.send(Error(code=error.code, message=error.message, field="versions", versions=list(VERSIONS)))
        session.close(CloseCode.UNSUPPORTED_VERSION, error.message)

    def _admit_anyone(self, session: Session) -> None:
        if session.peer.subject is not None:
            session.author.become(Verified(subject=session.peer.subject, permissions=self._hub.open_permissions))
        else:
            session.author.become_anonymous(session.client_id)

    def _decide_now(self, session: Session, hello: Hello, version: str) -> bool:
        """Decide a hello without waiting for anything; False if that cannot be."""
        if self._prompt is None:
            return False
        try:
            verified = self._prompt.at_once(_token(session, hello), session.peer)
        except Exception as error:
            self._failed(session, _neutral(error))
            return True
        if verified is None:
            return False
        session.author.become(verified)
        self._welcome(session, version)
        return True

    async def _check(self, session: Session, hello: Hello, version: str) -> None:
        token = _token(session, hello)
        try:
            verified = await self._verify(token, hello.metadata or {}, session.peer)
        except SwarmwireError as error:
            self._failed(session, error)
            return
        if session.state is SessionState.CONNECTING:
            session.author.become(verified)
            self._welcome(session, version)

    def _failed(self, session: Session, error: SwarmwireError) -> None:
        self._count_failure(session, error)
        facts = {"client_id": session.client_id, "address": session.peer.address, "code": error.code}
        log.info("a login was refused", extra=facts)
        is_refused = error.code is not ErrorCode.UNAVAILABLE
        session.close(CloseCode.UNAUTHORIZED if is_refused else CloseCode.TRY_LATER, error.message, error)

    def _count_failure(self, session: Session, error: SwarmwireError) -> None:
        self._hub.stats.logins_failed += 1
        # Where whoever could tell cannot be asked just now, nothing is said of the token.
        if error.code is not ErrorCode.UNAVAILABLE:
            self._guard.failed(session.peer.address, self._hub.clock.time())

    async def _verify(self, token: str | None, metadata: dict[str, Any], peer: Peer) -> Verified:
        assert self._authenticator is not None
        try:
            return await self._authenticator(token, metadata, peer)
        except Exception as error:
            raise _neutral(error) from None

    async def renew(self, session: Session, token: str) -> None:
        """Put a new token in the place of the old one, on the live connection.

        Raises:
            SwarmwireError: why it was refused; the session stays what it was.
        """
        if self._authenticator is None:
            return
        wait = self._guard.blocked(session.peer.address, self._hub.clock.time())
        if wait > 0:
            raise _too_many(wait)
        try:
            verified = await self._verify(token, {}, session.peer)
        except SwarmwireError as error:
            self._count_failure(session, error)
            raise
        if verified.subject != session.author.sender:
            raise SwarmwireError(
                ErrorCode.PERMISSION_DENIED, "A renewed token must be of the same subject.", field="token"
            )
        if session.state is SessionState.AUTHENTICATED:
            session.author.become(verified)
            session.watch_expiry()
            session.recheck()

    # ---- the welcome

    def _welcome(self, session: Session, version: str) -> None:
        hub = self._hub
        session.author.rates = self._limiter.session(_payer(session), shared=session.peer.shares_rates)
        session.outbox.sink.raise_limit(hub.limits.max_message_bytes)
        session.welcomed()
        session.outbox.send(
            Welcome(
                version=version,
                client_id=session.client_id,
                server=self._server,
                cursor=session.outbox.cursor(hub.engine.head),
                heartbeat_ms=hub.limits.heartbeat_ms,
                limits=self._told,
                identity=session.author.identity,
                durability=hub.engine.durability,
                features=_FEATURES,
            )
        )
        hub.tell_authenticated(session)


def _payer(session: Session) -> str:
    """Whose rates a session spends: whoever proved nothing and comes anew each time is known by the address alone."""
    author = session.author
    is_nobody = author.scope != author.sender
    return f"{ANONYMOUS}@{origin_of(session.peer.address)}" if is_nobody and session.peer.shares_rates else author.scope


def _token(session: Session, hello: Hello) -> str | None:
    return hello.token if hello.token is not None else session.peer.token


def _neutral(error: Exception) -> SwarmwireError:
    """A refusal as the client may hear of it; of anything else an authenticator raises only the log does."""
    if not isinstance(error, SwarmwireError):
        log.error("the authenticator failed", exc_info=error)
    elif error.code in _REFUSALS:
        return error
    else:
        log.warning("the authenticator refused with %s", error.code)
    return SwarmwireError(ErrorCode.AUTHENTICATION_FAILED)


def _too_many(wait: float) -> SwarmwireError:
    return SwarmwireError(ErrorCode.RATE_LIMIT_EXCEEDED, "Too many failed logins.", retry_after_ms=retry_after_ms(wait))


def _told(limits: Limits) -> dict[str, int | None]:
    """The limits a client can run into."""
    return {
        "max_message_bytes": limits.max_message_bytes,
        "max_subscriptions": limits.max_subscriptions,
        "max_queue_size": limits.max_queue_size,
        "queue_size": limits.queue_size,
        "max_headers": limits.max_headers,
        "max_headers_bytes": limits.max_headers_bytes,
        "max_key_bytes": limits.max_key_bytes,
        "dedupe_ms": limits.dedupe_ms,
        "max_call_timeout_ms": limits.max_call_timeout_ms,
        "max_id_bytes": MAX_ID_BYTES,
        "max_depth": MAX_DEPTH,
        "max_topic_bytes": MAX_TOPIC_BYTES,
        "max_segments": MAX_SEGMENTS,
    }
