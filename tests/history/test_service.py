"""How long clients went without service."""

from __future__ import annotations

import pytest

from .records import Acked, Publishing, Record, Refused
from .service import longest_outage


def publishing(at: float, client: str, number: int) -> Publishing:
    return Publishing(at=at, client=client, number=number, topic="a", digest=0)


def acked(at: float, client: str, number: int) -> Acked:
    return Acked(at=at, client=client, number=number, epoch="e", seq=number)


def test_an_outage_goes_from_the_first_publish_in_vain_to_the_next_acknowledgement() -> None:
    records: list[Record] = [
        publishing(1.0, "p", 1),
        acked(1.1, "p", 1),
        publishing(5.0, "p", 2),  # nothing was wanted before it
        Refused(at=5.1, client="p", number=2, code="UNAVAILABLE"),
        publishing(6.0, "p", 3),
        acked(8.0, "p", 3),
        publishing(9.0, "q", 4),
    ]
    assert longest_outage(records) == {"p": pytest.approx(3.0), "q": 0.0}
