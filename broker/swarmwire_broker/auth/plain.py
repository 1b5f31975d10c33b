"""The plain token: HS256, a bare header, canonical base64, and a signature that is right.

Nearly every token that a broker with a shared secret is shown is one, and it takes a fifth of pyjwt's time to see
that. Nothing is refused here: whatever is not plain, and every token that is wrong, is left to pyjwt to judge.
"""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any, Final

__all__ = ["PlainTokens"]


def _encoded(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")


_HEADERS: Final = frozenset(
    _encoded(header) for header in (b'{"alg":"HS256","typ":"JWT"}', b'{"typ":"JWT","alg":"HS256"}', b'{"alg":"HS256"}')
)
"""The headers that say nothing but what is expected, as libraries write them."""


class PlainTokens:
    """Reads plain tokens that this secret has signed."""

    __slots__ = ("_secret",)

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def claims(self, token: str) -> dict[str, Any] | None:
        """What the token claims, none of it looked at; None for what is no plain token, or has another signature."""
        if not token.isascii():
            return None
        signed, _, signature = token.encode().rpartition(b".")
        header, _, payload = signed.partition(b".")
        if header not in _HEADERS:
            return None
        expected = _encoded(hmac.digest(self._secret, signed, "sha256"))
        return _object(payload) if hmac.compare_digest(expected, signature) else None


def _object(payload: bytes) -> dict[str, Any] | None:
    try:
        raw = urlsafe_b64decode(payload + b"=" * (-len(payload) % 4))
        if _encoded(raw) != payload:
            return None
        claims = json.loads(raw.decode())
    except (ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None
