"""What operators may do to the process that a broker lives in. Services know it by this alone, and no server."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from ...config import Config

__all__ = ["Control", "Reloaded"]


class Reloaded(Struct, kw_only=True):
    """What became of a configuration that was read again: the settings that changed, by name.

    Attributes:
        applied: these hold from now on.
        restart: these need a restart, and stay what they were until then.
    """

    applied: list[str]
    restart: list[str]


class Control(Protocol):
    """Whoever started the broker, as far as operators are concerned."""

    @property
    def config(self) -> Config:
        """What is in force."""
        ...

    @property
    def urls(self) -> list[str]:
        """Where clients of this machine reach it; empty where nothing listens."""
        ...

    @property
    def engine(self) -> dict[str, Any]:
        """The kind of log and where it is, without secrets; `kind`, `durability` and `writable` are always there."""
        ...

    @property
    def trouble(self) -> str | None:
        """Why the configuration could not be read again the last time; None where it could, or nobody asked."""
        ...

    def stop(self) -> None:
        """Begin to drain and stop; returns at once. Harmless twice."""
        ...

    async def reload(self) -> Reloaded:
        """Read the configuration again, and apply what can be.

        Raises:
            ConfigError: it cannot be used; then nothing has changed.
        """
        ...
