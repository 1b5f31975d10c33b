"""`health.check`: whether each part of the broker does what it should, in one answer."""

from __future__ import annotations

import logging
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final

from msgspec import Struct

from ...core.hub import Hub
from ...core.methods import Asked, Method, Params
from .control import Control
from .figures import Figures

__all__ = ["Check", "Checked", "Health", "HealthTold", "State"]

log = logging.getLogger("swarmwire.broker.health")

_LATE_MS: Final = 1_000.0
_NEARLY: Final = 0.9


class State(StrEnum):
    """How a part is, from well to ill."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILING = "failing"


class Checked(Struct, kw_only=True, omit_defaults=True):
    """What a check found; the sentence says what is amiss, or how much there is."""

    status: State
    detail: str = ""


Check = Callable[[], Checked]
"""Looks at one part, at once. What raises is failing."""


class HealthTold(Struct, kw_only=True):
    """The state of the worst part, and of each."""

    status: State
    timestamp: int
    checks: dict[str, Checked]


class Health:
    """Asks every check. Others may `add` theirs."""

    def __init__(self, hub: Hub, control: Control, figures: Figures) -> None:
        self._hub = hub
        self._control = control
        self._figures = figures
        self._checks: dict[str, Check] = {
            "log": self._log,
            "config": self._config,
            "connections": self._connections,
            "loop": self._loop,
            "api": self._api,
        }

    def add(self, name: str, check: Check) -> None:
        """Ask this check too, in the place of one that had the name."""
        self._checks[name] = check

    def methods(self) -> list[Method]:
        return [Method("health.check", Params, self._check, admin=True, looks=True)]

    async def start(self) -> None:
        """There is nothing to read."""

    def close(self) -> None:
        """Nothing happens by itself."""

    def _check(self, asked: Asked, params: Params) -> HealthTold:
        return self.told()

    def told(self) -> HealthTold:
        """How everything is."""
        checks = {name: _asked(name, check) for name, check in self._checks.items()}
        order = list(State)
        worst = max((checked.status for checked in checks.values()), key=order.index)
        return HealthTold(status=worst, timestamp=self._hub.clock.now_ms(), checks=checks)

    # ---- the broker's own parts

    def _log(self) -> Checked:
        engine = self._hub.engine
        place, slow = ("in NATS", "NATS") if engine.remote else ("on disk", "The disk")
        if engine.trouble is not None:
            detail = f"The log {place} cannot be written; the broker's log says why."
            return Checked(status=State.FAILING, detail=detail)
        if engine.congested:
            return Checked(status=State.DEGRADED, detail=f"{slow} is slower than the publishers.")
        detail = f"{engine.durability}, {engine.head} events so far"
        return Checked(status=State.OK, detail=detail + _server(self._control.engine))

    def _config(self) -> Checked:
        trouble = self._control.trouble
        if trouble is not None:
            return Checked(status=State.DEGRADED, detail=f"It could not be read again: {trouble}")
        return Checked(status=State.OK)

    def _connections(self) -> Checked:
        hub = self._hub
        if hub.is_draining:
            return Checked(status=State.FAILING, detail="The broker is shutting down.")
        held, most = len(hub.sessions), hub.limits.max_connections
        detail = f"{held} of {most}" if most is not None else str(held)
        is_full = most is not None and held >= most * _NEARLY
        return Checked(status=State.DEGRADED if is_full else State.OK, detail=detail)

    def _loop(self) -> Checked:
        lag = self._figures.lag_ms
        return Checked(status=State.DEGRADED if lag > _LATE_MS else State.OK, detail=f"{lag:.0f} ms late")

    def _api(self) -> Checked:
        urls = self._control.urls
        return Checked(status=State.OK, detail=", ".join(urls) or "in process only")


def _server(engine: dict[str, Any]) -> str:
    """The end of a sentence that says which server keeps the log, where one does."""
    if engine["kind"] != "nats":
        return ""
    servers = engine["servers"]
    return f", in NATS at {engine['server']}" + (f", one of {servers} servers" if servers > 1 else "")


def _asked(name: str, check: Check) -> Checked:
    try:
        return check()
    except Exception:
        log.exception("a check failed", extra={"check": name})
        return Checked(status=State.FAILING, detail="The check itself failed; the broker's log says why.")
