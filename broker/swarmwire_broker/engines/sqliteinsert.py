"""Statements that put many rows into the log at once.

While SQLite works on a statement the interpreter is free for the event loop, and a row at a time would mean to ask
for it back once for every row. What is the same in all rows is given once: giving a value takes about as long as
storing it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final, TypeAlias

from .entry import Entry

__all__ = ["KeyRow", "insert_events", "insert_keys", "insert_topics", "pieces"]

KeyRow: TypeAlias = tuple[str, str, str, int]
"""An idempotency key (scope, topic, key), and the place it was given."""

_MOST: Final = 256
_STEP: Final = 64


def pieces(count: int) -> Iterator[tuple[int, int]]:
    """A sequence of so many in few pieces, each from one place up to another, of few different lengths."""
    start = 0
    while start < count:
        end = min(count, start + _MOST)
        if end - start > _STEP:
            end -= (end - start) % _STEP
        yield start, end
        start = end


def insert_events(db: sqlite3.Connection, entries: list[Entry], topics: dict[str, tuple[int, int]]) -> None:
    """Put in entries whose places follow each other and whose time is the same; `topics` tells number and rule."""
    for start, end in pieces(len(entries)):
        values = _plain_values(entries, start, end, topics)
        if values is not None:
            db.execute(_plain_events(end - start), values)
        else:
            db.execute(_any_events(end - start), _any_values(entries, start, end, topics))


@cache
def _plain_events(count: int) -> str:
    rows = (f"(?1+{index},?{2 * index + 4},?2,?3,0,NULL,?{2 * index + 5})" for index in range(count))
    return f"INSERT INTO events VALUES {','.join(rows)}"


@cache
def _any_events(count: int) -> str:
    rows = (
        "(?1+{},?{},?{},?2,?{},?{},?{})".format(index, *range(5 * index + 3, 5 * index + 8)) for index in range(count)
    )
    return f"INSERT INTO events VALUES {','.join(rows)}"


def _plain_values(
    entries: list[Entry], start: int, end: int, topics: dict[str, tuple[int, int]]
) -> tuple[Any, ...] | None:
    """The values for entries of one rule that clear nothing and are hidden from nobody; None if one is another."""
    first = entries[start]
    rule = topics[first.topic][1]
    values: list[Any] = [first.seq, rule, first.ts]
    for index in range(start, end):
        entry = entries[index]
        place = topics[entry.topic]
        if place[1] != rule or entry.clear or entry.hidden_from is not None:
            return None
        values.append(place[0])
        values.append(bytearray(entry.payload))  # bytes and bool take three times as long: sqlite3 adapts them
    return tuple(values)


def _any_values(entries: list[Entry], start: int, end: int, topics: Mapping[str, tuple[int, int]]) -> tuple[Any, ...]:
    values: list[Any] = [entries[start].seq, entries[start].ts]
    for entry in entries[start:end]:
        values += topics[entry.topic]
        values += (int(entry.clear), entry.hidden_from, bytearray(entry.payload))
    return tuple(values)


def insert_keys(db: sqlite3.Connection, keys: Sequence[KeyRow], until: int) -> None:
    """Remember idempotency keys until a time of day."""
    for start, end in pieces(len(keys)):
        values: list[Any] = [until]
        for row in keys[start:end]:
            values += row
        db.execute(_keys(end - start), tuple(values))


@cache
def _keys(count: int) -> str:
    rows = ("(?{},?{},?{},?{},?1)".format(*range(4 * index + 2, 4 * index + 6)) for index in range(count))
    return f"INSERT INTO keys(scope, topic, key, seq, until) VALUES {','.join(rows)}"


def insert_topics(db: sqlite3.Connection, topics: Sequence[tuple[int, str]]) -> None:
    """Give topics their numbers."""
    for start, end in pieces(len(topics)):
        values: list[Any] = []
        for row in topics[start:end]:
            values += row
        db.execute(f"INSERT INTO topics VALUES {','.join(['(?,?)'] * (end - start))}", tuple(values))
