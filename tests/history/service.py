"""How long clients went without service: what a history says of the time between two acknowledgements."""

from __future__ import annotations

from collections.abc import Iterable

from .records import Acked, Publishing, Record

__all__ = ["longest_outage"]


def longest_outage(records: Iterable[Record]) -> dict[str, float]:
    """For each client that published, the longest time in seconds for which it wanted to and nothing was acknowledged.

    It begins with the first publish that is not acknowledged at once, and ends with the next acknowledgement of any.
    """
    longest: dict[str, float] = {}
    waiting: dict[str, float] = {}
    for record in sorted(records, key=lambda record: record.at):
        match record:
            case Publishing():
                waiting.setdefault(record.client, record.at)
                longest.setdefault(record.client, 0.0)
            case Acked() if record.client in waiting:
                outage = record.at - waiting.pop(record.client)
                longest[record.client] = max(longest[record.client], outage)
    return longest
