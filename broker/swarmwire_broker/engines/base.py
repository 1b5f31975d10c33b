"""The contract of an engine: the one log of a broker, and the state that goes with it.

An engine gives every event its place (`seq`, from 1, rising), keeps events and the last one of each topic, and tells
its listener of each event in order, once it is as durable as `durability` says and not before. One conformance
suite (`tests/broker/engines/`) runs against every engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from .entry import Draft, Entry, Outcome
from .matcher import Matcher

__all__ = ["Draft", "Engine", "Entry", "Evicted", "Outcome", "Page", "PageLimit", "Put", "Stored"]


class PageLimit(NamedTuple):
    """How much one read may cost: entries given, their bytes, entries looked at.

    The entry whose bytes pass the limit is still given, so a page is never empty for an entry's size.
    """

    entries: int
    bytes: int
    scan: int


class Page(NamedTuple):
    """A stretch of the log: every matching entry after the cursor asked for, up to and with `upto`.

    `scanned` is how many entries were looked at to find them.
    """

    entries: list[Entry]
    upto: int
    scanned: int


class Evicted(NamedTuple):
    """What the log has let go of the events that a set of patterns matches.

    Nothing of them is held up to `whole`. From there up to `partly` some may be missing and the others are held (where
    rules of retention differ by topic); after `partly` none is missing.
    """

    whole: int
    partly: int


class Stored(NamedTuple):
    """A value of the key-value part and its revision, which rises with every change of any key."""

    value: bytes
    revision: int


class Put(NamedTuple):
    """A change of one key: `value` None removes it; `expected` is the revision it must have (0: must not exist)."""

    key: str
    value: bytes | None
    expected: int | None = None


class Engine(Protocol):
    """What the hub needs of an engine. Everything here is called on the loop, and only coroutines may wait."""

    durability: str
    """`accepted`, `stored` or `stored_lazily`: what an event survives once it is visible."""
    epoch: str
    """The name of this log; a log made anew has another."""
    listener: Callable[[Entry], None]
    """Called with each event, in order, at the moment it becomes visible."""
    defers: bool
    """Whether appends are decided later than `append` returns: then they may fail when nobody waits for them any more,
    and publishers can be ahead of the log."""
    relieved: Callable[[], None]
    """Called when `congested` ends."""
    remote: bool
    """Whether others write to the log too, elsewhere: then what is known of it here may be behind, until `refresh`.
    Where it is false, `refresh` has nothing to do."""
    renewed: Callable[[], None]
    """Called when the log was made anew under a running broker: `epoch` is another, and what was before is gone."""
    missed: Callable[[int], None]
    """Called where the log evicted what the listener was still to hear: with the place up to which. `head` is the place
    up to which it has heard everything, and is that other one afterwards."""

    @property
    def in_flight(self) -> int:
        """Publishes of this broker on their way to a log that is remote, not decided yet; 0 where it is not."""

    @property
    def congested(self) -> bool:
        """Whether so much waits to be written that publishers must be slowed; what they append is taken still."""

    @property
    def trouble(self) -> str | None:
        """Why the log cannot be written just now: appends are refused, reading goes on. None while it can."""

    @property
    def head(self) -> int:
        """The highest `seq` that is visible; 0 for an empty log."""

    @property
    def oldest(self) -> int:
        """The lowest `seq` the log still holds; head + 1 if it holds none up to there."""

    def evicted(self, matcher: Matcher) -> Evicted:
        """What the log has let go of the events that these patterns match."""

    @property
    def latest_floor(self) -> int:
        """The highest `seq` that the table of last events ever had to drop; 0 if none."""

    async def start(self) -> None:
        """Open the log."""

    async def close(self) -> None:
        """Finish what was appended and close. Harmless twice."""

    async def refresh(self, upto: int = 0) -> None:
        """Learn what is held: `oldest`, `evicted` and `latest_floor` are those of this moment or later.

        `head` then is at least what was acknowledged here before, and at least `upto` if the log goes so far. That the
        log was made anew is noticed here too.

        Raises:
            SwarmwireError: UNAVAILABLE, with `retry_after_ms`; the log could not be asked in time.
        """

    def append(self, draft: Draft) -> None:
        """Take an event. Its outcome comes by `draft.done`, perhaps before this returns."""

    def append_all(self, drafts: Sequence[Draft]) -> None:
        """Take events of one moment, as `append` takes one after the other."""

    def read(self, matcher: Matcher, after: int, limit: PageLimit) -> Page | None:
        """A page from memory; None if memory does not reach back to `after` (then `fetch` does).

        Where the log itself has evicted what follows `after`, the page begins with the oldest event it holds; what is
        missing, there or later, `evicted` tells, asked when the page is there. What a page of a remote log was read
        without, because it was evicted, `evicted` tells behind `fetch` and `fetch_latest` without a `refresh`.
        """

    async def fetch(self, matcher: Matcher, after: int, limit: PageLimit) -> Page:
        """The same from wherever the log is kept."""

    def latest(self, matcher: Matcher, after: int, until: int, limit: PageLimit) -> Page | None:
        """The last events of matching topics with after < seq <= until, as far as they are still the last.

        None if they are not in memory (then `fetch_latest` does).
        """

    async def fetch_latest(self, matcher: Matcher, after: int, until: int, limit: PageLimit) -> Page:
        """The same from wherever the log is kept."""

    async def find_last(self, matcher: Matcher, count: int) -> int:
        """The place after which the log holds the last `count` matching events."""

    async def find_since(self, ts: int) -> int:
        """The place after which the log holds the events with a time of `ts` milliseconds or later."""

    def interest(self, pattern: str, wanted: bool) -> None:
        """Somebody subscribes to this pattern now, or nobody does any longer.

        The listener hears of every event that a pattern of interest matches and that lies after the `head` of the
        moment when the interest began; of others it may.
        """

    async def get(self, key: str) -> Stored | None:
        """The value of a key."""

    async def scan(self, prefix: str) -> list[tuple[str, Stored]]:
        """All keys that begin with a prefix, in order."""

    async def transact(self, puts: Sequence[Put], appends: Sequence[Draft] = ()) -> int:
        """Change keys and append events in one step; the new revision.

        The drafts carry no `key`: what makes the step happen once is the revisions it expects.

        Raises:
            ValueError: a draft has a key.
            SwarmwireError: CONFLICT when a key has not the revision expected; then nothing has changed.
        """
