"""How a worker gets a task: at once, or as soon as there is one."""

from __future__ import annotations

import asyncio
from typing import Final

from msgspec import structs

from ...core.methods import Asked
from . import events as taskevents
from .board import Board
from .claimants import Claimant
from .holding import Holding
from .params import Claim
from .record import TaskEntry
from .states import State

__all__ = ["Claiming"]

_SPARE: Final = 0.1
"""Seconds before the end of a call at which a wait ends, so that the answer is that there was nothing."""


class Claiming:
    """Gives each ready task to one worker. Whoever gives up meanwhile, or is gone, takes no task along."""

    def __init__(self, board: Board, holding: Holding) -> None:
        self._board = board
        self._holding = holding

    async def claim(self, asked: Asked, wanted: Claim) -> TaskEntry | None:
        """The next task for who asks, held by a lease; None where there is none in time.

        Raises:
            SwarmwireError: it could not be stored.
        """
        claimant = Claimant(wanted.queues, wanted.types)
        clock = self._board.clock
        until = min(clock.time() + wanted.wait / 1000, asked.deadline - _SPARE)
        again = False
        while True:
            id = self._board.queues.take(claimant.queues, claimant.types)
            if id is None:
                id = await self._wait(claimant, until - clock.time(), first=again)
            if id is None:
                return None
            entry = await self._take(id, asked, wanted)
            if entry is not None:
                return entry
            again = True  # somebody else did something with it meanwhile

    async def _wait(self, claimant: Claimant, seconds: float, *, first: bool) -> str | None:
        if seconds <= 0:
            return None
        offered = self._board.claimants.add(claimant, first=first)
        late: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        timer = self._board.clock.call_later(seconds, lambda: late.set_result(None))
        try:
            await asyncio.wait((offered, late), return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            if offered.done():
                self._put_back(offered.result())
            raise
        finally:
            timer.cancel()
            self._board.claimants.discard(claimant)
        return offered.result() if offered.done() else None

    async def _take(self, id: str, asked: Asked, wanted: Claim) -> TaskEntry | None:
        board, token = self._board, -1
        try:
            async with board.locks.hold(id):
                old = board.ledger.get(id)
                if old is None or old.state is not State.PENDING or old.not_before > board.now():
                    self._put_back(id)  # not due after all, where the clock was set back
                    return None
                token = await board.shared.fencing.next()
                new = _claimed(old, asked, wanted, token, board.now())
                await board.write(old, new, taskevents.assigned(new, asked.author, board.now()))
        except BaseException:
            self._undo(id, token)
            raise
        board.stats.note(new.spec.queue, "claimed", board.now(), wait=board.now() - max(old.ready_at, old.not_before))
        self._holding.tie(new, asked.session)
        return new

    def _undo(self, id: str, token: int) -> None:
        """Who asked is gone, or it could not be stored: the task is as if nobody had come."""
        entry = self._board.ledger.get(id)
        if entry is not None and entry.state is State.RUNNING and entry.token == token:
            self._board.clock.spawn(self._holding.give_back(id, token))
        else:
            self._put_back(id)

    def _put_back(self, id: str) -> None:
        entry = self._board.ledger.get(id)
        if entry is not None:
            self._board.put_back(entry)


def _claimed(old: TaskEntry, asked: Asked, wanted: Claim, token: int, now: int) -> TaskEntry:
    return structs.replace(
        old,
        state=State.RUNNING,
        not_before=0,
        attempts=old.attempts + 1,
        token=token,
        scope=asked.author.scope,
        worker=wanted.worker or asked.author.sender or "local",
        lease=wanted.lease or old.spec.lease,
        claimed_at=now,
        started_at=old.started_at or now,
        progress=None,
        message=None,
        error=None,
    )
