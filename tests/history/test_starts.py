"""Where a subscription may begin while a part of the servers is cut off."""

from __future__ import annotations

from typing import Any

import pytest

from .checker import check
from .records import Acked, Connected, Parted, Publishing, Record, Seen, Setup, Subscribed, Subscribing
from .violations import Kind


def history(*more: Record) -> list[Record]:
    """A client asks for what comes from 2000 ms on, and gets an event of 1000 ms that had been acknowledged before."""
    who: dict[str, Any] = {"client": "r", "sub": "r.1"}
    records: list[Record] = [
        Setup(at=0.0, engine="nats", durable=True),
        Connected(at=0.0, client="r", epoch="e"),
        Publishing(at=1.0, client="p", number=1, topic="a", digest=0),
        Acked(at=2.0, client="p", number=1, epoch="e", seq=1),
        Subscribing(at=30.0, **who, pattern="#", start="since", value=2000),
        Subscribed(at=31.0, **who, cursor="e:0"),
        Seen(at=32.0, **who, topic="a", epoch="e", seq=1, number=1, digest=0, ts=1000),
    ]
    return sorted([*records, *more], key=lambda record: record.at)


@pytest.mark.parametrize("until", [25.0, 40.0])
def test_who_asks_a_part_that_was_cut_off_may_get_more_than_was_asked_for(until: float) -> None:
    assert check(history(Parted(at=until, since=20.0))) == []


@pytest.mark.parametrize("more", [[], [Parted(at=15.0, since=5.0)]])
def test_otherwise_nothing_older_comes(more: list[Record]) -> None:
    assert {violation.kind for violation in check(history(*more))} == {Kind.START}
