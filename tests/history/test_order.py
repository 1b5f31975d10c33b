"""The order of one publisher: that of its publishes, as far as one connection goes."""

from __future__ import annotations

from .checker import check
from .records import Acked, Audited, Held, Lost, Publishing, Record, Setup, Unknown
from .violations import Kind


def history(*, lost: bool) -> list[Record]:
    """Two publishes, of which the first, of unknown outcome, was stored behind the second."""
    first = Publishing(at=1.0, client="p", number=1, topic="a", digest=0)
    second = Publishing(at=2.0, client="p", number=2, topic="a", digest=0)
    return [
        Setup(at=0.0, engine="nats", durable=True),
        first,
        second,
        *([Lost(at=3.0, client="p", code=1006)] if lost else []),
        Unknown(at=4.0, client="p", number=1, code="OUTCOME_UNKNOWN"),
        Acked(at=5.0, client="p", number=2, epoch="e", seq=1),
        Held(at=9.0, epoch="e", seq=1, number=2),
        Held(at=9.0, epoch="e", seq=2, number=1),
        Audited(at=9.0, epoch="e", first=1, last=2),
    ]


def test_what_was_given_up_after_a_lost_connection_may_still_be_stored_at_any_place() -> None:
    assert check(history(lost=True)) == []


def test_on_one_connection_what_is_of_unknown_outcome_keeps_its_place_too() -> None:
    assert {violation.kind for violation in check(history(lost=False))} == {Kind.ORDER}
