"""What the durable engine reads into memory at its start."""

from __future__ import annotations

from collections.abc import Iterator

from .dedupe import DedupeTable
from .entry import Entry
from .sqlitereader import Reader

__all__ = ["Loader"]


class Loader(Reader):
    """A reader for the start."""

    def tail(self, head: int, events: int, size: int) -> list[Entry]:
        """The newest entries up to the head, so many, so large, and without a hole; none if the head itself is gone."""
        first = self.connection.execute(
            """
            SELECT min(seq) FROM (
                SELECT seq, sum(length(payload)) OVER w AS size, row_number() OVER w AS place FROM events
                WHERE seq > ?1 WINDOW w AS (ORDER BY seq DESC)
            ) WHERE size <= ?2 AND seq = ?3 + 1 - place
            """,
            (head - events, size, head),
        ).fetchone()[0]
        if first is None:
            return []
        return self.select(
            "SELECT e.*, topic FROM events AS e JOIN topics ON id = topic_id WHERE seq >= ? ORDER BY seq", (first,)
        )

    def last_events(self, floor: int, most: int, size: int) -> tuple[list[Entry], int]:
        """The last events of the topics that changed last, so many, so large and newer than the floor, in rising order.

        And the floor: the place of the newest that was left out, or the one given.
        """
        rows = self.connection.execute(
            """
            SELECT seq, ts, topic, payload, hidden_from
            FROM (SELECT (SELECT max(seq) FROM events WHERE topic_id = topics.id) AS place, id, topic FROM topics)
            JOIN events ON seq = place WHERE NOT clear AND seq > ?1
                AND NOT EXISTS (SELECT 1 FROM last AS l WHERE l.topic_id = id AND l.seq > place)
            UNION ALL
            SELECT seq, ts, topic, payload, hidden_from FROM last JOIN topics ON id = topic_id
            WHERE seq > ?1 AND length(payload) > 0
                AND NOT EXISTS (SELECT 1 FROM events AS e WHERE e.topic_id = last.topic_id AND e.seq >= last.seq)
            ORDER BY seq DESC
            """,
            (floor,),
        )
        found: list[Entry] = []
        for row in rows:
            entry = Entry(*row)
            size -= len(entry.payload)
            if len(found) >= most or size < 0:
                floor = entry.seq
                break
            found.append(entry)
        rows.close()
        return found[::-1], floor

    def recall(self, keys: DedupeTable, dedupe_ms: int, *, now_ms: int, steady_ms: int) -> None:
        """Remember the idempotency keys, each for what the time of day says is left to it, but at most `dedupe_ms`."""
        for scope, topic, key, seq, until in self.key_rows():
            # Where the time of day was set back, more is left than there ever was.
            left = min(until - now_ms, dedupe_ms)
            if left > 0:
                keys.restore((scope, topic, key), seq, steady_ms + left)
            elif not len(keys):
                keys.forgotten = seq

    def key_rows(self) -> Iterator[tuple[str, str, str, int, int]]:
        """All idempotency keys, in the order they were remembered, each with the time of day when it is forgotten."""
        yield from self.connection.execute("SELECT scope, topic, key, seq, until FROM keys ORDER BY id")
