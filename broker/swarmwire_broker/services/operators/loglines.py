"""`logs.tail`: the broker's own log, and what is added to it as it comes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Final

from msgspec import Meta, Raw, Struct

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.methods import Asked, Method, Params
from ...core.settings import Limits
from .logring import LEVELS, LogRing, Page

__all__ = ["LogLines", "Tail"]

_BATCH: Final = 200
"""Lines in one reply of a stream."""


class _Tail(Params, kw_only=True):
    lines: Annotated[int, Meta(ge=0, le=100_000)] = 100
    follow: bool = False
    level: str = "debug"


class Tail(Struct, kw_only=True, omit_defaults=True):
    """Some lines of the log; `missed` is how many were let go before they could be sent."""

    lines: list[Raw]
    missed: int = 0


class LogLines:
    """Keeps the newest lines, and shows them to operators."""

    def __init__(self, limits: Callable[[], Limits]) -> None:
        self._limits = limits
        self.ring = LogRing(limits)

    def methods(self) -> list[Method]:
        return [Method("logs.tail", _Tail, self._tail, admin=True)]

    async def start(self) -> None:
        """Listen from now on."""
        self.ring.install()

    def close(self) -> None:
        self.ring.close()

    def _tail(self, asked: Asked, params: _Tail) -> Any:
        level = _level(params.level)
        page = self.ring.newest(params.lines, level)
        return self._follow(asked, page, level) if params.follow else _told(page)

    async def _follow(self, asked: Asked, page: Page, level: int) -> Tail:
        """Send what is there, and what comes, until the caller has enough."""
        try:
            woken = self.ring.follow()
        except OverflowError:
            most = self._limits().max_tails
            raise SwarmwireError(ErrorCode.LIMIT_EXCEEDED, f"At most {most} callers follow the log at once.") from None
        try:
            asked.more(_told(page))
            while True:
                await woken.wait()
                woken.clear()
                while page.upto < self.ring.last:
                    page = self.ring.after(page.upto, _BATCH, level)
                    if page.lines or page.missed:
                        asked.more(_told(page))
        finally:
            self.ring.leave(woken)


def _level(name: str) -> int:
    level = LEVELS.get(name)
    if level is None:
        sentence = f"Expected one of {', '.join(LEVELS)}."
        raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field="params.level")
    return level


def _told(page: Page) -> Tail:
    return Tail(lines=page.lines, missed=page.missed)
