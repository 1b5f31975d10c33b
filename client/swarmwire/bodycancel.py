"""Cancelling the block of an `async with` from elsewhere, and no more than that."""

from __future__ import annotations

import asyncio
from typing import Any

__all__ = ["BodyCancel"]


class BodyCancel:
    """Cancels the task that is in a block; `begin` and `end` are called by that task, at the ends of the block."""

    def __init__(self) -> None:
        self._body: asyncio.Task[Any] | None = None
        self._before = 0
        self._is_cancelled = False

    def begin(self) -> None:
        """The block begins."""
        self._body = asyncio.current_task()
        self._before = 0 if self._body is None else self._body.cancelling()
        self._is_cancelled = False

    def cancel(self) -> None:
        """Cancel the block, once. Nothing happens outside of it, nor where the block itself calls this.

        The block gets an exception of the caller's then, and a cancellation would come only after it.
        """
        if self._body is None or self._is_cancelled or self._body is asyncio.current_task():
            return
        self._is_cancelled = True
        self._body.cancel()

    def end(self) -> bool:
        """The block ends; whether it was cancelled by `cancel`, and by nobody else."""
        body, self._body = self._body, None
        return self._is_cancelled and body is not None and body.uncancel() <= self._before
