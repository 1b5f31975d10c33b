"""A configuration that was read again: what of it holds from now on, and what needs a restart."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Final, NamedTuple

from msgspec import Struct, structs

from swarmwire_protocol.messages import Permissions

from ...auth.shared import shared_token_id
from ...config import Auth, Config
from ...core.hub import Hub
from ...core.permissions import EVERYTHING
from ...core.ports import Authenticator
from ...logs import change_level

__all__ = ["Plan", "Secrets", "apply", "plan_of", "secrets_of"]

_GROUPS: Final = ("auth", "limits", "rates")
_LIVE: Final = frozenset({*_GROUPS, "log_level"})
_OF_THE_LOG: Final = ("log_", "window_", "write_queue_", "latest_", "dedupe_")
_OF_THE_START: Final = frozenset({"heartbeat_ms", "max_hello_bytes", "max_queues", "router_cache_topics"})
"""Limits that something was built with, or that clients were told for as long as they are connected."""

_SOON: Final = 0.1

_FILES: Final[Mapping[str, Callable[[Auth], str | None]]] = {
    "token_file": Auth.read_token,
    "jwt_secret_file": Auth.read_jwt_secret,
    "jwt_public_key_file": Auth.read_jwt_public_key,
}


class Plan(NamedTuple):
    """What follows from another configuration.

    Attributes:
        config: what will be in force: the new one, but for what needs a restart.
        applied, restart: the settings that differ, by name.
    """

    config: Config
    applied: list[str]
    restart: list[str]

    def touches(self, group: str) -> bool:
        """Whether any setting of this group is applied."""
        return any(name.startswith(f"{group}.") for name in self.applied)


def plan_of(
    running: Config,
    wanted: Config,
    *,
    rewritten: Collection[str] = (),
    keeps_auth: bool = False,
    keeps_level: bool = False,
) -> Plan:
    """Compare what runs with what was read.

    `rewritten` names the files of secrets, as settings, that hold something else than before. `keeps_auth` and
    `keeps_level` say that logins or the level of the log are not the broker's to change. That clients have to log in
    at all, or need not any more, takes a restart.

    Raises:
        ConfigError: settings that contradict each other.
    """
    keeps_auth = keeps_auth or running.auth.configured != wanted.auth.configured
    fixed = {name for name in Config.__struct_fields__ if name not in _LIVE}
    fixed |= {f"limits.{name}" for name in running.limits.__struct_fields__ if _is_fixed_limit(name)}
    if keeps_auth:
        fixed |= {f"auth.{name}" for name in Auth.__struct_fields__}
    if keeps_level:
        fixed.add("log_level")
    changed = list(dict.fromkeys([*_differences(running, wanted), *rewritten]))
    kept = {name: getattr(running, name) for name in fixed if "." not in name}
    groups = {group: _mixed(getattr(running, group), getattr(wanted, group), group, fixed) for group in _GROUPS}
    return Plan(
        structs.replace(wanted, **kept | groups),
        [name for name in changed if name not in fixed],
        [name for name in changed if name in fixed],
    )


def _is_fixed_limit(name: str) -> bool:
    return name.startswith(_OF_THE_LOG) or name in _OF_THE_START


def _differences(running: Config, wanted: Config) -> Iterator[str]:
    for name in Config.__struct_fields__:
        before, after = getattr(running, name), getattr(wanted, name)
        if name in _GROUPS:
            fields = before.__struct_fields__
            yield from (f"{name}.{field}" for field in fields if getattr(before, field) != getattr(after, field))
        elif before != after:
            yield name


def _mixed(running: Struct, wanted: Struct, group: str, fixed: set[str]) -> Struct:
    kept: dict[str, Any] = {
        field: getattr(running, field) for field in running.__struct_fields__ if f"{group}.{field}" in fixed
    }
    return structs.replace(wanted, **kept) if kept else wanted


class Secrets(NamedTuple):
    """What secrets are now, as something that gives nothing away: the files by setting, and the shared token's id."""

    files: dict[str, bytes]
    token: str | None


def secrets_of(auth: Auth) -> Secrets:
    """Read the files that `auth` names.

    Raises:
        ConfigError: one cannot be read.
    """
    files = {}
    for field, read in _FILES.items():
        if getattr(auth, field) is not None:
            files[f"auth.{field}"] = _digest(read(auth))
    token = auth.read_token()
    return Secrets(files, None if token is None else shared_token_id(token))


def _digest(text: str | None) -> bytes:
    return hashlib.sha256((text or "").encode()).digest()


def apply(
    hub: Hub, plan: Plan, authenticator: Authenticator | None, *, token: str | None, former_token: str | None
) -> None:
    """Let a running broker hold to what a plan says, at once.

    `token` is the id of the shared token, `former_token` what it was. Where they differ, whoever came in by the former
    one is turned out, a moment later: it may be the one who waits to hear how this went. Other logins last until their
    tokens end.
    """
    config = plan.config
    if plan.touches("limits"):
        hub.bound(config.limits)
    if plan.touches("rates"):
        hub.login.meter(config.rates, forget_failures="rates.failed_logins" in plan.applied)
    if plan.touches("auth"):
        hub.login.ask(authenticator)
        if former_token is not None and former_token != token:
            hub.clock.call_later(_SOON, lambda: hub.revoke(token_id=former_token))
        elif token is not None and "auth.default_permissions" in plan.applied:
            _permit_shared(hub, token, config.auth.default_permissions)
    if "log_level" in plan.applied:
        change_level(config.log_level)


def _permit_shared(hub: Hub, token: str, permissions: Permissions | None) -> None:
    for session in list(hub.sessions.values()):
        if session.author.token_id == token:
            session.author.permit(EVERYTHING if permissions is None else permissions)
            session.recheck()
