"""Reading the durable log, in a thread beside the loop.

Every question is one statement with one row for an answer, lines of text that Python cuts up: so SQLite works
through many rows without asking for the interpreter, and a busy loop is not in its way.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final, NamedTuple, TypeAlias

from .base import Page, PageLimit, Stored
from .entry import Entry
from .matcher import Matcher
from .sqlitepatterns import glob, like, topic_range
from .sqliteschema import connect

__all__ = ["Reader", "Snapshot"]

_FEW_TOPICS: Final = 64
"""Up to so many topics a pattern is read by the index, beyond it by walking the log."""
_LOOKED_AT: Final = 10_000
"""Topics looked at to find those that a pattern matches."""
_WALK: Final = 16
"""For each entry that a page may look at, so many are walked over in the file at most."""
_SPARSE: Final = 4
"""Where fewer than one in so many may match, more are walked over the next time."""
_LEAST: Final = 16
"""Rows that are looked at for a page at least."""
_BROAD_PAGES: Final = 50
"""So many pages of a broad pattern are walked before it is asked again how many topics it has."""
_REMEMBERED: Final = 1_000

_ENTRY: Final = """
CAST(group_concat(seq || ' ' || ts || ' ' || clear || ' ' || coalesce(hex(hidden_from), '') || ' ' || topic || ' '
    || CAST(payload AS TEXT), char(10)) AS BLOB)
"""
_FLOORS: Final = "SELECT group_concat(id || ' ' || floor, char(10)) FROM rules"


_Names: TypeAlias = tuple[tuple[str, ...], tuple[str, ...]]


class Snapshot(NamedTuple):
    """A page, and the floors of retention as they were when it was read."""

    page: Page
    floors: dict[int, int]


class _Found(NamedTuple):
    seq: int
    size: int
    topic: str


class Reader:
    """A connection that reads. One thread at a time may use it."""

    def __init__(self, path: Path) -> None:
        self.connection = connect(path, read_only=True)
        self._broad: dict[_Names, int] = {}
        self._walks: dict[_Names, int] = {}
        self._mean = 200  # bytes of an event, as found lately

    def close(self) -> None:
        self.connection.close()

    # ---- pages

    def page(self, matcher: Matcher, after: int, head: int, limit: PageLimit) -> Snapshot:
        """The matching entries after `after` and up to `head`, as far as the limits go."""
        matcher = Matcher((*matcher.literals, *matcher.wildcards))  # the loop's own is not for two threads
        self.connection.execute("BEGIN")
        try:
            floors = dict(_pairs(self.connection.execute(_FLOORS).fetchone()[0]))
            topics = self._few_topics(matcher, limit.scan // 2)
            if topics is not None:
                page = self._page_of_topics(topics, after, head, limit)
            else:
                page = self._walk(matcher, after, head, limit)
            return Snapshot(page, floors)
        finally:
            self.connection.execute("COMMIT")

    def _page_of_topics(self, topics: list[int], after: int, head: int, limit: PageLimit) -> Page:
        most = min(limit.entries, limit.scan - len(topics))
        found: list[_Found] = []
        if topics:
            each = "SELECT seq, length(payload) AS size FROM events WHERE topic_id = %d AND seq > ?1 AND seq <= ?2"
            merged = " UNION ALL ".join(each % topic for topic in topics)
            sql = f"SELECT group_concat(seq || ' ' || size, char(10)) FROM ({merged} ORDER BY seq LIMIT ?3)"
            row = self.connection.execute(sql, (after, head, most + 1)).fetchone()
            found = [_Found(seq, size, "") for seq, size in _pairs(row[0])]
        chosen = _within(found, PageLimit(most, limit.bytes, limit.scan))
        upto = head if len(chosen) == len(found) else chosen[-1].seq if chosen else after
        return Page(self._entries(chosen), upto, len(chosen) + len(topics))

    def _walk(self, matcher: Matcher, after: int, head: int, limit: PageLimit) -> Page:
        """Walk over a stretch of the log, and look closely at what may match."""
        condition, globs = like(matcher)
        names = (matcher.literals, matcher.wildcards)
        rows = min(limit.scan, max(_LEAST, limit.bytes // self._mean))
        most = rows * self._walks.get(names, 1) if globs else rows
        walked, end, text = self.connection.execute(
            f"""
            WITH stretch AS MATERIALIZED (
                SELECT seq, topic_id, length(payload) AS size FROM events
                WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3
            )
            SELECT (SELECT count(*) FROM stretch), (SELECT max(seq) FROM stretch), group_concat(line, char(10)) FROM (
                SELECT seq || ' ' || size || ' ' || topic AS line FROM stretch JOIN topics ON topics.id = topic_id
                WHERE {condition} ORDER BY seq LIMIT ?4
            )
            """,
            (after, head, most, rows, *globs),
        ).fetchone()
        lines = [_found(line) for line in text.split("\n")] if text else []
        matching = [one for one in lines if matcher(one.topic)]
        chosen = _within(matching, limit)
        if len(chosen) < len(matching):
            upto = matching[len(chosen)].seq - 1
        elif len(lines) == rows:
            upto = lines[-1].seq
        else:
            upto = end if end is not None and walked == most else head
        self._learn(names, most // rows, len(lines) * _SPARSE < walked, chosen)
        return Page(self._entries(chosen), upto, len(lines))

    def _learn(self, names: _Names, walk: int, is_sparse: bool, chosen: list[_Found]) -> None:
        """Walk further at once where little matches, and take no more rows than a page has room for."""
        if len(self._walks) >= _REMEMBERED:
            self._walks.clear()
        self._walks[names] = min(_WALK, 2 * walk) if is_sparse else 1
        if chosen:
            self._mean = max(1, sum(one.size for one in chosen) // len(chosen))

    def _entries(self, found: list[_Found]) -> list[Entry]:
        if not found:
            return []
        first, last = found[0].seq, found[-1].seq
        if last - first + 1 == len(found):
            where, values = "seq BETWEEN ?1 AND ?2", (first, last)
        else:
            where = "seq IN (SELECT value FROM json_each(?1))"
            values = (json.dumps([one.seq for one in found]),)  # type: ignore[assignment]
        return self.select(
            f"SELECT e.*, topic FROM events AS e JOIN topics ON id = topic_id WHERE {where} ORDER BY seq", values
        )

    def select(self, select: str, values: tuple[object, ...]) -> list[Entry]:
        """The entries that a statement selects, in its order."""
        (text,) = self.connection.execute(f"SELECT {_ENTRY} FROM ({select})", values).fetchone()
        return [_entry(line) for line in text.split(b"\n")] if text else []

    # ---- topics

    def _few_topics(self, matcher: Matcher, most: int) -> list[int] | None:
        """The numbers of the topics that match; None if they are many, or if telling takes long."""
        most = min(most, _FEW_TOPICS)
        names = (matcher.literals, matcher.wildcards)
        if pages := self._broad.get(names):
            self._broad[names] = pages - 1
            return None
        topics = self._topics(matcher, most)
        if topics is None:
            if len(self._broad) >= _REMEMBERED:
                self._broad.clear()
            self._broad[names] = _BROAD_PAGES
        return topics

    def _topics(self, matcher: Matcher, most: int) -> list[int] | None:
        if len(matcher.literals) > most:
            return None
        marks = ",".join("?" * len(matcher.literals))
        found = {
            row[0]
            for row in self.connection.execute(f"SELECT id FROM topics WHERE topic IN ({marks})", matcher.literals)
        }
        for pattern in matcher.wildcards:
            some = self._topics_like(matcher, pattern, most)
            if some is None:
                return None
            found.update(some)
        return list(found) if len(found) <= most else None

    def _topics_like(self, matcher: Matcher, pattern: str, most: int) -> list[int] | None:
        lower, upper = topic_range(pattern)
        looked, text = self.connection.execute(
            """
            WITH some AS (SELECT id, topic FROM topics WHERE topic >= ?1 AND topic < ?2 LIMIT ?3)
            SELECT (SELECT count(*) FROM some), (
                SELECT group_concat(id || ' ' || topic, char(10))
                FROM (SELECT id, topic FROM some WHERE topic GLOB ?4 LIMIT ?5)
            )
            """,
            (lower, upper, _LOOKED_AT, glob(pattern), 4 * most + 1),
        ).fetchone()
        lines = [line.partition(" ") for line in text.split("\n")] if text else []
        if looked >= _LOOKED_AT or len(lines) > 4 * most:
            return None
        return [int(number) for number, _, topic in lines if matcher(topic)]

    # ---- finding a place to begin

    def find_last(self, matcher: Matcher, count: int, before: int, floor: int) -> tuple[int, int]:
        """Look back from `before` for `count` matching entries: the place reached, and how many lack."""
        matcher = Matcher((*matcher.literals, *matcher.wildcards))
        topics = self._topics(matcher, _FEW_TOPICS)
        if topics is None:
            return self._step_back(matcher, count, before, floor)
        if topics:
            each = "SELECT seq FROM events WHERE topic_id = %d AND seq > ?1 AND seq <= ?2"
            merged = " UNION ALL ".join(each % topic for topic in topics)
            sql = f"SELECT min(seq), count(*) FROM (SELECT seq FROM ({merged} ORDER BY seq DESC LIMIT ?3))"
            first, found = self.connection.execute(sql, (floor, before, count)).fetchone()
            if found:
                return first - 1, 0
        return before, 0

    def _step_back(self, matcher: Matcher, count: int, before: int, floor: int) -> tuple[int, int]:
        condition, globs = like(matcher)
        walked, end, text = self.connection.execute(
            f"""
            WITH stretch AS MATERIALIZED (
                SELECT seq, topic_id FROM events WHERE seq > ?1 AND seq <= ?2 ORDER BY seq DESC LIMIT ?3
            )
            SELECT (SELECT count(*) FROM stretch), (SELECT min(seq) FROM stretch), group_concat(line, char(10)) FROM (
                SELECT s.seq || ' 0 ' || topic AS line FROM stretch AS s JOIN topics ON topics.id = s.topic_id
                WHERE ({condition}) AND ?4 = 0 ORDER BY s.seq DESC
            )
            """,
            (floor, before, _LOOKED_AT, 0, *globs),
        ).fetchone()
        for line in text.split("\n") if text else ():
            found = _found(line)
            if matcher(found.topic):
                count -= 1
                if count == 0:
                    return found.seq - 1, 0
        return (end - 1 if walked == _LOOKED_AT else floor), count

    def find_since(self, ts: int, floor: int, head: int) -> int:
        """The place after which the entries with this time or a later one stand."""
        low, high = floor + 1, head + 1
        while low < high:
            middle = (low + high) // 2
            row = self.connection.execute(
                "SELECT seq, ts FROM events WHERE seq >= ? AND seq <= ? ORDER BY seq LIMIT 1", (middle, head)
            ).fetchone()
            if row is None or row[1] >= ts:
                high = middle
            else:
                low = row[0] + 1
        return low - 1

    # ---- state

    def get(self, key: str) -> Stored | None:
        """The value of a key."""
        row = self.connection.execute("SELECT value, revision FROM state WHERE key = ?", (key,)).fetchone()
        return Stored(*row) if row is not None else None

    def scan(self, prefix: str) -> list[tuple[str, Stored]]:
        """All keys that begin with a prefix, in order."""
        rows = self.connection.execute(
            "SELECT key, value, revision FROM state WHERE key >= ? AND substr(key, 1, ?) = ? ORDER BY key",
            (prefix, len(prefix), prefix),
        )
        return [(key, Stored(value, revision)) for key, value, revision in rows]


# ---- text


def _pairs(text: str | None) -> list[tuple[int, int]]:
    lines = (line.split(" ") for line in text.split("\n")) if text else ()
    return [(int(one), int(other)) for one, other in lines]


def _found(line: str) -> _Found:
    seq, size, topic = line.split(" ", 2)
    return _Found(int(seq), int(size), topic)


def _entry(line: bytes) -> Entry:
    seq, ts, clear, hidden_from, topic, payload = line.split(b" ", 5)
    hidden = bytes.fromhex(hidden_from.decode()).decode() if hidden_from else None
    return Entry(int(seq), int(ts), topic.decode(), payload, hidden, clear == b"1")


def _within(found: list[_Found], limit: PageLimit) -> list[_Found]:
    size = 0
    for index, one in enumerate(found):
        if index >= limit.entries or size >= limit.bytes:
            return found[:index]
        size += one.size
    return found
