"""Calls that outlive a connection: asked again on the next one, because asking twice does no harm."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from swarmwire_protocol import messages as wire
from swarmwire_protocol.payload import decode_data, encode_data

from .errors import Disconnected, ErrorCode, SwarmwireError
from .requests import OneAnswer

if TYPE_CHECKING:
    from .client import Client

__all__ = ["Patience"]


class Patience:
    """The calls of one client, repeated where a connection was lost before the answer."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def time(self) -> float:
        """The time of the loop in seconds, by which deadlines are given."""
        return asyncio.get_running_loop().time()

    def until(self) -> float | None:
        """The time by which a request that begins now should be answered; None: there is no limit."""
        seconds = self._client._settings.request_timeout
        return None if seconds is None else self.time() + seconds

    async def call(self, method: str, params: dict[str, Any], until: float | None, timeout: float = 30.0) -> Any:
        """Call until it is answered; None: however long it takes. `timeout` is that of one call.

        Raises:
            SwarmwireError: what the broker answered; TIMEOUT; or the loss, when the client has ended, or there was
                no other connection until then.
        """
        while True:
            try:
                return await self._client.call(method, params, timeout=timeout)
            except SwarmwireError as error:
                if not self.is_passing(error) or not await self.ready(until):
                    raise

    def is_passing(self, error: SwarmwireError) -> bool:
        """Whether the connection failed and not the call, and another connection may come."""
        lost = isinstance(error, Disconnected) or error.code is ErrorCode.SHUTTING_DOWN
        return lost and self._client._core.ended is None and not self._client._closing

    def at_connect(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call this at each new connection; returns a function that ends it, harmless twice."""
        return self._client.listen("connected", lambda _: callback())

    async def ready(self, until: float | None) -> bool:
        """Wait for a connection; False where there is none until then, or there never will be."""
        news = asyncio.Event()
        forget = self.at_connect(news.set)
        finished = asyncio.ensure_future(self._finished())
        waiting = asyncio.ensure_future(news.wait())
        try:
            if not self._client.is_ready:
                left = None if until is None else max(0.0, until - self.time())
                await asyncio.wait((waiting, finished), timeout=left, return_when=asyncio.FIRST_COMPLETED)
            return self._client.is_ready
        finally:
            forget()
            waiting.cancel()
            finished.cancel()

    async def _finished(self) -> None:
        try:
            await self._client.finished()
        except SwarmwireError:
            return  # whoever calls next is told

    async def call_undoable(
        self, method: str, params: dict[str, Any], timeout: float, undo: Callable[[Any], None]
    ) -> Any:
        """Call once. If whoever waits for it gives up, and the answer comes all the same, `undo` gets it.

        Raises:
            SwarmwireError: what the broker answered; TIMEOUT; that there is no connection, or it was lost.
        """
        core = self._client._core
        if core.link is None:
            raise core.offline("call")
        link, request = core.link, OneAnswer()
        raw, timeout_ms = encode_data(params, "params"), max(1, round(timeout * 1000))
        number = link.request(
            lambda number: wire.Call(id=number, method=method, params=raw, timeout_ms=timeout_ms), request
        )
        try:
            await asyncio.wait((request.future,), timeout=timeout)
        except asyncio.CancelledError:
            if request.future.done():  # both came at once
                _late(request.future, undo)
            raise
        finally:
            if not request.future.done():
                request.future.add_done_callback(lambda done: _late(done, undo))
                if core.link is link:
                    link.tell(wire.Cancel(id=number))
        if not request.future.done():
            raise SwarmwireError(ErrorCode.TIMEOUT, f"The call was not answered within {timeout:g} s.")
        answer = request.future.result()
        return decode_data(answer.data) if isinstance(answer, wire.Reply) else None


def _late(done: asyncio.Future[wire.Ack | wire.Reply], undo: Callable[[Any], None]) -> None:
    if done.cancelled() or done.exception() is not None:
        return
    answer = done.result()
    if isinstance(answer, wire.Reply):
        undo(decode_data(answer.data))
