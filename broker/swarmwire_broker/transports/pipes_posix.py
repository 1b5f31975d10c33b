"""Named pipes of POSIX: a pair of FIFOs for each client, announced on a control FIFO (`swarmwire_protocol.fifo`)."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import Final, cast

from swarmwire_protocol.fifo import ACCEPTED, AnnouncementReader
from swarmwire_protocol.pipepair import PipePair
from swarmwire_protocol.places import check_name, fifo_directory

from ..core.ports import Peer
from ..core.settings import Limits
from .connections import Connections
from .handover import is_one_too_many
from .rendezvous import Ends, Rendezvous, is_dead
from .shortcut import House
from .stream import StreamConnection

__all__ = ["PipeListener"]

log = logging.getLogger("swarmwire.broker.pipes")

_READ: Final = 4096
"""Bytes of announcements taken in one turn of the loop."""

_SWEEP_EVERY: Final = 30.0
_STALE_AFTER: Final = 60.0
"""Seconds; a client gives up long before."""


class PipeListener:
    """Accepts the clients that announce themselves in the directory of this name.

    Arguments:
        house: whose sessions the connections become.
        name: the broker's name; `swarmwire_protocol.places` says what may be one.
        limits: they bound the connections: beyond `max_connections` and `max_unauthenticated` together a client is
            let go without a word.

    Raises:
        SwarmwireError: INVALID_MESSAGE for what is no name.
    """

    def __init__(self, house: House, name: str, *, limits: Limits) -> None:
        self.url = f"pipe://{check_name(name)}"
        self.connections = Connections()
        self._house = house
        self.limits = limits
        self._directory = fifo_directory(name)
        self._place: Rendezvous | None = None
        self._announcements = AnnouncementReader()
        self._has_warned = False
        self._sweeping: asyncio.TimerHandle | None = None
        self._accepting: dict[asyncio.Task[None], PipePair] = {}

    # ---- life

    async def start(self) -> None:
        """Accept clients from now on.

        Raises:
            OSError: another broker of this name lives, or the directory cannot be used; a sentence says which.
        """
        if self._place is not None:
            raise RuntimeError("the listener is started already")
        try:
            self._place = Rendezvous.take(self._directory)
        except OSError as error:
            raise OSError(error.errno, f"cannot listen at {self.url}: {error.strerror}") from None
        self._announcements = AnnouncementReader()
        asyncio.get_running_loop().add_reader(self._place.control, self._read)
        self._sweep_later()

    def stop_listening(self) -> None:
        """Accept no more, and take the files away. Harmless twice; the connections stay."""
        place, self._place = self._place, None
        if place is None:
            return
        asyncio.get_running_loop().remove_reader(place.control)
        if self._sweeping is not None:
            self._sweeping.cancel()
        place.leave()

    async def closed(self) -> None:
        """Let every connection end, and wait until all have. Who waits decides for how long."""
        if self._accepting:
            await asyncio.wait(self._accepting)
        await self.connections.closed()

    def abort(self) -> None:
        """Cut all connections."""
        for pair in self._accepting.values():
            pair.abort()
        self.connections.abort()

    # ---- who announces itself

    def _read(self) -> None:
        if self._place is None:
            return
        try:
            data = os.read(self._place.control, _READ)
        except BlockingIOError:
            return
        for client in self._announcements.feed(data):
            self._accept(self._place, client)
        if self._announcements.garbage and not self._has_warned:
            self._has_warned = True
            log.warning("something that is no announcement was written to the control FIFO of %s", self.url)

    def _accept(self, place: Rendezvous, client: str) -> None:
        try:
            ends = place.open(client)
        except OSError as error:
            if not is_dead(error):
                log.warning("a client at %s was refused: %s", self.url, error.strerror)
            return
        is_welcome = self._house.is_running and not is_one_too_many(
            len(self.connections) + len(self._accepting) + 1, self.limits
        )
        if is_welcome and _answer(ends):
            pair = PipePair(asyncio.get_running_loop().call_later)
            accepting = asyncio.get_running_loop().create_task(self._connect(ends, pair))
            self._accepting[accepting] = pair
            accepting.add_done_callback(self._accepted)
        else:
            os.close(ends.reading)
            os.close(ends.writing)

    def _accepted(self, accepting: asyncio.Task[None]) -> None:
        del self._accepting[accepting]
        if not accepting.cancelled() and (error := accepting.exception()) is not None:
            log.error("a client at %s could not be accepted", self.url, exc_info=error)

    async def _connect(self, ends: Ends, pair: PipePair) -> None:
        """Make a connection of two open FIFOs."""
        loop = asyncio.get_running_loop()
        reading, writing = os.fdopen(ends.reading, "rb", 0), os.fdopen(ends.writing, "wb", 0)
        try:
            await loop.connect_write_pipe(lambda: cast(asyncio.BaseProtocol, pair.writing), writing)
            if self._begin(pair, ends.owner):
                await loop.connect_read_pipe(lambda: cast(asyncio.Protocol, pair.reading), reading)
            else:
                reading.close()
        except BaseException:
            pair.abort()
            reading.close()
            raise

    def _begin(self, pair: PipePair, owner: int) -> bool:
        """Give the pair its connection, unless somebody has gone meanwhile."""
        if self._house.is_running and not pair.is_closing():
            peer = Peer(transport="pipe", address=self.url, subject=f"uid:{owner}")
            pair.set_protocol(StreamConnection(self._house, cast(asyncio.Transport, pair), peer, self.connections))
            return True
        pair.abort()
        return False

    # ---- what clients left that died before they announced themselves

    def _sweep_later(self) -> None:
        self._sweeping = asyncio.get_running_loop().call_later(_SWEEP_EVERY, self._sweep)

    def _sweep(self) -> None:
        if self._place is not None:
            self._place.sweep(_STALE_AFTER)
            self._sweep_later()


def _answer(ends: Ends) -> bool:
    """Tell the client that it is accepted; False if it is gone."""
    try:
        return os.write(ends.writing, ACCEPTED) == len(ACCEPTED)  # there is room for it in a FIFO that is new
    except OSError:
        return False
