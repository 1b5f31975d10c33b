"""What a pool and its workers, which are processes of their own, say to each other: one JSON object a line."""

from __future__ import annotations

from typing import Final, Literal, TypeAlias

from msgspec import Struct

__all__ = ["ORPHANED", "Post", "Report", "Stop", "SPARE", "Word"]

ORPHANED: Final = 1.0
"""Seconds that a worker has to end its tasks when its pool is gone."""

SPARE: Final = 3.0
"""Seconds beyond the time it was given after which a worker that should have stopped is ended."""

Word: TypeAlias = Literal["loaded", "ready", "unusable"]


class Post(Struct, frozen=True, kw_only=True):
    """Where a worker is to work. It is the first thing a pool says, and it says it to the worker alone: the token."""

    target: str
    """`module` or `module:attribute`."""
    id: str
    pool: str
    project: str | None = None
    queues: tuple[str, ...] = ()
    """None given: those that the program names."""
    concurrency: int | None = None
    url: str | None = None
    token: str | None = None

    def __repr__(self) -> str:
        """Without the token, and without what a URL may carry."""
        return f"Post(target={self.target!r}, id={self.id!r}, pool={self.pool!r})"


class Stop(Struct, frozen=True, kw_only=True):
    """The worker is to stop: what is not done within so many seconds is given back."""

    seconds: float


class Report(Struct, frozen=True, kw_only=True):
    """How far a worker is: its program was imported, it takes tasks, it cannot be used (it has printed why)."""

    word: Word
