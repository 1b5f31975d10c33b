"""Which publishes can be sent again after a failure, so that none is stored twice and no order is inverted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from .pending import Pending, Stage

__all__ = ["recover"]

_LEAST_DEDUPE_MS: Final = 100


def recover(sent: Sequence[Pending], now: int, dedupe_ms: int) -> int:
    """Decide on all that were sent, none of which is under way any more.

    What can be sent again waits from now on, what cannot is given up.

    Arguments:
        now: the time by which `since` was taken, in milliseconds.
        dedupe_ms: how long the stream knows an id again.

    Returns:
        The index of the first that is to be sent again, of those that wait; how many there are if none is.
    """
    again = _first_to_repeat(sent)
    first = len(sent)
    for index in range(len(sent) - 1, -1, -1):
        item = sent[index]
        if item.stage is not Stage.REFUSED and item.stage is not Stage.UNKNOWN:
            continue
        if index < again or not _may_repeat(item, now, dedupe_ms):
            item.give_up()
        else:
            item.wait_again()
            first = index
    return first


def _first_to_repeat(sent: Sequence[Pending]) -> int:
    """From which of these on they can be sent again and come to stand in order.

    Servers take what reaches them in order. So of those of which nothing is known the first ones are stored, or none;
    but not where one of them was refused in between: what came after it may have met another leader.
    """
    may_be_stored = False
    for index in range(len(sent) - 1, -1, -1):
        stage = sent[index].stage
        if stage is Stage.STORED or (stage is Stage.REFUSED and may_be_stored):
            return index + 1
        may_be_stored |= stage is Stage.UNKNOWN
    return 0


def _may_repeat(item: Pending, now: int, dedupe_ms: int) -> bool:
    """Whether sending it again cannot store it twice."""
    if item.stage is Stage.REFUSED and not item.doubtful:
        return True
    # While the stream knows its id for certain.
    return bool(item.message_id) and (now - item.since) * 2 < max(dedupe_ms, _LEAST_DEDUPE_MS)
