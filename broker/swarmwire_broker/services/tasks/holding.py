"""What a worker may do with a task that it has claimed, and what becomes of a claim that ends by itself."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import structs

from swarmwire_channels import Fault
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.caller import Caller
from ...core.identity import ANONYMOUS, Author
from ...core.methods import Asked
from ...core.ports import Timer
from ...engines.entry import Draft
from ..leases import Lapse, Leases
from ..telling import direct
from . import events as taskevents
from .board import Board
from .record import TaskEntry
from .states import Command, State, next_state

__all__ = ["Holding"]

_LAPSES: Final = {
    Lapse.EXPIRED: "The worker's lease has lapsed.",
    Lapse.LEFT: "The worker has left.",
    Lapse.DIED: "The worker's process has ended.",
}

_MOST_DOUBLINGS: Final = 40

_RETRY: Final = 1.0
"""Seconds after which the end of an attempt is tried again that could not be stored."""


class Holding:
    """The claims: one holder a task, known by its token, for as long as its lease lasts."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._leases = Leases(board.clock, self._lapsed, deaths=board.shared.deaths)
        self._timeouts: dict[str, Timer] = {}
        self._taking: dict[str, tuple[TaskEntry, Draft]] = {}
        board.observers.append(self._changed)

    def close(self) -> None:
        """Let nothing lapse any more. Harmless twice."""
        self._leases.close()
        for timer in self._timeouts.values():
            timer.cancel()
        self._timeouts.clear()

    # ---- the lease of a claim

    def tie(self, entry: TaskEntry, session: Caller) -> None:
        """Have a connection stand for the holder."""
        if _lease_of(entry) in self._leases:
            self._leases.hold(_lease_of(entry), session, entry.lease)

    def left_ms(self, entry: TaskEntry) -> int | None:
        """The milliseconds that the claim has left without a renewal."""
        return self._leases.left_ms(_lease_of(entry))

    def _changed(self, old: TaskEntry | None, new: TaskEntry | None) -> None:
        was = old if old is not None and old.state is State.RUNNING else None
        now = new if new is not None and new.state is State.RUNNING else None
        if was is not None and (now is None or now.token != was.token):
            self._tell(was, new)
            self._leases.drop(_lease_of(was))
            if (timer := self._timeouts.pop(was.id, None)) is not None:
                timer.cancel()
        if now is not None and (was is None or now.token != was.token):
            self._leases.hold(_lease_of(now), None, now.lease)
            self._watch(now)

    # ---- the end of a claim

    async def take_away(self, old: TaskEntry, new: TaskEntry, events: Sequence[Draft]) -> None:
        """Commit a change as `Board.write` does; a holder who loses the task by it hears the last event at once.

        It goes to the connection that stands for the holder. Where there is none the next renewal tells.
        """
        self._taking[old.id] = new, events[-1]
        try:
            await self._board.write(old, new, events)
        finally:
            del self._taking[old.id]

    def _tell(self, was: TaskEntry, new: TaskEntry | None) -> None:
        session = self._leases.session_of(_lease_of(was))
        taken, event = self._taking.get(was.id, (None, None))
        if session is not None and event is not None and taken == new:
            payload = direct(event, self._board.now(), {"token": str(was.token)})
            session.tell(payload)

    def _watch(self, entry: TaskEntry) -> None:
        if entry.spec.timeout is not None and entry.claimed_at is not None:
            gone = max(0, self._board.now() - entry.claimed_at)  # it is negative where the clock was set back
            left = (entry.spec.timeout - gone) / 1000
            self._timeouts[entry.id] = self._board.clock.call_later(max(0.0, left), lambda: self._late(entry))

    def _late(self, entry: TaskEntry) -> None:
        self._timeouts.pop(entry.id, None)
        fault = Fault(message=f"The attempt took longer than {entry.spec.timeout} ms.", code="TIMEOUT")
        self._board.clock.spawn(self._stop_attempt(entry, fault))

    async def _stop_attempt(self, entry: TaskEntry, fault: Fault) -> None:
        try:
            await self._end_attempt(entry.id, entry.token, fault, self._backoff)
        except SwarmwireError:  # it could not be stored
            self._timeouts[entry.id] = self._board.clock.call_later(_RETRY, lambda: self._late(entry))
            raise

    async def _lapsed(self, name: str, why: Lapse) -> None:
        token, _, id = name.partition("/")
        await self._end_attempt(id, int(token), Fault(message=_LAPSES[why], code="LEASE_LOST"), lambda entry: 0)

    async def _end_attempt(self, id: str, token: int, fault: Fault, delay: Callable[[TaskEntry], int]) -> None:
        """End a claim that its holder does not end, unless it has ended meanwhile."""
        async with self._board.locks.hold(id):
            entry = self._board.ledger.get(id)
            if entry is not None and entry.state is State.RUNNING and entry.token == token:
                await self._failed(entry, fault, None, retry=True, delay=delay(entry))

    # ---- what the holder says

    def held(self, id: str, token: int, author: Author, command: Command) -> tuple[TaskEntry, State]:
        """A task that this author holds by this token, and the state that the command leads to.

        Raises:
            SwarmwireError: NOT_FOUND; FENCED or CANCELLED, where the claim has ended; PERMISSION_DENIED to somebody
                else who has the token.
        """
        entry = self._board.find(id)
        if token != entry.token or not token:
            sentence = "The task was given to another worker, or was never yours; the token is not the present one."
            raise SwarmwireError(ErrorCode.FENCED, sentence, field="params.token")
        _check_owner(entry, author)
        return entry, next_state(entry.state, command)

    def renew(self, asked: Asked, id: str, token: int, command: Command = Command.RENEW) -> TaskEntry:
        """Let the lease begin again. Raises as `held`."""
        entry, _ = self.held(id, token, asked.author, command)
        name = _lease_of(entry)
        if not self._leases.renew(name):  # it has lapsed, which is being stored
            raise SwarmwireError(ErrorCode.FENCED, _LAPSES[Lapse.EXPIRED], field="params.token")
        if not asked.session.peer.brief and self._leases.session_of(name) is not asked.session:
            self._leases.hold(name, asked.session, entry.lease)
        return entry

    async def progress(self, asked: Asked, id: str, token: int, progress: float, message: str | None) -> TaskEntry:
        """Say how far it is; the lease begins again. Raises as `held`."""
        async with self._board.locks.hold(id):
            old = self.renew(asked, id, token, Command.PROGRESS)
            new = structs.replace(old, progress=progress, message=message)
            await self._board.write(old, new, taskevents.progressed(new, asked.author, self._board.now()))
            return new

    async def complete(self, asked: Asked, id: str, token: int, result: bytes) -> tuple[TaskEntry, bool]:
        """End it well; and whether this very claim had done so before. Raises as `held`."""
        async with self._board.locks.hold(id):
            known = self._board.ledger.get(id)
            if known is not None and known.state is State.COMPLETED and known.token == token:
                _check_owner(known, asked.author)
                return known, True
            old, state = self.held(id, token, asked.author, Command.COMPLETE)
            now = self._board.now()
            new = structs.replace(
                old, state=state, ended_at=now, progress=100.0, result=None if result == b"null" else result
            )
            await self._board.write(old, new, taskevents.completed(new, asked.author, now))
            return new, False

    async def fail(self, asked: Asked, id: str, token: int, fault: Fault, *, retry: bool) -> TaskEntry:
        """End the attempt badly: it is tried again later, if `retry` and an attempt is left. Raises as `held`."""
        async with self._board.locks.hold(id):
            entry, _ = self.held(id, token, asked.author, Command.FAIL)
            return await self._failed(entry, fault, asked.author, retry=retry, delay=self._backoff(entry))

    async def release(self, asked: Asked, id: str, token: int) -> TaskEntry:
        """Give it back undone, as if it had not been claimed. Raises as `held`."""
        self.held(id, token, asked.author, Command.GIVE_BACK)
        await self.give_back(id, token)
        return self._board.find(id)

    async def give_back(self, id: str, token: int) -> None:
        """Make a claim undone, unless it has ended; the attempt does not count."""
        async with self._board.locks.hold(id):
            old = self._board.ledger.get(id)
            if old is None or old.state is not State.RUNNING or old.token != token:
                return
            now = self._board.now()
            new = structs.replace(
                old, state=State.PENDING, attempts=old.attempts - 1, ready_at=now, progress=None, message=None
            )
            await self._board.write(old, new, taskevents.retrying(new, None, now, new.attempts, None))

    async def _failed(
        self, old: TaskEntry, fault: Fault, author: Author | None, *, retry: bool, delay: int
    ) -> TaskEntry:
        now = self._board.now()
        if retry and old.attempts < old.spec.max_attempts:
            state = next_state(old.state, Command.GIVE_BACK)
            new = structs.replace(old, state=state, not_before=now + delay, ready_at=now, error=fault)
            events = taskevents.retrying(new, author, now, old.attempts, fault)
        else:
            state = next_state(old.state, Command.FAIL)
            new = structs.replace(old, state=state, ended_at=now, error=fault, dead=retry)
            events = taskevents.failed(new, author, now)
        write = self._board.write if author is not None else self.take_away
        await write(old, new, events)
        if new.state is State.PENDING:
            self._board.stats.note(new.spec.queue, "retried", now)
        return new

    def _backoff(self, entry: TaskEntry) -> int:
        """Milliseconds until the next attempt: twice as long each time, at random between half and all of it."""
        most = entry.spec.backoff << min(_MOST_DOUBLINGS, max(0, entry.attempts - 1))
        most = min(entry.spec.backoff_max, most)
        return most - secrets.randbelow(most // 2 + 1)


def _lease_of(entry: TaskEntry) -> str:
    return f"{entry.token}/{entry.id}"


def _check_owner(entry: TaskEntry, author: Author) -> None:
    if author.scope != entry.scope and not (_is_anonymous(author.scope) and _is_anonymous(entry.scope)):
        sentence = "The task was claimed by somebody else."
        raise SwarmwireError(ErrorCode.PERMISSION_DENIED, sentence, field="params.token")


def _is_anonymous(scope: str | None) -> bool:
    return scope is not None and scope.startswith(ANONYMOUS)
