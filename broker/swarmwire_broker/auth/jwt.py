"""JSON web tokens: verified by a key, their claims made a login."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import jwt
from jwt.exceptions import InvalidJTIError, InvalidSubjectError

from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions

from ..core.permissions import NOTHING, parse_permissions
from ..core.ports import Verified
from .keys import Key, Keys
from .login import Login, check_subject, refused
from .plain import PlainTokens

__all__ = ["JwtSource"]

_MAX_TIME = 253_402_300_799
"""The end of the year 9999, in seconds since 1970."""

_TIMES = ("exp", "iat", "nbf")

_OPTIONS: Any = {"require": ["sub"], "enforce_minimum_key_length": True}

# What is wrong with a token whose signature is right; the first row that fits counts.
_SENTENCES: tuple[tuple[type[jwt.PyJWTError], str, str], ...] = (
    (jwt.ImmatureSignatureError, "The token is not valid yet.", "nbf"),
    (jwt.InvalidAudienceError, "The token is for another audience.", "aud"),
    (jwt.InvalidIssuerError, "The token is from another issuer.", "iss"),
    (jwt.InvalidIssuedAtError, "The token's iat must be a number.", "iat"),
    (InvalidSubjectError, "The token's subject must be a text that is not empty.", "sub"),
    (InvalidJTIError, "The token's jti must be a text.", "jti"),
)


class JwtSource:
    """Lets in who holds a token signed with one of the keys.

    The claim `sub` is required; `exp`, `nbf`, `iat` and `jti` are honoured where they are there, the times with
    `leeway` seconds of tolerance. `aud` and `iss` must be the given ones, if any are given; a token for some
    audience is refused where none is given. `permissions` states what the token allows: without it
    `permissions` of the source do.
    """

    def __init__(
        self,
        keys: Keys,
        *,
        audience: str | Sequence[str] | None = None,
        issuer: str | Sequence[str] | None = None,
        leeway: float = 0.0,
        permissions: Permissions = NOTHING,
    ) -> None:
        self._keys = keys
        self.waits = keys.only is None
        self._audience = audience
        self._issuer = issuer
        self._leeway = leeway
        secret = keys.only.secret if keys.only is not None else None
        # Whom tokens are from or for is pyjwt's to compare.
        is_plain = secret is not None and audience is None and issuer is None
        self._plain = PlainTokens(secret) if secret is not None and is_plain else None
        self._permissions = permissions

    async def verify(self, token: str) -> Login | None:
        """The login that the token proves; None if no key here has signed it."""
        if not self.waits:
            return self.verify_now(token)
        try:
            header = jwt.get_unverified_header(token)
        except jwt.PyJWTError:
            return None
        return self._verify_by(await self._keys.find(header), token)

    def verify_now(self, token: str) -> Login | None:
        return self._verify_by(self._keys.only, token)

    def _verify_by(self, key: Key | None, token: str) -> Login | None:
        claims = self._claims(token, key) if key is not None else None
        return None if claims is None else self._login(claims)

    def _plain_claims(self, token: str) -> dict[str, Any] | None:
        """The claims of a plain token with which all is right at a glance, if it is one."""
        claims = self._plain.claims(token) if self._plain is not None else None
        return claims if claims is not None and _is_in_order(claims, time.time(), self._leeway) else None

    def _claims(self, token: str, key: Key) -> dict[str, Any] | None:
        if (plain := self._plain_claims(token)) is not None:
            return plain
        try:
            return jwt.decode(
                token,
                key.material,
                algorithms=key.algorithms,
                options=_OPTIONS,
                audience=self._audience,
                issuer=self._issuer,
                leeway=self._leeway,
            )
        except jwt.PyJWTError as error:
            if (found := _explain(error)) is None:
                return None
            raise found from None

    def _login(self, claims: Mapping[str, Any]) -> Login:
        expires = _seconds(claims, "exp")
        issued = _seconds(claims, "iat")
        verified = Verified(
            subject=check_subject(claims["sub"]),
            permissions=parse_permissions(claims["permissions"]) if "permissions" in claims else self._permissions,
            # The tolerance counts while connected too, or a login within it would end at once.
            expires_at=None if expires is None else int((int(expires) + self._leeway) * 1000),
            token_id=claims.get("jti"),
        )
        return Login(verified=verified, issued_at=None if issued is None else int(issued * 1000))


def _is_in_order(claims: Mapping[str, Any], now: float, leeway: float) -> bool:
    """Whether pyjwt could have nothing to say against these claims."""
    if "aud" in claims or not isinstance(claims.get("sub"), str) or not isinstance(claims.get("jti", ""), str):
        return False
    for name in _TIMES:
        if name in claims and type(claims[name]) is not int:
            return False
    begins, ends = max(claims.get("nbf", 0), claims.get("iat", 0)), claims.get("exp")
    return bool(begins <= now + leeway and (ends is None or ends > now - leeway))


def _explain(error: jwt.PyJWTError) -> SwarmwireError | None:
    """What to tell of a token that a key here has signed; None if none has."""
    if isinstance(error, jwt.ExpiredSignatureError):
        return SwarmwireError(ErrorCode.TOKEN_EXPIRED, field="token")
    if isinstance(error, jwt.MissingRequiredClaimError):
        return refused(f"The token must have the claim {error.claim}.", field=error.claim)
    for kind, sentence, field in _SENTENCES:
        if isinstance(error, kind):
            return refused(sentence, field=field)
    return None


def _seconds(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    # NaN is in no range, and a number of any length is compared without becoming a float.
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _MAX_TIME:
        raise refused(f"The token's {name} must be seconds since 1970, up to the year 9999.", field=name)
    return float(value)
