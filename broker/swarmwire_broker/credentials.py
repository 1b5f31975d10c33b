"""How clients prove who they are: the `auth` part of the configuration, and what in it contradicts what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from swarmwire_protocol.errors import SwarmwireError
from swarmwire_protocol.messages import Permissions
from swarmwire_protocol.topics import check_pattern

from .sources import ConfigError

__all__ = ["SECRETS", "Auth", "Problem", "pattern_problems", "raise_first"]

SECRETS = frozenset({"token", "jwt_secret"})
"""The fields whose values are never shown."""

Problem = tuple[str, tuple[str, ...]]
"""The sentence that says what is wrong, and the settings at fault."""

_HMAC = ("HS256",)
_SIGNATURES = ("RS256", "ES256", "EdDSA")
_ONE_PLACE = ("token", "jwt_secret", "jwt_public_key")
_JWT_KEYS = {
    "jwt_secret": _HMAC,
    "jwt_secret_file": _HMAC,
    "jwt_public_key": _SIGNATURES,
    "jwt_public_key_file": _SIGNATURES,
    "jwks_url": _SIGNATURES,
}
_JWT_ONLY = ("algorithms", "audience", "issuer", "leeway_seconds")


class Auth(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How clients prove who they are. Without any of it authentication is off.

    Raises ConfigError when two settings contradict each other.
    """

    token: str | None = None
    """A token that all clients share."""
    token_file: str | None = None
    """A file that holds it; white space around it is not part of it."""
    jwt_secret: str | None = None
    """The secret that JSON web tokens are signed with (HS256)."""
    jwt_secret_file: str | None = None
    """A file that holds it."""
    jwt_public_key: str | None = None
    """The public key of the JSON web tokens, in PEM."""
    jwt_public_key_file: str | None = None
    """A file that holds it."""
    jwks_url: str | None = None
    """The address of a set of public keys."""
    algorithms: list[str] = []
    """The algorithms accepted: HS256 with a secret (the default); RS256, ES256, EdDSA with public keys."""
    audience: str | None = None
    """The audience a JSON web token must name."""
    issuer: str | None = None
    """The issuer a JSON web token must name."""
    leeway_seconds: Annotated[float, Meta(ge=0)] = 0.0
    """Seconds by which clocks may differ when `exp` and `nbf` are checked."""
    default_permissions: Permissions | None = None
    """What the shared token, and a JSON web token without `permissions`, allow.

    None: the shared token allows everything, a JSON web token without the claim nothing.
    """

    local: Literal["token", "full"] = "token"
    """What a client of the broker's own user, or of root, may do without a token on a Unix socket or pipe.

    `token`: nothing, it needs one like everybody; `full`: everything.
    """

    def __post_init__(self) -> None:
        raise_first(_auth_problems(self))

    @property
    def configured(self) -> bool:
        """Whether clients must log in."""
        return self.shares_token or self.takes_jwt

    @property
    def shares_token(self) -> bool:
        """Whether there is a shared token."""
        return self.token is not None or self.token_file is not None

    @property
    def takes_jwt(self) -> bool:
        """Whether JSON web tokens are accepted."""
        return any(getattr(self, name) is not None for name in _JWT_KEYS)

    @property
    def accepted_algorithms(self) -> list[str]:
        """The algorithms of JSON web tokens, the default applied: HS256 where there is a secret."""
        secret = self.jwt_secret is not None or self.jwt_secret_file is not None
        return self.algorithms or (list(_HMAC) if secret else [])

    def describe(self) -> str:
        """The kinds of login in a few words, for people."""
        kinds = ["shared token"] if self.shares_token else []
        if self.takes_jwt:
            kinds.append(f"JSON web tokens ({', '.join(self.accepted_algorithms)})")
        return " and ".join(kinds) or "none: every client may do everything"

    def read_token(self) -> str | None:
        """The shared token, from its file if it stands in one. Raises ConfigError if that cannot be read."""
        return self.token if self.token_file is None else _read_secret("auth.token_file", self.token_file)

    def read_jwt_secret(self) -> str | None:
        """The secret of JSON web tokens. Raises ConfigError if its file cannot be read."""
        path = self.jwt_secret_file
        return self.jwt_secret if path is None else _read_secret("auth.jwt_secret_file", path)

    def read_jwt_public_key(self) -> str | None:
        """The public key of JSON web tokens. Raises ConfigError if its file cannot be read."""
        path = self.jwt_public_key_file
        return self.jwt_public_key if path is None else _read_secret("auth.jwt_public_key_file", path)

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        values = [(name, getattr(self, name)) for name in self.__struct_fields__]
        return [(name, "***" if name in SECRETS and value is not None else value) for name, value in values]

    def __repr__(self) -> str:
        return f"Auth({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"


def raise_first(problems: Iterator[Problem]) -> None:
    """Raise ConfigError for the first problem, if there is one."""
    for sentence, names in problems:
        raise ConfigError(sentence, *names)


def pattern_problems(patterns: Iterable[str], setting: str) -> Iterator[Problem]:
    """What is wrong with the topic patterns of a setting."""
    for pattern in patterns:
        try:
            check_pattern(pattern)
        except SwarmwireError as error:
            yield f"{setting}: {error.message}", (setting,)


def _auth_problems(auth: Auth) -> Iterator[Problem]:
    for name in _ONE_PLACE:
        value, pair = getattr(auth, name), (f"auth.{name}", f"auth.{name}_file")
        if value == "":
            yield f"{pair[0]} is empty: give a value, or none", pair[:1]
        if value is not None and getattr(auth, f"{name}_file") is not None:
            yield f"{pair[0]} and {pair[1]} contradict each other: give one", pair
    yield from _key_problems(auth)
    yield from _permission_problems(auth)
    if auth.local != "token" and not auth.configured:
        yield "auth.local means nothing without authentication", ("auth.local",)


def _key_problems(auth: Auth) -> Iterator[Problem]:
    keys = {f"auth.{name}": usable for name, usable in _JWT_KEYS.items() if getattr(auth, name) is not None}
    if keys:
        yield from _algorithm_problems(auth.accepted_algorithms, keys)
        return
    for name in _JWT_ONLY:
        if getattr(auth, name):
            yield f"auth.{name} means nothing without a key of JSON web tokens", (f"auth.{name}",)


def _algorithm_problems(accepted: list[str], keys: dict[str, tuple[str, ...]]) -> Iterator[Problem]:
    for key, usable in keys.items():
        if not set(accepted) & set(usable):
            yield f"{key} needs auth.algorithms: some of {', '.join(usable)}", (key, "auth.algorithms")
    possible = [algorithm for usable in keys.values() for algorithm in usable]
    for algorithm in accepted:
        if algorithm not in possible:
            sentence = f"auth.algorithms: expected some of {', '.join(possible)} for {' and '.join(keys)}"
            yield f"{sentence}, got {algorithm}", ("auth.algorithms",)


def _permission_problems(auth: Auth) -> Iterator[Problem]:
    name, permissions = "auth.default_permissions", auth.default_permissions
    if permissions is None:
        return
    if not auth.configured:
        yield f"{name} mean nothing without authentication", (name,)
    for kind in ("publish", "subscribe", "call"):
        yield from pattern_problems(getattr(permissions, kind), f"{name}.{kind}")


def _read_secret(name: str, path: str) -> str:
    try:
        text = Path(path).expanduser().read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise ConfigError(f"{name}: cannot read {path}: {reason}", name) from None
    if not text:
        raise ConfigError(f"{name}: {path} is empty", name)
    return text
