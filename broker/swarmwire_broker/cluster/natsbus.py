"""The bus of a cluster over NATS: plain messages, on a link of their own beside that of the log."""

from __future__ import annotations

from collections.abc import Callable

from ..natslink.errors import LinkError
from ..natslink.link import Link
from ..natslink.states import LinkState
from .bus import BusDown

__all__ = ["NatsBus"]

_LEAST: int = 64 * 1024
"""What is taken for the largest message while no server says so."""

_UP = frozenset({LinkState.CONNECTED, LinkState.LEAVING})


class NatsBus:
    """Messages between brokers, over a link that nobody else uses."""

    def __init__(self, link: Link) -> None:
        self._link = link
        self._was_up = False
        self._told: list[Callable[[bool], None]] = []
        link.on_state(self._changed)

    @property
    def is_up(self) -> bool:
        return self._link.state in _UP

    @property
    def is_crowded(self) -> bool:
        return self._link.congested

    @property
    def max_bytes(self) -> int:
        server = self._link.server
        return _LEAST if server is None else server.max_payload

    async def start(self) -> None:
        await self._link.start()

    async def close(self) -> None:
        await self._link.close()

    def publish(self, subject: str, payload: bytes) -> None:
        try:
            self._link.publish(subject.encode(), payload)
        except LinkError as error:
            raise BusDown(str(error)) from None

    def subscribe(self, subject: str, receive: Callable[[bytes], None]) -> Callable[[], None]:
        def take(subject: bytes, reply: bytes, headers: bytes, payload: bytes) -> None:
            receive(payload)

        return self._link.subscribe(subject.encode(), take).close

    def watch(self, told: Callable[[bool], None]) -> None:
        self._told.append(told)

    def _changed(self, state: LinkState) -> None:
        is_up = state in _UP
        if is_up is not self._was_up:
            self._was_up = is_up
            for told in self._told:
                told(is_up)
