"""`daemon.*`: what runs, its end, its configuration read again, and what it takes."""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from typing import Any, Final

from msgspec import Struct

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.hub import Hub
from ...core.methods import Asked, Method, Params
from ...sources import ConfigError
from .control import Control
from .figures import Figures, Measured
from .health import Health
from .membership import MemberFacts, Membership

__all__ = ["Daemon", "MetricsTold", "ReloadTold", "StatusTold", "SystemTold"]

_SOON: Final = 0.1
"""Seconds in which the answer to a stop is on its way before the end begins."""


class SystemTold(Struct, kw_only=True):
    """The machine and what the process takes of it; None where the system does not say."""

    platform: str
    python: str
    cpus: int | None
    cpu_seconds: float
    memory_bytes: int | None


class StatusTold(Struct, kw_only=True):
    """A broker that runs. `started` is in milliseconds since 1970, `uptime` in milliseconds."""

    status: str
    name: str
    id: str
    version: str
    pid: int
    started: int
    uptime: int
    urls: list[str]
    config: dict[str, Any]
    engine: dict[str, Any]
    system: SystemTold
    components: dict[str, str]
    members: list[MemberFacts]


class ReloadTold(Struct, kw_only=True):
    """What was applied, and what waits for a restart; `config` is what is in force now."""

    message: str
    applied: list[str]
    restart: list[str]
    config: dict[str, Any]


class MetricsTold(Struct, kw_only=True):
    """Everything that is counted, and what the process takes."""

    timestamp: int
    metrics: Measured
    system: SystemTold


class Daemon:
    """The process, for operators."""

    def __init__(self, hub: Hub, control: Control, health: Health, figures: Figures, membership: Membership) -> None:
        self._hub = hub
        self._control = control
        self._health = health
        self._figures = figures
        self._membership = membership
        self._started = hub.clock.now_ms()
        self._since = hub.clock.time()

    def methods(self) -> list[Method]:
        return [
            Method("daemon.status", Params, self._status, admin=True, looks=True),
            Method("daemon.stop", Params, self._stop, admin=True),
            Method("daemon.reload", Params, self._reload, admin=True),
            Method("daemon.metrics", Params, self._metrics, admin=True, looks=True),
        ]

    async def start(self) -> None:
        """There is nothing to read."""

    def close(self) -> None:
        """Nothing happens by itself."""

    # ---- the methods

    def _status(self, asked: Asked, params: Params) -> StatusTold:
        hub, info = self._hub, self._hub.info
        checks = self._health.told().checks
        return StatusTold(
            status="draining" if hub.is_draining else "running",
            name=info.name,
            id=info.id,
            version=info.version,
            pid=info.pid,
            started=self._started,
            uptime=round((hub.clock.time() - self._since) * 1000),
            urls=self._control.urls,
            config=self._config(),
            engine=self._control.engine,
            system=_system(),
            components={name: checked.status.value for name, checked in checks.items()},
            members=self._membership.members(),
        )

    def _stop(self, asked: Asked, params: Params) -> dict[str, str]:
        self._hub.clock.call_later(_SOON, self._control.stop)
        return {"message": "Daemon shutdown initiated"}

    async def _reload(self, asked: Asked, params: Params) -> ReloadTold:
        try:
            reloaded = await self._control.reload()
        except ConfigError as error:
            field = error.settings[0] if error.settings else None
            sentence = f"The configuration stays what it was: {error}"
            raise SwarmwireError(ErrorCode.UNAVAILABLE, sentence, field=field) from None
        applied, restart = reloaded.applied, reloaded.restart
        message = f"{len(applied)} settings applied" if applied else "Nothing to apply"
        if restart:
            message += f"; {len(restart)} need a restart"
        return ReloadTold(message=message, applied=applied, restart=restart, config=self._config())

    def _metrics(self, asked: Asked, params: Params) -> MetricsTold:
        return MetricsTold(timestamp=self._hub.clock.now_ms(), metrics=self._figures.measured(), system=_system())

    def _config(self) -> dict[str, Any]:
        """What is in force, without anything secret."""
        config = self._control.config
        shown = ("host", "port", "path", "unix", "pipe", "data", "sync", "log_level", "log_format", "metrics")
        told = {name: getattr(config, name) for name in shown} | {"login": config.auth.describe()}
        if config.nats:
            told |= {"nats": config.nats_servers, "nats_space": config.nats_space}
        return told


def _system() -> SystemTold:
    times = os.times()
    return SystemTold(
        platform=platform.system(),
        python=platform.python_version(),
        cpus=os.cpu_count(),
        cpu_seconds=round(times.user + times.system, 3),
        memory_bytes=_memory(),
    )


def _memory() -> int | None:
    """The memory that the process has of the machine now."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
