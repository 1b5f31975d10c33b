"""The plain token: HS256, a bare header, canonical base64, and a signature that is right.

Nearly every token that a broker with a shared secret is shown is one, and it takes a fifth of pyjwt's time to see
that. Nothing is refused here: whatever is not plain, and every token that is wrong, is left to pyjwt to judge.
"""

from __future__ import annotations

import hmac
from binascii import a2b_base64, b2a_base64
from typing import Any, Final

import msgspec

__all__ = ["PlainTokens"]

_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
_FROM_URL: Final = bytes.maketrans(b"-_", b"+/")


def _encoded(raw: bytes) -> bytes:
    return b2a_base64(raw, newline=False).translate(_TO_URL).rstrip(b"=")


_HEADERS: Final = frozenset(
    _encoded(header) for header in (b'{"alg":"HS256","typ":"JWT"}', b'{"typ":"JWT","alg":"HS256"}', b'{"alg":"HS256"}')
)
"""The headers that say nothing but what is expected, as libraries write them."""


class PlainTokens:
    """Reads plain tokens that this secret has signed."""

    __slots__ = ("_keyed",)

    def __init__(self, secret: bytes) -> None:
        self._keyed = hmac.new(secret, digestmod="sha256")  # copied for each token: the key is prepared once

    def claims(self, token: str) -> dict[str, Any] | None:
        """What the token claims, none of it looked at; None for what is no plain token, or has another signature."""
        if not token.isascii():
            return None
        signed, _, signature = token.encode().rpartition(b".")
        header, _, payload = signed.partition(b".")
        if header not in _HEADERS:
            return None
        keyed = self._keyed.copy()
        keyed.update(signed)
        return _object(payload) if hmac.compare_digest(_encoded(keyed.digest()), signature) else None


def _object(payload: bytes) -> dict[str, Any] | None:
    try:
        raw = a2b_base64(payload.translate(_FROM_URL) + b"=" * (-len(payload) % 4))
        if _encoded(raw) != payload:
            return None
        claims = msgspec.json.decode(raw)  # it refuses more than pyjwt does, and reads the rest alike
    except (ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None
