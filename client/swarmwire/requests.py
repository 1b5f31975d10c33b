"""Requests on one connection, each waiting for its answer."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias

from msgspec import Raw

from swarmwire_protocol.messages import Ack, Error, Reply, SubscribeResult

from .errors import Disconnected, ErrorCode, SwarmwireError, error_from

__all__ = ["Answer", "ManyReplies", "OneAnswer", "Request", "Requests", "SubscribeRequest"]

Answer: TypeAlias = Ack | Reply | Error


class Request(Protocol):
    """Something that was asked and waits for its answer."""

    def answer(self, message: Answer) -> bool:
        """The broker answered; True if this was the last answer."""
        ...

    def lost(self) -> None:
        """The connection was lost first."""
        ...


class Requests:
    """The requests of a connection by their id."""

    def __init__(self) -> None:
        self._waiting: dict[int, Request] = {}

    def add(self, id: int, request: Request) -> None:
        """Wait for the answer to this id."""
        self._waiting[id] = request

    def forget(self, id: int) -> bool:
        """Wait no more; False if nothing was waited for."""
        return self._waiting.pop(id, None) is not None

    def answer(self, message: Answer) -> None:
        """Hand an answer to its request; one that nobody waits for any more is ignored."""
        request = self._waiting.get(message.id) if isinstance(message.id, int) else None
        if request is not None and request.answer(message):
            self._waiting.pop(message.id, None)  # type: ignore[arg-type]

    def lost(self) -> None:
        """The connection is gone; nothing that was asked will be answered."""
        waiting, self._waiting = self._waiting, {}
        for request in waiting.values():
            request.lost()


class OneAnswer:
    """A request with one answer, awaited by its caller. Of a streamed reply only the last counts."""

    def __init__(self) -> None:
        self.future: asyncio.Future[Ack | Reply] = asyncio.get_running_loop().create_future()
        self._last: Reply | None = None

    def answer(self, message: Answer) -> bool:
        if isinstance(message, Reply) and message.more:
            self._last = message
            return False
        if not self.future.done():
            if isinstance(message, Error):
                self.future.set_exception(error_from(message))
            elif isinstance(message, Reply) and message.end and self._last is not None:
                self.future.set_result(self._last)
            else:
                self.future.set_result(message)
        return True

    def lost(self) -> None:
        if not self.future.done():
            self.future.set_exception(_lost())


class ManyReplies:
    """A call whose replies are read one by one; at most `limit` of them wait, and with one more it is cancelled."""

    def __init__(self, limit: int, cancel: Callable[[], None]) -> None:
        self._limit = limit
        self._cancel = cancel
        self._replies: deque[Raw] = deque()
        self._end: SwarmwireError | None = None
        self.complete = False
        """Whether the last reply has come, or none will."""
        self._news = asyncio.Event()

    def answer(self, message: Answer) -> bool:
        match message:
            case Error():
                self._end = error_from(message)
                self.complete = True
            case Reply(end=True):
                self.complete = True
            case Reply() if len(self._replies) >= self._limit:
                self._end = SwarmwireError(
                    ErrorCode.SLOW_CONSUMER, f"More than {self._limit} replies were waiting to be read."
                )
                self.complete = True
                self._cancel()
            case Reply():
                self._replies.append(message.data)
                self.complete = not message.more
        self._news.set()
        return self.complete

    def lost(self) -> None:
        self._end, self.complete = _lost(), True
        self._news.set()

    async def next(self) -> Raw | None:
        """Wait for the next reply; None after the last one.

        Raises:
            SwarmwireError: when the call failed.
        """
        while not self._replies:
            if self._end is not None:
                raise self._end
            if self.complete:
                return None
            self._news.clear()
            await self._news.wait()
        return self._replies.popleft()


class SubscribeRequest:
    """A subscribe. Its answer is decided on at once, before whatever the broker sent after it."""

    def __init__(
        self,
        answered: Callable[[Iterable[SubscribeResult]], None],
        refused: Callable[[SwarmwireError], None],
        done: Callable[[], None],
    ) -> None:
        self._answered = answered
        self._refused = refused
        self._done = done

    def answer(self, message: Answer) -> bool:
        if isinstance(message, Error) and not message.results:
            self._refused(error_from(message))
        elif not isinstance(message, Reply):
            self._answered(message.results or ())
        self._done()
        return True

    def lost(self) -> None:
        """The subscriptions know by themselves."""


def _lost() -> SwarmwireError:
    return Disconnected(
        ErrorCode.OUTCOME_UNKNOWN, "The connection was lost before the answer came; it may have been done."
    )
