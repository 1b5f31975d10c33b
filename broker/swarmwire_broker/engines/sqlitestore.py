"""What the writer says to SQLite: every statement that changes the log.

Each statement takes as many rows as there are: while SQLite works on one, the interpreter is free for the event loop,
and a row at a time would mean to ask for it back once for every row.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Final, TypeAlias, TypeVar

from .base import Put, Stored
from .entry import Entry
from .retention import DEFAULT_RULE, Keep, Kept, rule_of
from .sqliteschema import LogFile
from .state import conflict

__all__ = ["OVERHEAD", "KeyRow", "Store"]

OVERHEAD: Final = 250
"""Bytes an event counts for beside its payload, as in the memory engine."""

_CHUNKS: Final = (256, 128, 64, 32, 16, 8, 4, 2, 1)
_KNOWN_TOPICS: Final = 100_000
_T = TypeVar("_T")

_OVER: Final = """
SELECT max(seq), count(*), sum(size) FROM (
    SELECT seq, ts, size, row_number() OVER w AS place, sum(size) OVER w - size AS before FROM (
        SELECT seq, ts, length(payload) + 250 AS size FROM events
        WHERE rule_id = :rule AND seq > :floor ORDER BY seq LIMIT :most
    ) WINDOW w AS (ORDER BY seq)
) WHERE place <= :events OR before < :bytes OR ts < :ts
"""
# After a change of rules another rule may hold older events of a topic, or may have let newer ones go already. A row
# without a payload is the mark of a `clear`: as long as older events of its topic are held, it keeps them from being
# the last. What is at or below the floor of last events needs no mark.
_KEEP_LAST: Final = """
INSERT INTO last SELECT topic_id, seq, ts, hidden_from, CASE WHEN clear THEN x'' ELSE payload END FROM events AS e
WHERE rule_id = :rule AND seq > :floor AND seq <= :upto AND seq > :latest_floor
    AND NOT EXISTS (SELECT 1 FROM events AS n WHERE n.topic_id = e.topic_id AND n.seq > e.seq)
ON CONFLICT(topic_id) DO UPDATE SET
    seq = excluded.seq, ts = excluded.ts, hidden_from = excluded.hidden_from, payload = excluded.payload
    WHERE excluded.seq > last.seq
"""
_FORGET_MARKS: Final = """
DELETE FROM last WHERE topic_id IN (
    SELECT topic_id FROM events WHERE rule_id = :rule AND seq > :floor AND seq <= :upto
) AND length(payload) = 0 AND NOT EXISTS (
    SELECT 1 FROM events AS n WHERE n.topic_id = last.topic_id AND (n.rule_id <> :rule OR n.seq > :upto)
)
"""
_UNUSED_TOPICS: Final = """
DELETE FROM topics WHERE id IN (
    SELECT topic_id FROM events AS e WHERE rule_id = :rule AND seq > :floor AND seq <= :upto
        AND NOT EXISTS (SELECT 1 FROM events AS n WHERE n.topic_id = e.topic_id AND n.seq > e.seq)
        AND NOT EXISTS (SELECT 1 FROM events AS n WHERE n.topic_id = e.topic_id AND n.rule_id <> :rule)
        AND NOT EXISTS (SELECT 1 FROM last AS l WHERE l.topic_id = e.topic_id)
) RETURNING topic
"""
_NEXT_TOPIC: Final = """
SELECT max(coalesce((SELECT max(id) FROM topics), 0), coalesce((SELECT max(topic_id) FROM events), 0),
    coalesce((SELECT max(topic_id) FROM last), 0)) + 1
"""
_DELETE: Final = "DELETE FROM events WHERE rule_id = :rule AND seq > :floor AND seq <= :upto"


KeyRow: TypeAlias = tuple[str, str, str, int, int]
"""An idempotency key (scope, topic, key), the place it was given, and the time of day at which it may be forgotten."""


class Store:
    """The one writer's connection, and what it knows of the file without asking.

    Everything between `begin` and `commit` is one step; after `rollback` nothing of it has happened.

    Raises (everything here): sqlite3.Error.
    """

    def __init__(self, connection: sqlite3.Connection, found: LogFile, keep: Keep, rules: Mapping[str, Keep]) -> None:
        self._db = connection
        self.head = found.head
        self.ts = found.ts
        self.revision = found.revision
        self._limits: dict[int, Keep] = {}
        self.rules: dict[int, Kept] = {}
        self.patterns: list[tuple[str, int]] = []
        self._topics: dict[str, tuple[int, int]] = {}
        self._next_topic = self._number(_NEXT_TOPIC)
        self._forgotten = 0  # no key of a place up to here is in the file
        self._before: tuple[int, int, int, int, dict[int, Kept]] | None = None
        self._changes = 0
        self._enter_rules(keep, rules)

    def _number(self, sql: str) -> int:
        number: int = self._db.execute(sql).fetchone()[0]
        return number

    def _enter_rules(self, keep: Keep, rules: Mapping[str, Keep]) -> None:
        self.begin()
        self.since = self._note_rules(json.dumps(list(rules)))
        for pattern in rules:
            self._db.execute(
                "INSERT OR IGNORE INTO rules SELECT max(id) + 1, ?, 0, 0, 0 FROM rules HAVING count(*) > 0", (pattern,)
            )
        self.commit(self._number("SELECT latest_floor FROM log"))
        for number, pattern, *rest in self._db.execute("SELECT id, pattern, floor, events, bytes FROM rules"):
            self.rules[number] = Kept(pattern, *rest)
            self._limits[number] = rules.get(pattern, keep) if pattern != DEFAULT_RULE else keep
        numbers = {kept.pattern: number for number, kept in self.rules.items()}
        self.patterns = [(pattern, numbers[pattern]) for pattern in rules]

    def _note_rules(self, patterns: str) -> int:
        """The place from which on these are the rules by which events were stored."""
        before, since = self._db.execute("SELECT rules, rules_since FROM log").fetchone()
        if before != patterns:
            since = self.head
            self._db.execute("UPDATE log SET rules = ?, rules_since = ?", (patterns, since))
        return int(since)

    @property
    def ages(self) -> bool:
        """Whether any rule lets events go by their age."""
        return any(keep.age_ms is not None for keep in self._limits.values())

    # ---- steps

    def begin(self) -> None:
        self._before = (self.head, self.ts, self.revision, self._next_topic, dict(self.rules))
        self._db.execute("BEGIN IMMEDIATE")
        self._changes = self._db.total_changes

    def commit(self, latest_floor: int) -> None:
        self._save_rules()
        self._db.execute(
            "UPDATE log SET head = ?, ts = ?, revision = ?, latest_floor = ?",
            (self.head, self.ts, self.revision, latest_floor),
        )
        self._db.execute("COMMIT")

    def _save_rules(self) -> None:
        assert self._before is not None
        for number, kept in self.rules.items():
            if kept != self._before[4].get(number):
                self._db.execute(
                    "UPDATE rules SET floor = ?, events = ?, bytes = ? WHERE id = ?",
                    (kept.floor, kept.events, kept.bytes, number),
                )

    @property
    def is_changed(self) -> bool:
        """Whether anything in the file is another since `begin`."""
        return self._db.total_changes != self._changes

    def leave(self) -> None:
        """End what was begun and changed nothing, without a commit."""
        self._before = None
        self._db.execute("ROLLBACK")

    def is_stored(self) -> bool:
        """After a commit that failed, before `rollback`: whether the file says that it has happened all the same."""
        if self._before is None or (attempted := (self.head, self.revision)) == (self._before[0], self._before[2]):
            return False
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            found = self._db.execute("SELECT head, revision FROM log").fetchone()
        except sqlite3.Error:
            return False
        return bool(found == attempted)

    def rollback(self) -> None:
        """Forget what was begun. Harmless when nothing is."""
        if self._before is not None:
            self.head, self.ts, self.revision, self._next_topic, self.rules = self._before
            self._before = None
        self._topics.clear()
        self._forgotten = 0
        if self._db.in_transaction:
            self._db.execute("ROLLBACK")

    def close(self) -> None:
        """Note that everything is stored, and close."""
        try:
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute("UPDATE log SET clean = 1")
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            self._db.close()

    # ---- appending

    def add(self, entries: Sequence[Entry]) -> None:
        """Put entries at the end."""
        topics = self._numbers(entries)
        rows = []
        grown: dict[int, tuple[int, int]] = {}
        for entry in entries:
            topic, rule = topics[entry.topic]
            rows.append((entry.seq, topic, rule, entry.ts, entry.clear, entry.hidden_from, entry.payload))
            events, size = grown.get(rule, (0, 0))
            grown[rule] = (events + 1, size + len(entry.payload))
        for rule, (events, size) in grown.items():
            kept = self.rules[rule]
            self.rules[rule] = Kept(
                kept.pattern, kept.floor, kept.events + events, kept.bytes + size + events * OVERHEAD
            )
        self._insert("events", 7, rows)

    def add_keys(self, keys: Sequence[KeyRow]) -> None:
        """Remember idempotency keys."""
        self._insert("keys(scope, topic, key, seq, until)", 5, keys)

    def _insert(self, table: str, width: int, rows: Sequence[Sequence[Any]]) -> None:
        row = f"({','.join('?' * width)})"
        for some in _chunks(rows):
            self._db.execute(
                f"INSERT INTO {table} VALUES {','.join([row] * len(some))}", tuple(chain.from_iterable(some))
            )

    def _numbers(self, entries: Sequence[Entry]) -> dict[str, tuple[int, int]]:
        """Number and rule of each entry's topic; topics that are new get theirs."""
        known = self._topics
        missing = {entry.topic for entry in entries if entry.topic not in known}
        if missing:
            if len(known) + len(missing) > _KNOWN_TOPICS:
                known.clear()
                missing = {entry.topic for entry in entries}
            self._learn(list(missing))
        return known

    def _learn(self, topics: list[str]) -> None:
        found: dict[str, int] = {}
        for some in _chunks(topics):
            marks = ",".join("?" * len(some))
            found.update(self._db.execute(f"SELECT topic, id FROM topics WHERE topic IN ({marks})", some).fetchall())
        new = [topic for topic in topics if topic not in found]
        numbers = range(self._next_topic, self._next_topic + len(new))
        self._next_topic += len(new)
        rows = list(zip(numbers, new, strict=True))
        self._insert("topics", 2, rows)
        found.update((topic, number) for number, topic in rows)
        for topic, number in found.items():
            self._topics[topic] = (number, rule_of(self.patterns, topic))

    # ---- letting go

    def evict(self, now_ms: int, latest_floor: int, most: int) -> bool:
        """Let go what is over the limits of its rule, at most `most` events of each; whether there may be more."""
        more = False
        for number, kept in self.rules.items():
            keep = self._limits[number]
            # A limit may be any number; what is given to SQLite has 63 bits.
            events = max(0, kept.events - keep.events) if keep.events is not None else 0
            size = max(0, kept.bytes - keep.bytes) if keep.bytes is not None else 0
            ts = max(-1, now_ms - keep.age_ms) if keep.age_ms is not None else -1
            # No more rows are looked at than can be over.
            rows = most if self._has_older(number, kept, ts) else max(events, size // OVERHEAD + 1 if size > 0 else 0)
            if rows > 0:
                over = {"rule": number, "floor": kept.floor, "events": events, "bytes": size, "ts": ts}
                more |= self._evict_of(number, kept, over | {"most": min(rows, most)}, latest_floor) >= most
        return more

    def _has_older(self, number: int, kept: Kept, ts: int) -> bool:
        if ts < 0 or not kept.events:
            return False
        oldest = self._db.execute(
            "SELECT ts FROM events WHERE rule_id = ? AND seq > ? ORDER BY seq LIMIT 1", (number, kept.floor)
        ).fetchone()
        return oldest is not None and oldest[0] < ts

    def _evict_of(self, number: int, kept: Kept, over: dict[str, int], latest_floor: int) -> int:
        upto, count, size = self._db.execute(_OVER, over).fetchone()
        if upto is None:
            return 0
        place = {"rule": number, "floor": kept.floor, "upto": upto, "latest_floor": latest_floor}
        self._db.execute(_KEEP_LAST, place)
        self._db.execute(_FORGET_MARKS, place)
        self._forget_topics(self._db.execute(_UNUSED_TOPICS, place))
        self._db.execute(_DELETE, place)
        self.rules[number] = Kept(kept.pattern, upto, kept.events - count, kept.bytes - size)
        return int(count)

    def _forget_topics(self, gone: Iterable[tuple[str]]) -> None:
        for (topic,) in gone:
            self._topics.pop(topic, None)

    def forget_last(self, latest_floor: int, most: int) -> None:
        """Let go last events that the table of last events has dropped."""
        gone = {"floor": latest_floor, "most": most}
        places = "SELECT topic_id FROM last WHERE seq <= :floor ORDER BY seq LIMIT :most"
        self._forget_topics(
            self._db.execute(
                f"DELETE FROM topics WHERE id IN ({places})"
                " AND NOT EXISTS (SELECT 1 FROM events WHERE topic_id = topics.id) RETURNING topic",
                gone,
            )
        )
        self._db.execute(f"DELETE FROM last WHERE topic_id IN ({places})", gone)

    def forget_keys(self, upto: int, most: int) -> None:
        """Let go the idempotency keys of places up to this one."""
        if upto <= self._forgotten:
            return
        gone = self._db.execute(
            "DELETE FROM keys WHERE id <= (SELECT max(id) FROM"
            " (SELECT id, seq FROM keys ORDER BY id LIMIT ?) WHERE seq <= ?)",
            (most, upto),
        )
        if gone.rowcount < most:
            self._forgotten = upto

    # ---- state

    def check(self, puts: Sequence[Put]) -> None:
        """Make sure every key has the revision expected.

        Raises:
            SwarmwireError: CONFLICT, naming the first key that has another.
        """
        for put in puts:
            if put.expected is not None:
                row = self._db.execute("SELECT revision FROM state WHERE key = ?", (put.key,)).fetchone()
                if (revision := row[0] if row else 0) != put.expected:
                    raise conflict(put, revision)

    def apply(self, puts: Sequence[Put]) -> int:
        """Change the keys; the new revision, the same for all of them."""
        if puts:
            self.revision += 1
        for put in puts:
            if put.value is None:
                self._db.execute("DELETE FROM state WHERE key = ?", (put.key,))
            else:
                stored = Stored(put.value, self.revision)
                self._db.execute("INSERT OR REPLACE INTO state VALUES (?, ?, ?)", (put.key, *stored))
        return self.revision


def _chunks(rows: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """A sequence in pieces of few different lengths, so that few different statements are enough."""
    start = 0
    for size in _CHUNKS:
        while len(rows) - start >= size:
            yield rows[start : start + size]
            start += size
