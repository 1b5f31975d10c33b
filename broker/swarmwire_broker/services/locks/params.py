"""What the methods of locks take. Times are in milliseconds."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta, Raw

from ...core.methods import Params

__all__ = ["MAX_TTL_MS", "MIN_TTL_MS", "Acquire", "ListLocks", "OneLock", "Release", "Renew"]

MIN_TTL_MS: Final = 1_000
MAX_TTL_MS: Final = 86_400_000
_MAX_BYTES: Final = 128

_Ttl = Annotated[int, Meta(ge=MIN_TTL_MS, le=MAX_TTL_MS)]
_Text = Annotated[str, Meta(max_length=_MAX_BYTES)]
_Token = Annotated[int, Meta(ge=0, le=2**53)]


class OneLock(Params, kw_only=True):
    name: str = ""


class Acquire(OneLock, kw_only=True):
    """`wait` 0 does not wait; absent, it lasts until the call's deadline. `metadata` is an object."""

    ttl: _Ttl = 30_000
    wait: Annotated[int, Meta(ge=0, le=2**53)] | None = None
    owner: _Text | None = None
    metadata: Raw = Raw(b"null")


class Release(OneLock, kw_only=True):
    token: _Token


class Renew(Release, kw_only=True):
    ttl: _Ttl | None = None


class ListLocks(Params, kw_only=True):
    prefix: _Text = ""
    limit: Annotated[int, Meta(ge=0, le=1_000)] = 100
    offset: Annotated[int, Meta(ge=0, le=2**53)] = 0
