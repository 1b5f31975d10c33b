"""The one of a broker who writes the state: it gathers what is asked for, commits it, and sees to its events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from typing import Any, Final

from msgspec.structs import replace

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...entry import Draft
from .committing import Committing
from .current import Current
from .grouping import Grouping
from .journal import Group, event_ids
from .pausing import Pause
from .refusals import deposed, too_large
from .snapshot import is_due
from .snapshotting import Snapshotting
from .storage import EventLog, Storage, StorageAway
from .telling import Teller
from .wishes import Wish, Wishes

__all__ = ["StateWriter"]

log = logging.getLogger("swarmwire.broker.engine")

_TEND: Final = 0.5
"""Seconds between two looks at what is left to do when nothing is asked for."""
_LOOK: Final = 0.02
"""Seconds between two looks whether all is done, when it is closed."""
_GRACE_MS: Final = 2_000
"""How long another writer that lives is given to put the events of its group into the log."""


class StateWriter:
    """Writes groups of changes, for whoever asks.

    Several may write at once: who was second gathers again on top of the other's. But a `seize` fences all others.

    Attributes:
        is_deposed: another has seized the state, or it is gone: nothing is written before the next `seize`.
        on_deposed: called when that begins.
    """

    def __init__(
        self,
        current: Current,
        storage: Storage,
        events: EventLog,
        name: str,
        steady_ms: Callable[[], int],
        trusted_ms: int,
    ) -> None:
        self.is_deposed = False
        self.on_deposed: Callable[[], None] = _nothing
        self.committing = Committing(current, storage, name)
        self._current = current
        self._storage = storage
        self._events = events
        self._steady_ms = steady_ms
        self._teller = Teller(events, steady_ms, trusted_ms)
        self._snapshotting = Snapshotting(current, storage, name)
        self._snapshot: asyncio.Task[None] | None = None
        self._wishes = Wishes()
        self._turn = asyncio.Lock()
        self._term: int | None = None
        # Of each group with events that are being told: how many of its changes are not done with.
        self._telling: dict[int, int] = {}
        self._seen: dict[tuple[str, int], int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._tellers: set[asyncio.Task[None]] = set()
        current.advanced = self._advanced
        current.lost = self._depose

    # ---- life

    def start(self) -> None:
        """Begin to write what is asked for."""
        self._spawn(self._run())
        self._spawn(self._tend())

    async def close(self, timeout: float) -> None:
        """Finish what was asked for, for so many seconds at most. Harmless twice."""
        with suppress(TimeoutError, StorageAway):
            async with asyncio.timeout(timeout):
                await self._idle()
                await self._note()
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _idle(self) -> None:
        """Returns when all that was asked for is done, and its events are in the log."""
        while self._wishes or self._telling or self._turn.locked():  # noqa: ASYNC110 - three things, for a moment
            await asyncio.sleep(_LOOK)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("a background task of the state failed", exc_info=error)

    @property
    def untold(self) -> int:
        """How many changes are committed whose events are not in the log yet."""
        return len(self._tellers)

    # ---- who may write

    def submit(self, wish: Wish) -> None:
        """Have this done.

        Raises:
            SwarmwireError: UNAVAILABLE: another broker has the state.
        """
        if self.is_deposed:
            raise deposed()
        self._wishes.add(wish)

    async def seize(self, until: Callable[[], bool]) -> None:
        """Begin a term: whoever wrote before cannot any more. What they left undone is done when this returns.

        It is tried until `until` says that it is enough.

        Raises:
            StorageAway: it could not be done.
        """
        async with self._turn:
            while True:
                await self._current.refresh()
                group = self.committing.group(self._current.fold.term + 1)
                is_done = await self.committing.commit(group, lambda: not until())
                if is_done and self._current.fold.term == group.t:  # and nobody else has seized it since
                    break
                if until():
                    raise StorageAway("others wrote all the time")
            self._term, self.is_deposed = group.t, False
            await self._redo(list(self._current.fold.doubtful.values()))

    async def _join(self) -> None:
        """Before the first change: read what there is, and do what others have left undone."""
        await self._current.refresh()
        await self._redo(list(self._current.fold.doubtful.values()))
        self._term = self._current.fold.term

    def _advanced(self) -> None:
        """Somebody has begun a term."""
        fold = self._current.fold
        if self._term is None or fold.term <= self._term:
            return
        if fold.owner == self.committing.name:
            self._term = fold.term  # even where `seize` has not heard that it was done
        else:
            self._depose()

    def _depose(self) -> None:
        if self._term is None or self.is_deposed:
            return
        self.is_deposed = True
        log.warning("another broker has taken over the state")
        self._wishes.fail_all(deposed())
        self.on_deposed()

    # ---- writing

    async def _run(self) -> None:
        pause = Pause()
        while True:
            await self._wishes.some.wait()
            try:
                async with self._turn:
                    await self._step()
            except StorageAway as problem:
                log.debug("the state cannot be written just now: %s", problem)
                await pause()
            except Exception:
                log.exception("the state could not be written; trying again")
                await pause()
            else:
                pause.reset()

    async def _step(self) -> None:
        if self._term is None:
            await self._join()
        fold, seq = self._current.fold, self._current.fold.seq
        grouping, wishes, refused = self._gather()
        if not wishes:
            return
        try:
            if grouping.changes:
                is_done = await self._commit(grouping, [wish for wish in wishes if wish not in refused])
            else:
                # Nothing to write, and so nothing to tell by whether the conflict is one with the newest state.
                await self._current.refresh()
                is_done = self._current.fold is fold and fold.seq == seq
        except StorageAway:
            self._wishes.give_back(wishes)
            raise
        except Exception:
            for wish in wishes:
                wish.fail(SwarmwireError(ErrorCode.OUTCOME_UNKNOWN, "The state could not be written."))
            raise
        if is_done:
            for wish, error in refused.items():
                wish.fail(error)
        else:
            self._wishes.give_back(wishes)
        if self.is_deposed:
            self._wishes.fail_all(deposed())

    def _gather(self) -> tuple[Grouping, list[Wish], dict[Wish, SwarmwireError]]:
        """What fits into a group: all that was looked at, and what conflicts with the state or with what is before."""
        most = self._storage.most_bytes
        grouping = Grouping(self._current.fold.state, most)
        wishes: list[Wish] = []
        refused: dict[Wish, SwarmwireError] = {}
        while (wish := self._wishes.first()) is not None and (grouping.has_room(wish.size) or not wishes):
            self._wishes.take()
            if wish.size > most:
                wish.fail(too_large(wish.size, most))
                continue
            wishes.append(wish)
            try:
                wish.revision = grouping.add(wish.puts, wish.change, wish.size)
            except SwarmwireError as error:
                refused[wish] = error
        return grouping, wishes, refused

    async def _commit(self, grouping: Grouping, wishes: Sequence[Wish]) -> bool:
        empty, place = self.committing.group(self._term or 0), self._events.position()
        group = replace(empty, c=grouping.changes, e=place.epoch, s=place.seq)
        since = self._steady_ms()
        for wish in wishes:
            wish.sent = True
        if group.has_events:
            self._telling[group.n] = len(wishes)
        if not await self.committing.commit(group, lambda: not all(wish.is_decided for wish in wishes)):
            self._telling.pop(group.n, None)
            return False
        for wish, named in zip(wishes, event_ids(group), strict=True):
            drafts = [(message_id, draft) for (message_id, _), draft in zip(named, wish.appends, strict=True)]
            if drafts:
                teller = self._spawn(self._tell(group, wish, drafts, since))
                self._tellers.add(teller)
                teller.add_done_callback(self._tellers.discard)
            else:
                self._done(group, wish)
        self._see_to_snapshot()
        return True

    async def _tell(self, group: Group, wish: Wish, drafts: Sequence[tuple[bytes, Draft]], since: int) -> None:
        await self._teller.tell(drafts, group.place, since)
        self._done(group, wish)

    def _done(self, group: Group, wish: Wish) -> None:
        """A change is committed, and its events are in the log."""
        if group.n in self._telling:
            self._telling[group.n] -= 1
            if not self._telling[group.n]:
                del self._telling[group.n]
                self._current.fold.settle(group)
        wish.succeed()

    def _see_to_snapshot(self) -> None:
        if is_due(self._current.fold) and (self._snapshot is None or self._snapshot.done()):
            self._snapshot = self._spawn(self._snapshotting.write())

    # ---- what is left to do

    async def _tend(self) -> None:
        while True:
            await asyncio.sleep(_TEND)
            if self._term is None or self.is_deposed:
                continue
            try:
                await self._redo(self._abandoned())
                if not self._wishes:
                    await self._note()
            except StorageAway as problem:
                log.debug("what is left to do for the state must wait: %s", problem)
            except Exception:
                log.exception("what is left to do for the state could not be done; trying again")

    def _abandoned(self) -> list[Group]:
        """Groups of others that nobody has told the events of for some time."""
        now = self._steady_ms()
        foreign = [
            group
            for group in self._current.fold.doubtful.values()
            if group.w != self.committing.name or group.n not in self._telling
        ]
        self._seen = {(group.w, group.n): self._seen.get((group.w, group.n), now) for group in foreign}
        return [group for group in foreign if now - self._seen[group.w, group.n] >= _GRACE_MS]

    async def _redo(self, groups: list[Group]) -> None:
        await self._teller.redo(groups)
        for group in groups:
            self._current.fold.settle(group)

    async def _note(self) -> None:
        """Write down that all events are in the log, so that nobody looks for them when the log has let them go."""
        if self._term is None or self.is_deposed or self._current.fold.is_noted:
            return
        async with self._turn:
            if not self.is_deposed:
                await self.committing.commit(self.committing.group(self._term), _not_wanted)


def _not_wanted() -> bool:
    return False


def _nothing() -> None:
    """Who hears of it until somebody does."""
