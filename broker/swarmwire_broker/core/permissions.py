"""Permissions: what an identity may publish, subscribe to and call, decided by patterns.

Grants of equal permissions are one object, so a thousand clients with one shape of token share it, and it
goes with the last of them. Decisions are remembered in caches of a fixed size that all grants share.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, Final
from weakref import WeakValueDictionary

from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions
from swarmwire_protocol.topics import check_pattern, contains, is_literal, is_reserved, matches

__all__ = ["EVERYTHING", "NOTHING", "Grants", "parse_permissions"]

EVERYTHING: Final = Permissions(publish=["#"], subscribe=["#"], call=["#"], admin=True)
"""What a client holds where nobody has to log in."""

NOTHING: Final = Permissions()
"""A login that may watch its own connection and no more."""

_DECISIONS = 16_384
_CLAIMS = 256
_SYSTEM = "$sys.#"
_LISTS = ("publish", "subscribe", "call")
_FLAGS = ("admin", "observe")
_FIELDS = (*_LISTS, *_FLAGS)
_KNOWN = frozenset(_FIELDS)

_Patterns = tuple[str, ...]


class Grants:
    """Permissions made ready to be asked. Get one by `Grants.of`.

    Attributes:
        admin: whether operators' methods are open.
        observes: whether those of them that only look are, and the broker's own topics.
        publishes_all: whether every topic that is not the broker's own may be published on.
    """

    __slots__ = ("__weakref__", "_call", "_prefixes", "_publish", "_subscribe", "admin", "observes", "publishes_all")

    def __init__(self, publish: _Patterns, subscribe: _Patterns, call: _Patterns, admin: bool, observe: bool) -> None:
        self._publish = publish
        self._subscribe = subscribe
        self._prefixes = _prefixes(subscribe)
        self._call = call
        self.admin = admin
        self.observes = admin or observe
        self.publishes_all = "#" in publish

    @staticmethod
    def of(permissions: Permissions) -> Grants:
        """The grants of these permissions, whose patterns are taken to be valid."""
        publish, subscribe, call = tuple(permissions.publish), tuple(permissions.subscribe), tuple(permissions.call)
        flags = (permissions.admin, permissions.observe)
        key = (publish, subscribe, call, *flags)
        grants = _shared.get(key)
        if grants is None:
            unique = (_unique(publish), _unique(subscribe), _unique(call), *flags)
            grants = _shared.get(unique) or Grants(*unique)
            _shared[unique] = _shared[key] = grants
        return grants

    def may_publish(self, topic: str) -> bool:
        """Whether a client may publish on this topic; on the broker's own nobody may."""
        if is_reserved(topic):
            return False
        return self.publishes_all or _any_matches(self._publish, topic)

    def may_subscribe(self, pattern: str) -> bool:
        """Whether one granted pattern covers all that this one matches; `$sys` topics are for observers."""
        if is_reserved(pattern):
            return self.observes and _any_contains((_SYSTEM, *self._subscribe), pattern)
        # Whole branches are what is mostly granted, and every client has a pattern of its own.
        return pattern.startswith(self._prefixes) or _any_contains(self._subscribe, pattern)

    def may_call(self, method: str) -> bool:
        """Whether the method may be called."""
        return _any_matches(self._call, method)


_shared: WeakValueDictionary[tuple[_Patterns, _Patterns, _Patterns, bool, bool], Grants] = WeakValueDictionary()


def _prefixes(patterns: _Patterns) -> _Patterns:
    """What all that is below a granted branch begins with: `a.b.` for `a.b.#`."""
    branches = (pattern[:-1] for pattern in patterns if pattern.endswith(".#"))
    return tuple(branch for branch in branches if is_literal(branch[:-1]))


def _unique(patterns: Iterable[str]) -> _Patterns:
    return tuple(dict.fromkeys(patterns))


@lru_cache(maxsize=_DECISIONS)
def _any_matches(patterns: _Patterns, topic: str) -> bool:
    return any(matches(pattern, topic) for pattern in patterns)


@lru_cache(maxsize=_DECISIONS)
def _any_contains(patterns: _Patterns, pattern: str) -> bool:
    return any(contains(granted, pattern) for granted in patterns)


def parse_permissions(claim: object) -> Permissions:
    """Permissions as a token states them.

    An object of `publish`, `subscribe` and `call`, lists of patterns, `admin` and `observe`, true or false; each may be
    absent and then grants nothing. Equal claims become one object, which nobody may change.
    Raises SwarmwireError AUTHENTICATION_FAILED that names the field at fault.
    """
    if not isinstance(claim, dict):
        raise _refused("permissions", "must be an object")
    if not claim.keys() <= _KNOWN:
        unknown = next(str(name) for name in claim if name not in _KNOWN)
        raise _refused("permissions", f"has the unknown field {unknown[:32]!r}, not one of {', '.join(_FIELDS)}")
    publish, subscribe, call = _listed(claim, "publish"), _listed(claim, "subscribe"), _listed(claim, "call")
    admin, observe = _flag(claim, "admin"), _flag(claim, "observe")
    try:
        return _permissions(publish, subscribe, call, admin, observe)
    except TypeError:  # what cannot be hashed is no pattern either
        return _permissions.__wrapped__(publish, subscribe, call, admin, observe)


@lru_cache(maxsize=_CLAIMS)
def _permissions(publish: _Patterns, subscribe: _Patterns, call: _Patterns, admin: bool, observe: bool) -> Permissions:
    for name, patterns in zip(_LISTS, (publish, subscribe, call), strict=True):
        for number, pattern in enumerate(patterns):
            _check(pattern, f"permissions.{name}[{number}]")
    return Permissions(publish=list(publish), subscribe=list(subscribe), call=list(call), admin=admin, observe=observe)


def _flag(claim: dict[str, Any], name: str) -> bool:
    value = claim.get(name, False)
    if not isinstance(value, bool):
        raise _refused(f"permissions.{name}", "must be true or false")
    return value


def _listed(claim: dict[str, Any], name: str) -> _Patterns:
    value = claim.get(name, [])
    if not isinstance(value, list):
        raise _refused(f"permissions.{name}", "must be a list of patterns")
    return tuple(value)


def _check(pattern: object, field: str) -> None:
    if not isinstance(pattern, str):
        raise _refused(field, "must be a pattern")
    try:
        check_pattern(pattern)
    except SwarmwireError as error:
        raise _refused(field, "is not a pattern") from error


def _refused(field: str, what: str) -> SwarmwireError:
    return SwarmwireError(ErrorCode.AUTHENTICATION_FAILED, f"The token's {field} {what}.", field=field)
