"""All locks of a broker: who has them, who waits, and every change of that."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from msgspec.structs import replace

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.caller import Caller
from ...core.identity import Author
from ...engines.base import Draft
from ..keylocks import KeyLocks
from ..leases import Lapse, Leases
from ..ledger import Ledger
from ..shared import Shared
from .events import lock_event
from .line import Ask, Line
from .record import LockPerson, LockRecord, LockStatus, shown
from .rules import Losses, Turn, check_holder, decide

__all__ = ["LockBook"]

_PREFIX: Final = "lock/"

_UNHEARD_MS: Final = 1_000
"""For how long a lock is kept that was granted, as it turned out, when its holder had been told that nobody knows."""


class LockBook:
    """Changes locks in steps, one after the other for each name, and each one transaction.

    A lock goes from its holder to the next in line without being free between. A step must run to its end: it is not
    for the task of a caller that may be cancelled.
    """

    def __init__(self, shared: Shared) -> None:
        self._clock = shared.hub.clock
        self._shared = shared
        self._fencing = shared.fencing
        self._ledger = Ledger(shared.engine, _PREFIX, LockRecord)
        self._leases = Leases(self._clock, self._lapsed, deaths=shared.deaths)
        self._steps = KeyLocks()
        self._lines: dict[str, Line] = {}
        self._losses = Losses()
        self._coming = 0
        self._latest: dict[str, Ask] = {}
        """For each lock that is held: who asked for it last, and has it."""

    async def load(self) -> None:
        """Go on with the locks that the engine keeps, each with its full time."""
        await self._ledger.load()
        for name, record in self._ledger.items():
            self._leases.hold(name, None, record.ttl)

    def meet(self, callers: Mapping[str, Caller]) -> None:
        """These connections, by client id, outlived the broker that had the locks: they stand for their holders."""
        for name, record in self._ledger.items():
            caller = callers.get(record.client_id)
            if caller is not None and name in self._leases and self._leases.session_of(name) is None:
                self._leases.hold(name, caller, record.ttl)

    def close(self) -> None:
        self._leases.close()

    # ---- steps

    async def arrive(self, ask: Ask, *, waits: bool) -> None:
        """Decide about somebody who has just asked; the answer goes to them."""
        try:
            async with self._steps.hold(ask.name):
                if not ask.is_gone:
                    await self._decide(ask, waits)
        except SwarmwireError as error:
            ask.fail(error)
        except Exception:
            ask.fail(SwarmwireError(ErrorCode.INTERNAL_ERROR))
            raise

    async def renew(self, name: str, token: int, session: Caller, ttl: int | None) -> LockRecord:
        """Let the holder's time begin again, on this connection from now on.

        Raises:
            SwarmwireError: as `check_holder`.
        """
        async with self._steps.hold(name):
            record = self._held_by(name, token, session.author)
            renewed = record if ttl is None else replace(record, ttl=ttl)
            if session.peer.brief:
                self._leases.renew(name, renewed.ttl)
            else:
                renewed = replace(renewed, client_id=session.client_id, sender=session.author.sender)
                self._leases.hold(name, session, renewed.ttl)
            if renewed != record:
                await self._ledger.write({name: renewed})
        return renewed

    async def release(self, name: str, token: int, author: Author) -> None:
        """Give it to the next in line.

        Raises:
            SwarmwireError: as `check_holder`; UNAVAILABLE where it cannot be stored, and then it is still held.
        """
        async with self._steps.hold(name):
            record = self._held_by(name, token, author)
            await self._hand_over(name, lock_event("released", name, record, author))

    def left(self, ask: Ask) -> None:
        """A call that asked has ended; what was granted to it unheard goes back. Harmless twice."""
        line = self._lines.get(ask.name)
        if line is not None:
            line.leave(ask)
            if not len(line):
                del self._lines[ask.name]
        if ask.is_gone and self._latest.get(ask.name) is ask:
            self._clock.spawn(self._give_back(ask))

    # ---- what is shown

    def names(self, prefix: str) -> list[str]:
        """The locks that are held, the one longest held first."""
        return [name for name, _ in self._ledger.items() if name.startswith(prefix)]

    def status(self, name: str) -> LockStatus:
        """How a lock stands, held or not."""
        record, line = self._ledger.get(name), self._lines.get(name)
        waiting = 0 if line is None else len(line)
        if record is None:
            return LockStatus(name=name, held=False, waiting=waiting)
        person = LockPerson(
            client_id=record.client_id,
            sender=record.sender,
            connected=self._leases.session_of(name) is not None,
            metadata=shown(record.metadata),
        )
        return LockStatus(
            name=name,
            held=True,
            waiting=waiting,
            token=record.token,
            ttl=record.ttl,
            left_ms=self._leases.left_ms(name) or 0,
            since=record.since,
            holder=person,
        )

    # ---- inside

    async def _decide(self, ask: Ask, waits: bool) -> None:
        record, line = self._ledger.get(ask.name), self._lines.get(ask.name)
        waiting = 0 if line is None or ask.holder in line else len(line)
        most = self._shared.limits.max_lock_waiters
        match decide(record, ask.holder, waits=waits, waiting=waiting, most=most):
            case Turn.GRANT:
                await self._grant_free(ask)
            case Turn.CONTINUE:
                assert record is not None
                await self._go_on(ask, record)
            case Turn.QUEUE:
                self._lines.setdefault(ask.name, Line()).join(ask)
            case Turn.REFUSE:
                ask.time_out()
            case Turn.FULL:
                raise _full(f"At most {most} may wait for the lock {ask.name!r}.")

    async def _grant_free(self, ask: Ask) -> None:
        if len(self._ledger) + self._coming >= self._shared.limits.max_locks:
            raise _full(f"At most {self._shared.limits.max_locks} locks may be held.")
        self._coming += 1
        try:
            await self._grant(ask, [])
        finally:
            self._coming -= 1
        if ask.is_gone:
            await self._hand_over(ask.name, self._given_up(ask.name))

    async def _go_on(self, ask: Ask, record: LockRecord) -> None:
        """The holder asks again: it has lost the answer, or its connection."""
        session = ask.session
        renewed = replace(
            record, client_id=session.client_id, sender=session.author.sender, ttl=ask.ttl, metadata=ask.metadata
        )
        if renewed != record:
            await self._ledger.write({ask.name: renewed})
        self._leases.hold(ask.name, session, ask.ttl)
        self._latest[ask.name] = ask
        ask.grant(record.token)
        if ask.is_gone and session.is_welcome:  # a connection that was lost meanwhile leaves the lock to its ttl
            await self._hand_over(ask.name, self._given_up(ask.name))

    async def _grant(self, ask: Ask, events: list[Draft]) -> None:
        """Make somebody the holder, in one step with what becomes of the one before."""
        author = ask.session.author
        record = LockRecord(
            token=await self._fencing.next(),
            scope=ask.holder.scope,
            instance=ask.holder.instance,
            owner=ask.holder.owner,
            client_id=ask.session.client_id,
            sender=author.sender,
            ttl=ask.ttl,
            since=self._clock.now_ms(),
            metadata=ask.metadata,
        )
        events = [*events, lock_event("acquired", ask.name, record, author)]
        try:
            await self._ledger.write({ask.name: record}, events)
        except SwarmwireError as error:
            self._learn(ask.name, record, error)
            raise
        self._leases.hold(ask.name, ask.session, ask.ttl)
        self._latest[ask.name] = ask
        ask.grant(record.token)

    async def _hand_over(self, name: str, event: Draft) -> None:
        """Take a lock from its holder and give it to the next in line, if there is one who still waits."""
        while (heir := self._heir(name)) is not None:
            await self._grant(heir, [event])
            self.left(heir)
            if not heir.is_gone:
                return
            event = self._given_up(name)
        try:
            await self._ledger.write({name: None}, [event])
        finally:
            if name not in self._ledger:  # also where it was stored, and the answer lost
                self._leases.drop(name)
                self._latest.pop(name, None)

    def _learn(self, name: str, wanted: LockRecord, error: SwarmwireError) -> None:
        """See that a lock whose grant has failed has a lease if somebody has it all the same."""
        found = self._ledger.get(name)
        if found == wanted:
            self._leases.hold(name, None, _UNHEARD_MS)
        elif found is not None and error.code is ErrorCode.CONFLICT and name not in self._leases:
            self._leases.hold(name, None, found.ttl)

    async def _lapsed(self, name: str, why: Lapse) -> None:
        async with self._steps.hold(name):
            record = self._ledger.get(name)
            if record is None or name in self._leases:
                return
            if why is Lapse.LEFT:
                await self._hand_over(name, lock_event("released", name, record, reason=why.value))
            else:
                await self._hand_over(name, lock_event("lost", name, record, reason=why.value))
                self._losses.add(record.token)

    async def _give_back(self, ask: Ask) -> None:
        """Release a lock whose asker was gone before it could hear that it has it."""
        async with self._steps.hold(ask.name):
            if self._latest.get(ask.name) is ask and ask.name in self._ledger:
                await self._hand_over(ask.name, self._given_up(ask.name))

    def _heir(self, name: str) -> Ask | None:
        line = self._lines.get(name)
        while line is not None and (ask := line.first()) is not None:
            if not ask.is_gone:
                return ask
            line.leave(ask)
        return None

    def _held_by(self, name: str, token: int, author: Author) -> LockRecord:
        record = check_holder(name, self._ledger.get(name), token, author.scope, self._losses)
        if name not in self._leases:  # its time is over, which is just being stored
            raise SwarmwireError(ErrorCode.LOCK_LOST, f"The time of the lock {name!r} is over.", field="params.token")
        return record

    def _given_up(self, name: str) -> Draft:
        record = self._ledger.get(name)
        assert record is not None
        return lock_event("released", name, record, reason="gone")


def _full(sentence: str) -> SwarmwireError:
    return SwarmwireError(ErrorCode.LIMIT_EXCEEDED, sentence, field="params.name")
