"""Many rows at once are stored as one by one they would be."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.engines.entry import Entry
from swarmwire_broker.engines.sqliteinsert import insert_events, insert_keys, insert_topics, pieces

TOPICS = {"a": (7, 0), "b": (8, 0), "c": (9, 3)}


@contextmanager
def tables() -> Iterator[sqlite3.Connection]:
    db = sqlite3.connect(":memory:")
    try:
        db.executescript(
            "CREATE TABLE events(seq, topic_id, rule_id, ts, clear, hidden_from, payload BLOB);"
            "CREATE TABLE keys(id INTEGER PRIMARY KEY, scope, topic, key, seq, until);"
            "CREATE TABLE topics(id, topic);"
        )
        yield db
    finally:
        db.close()


@given(st.integers(0, 3_000))
def test_pieces_follow_each_other_and_are_of_few_lengths(count: int) -> None:
    found = list(pieces(count))
    assert [place for start, end in found for place in range(start, end)] == list(range(count))
    assert all(end - start <= 256 for start, end in found)
    assert all(end - start < 64 or (end - start) % 64 == 0 for start, end in found)


one = st.tuples(
    st.sampled_from("aaaabbc"), st.booleans() | st.just(False), st.sampled_from([None, None, "me"]), st.binary()
)


@given(st.integers(1, 2**40), st.lists(one, max_size=12), st.integers(0, 300))
def test_events_of_any_kind_are_stored_as_they_are(
    first: int, some: list[tuple[str, bool, str | None, bytes]], plain: int
) -> None:
    parts = [("b", False, None, b"{}")] * plain + some
    entries = [
        Entry(first + place, 1_700_000_000_000, topic, payload, hidden_from, clear)
        for place, (topic, clear, hidden_from, payload) in enumerate(parts)
    ]
    with tables() as db:
        insert_events(db, entries, TOPICS)
        assert db.execute("SELECT * FROM events ORDER BY seq").fetchall() == [
            (entry.seq, *TOPICS[entry.topic], entry.ts, int(entry.clear), entry.hidden_from, entry.payload)
            for entry in entries
        ]


@given(st.lists(st.tuples(st.text(max_size=3), st.text(max_size=3), st.text(max_size=3)), max_size=150))
def test_keys_and_topics_are_stored_in_their_order(names: list[tuple[str, str, str]]) -> None:
    keys = [(*name, 10 + place) for place, name in enumerate(names)]
    topics = [(place, topic) for place, (_, topic, _) in enumerate(names)]
    with tables() as db:
        insert_keys(db, keys, 99)
        insert_topics(db, topics)
        assert db.execute("SELECT scope, topic, key, seq, until FROM keys ORDER BY id").fetchall() == [
            (*key, 99) for key in keys
        ]
        assert db.execute("SELECT id, topic FROM topics ORDER BY id").fetchall() == topics
