"""Engines and hubs that break one promise each, to show that the machine would notice."""

from __future__ import annotations

from swarmwire_broker.core.hub import Hub
from swarmwire_broker.core.session import Session
from swarmwire_broker.engines.base import Draft, Entry, Outcome, Page, PageLimit
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_broker.engines.memory import MemoryEngine
from swarmwire_protocol.messages import Permissions

from .engines import in_memory
from .world import Kind

__all__ = ["FAULTS"]


class _Swaps(MemoryEngine):
    """Tells of every fifth event after the one that follows it."""

    def append(self, draft: Draft) -> None:
        told, kept = self.listener, []

        def keep(entry: Entry) -> None:
            kept.append(entry)

        if self.head % 5 == 4 and not hasattr(self, "_late"):
            self.listener = keep
            super().append(draft)
            self.listener = told
            self._late: list[Entry] = kept
            return
        super().append(draft)
        if hasattr(self, "_late"):
            for entry in self._late:
                self.listener(entry)
            del self._late


class _Forgets(MemoryEngine):
    """Does not tell of every fifth event."""

    def append(self, draft: Draft) -> None:
        listener = self.listener
        if self.head % 5 == 4:
            self.listener = lambda entry: None
        super().append(draft)
        self.listener = listener


class _Doubles(MemoryEngine):
    """Tells twice of every fifth event."""

    def append(self, draft: Draft) -> None:
        listener = self.listener

        def twice(entry: Entry) -> None:
            listener(entry)
            if entry.seq % 5 == 0:
                listener(entry)

        self.listener = twice
        super().append(draft)
        self.listener = listener


class _AcksWrongly(MemoryEngine):
    """Acknowledges with the place before."""

    def append(self, draft: Draft) -> None:
        done = draft.done
        if done is not None:
            draft.done = lambda outcome: done(outcome._replace(seq=outcome.seq - 1))
        super().append(draft)


class _NeverAnswers(MemoryEngine):
    """Leaves some publishes without an answer."""

    def append(self, draft: Draft) -> None:
        if self.head % 4 == 3:
            draft.done = None
        super().append(draft)


class _IgnoresKeys(MemoryEngine):
    """Stores a repeated publish again."""

    def append(self, draft: Draft) -> None:
        draft.key = None
        super().append(draft)


class _ForgetsKeysEarly(MemoryEngine):
    """Remembers a key for half the time."""

    def append(self, draft: Draft) -> None:
        self.keys._dedupe_ms = 150
        super().append(draft)


class _ShowsAll(MemoryEngine):
    """Ignores `echo: false`."""

    def append(self, draft: Draft) -> None:
        draft.hidden_from = None
        super().append(draft)


class _SkipsInPages(MemoryEngine):
    """A page of history lacks its second event."""

    def read(self, matcher: Matcher, after: int, limit: PageLimit) -> Page | None:
        page = super().read(matcher, after, limit)
        assert page is not None
        return page._replace(entries=page.entries[:1] + page.entries[2:])


class _RepeatsInPages(MemoryEngine):
    """A page of history begins with what was there already."""

    def read(self, matcher: Matcher, after: int, limit: PageLimit) -> Page | None:
        page = super().read(matcher, after, limit)
        assert page is not None
        if not page.entries:
            return page
        return page._replace(entries=[page.entries[0], *page.entries])


class _HidesEviction(MemoryEngine):
    """Says that it holds everything."""

    @property
    def oldest(self) -> int:
        return min(1, super().oldest)


class _EvictsEarly(MemoryEngine):
    """Holds less than its limit."""

    def append(self, draft: Draft) -> None:
        self.log._max_events = min(self.log._max_events, 2)
        super().append(draft)


class _OldSnapshots(MemoryEngine):
    """Gives a snapshot without its newest topic."""

    def latest(self, matcher: Matcher, after: int, until: int, limit: PageLimit) -> Page:
        page = super().latest(matcher, after, until, limit)
        return page._replace(entries=page.entries[:-1])


class _FindsTooMany(MemoryEngine):
    """`last: n` begins one event too early."""

    async def find_last(self, matcher: Matcher, count: int) -> int:
        return await super().find_last(matcher, count + 1)


class _FindsTooFew(MemoryEngine):
    """`since_ms` begins one event too late."""

    async def find_since(self, ts: int) -> int:
        return min(self.head, await super().find_since(ts) + 1)


class _TellsEarly(MemoryEngine):
    """Answers before the event is visible, with a place it does not have yet."""

    def append(self, draft: Draft) -> None:
        done, draft.done = draft.done, None
        if done is not None:
            done(Outcome(self.head + 2))
        super().append(draft)


class _GrantsAll(Hub):
    """Changes of permission have no effect."""

    def permit(self, subject: str, permissions: Permissions) -> int:
        return 0


class _Leaks(Hub):
    """Keeps sessions that are gone."""

    def forget(self, session: Session) -> None:
        if len(self.sessions) > 2:
            super().forget(session)


FAULTS: list[Kind] = [
    *(
        in_memory(engine_class)
        for engine_class in (
            *(_Swaps, _Forgets, _Doubles, _AcksWrongly, _NeverAnswers, _IgnoresKeys, _ForgetsKeysEarly, _ShowsAll),
            *(_SkipsInPages, _RepeatsInPages, _HidesEviction, _EvictsEarly, _OldSnapshots),
            *(_FindsTooMany, _FindsTooFew, _TellsEarly),
        )
    ),
    *(in_memory(MemoryEngine)._replace(name=hub.__name__, hub=hub) for hub in (_GrantsAll, _Leaks)),
]
"""One fault each; the name says which."""
