"""What a way to log in answers, and the rules that hold for all of them."""

from __future__ import annotations

import unicodedata
from typing import Any, Protocol

import msgspec

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..core.ports import Verified

__all__ = ["MAX_SUBJECT_BYTES", "MAX_TOKEN_BYTES", "Login", "Source", "check_subject", "refused"]

MAX_SUBJECT_BYTES = 256
MAX_TOKEN_BYTES = 16 * 1024

_RESERVED = ("anonymous:", "uid:")
_UNPRINTABLE = ("Cc", "Cs")


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """A login that a token proves. `issued_at` is when the token was made, in milliseconds since 1970, if it says."""

    verified: Verified
    issued_at: int | None = None


class Source(Protocol):
    """One way to log in.

    Attributes:
        waits: whether a login may have to wait for something; `verify_now` is for the others.
    """

    @property
    def waits(self) -> bool: ...

    def verify_now(self, token: str) -> Login | None:
        """The same as `verify`, at once."""
        ...

    async def verify(self, token: str) -> Login | None:
        """The login that the token proves; None if the token is not one of this source.

        Raises SwarmwireError for a token that is this source's own and yet no good (TOKEN_EXPIRED,
        AUTHENTICATION_FAILED), and UNAVAILABLE where it cannot be told just now.
        """
        ...


def check_subject(subject: object) -> str:
    """The subject of a token, if it may be one.

    It has 1 to 256 bytes of UTF-8 and no control characters, and is not a name that the broker itself gives
    (`anonymous:`, `uid:`). Raises SwarmwireError AUTHENTICATION_FAILED.
    """
    if not isinstance(subject, str) or not subject:
        raise refused("The token's subject must be a text that is not empty.", field="sub")
    if len(subject) > MAX_SUBJECT_BYTES or not (_is_plain(subject) or _is_printable(subject)):
        raise _bad_subject()
    if subject.startswith(_RESERVED):
        raise refused("The token's subject must not begin with anonymous: or uid:.", field="sub")
    return subject


def _is_plain(subject: str) -> bool:
    return subject.isascii() and subject.isprintable()


def _is_printable(subject: str) -> bool:
    if any(unicodedata.category(c) in _UNPRINTABLE for c in subject):
        return False
    return len(subject.encode()) <= MAX_SUBJECT_BYTES


def _bad_subject() -> SwarmwireError:
    sentence = f"The token's subject must have at most {MAX_SUBJECT_BYTES} bytes and no control characters."
    return refused(sentence, field="sub")


def refused(sentence: str, *, field: str = "token", details: Any = None) -> SwarmwireError:
    """The error of a login that is refused for good."""
    return SwarmwireError(ErrorCode.AUTHENTICATION_FAILED, sentence, field=field, details=details)
