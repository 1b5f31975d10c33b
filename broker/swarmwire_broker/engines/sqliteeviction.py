"""The statements by which the log lets events and idempotency keys go.

Of the events of a rule those between its floor and a place (`upto`) go in one step: the last ones of their topics move
to the table of last events, topics that nothing is left of go too.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "DELETE",
    "ENDS_TOPICS",
    "FORGET_KEYS",
    "FORGET_MARKS",
    "KEEP_LAST",
    "OVER",
    "OVER_IN_NUMBER",
    "UNUSED_TOPICS",
]

OVER: Final = """
SELECT max(seq), count(*), sum(size) FROM (
    SELECT seq, ts, size, row_number() OVER w AS place, sum(size) OVER w - size AS before FROM (
        SELECT seq, ts, length(payload) + 250 AS size FROM events
        WHERE rule_id = :rule AND seq > :floor ORDER BY seq LIMIT :most
    ) WINDOW w AS (ORDER BY seq)
) WHERE place <= :events OR before < :bytes OR ts < :ts
"""
"""The oldest of a rule that are over one of its limits, of so many at most: up to where, how many, what size."""
OVER_IN_NUMBER: Final = """
SELECT max(seq), count(*), sum(length(payload)) + 250 * count(*) FROM (
    SELECT seq, payload FROM events WHERE rule_id = :rule AND seq > :floor ORDER BY seq LIMIT :most
)
"""
"""The same where so many are over the limit of events."""
ENDS_TOPICS: Final = """
SELECT EXISTS (SELECT 1 FROM (
    SELECT DISTINCT topic_id FROM events WHERE rule_id = :rule AND seq > :floor AND seq <= :upto
) AS t WHERE NOT EXISTS (SELECT 1 FROM events AS n WHERE n.topic_id = t.topic_id AND n.seq > :upto))
"""
"""Whether a topic may end with what goes. It seldom does, and then the next three have nothing to do."""
# After a change of rules another rule may hold older events of a topic, or may have let newer ones go already. A row
# without a payload is the mark of a `clear`: as long as older events of its topic are held, it keeps them from being
# the last. What is at or below the floor of last events needs no mark.
KEEP_LAST: Final = """
INSERT INTO last SELECT topic_id, seq, ts, hidden_from, CASE WHEN clear THEN x'' ELSE payload END FROM events AS e
WHERE rule_id = :rule AND seq > :floor AND seq <= :upto AND seq > :latest_floor
    AND NOT EXISTS (SELECT 1 FROM events AS n WHERE n.topic_id = e.topic_id AND n.seq > e.seq)
ON CONFLICT(topic_id) DO UPDATE SET
    seq = excluded.seq, ts = excluded.ts, hidden_from = excluded.hidden_from, payload = excluded.payload
    WHERE excluded.seq > last.seq
"""
FORGET_MARKS: Final = """
DELETE FROM last WHERE topic_id IN (
    SELECT topic_id FROM events WHERE rule_id = :rule AND seq > :floor AND seq <= :upto
) AND length(payload) = 0 AND NOT EXISTS (
    SELECT 1 FROM events AS n WHERE n.topic_id = last.topic_id AND (n.rule_id <> :rule OR n.seq > :upto)
)
"""
UNUSED_TOPICS: Final = """
DELETE FROM topics WHERE id IN (
    SELECT topic_id FROM events AS e WHERE rule_id = :rule AND seq > :floor AND seq <= :upto
        AND NOT EXISTS (SELECT 1 FROM events AS n WHERE n.topic_id = e.topic_id AND n.seq > e.seq)
        AND NOT EXISTS (SELECT 1 FROM events AS n WHERE n.topic_id = e.topic_id AND n.rule_id <> :rule)
        AND NOT EXISTS (SELECT 1 FROM last AS l WHERE l.topic_id = e.topic_id)
) RETURNING topic
"""
# Their numbers follow each other, and only the first ever go: it stops at the first that stays.
FORGET_KEYS: Final = """
DELETE FROM keys WHERE id < coalesce(
    (SELECT id FROM (SELECT id, seq FROM keys ORDER BY id LIMIT ?1) WHERE seq > ?2 LIMIT 1),
    (SELECT min(id) + ?1 FROM keys)
)
"""
DELETE: Final = "DELETE FROM events WHERE rule_id = :rule AND seq > :floor AND seq <= :upto"
