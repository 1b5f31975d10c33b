"""A token ends when it says, with a little leeway: as long as the broker ran, and so could notice."""

from __future__ import annotations

import pytest

from .checker import check
from .permission import LEEWAY
from .records import (
    Acked,
    Connected,
    Granted,
    Publishing,
    Record,
    Seen,
    Settled,
    Setup,
    Stopped,
    Subscribed,
    Subscribing,
)

EXPIRED = 20.0


def published_at(moment: float, *stops: Stopped) -> list[Record]:
    """A history in which a client whose token ended at EXPIRED is given what was published at a moment."""
    records: list[Record] = [
        Setup(at=0, engine="memory"),
        Granted(at=1, client="publisher", subscribe=["#"]),
        Connected(at=2, client="publisher", epoch="e"),
        Granted(at=3, client="reader", subscribe=["#"], until=EXPIRED),
        Connected(at=4, client="reader", epoch="e"),
        Subscribing(at=5, client="reader", sub="s", pattern="#"),
        Subscribed(at=6, client="reader", sub="s", cursor="e:0"),
        *stops,
        Publishing(at=moment, client="publisher", number=1, topic="a", digest=7),
        Acked(at=moment + 0.01, client="publisher", number=1, epoch="e", seq=1),
        Seen(at=moment + 0.02, client="reader", sub="s", topic="a", epoch="e", seq=1, number=1, digest=7),
        Settled(at=60),
    ]
    return sorted(records, key=lambda record: record.at)


def judged(moment: float, *stops: Stopped) -> list[str]:
    return [violation.kind for violation in check(published_at(moment, *stops))]


@pytest.mark.parametrize(
    ("moment", "stops"),
    [
        (EXPIRED - 1, []),
        (EXPIRED + LEEWAY, []),
        (EXPIRED + 3, [Stopped(since=EXPIRED - 1, at=EXPIRED + 3)]),
        (EXPIRED + 3 + LEEWAY, [Stopped(since=EXPIRED, at=EXPIRED + 3)]),
        (EXPIRED + 3 + LEEWAY, [Stopped(since=EXPIRED + LEEWAY, at=EXPIRED + 3 + LEEWAY)]),
        (
            EXPIRED + 3 + LEEWAY,
            [Stopped(since=EXPIRED - 1, at=EXPIRED + 2), Stopped(since=EXPIRED + 1, at=EXPIRED + 3)],
        ),
    ],
)
def test_what_the_broker_could_not_notice_yet_is_excused(moment: float, stops: list[Stopped]) -> None:
    assert judged(moment, *stops) == []


@pytest.mark.parametrize(
    ("moment", "stops"),
    [
        (EXPIRED + LEEWAY + 0.1, []),
        (EXPIRED + LEEWAY + 0.1, [Stopped(since=EXPIRED - 5, at=EXPIRED)]),
        (EXPIRED + LEEWAY + 0.1, [Stopped(since=EXPIRED + LEEWAY + 0.05, at=EXPIRED + 9)]),
        (EXPIRED + 3 + LEEWAY + 0.1, [Stopped(since=EXPIRED - 1, at=EXPIRED + 3)]),
        (EXPIRED + 2.6, [Stopped(since=EXPIRED - 1, at=EXPIRED + 2), Stopped(since=EXPIRED + 1, at=EXPIRED + 2)]),
    ],
)
def test_a_token_that_is_noticed_late_is_reported(moment: float, stops: list[Stopped]) -> None:
    assert judged(moment, *stops) == ["unpermitted"]
