"""The authenticator: the configured ways to log in, tried in order."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions

from ..core.permissions import EVERYTHING, NOTHING
from ..core.ports import Authenticator, Peer, Verified
from .jwks import JwksKeys
from .jwt import JwtSource
from .keys import Keys, StaticKey, check_algorithms, public_key, secret_key
from .login import MAX_TOKEN_BYTES, Login, Source, refused
from .revocations import Revocations
from .shared import SharedToken

if TYPE_CHECKING:
    from ..credentials import Auth

__all__ = ["Chain", "build_authenticator", "configured_authenticator"]


class Chain:
    """Asks each source in turn; the first that knows the token decides.

    `local_permissions` is what a client without a token may do that the kernel vouches for (`Peer.subject`) as one
    of `local_subjects`; None demands a token of it as of everyone.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        *,
        local_permissions: Permissions | None = None,
        local_subjects: Collection[str] = (),
        revocations: Revocations | None = None,
    ) -> None:
        self._sources = tuple(sources)
        self._waits = any(source.waits for source in sources)
        self._local = local_permissions
        self._local_subjects = frozenset(local_subjects)
        self._revocations = revocations

    async def __call__(self, token: str | None, metadata: dict[str, Any], peer: Peer) -> Verified:
        """Who logs in, by the token of the hello or of the request.

        Raises SwarmwireError AUTHENTICATION_FAILED, TOKEN_EXPIRED, or UNAVAILABLE where it cannot be told now.
        """
        token = peer.token if token is None else token
        return self._unless_revoked(self._without_token(peer) if token is None else await self._with_token(token))

    def at_once(self, token: str | None, peer: Peer) -> Verified | None:
        """The same where no source has to wait for anything; else None, and nothing is decided."""
        if self._waits:
            return None
        token = peer.token if token is None else token
        return self._unless_revoked(self._without_token(peer) if token is None else self._with_token_now(token))

    def _unless_revoked(self, login: Login) -> Verified:
        if self._revocations is not None and self._revocations.is_revoked(login.verified, login.issued_at):
            raise refused("The login was revoked.")
        return login.verified

    def _without_token(self, peer: Peer) -> Login:
        if peer.subject is None or self._local is None or peer.subject not in self._local_subjects:
            raise refused("A token is needed.")
        return Login(verified=Verified(subject=peer.subject, permissions=self._local))

    async def _with_token(self, token: str) -> Login:
        _check_token(token)
        unavailable = None
        for source in self._sources:
            try:
                login = await source.verify(token)
            except SwarmwireError as error:
                if error.code is not ErrorCode.UNAVAILABLE:
                    raise
                unavailable = error
            else:
                if login is not None:
                    return login
        raise unavailable or refused("The token was not accepted.")

    def _with_token_now(self, token: str) -> Login:
        _check_token(token)
        for source in self._sources:
            if (login := source.verify_now(token)) is not None:
                return login
        raise refused("The token was not accepted.")


def _check_token(token: str) -> None:
    try:
        size = len(token.encode())
    except UnicodeEncodeError:
        raise refused("The token was not accepted.") from None
    if size > MAX_TOKEN_BYTES:
        raise refused(f"The token must have at most {MAX_TOKEN_BYTES} bytes, it has {size}.")


def build_authenticator(
    *,
    token: str | None = None,
    token_subject: str = "token",
    token_permissions: Permissions = EVERYTHING,
    jwt_secret: str | bytes | None = None,
    jwt_public_key: str | bytes | None = None,
    jwks_url: str | None = None,
    algorithms: Sequence[str] = (),
    audience: str | Sequence[str] | None = None,
    issuer: str | Sequence[str] | None = None,
    leeway: float = 0.0,
    jwt_permissions: Permissions = NOTHING,
    local_permissions: Permissions | None = None,
    local_subjects: Collection[str] = (),
    revocations: Revocations | None = None,
) -> Authenticator | None:
    """The authenticator for what is configured; None where nothing is, so that nobody has to log in.

    Tried in this order: the shared `token`, then JSON web tokens by `jwt_secret`, `jwt_public_key` and
    `jwks_url`. `algorithms` must name what the public keys may be used with (RS256, ES256, EdDSA); a secret is
    for HS256. `jwt_permissions` is for tokens that state none. `leeway` is in seconds.

    Raises ValueError, with a sentence for whoever starts the broker, for what cannot work or is not safe.
    """
    check_algorithms(algorithms)
    sources: list[Source] = []
    if token is not None:
        sources.append(SharedToken(token, subject=token_subject, permissions=token_permissions))
    sources += [
        JwtSource(keys, audience=audience, issuer=issuer, leeway=leeway, permissions=jwt_permissions)
        for keys in _keys(jwt_secret, jwt_public_key, jwks_url, algorithms)
    ]
    if not sources:
        return None
    return Chain(sources, local_permissions=local_permissions, local_subjects=local_subjects, revocations=revocations)


def configured_authenticator(
    auth: Auth, *, local_subjects: Collection[str] = (), revocations: Revocations | None = None
) -> Authenticator | None:
    """The authenticator for the `auth` part of the configuration, its files read; None where it is empty.

    `local_subjects` are those whom `auth.local` is about.
    Raises ConfigError for a file that cannot be read, ValueError for what cannot work or is not safe.
    """
    default = auth.default_permissions
    return build_authenticator(
        token=auth.read_token(),
        token_permissions=EVERYTHING if default is None else default,
        jwt_secret=auth.read_jwt_secret(),
        jwt_public_key=auth.read_jwt_public_key(),
        jwks_url=auth.jwks_url,
        algorithms=auth.accepted_algorithms,
        audience=auth.audience,
        issuer=auth.issuer,
        leeway=auth.leeway_seconds,
        jwt_permissions=NOTHING if default is None else default,
        local_permissions=EVERYTHING if auth.local == "full" else None,
        local_subjects=local_subjects,
        revocations=revocations,
    )


def _keys(
    secret: str | bytes | None, pem: str | bytes | None, url: str | None, algorithms: Sequence[str]
) -> list[Keys]:
    keys: list[Keys] = []
    if secret is not None:
        keys.append(StaticKey(secret_key(secret, algorithms)))
    if pem is not None:
        keys.append(StaticKey(public_key(pem, algorithms)))
    if url is not None:
        keys.append(JwksKeys(url, algorithms))
    return keys
