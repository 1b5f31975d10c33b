"""How far the reader of a subscription has come, and the file that remembers it for the next run."""

from __future__ import annotations

import os
import time
from typing import TypeAlias

from swarmwire_protocol.cursor import Cursor
from swarmwire_protocol.messages import Conflate

from .emitter import Emitter
from .errors import ErrorCode, SwarmwireError
from .feed import Feed
from .inbox import Inbox
from .options import Ask
from .resumefile import Place, ResumeFile

__all__ = ["Progress", "ResumePath"]

ResumePath: TypeAlias = str | os.PathLike[str]
"""Where a resume file is."""


class Progress:
    """Moves in two steps: what is handed to the reader is consumed once the reader asks for more.

    With a `path` each step is written to that file, at most once in `interval` seconds while there is always more to
    read. Every place that is saved has everything before it consumed.
    """

    def __init__(self, ask: Ask, inbox: Inbox, emitter: Emitter, path: ResumePath | None, interval: float) -> None:
        if interval < 0:
            raise SwarmwireError(
                ErrorCode.INVALID_MESSAGE,
                f"Expected 0 seconds or more between two writes, got {interval}.",
                field="resume_interval",
            )
        self._ask = ask
        self._inbox = inbox
        self._emitter = emitter
        self._path = None if path is None else os.fspath(path)
        self._interval = interval
        self._file: ResumeFile | None = None
        self._written = 0.0
        self._feed: Feed | None = None
        self._snapshot = ask.start == "latest"
        self._consumed: str | None = None
        self._handed: str | None = None
        self._in_hand = False
        self._ends_snapshot = False

    @property
    def remembers(self) -> bool:
        """Whether there is, or will be, a file."""
        return self._path is not None

    @property
    def in_hand(self) -> bool:
        """Whether the reader is at work on something that has a place."""
        return self._in_hand

    @property
    def cursor(self) -> str | None:
        """The place up to which everything was consumed; None while not known."""
        feed = self._feed
        if feed is None:
            return None
        return feed.cursor if self._at_rest and feed.cursor is not None else self._consumed or feed.first

    def opened(self) -> Ask:
        """Open the file, if there is to be one; returns what to ask for, to go on from where it says.

        Raises:
            ResumeFileError: see `ResumeFile.open`.
        """
        if self._path is None:
            return self._ask
        self._file = file = ResumeFile.open(self._path, self._ask.pattern, _name_of(self._ask.mode))
        if not file.locked:
            self._emitter.report(
                f"{self._path} is used without a lock",
                SwarmwireError(ErrorCode.UNAVAILABLE, "The file system has no locks: see that one process uses it."),
            )
        if file.place.cursor is None:
            return self._ask
        self._snapshot = file.place.snapshot
        return self._ask.going_on(file.place.cursor, snapshot=file.place.snapshot)

    def begin(self, feed: Feed) -> None:
        """Follow this subscription."""
        self._feed = feed
        if self._file is not None:
            feed.moved = self.moved

    # ---- Steps

    def hand(self, cursor: str) -> None:
        """The reader gets what ends at this place."""
        self._handed, self._in_hand, self._ends_snapshot = cursor, True, False

    def hand_live(self, cursor: str) -> None:
        """The reader has got everything that was past."""
        self.hand(_later(cursor, self._consumed))
        self._ends_snapshot = True

    def consume(self) -> None:
        """The reader is done with what it has. Raises ResumeFileError when that cannot be written."""
        if self._in_hand:
            self._consumed, self._in_hand = self._handed, False
            self._snapshot = self._snapshot and not self._ends_snapshot
        if self._file is not None:
            self._save(self._file)

    def moved(self) -> None:
        """The subscription received a place that is no event's: it is consumed too while nothing else waits."""
        try:
            if self._file is not None:
                self._save(self._file)
        except SwarmwireError as error:  # the next step of the reader raises it
            self._emitter.report("a resume file was not written", error)

    def commit(self) -> None:
        """Consume what is in hand, and write whatever was not. Raises ResumeFileError."""
        self._written = 0.0
        self.consume()

    def close(self) -> None:
        """Write what was not, and let go of the file. Harmless twice; what is in hand stays unconsumed."""
        file, self._file = self._file, None
        if file is None:
            return
        try:
            self._write(file)
        except SwarmwireError as error:
            self._emitter.report("a resume file was not written", error)
        file.close()

    # ---- Inside

    @property
    def _at_rest(self) -> bool:
        """Whether everything received was consumed."""
        return not self._in_hand and self._inbox.idle and not self._inbox.ended

    def _save(self, file: ResumeFile) -> None:
        if self._interval > 0:
            now = time.monotonic()
            if not self._inbox.idle and now - self._written < self._interval:
                return
            self._written = now
        self._write(file)

    def _write(self, file: ResumeFile) -> None:
        cursor = self.cursor
        if cursor is not None:
            # Once at rest it does not go back to the last event, which the end of the iterator would else make it.
            self._consumed = cursor
            file.save(Place(cursor, self._snapshot))


def _later(cursor: str, consumed: str | None) -> str:
    """The cursor, unless it would go back: where the oldest are dropped, a gap can reach beyond the end of the past."""
    if consumed is None:
        return cursor
    place, other = Cursor.parse(cursor), Cursor.parse(consumed)
    return consumed if place.epoch == other.epoch and place.seq < other.seq else cursor


def _name_of(mode: str | Conflate) -> str:
    return f"conflate {mode.conflate_ms} ms" if isinstance(mode, Conflate) else mode
