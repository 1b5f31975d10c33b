"""Which broker of a cluster is the coordinator: the one that has the lease, and renews it every second."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Final, Protocol

import msgspec

from ..engines.nats.state.pausing import Pause
from ..engines.nats.state.storage import Doubtful, Message, StorageAway, Superseded
from ..engines.waking import waking_time
from ..natslink import JetStream, Link
from .lease import LEASE, PATIENCE, Renewal, Tenure, decode_renewal, encode_renewal
from .natslease import NatsLease

__all__ = ["Election", "LeaseStore", "new_election"]

log = logging.getLogger("swarmwire.broker.cluster")

_STARTING: Final = 30.0
_RESIGNING: Final = 1.0
_STRANGE: Final = Renewal("?")
"""What a message is taken for that cannot be read: somebody has the lease."""


class LeaseStore(Protocol):
    """Where the lease is stored; `natslease.NatsLease` says what each of these does."""

    async def open(self, timeout: float) -> None: ...

    async def last(self) -> Message | None: ...

    async def follow(self, payload: bytes, after: int) -> int: ...

    def listen(self, heard: Callable[[int, bytes], None]) -> Callable[[], None]: ...


class Election:
    """Takes part in the election of the coordinator.

    Arguments:
        store: where the lease is.
        me: the id of this broker; no other has it, nor had it in a life before.
        clock: seconds that only rise, also while the machine sleeps.
    """

    def __init__(self, store: LeaseStore, me: str, clock: Callable[[], float] = waking_time) -> None:
        self._store = store
        self._me = me
        self._clock = clock
        self._tenure = Tenure(me)
        self._turn = asyncio.Lock()
        self._not_before = 0.0
        self._callbacks: dict[object, Callable[[], None]] = {}
        self._told: tuple[bool, str | None] = (False, None)
        self._news = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stop_listening: Callable[[], None] | None = None
        self._lapse: asyncio.TimerHandle | None = None
        self._closed = False

    @property
    def is_coordinator(self) -> bool:
        """Whether this broker is it, at this very moment."""
        return self._tenure.holds(self._clock())

    @property
    def coordinator(self) -> str | None:
        """The id of the broker that is it; None while nobody is, or it is not known."""
        return self._tenure.holder(self._clock())

    def on_change(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call this whenever one of the two has changed; what is returned ends it."""
        mark = object()
        self._callbacks[mark] = callback

        def end() -> None:
            self._callbacks.pop(mark, None)

        return end

    # ---- life

    async def start(self) -> None:
        """Take part from now on.

        Raises:
            OSError: there is nowhere to store the lease.
        """
        await self._store.open(_STARTING)
        self._stop_listening = self._store.listen(self._heard)
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def close(self) -> None:
        """Take part no more; if this broker is the coordinator, another is at once. Harmless twice."""
        if self._closed:
            return
        self._closed = True
        if self._stop_listening is not None:
            self._stop_listening()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            await self._give_back()
        if self._lapse is not None:
            self._lapse.cancel()

    async def resign(self) -> None:
        """Be the coordinator no more, and leave it to the others to be it, for as long as they need to."""
        self._not_before = self._clock() + PATIENCE
        await self._give_back()
        self._news.set()

    async def _give_back(self) -> None:
        """Free the lease. Where that cannot be done at once it ends by itself."""
        async with self._turn:
            # A renewal that got no answer may be stored before this is.
            for _ in range(2):
                known = self._tenure.known
                if known.holder != self._me:
                    return
                self._tenure.give_back(self._clock())
                self._tell()
                try:
                    async with asyncio.timeout(_RESIGNING):
                        await self._store.follow(encode_renewal(Renewal("")), known.seq)
                    return
                except Superseded:
                    with suppress(StorageAway):
                        await self._look()
                except (StorageAway, TimeoutError):
                    return

    # ---- what is heard

    def _heard(self, seq: int, payload: bytes) -> None:
        renewal = _renewal_of(payload)
        if renewal is not None and renewal.holder != self._me:
            self._tenure.hear(seq, renewal, self._clock())
            self._tell()
            self._news.set()

    def _tell(self) -> None:
        """Call whoever wants to know if something has changed."""
        now = (self.is_coordinator, self.coordinator)
        if now == self._told:
            return
        self._told = now
        log.info("the coordinator of the cluster is %s", now[1] or "not known", extra={"here": now[0]})
        for callback in tuple(self._callbacks.values()):
            try:
                callback()
            except Exception:
                log.exception("who wants to know of the coordinator failed")

    # ---- what is done

    async def _run(self) -> None:
        pause = Pause()
        await self._look_until_known(pause)
        while True:
            self._tell()
            self._news.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(self._wait()):
                    await self._news.wait()
            try:
                async with self._turn:
                    await self._act()
            except StorageAway as problem:
                log.debug("the lease of the coordinator cannot be reached: %s", problem)
                self._tell()
                await pause()
            except Exception:
                log.exception("the election of the coordinator failed; it goes on")
                await pause()
            else:
                pause.reset()

    async def _look_until_known(self, pause: Pause) -> None:
        while True:
            with suppress(StorageAway):
                await self._look()
                return
            await pause()

    def _wait(self) -> float:
        now = self._clock()
        return max(self._tenure.next_step(now), 0.0 if self._tenure.holds(now) else self._not_before - now)

    async def _act(self) -> None:
        now = self._clock()
        tenure = self._tenure
        if tenure.holds(now):
            if tenure.next_step(now) <= 0.0:
                await self._renew()
        elif tenure.may_take(now) and now >= self._not_before:
            await self._look()
            # What was found may have been written a moment ago.
            if tenure.may_take(self._clock()):
                await self._renew()

    async def _renew(self) -> None:
        """Write the lease behind what is known."""
        renewal, place = self._tenure.attempt(self._clock()), self._tenure.known.seq
        try:
            seq = await self._store.follow(encode_renewal(renewal), place)
        except Superseded:
            self._tenure.refused(renewal)
            await self._look()
            if self._tenure.known.seq == place:
                raise StorageAway("what was read of the lease lags behind") from None
        except Doubtful:
            raise
        except StorageAway:
            self._tenure.refused(renewal)
            raise
        else:
            self._tenure.renewed(seq, renewal)
            self._renewed()

    def _renewed(self) -> None:
        """Have it told when the lease lapses, whatever this broker waits for then."""
        if self._lapse is not None:
            self._lapse.cancel()
        self._lapse = asyncio.get_running_loop().call_later(LEASE, self._tell)

    async def _look(self) -> None:
        """See who has the lease."""
        last = await self._store.last()
        if last is None:
            self._tenure.gone()
        else:
            self._tenure.observe(last.seq, _renewal_of(last.payload) or _STRANGE, self._clock())


def new_election(link: Link, js: JetStream, *, space: str, me: str, replicas: int | None) -> Election:
    """The election of a space, over a link that is started."""
    return Election(NatsLease(link, js, space, replicas), me)


def _renewal_of(payload: bytes) -> Renewal | None:
    try:
        return decode_renewal(payload)
    except msgspec.DecodeError:
        return None
