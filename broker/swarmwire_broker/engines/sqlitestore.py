"""What the writer says to SQLite: every statement that changes the log."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from . import sqliteeviction as eviction
from .base import Put, Stored
from .entry import Entry
from .retention import DEFAULT_RULE, Keep, Kept, rule_of
from .sqliteinsert import KeyRow, insert_events, insert_keys, insert_topics, pieces
from .sqliteschema import LogFile
from .state import conflict

__all__ = ["OVERHEAD", "Store"]

OVERHEAD: Final = 250
"""Bytes an event counts for beside its payload, as in the memory engine."""

_KNOWN_TOPICS: Final = 100_000

_NEXT_TOPIC: Final = """
SELECT max(coalesce((SELECT max(id) FROM topics), 0), coalesce((SELECT max(topic_id) FROM events), 0),
    coalesce((SELECT max(topic_id) FROM last), 0)) + 1
"""


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
        self._index_rules()
        self.commit(self._number("SELECT latest_floor FROM log"))
        for number, pattern, *rest in self._db.execute("SELECT id, pattern, floor, events, bytes FROM rules"):
            self.rules[number] = Kept(pattern, *rest)
            self._limits[number] = rules.get(pattern, keep) if pattern != DEFAULT_RULE else keep
        numbers = {kept.pattern: number for number, kept in self.rules.items()}
        self.patterns = [(pattern, numbers[pattern]) for pattern in rules]

    def _index_rules(self) -> None:
        """Where there is one rule, the events in order are those of the rule in order."""
        if self._number("SELECT count(*) FROM rules") > 1:
            self._db.execute("CREATE INDEX IF NOT EXISTS events_by_rule ON events(rule_id)")
        else:
            self._db.execute("DROP INDEX IF EXISTS events_by_rule")

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

    def add(self, entries: list[Entry]) -> None:
        """Put entries at the end, whose places follow each other and whose time is `ts`."""
        topics = self._numbers(entries)
        for rule, (events, size) in _grown(entries, topics).items():
            kept = self.rules[rule]
            self.rules[rule] = Kept(
                kept.pattern, kept.floor, kept.events + events, kept.bytes + size + events * OVERHEAD
            )
        insert_events(self._db, entries, topics)

    def add_keys(self, keys: Sequence[KeyRow], until: int) -> None:
        """Remember idempotency keys until a time of day."""
        insert_keys(self._db, keys, until)

    def _numbers(self, entries: list[Entry]) -> dict[str, tuple[int, int]]:
        """Number and rule of each entry's topic; topics that are new get theirs."""
        known = self._topics
        missing = _unknown(entries, known)
        if missing:
            if len(known) + len(missing) > _KNOWN_TOPICS:
                known.clear()
                missing = {entry.topic for entry in entries}
            self._learn(list(missing))
        return known

    def _learn(self, topics: list[str]) -> None:
        found: dict[str, int] = {}
        for start, end in pieces(len(topics)):
            marks = ",".join("?" * (end - start))
            sql = f"SELECT topic, id FROM topics WHERE topic IN ({marks})"
            found.update(self._db.execute(sql, topics[start:end]).fetchall())
        new = [topic for topic in topics if topic not in found]
        numbers = range(self._next_topic, self._next_topic + len(new))
        self._next_topic += len(new)
        rows = list(zip(numbers, new, strict=True))
        insert_topics(self._db, rows)
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
        in_number = over["most"] <= over["events"]
        upto, count, size = self._db.execute(eviction.OVER_IN_NUMBER if in_number else eviction.OVER, over).fetchone()
        if upto is None:
            return 0
        place = {"rule": number, "floor": kept.floor, "upto": upto, "latest_floor": latest_floor}
        if self._db.execute(eviction.ENDS_TOPICS, place).fetchone()[0]:
            self._db.execute(eviction.KEEP_LAST, place)
            self._db.execute(eviction.FORGET_MARKS, place)
            self._forget_topics(self._db.execute(eviction.UNUSED_TOPICS, place))
        self._db.execute(eviction.DELETE, place)
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
        if self._db.execute(eviction.FORGET_KEYS, (most, upto)).rowcount < most:
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


def _grown(entries: list[Entry], topics: dict[str, tuple[int, int]]) -> dict[int, tuple[int, int]]:
    """How many events, and how many bytes of payload, each rule has more by these entries."""
    grown: dict[int, tuple[int, int]] = {}
    count = size = rule = 0
    for entry in entries:
        of = topics[entry.topic][1]
        if of != rule:
            _grow(grown, rule, count, size)
            count, size, rule = 0, 0, of
        count += 1
        size += len(entry.payload)
    _grow(grown, rule, count, size)
    return grown


def _grow(grown: dict[int, tuple[int, int]], rule: int, count: int, size: int) -> None:
    if count:
        before = grown.get(rule, (0, 0))
        grown[rule] = (before[0] + count, before[1] + size)


def _unknown(entries: list[Entry], known: dict[str, tuple[int, int]]) -> set[str]:
    """The topics that are not known."""
    found = set()
    for entry in entries:
        if entry.topic not in known:
            found.add(entry.topic)
    return found
