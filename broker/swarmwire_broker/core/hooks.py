"""What an embedder puts before the log: handlers per pattern that see a publish first and may refuse it."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.topics import check_pattern, matches

__all__ = ["Hook", "Hooks", "Offered"]

log = logging.getLogger("swarmwire.broker.hooks")


class Offered(msgspec.Struct, frozen=True):
    """A publish before it is accepted: `data` is the JSON value as it will stand in the log."""

    topic: str
    data: bytes
    sender: str | None
    headers: dict[str, str] | None

    def value(self) -> Any:
        """The data as Python objects."""
        return msgspec.json.decode(self.data)


Hook = Callable[[Offered], Any]
"""A handler: raises SwarmwireError to refuse. As middleware it also refuses by returning False."""


class _Route(msgspec.Struct, frozen=True):
    pattern: str
    handler: Hook
    middleware: tuple[Hook, ...]


class Hooks:
    """Routes in the order they were added. Empty, it costs a publish one test."""

    def __init__(self) -> None:
        self._routes: list[_Route] = []

    def __len__(self) -> int:
        return len(self._routes)

    def route(self, pattern: str, handler: Hook, middleware: Iterable[Hook] = ()) -> None:
        """Let `middleware`, in order, and then `handler` see each publish on matching topics before it is accepted.

        Raises:
            SwarmwireError: INVALID_TOPIC for a pattern that breaks the grammar.
        """
        check_pattern(pattern)
        self._routes.append(_Route(pattern, handler, tuple(middleware)))

    def unroute(self, pattern: str) -> bool:
        """Take all routes of exactly this pattern away; whether there was one."""
        kept = [route for route in self._routes if route.pattern != pattern]
        gone = len(kept) < len(self._routes)
        self._routes = kept
        return gone

    def concern(self, topic: str) -> bool:
        """Whether any route matches."""
        return any(matches(route.pattern, topic) for route in self._routes)

    async def run(self, offered: Offered) -> None:
        """Ask everyone who is concerned, one after the other.

        Raises:
            SwarmwireError: the refusal; INTERNAL_ERROR for anything else a hook raises.
        """
        for route in [route for route in self._routes if matches(route.pattern, offered.topic)]:
            for check in route.middleware:
                if await self._ask(check, offered) is False:
                    raise SwarmwireError(ErrorCode.PERMISSION_DENIED, "The broker refuses this publish.", field="topic")
            await self._ask(route.handler, offered)

    async def _ask(self, hook: Hook, offered: Offered) -> Any:
        try:
            answer = hook(offered)
            return await answer if inspect.isawaitable(answer) else answer
        except SwarmwireError:
            raise
        except Exception:
            log.exception("a hook failed", extra={"topic": offered.topic})
            raise SwarmwireError(ErrorCode.INTERNAL_ERROR) from None
