"""What is sent again after a failure, and what is given up."""

from __future__ import annotations

import pytest

from swarmwire_broker.engines.entry import Draft
from swarmwire_broker.engines.nats.publishing.pending import Pending, Stage
from swarmwire_broker.engines.nats.publishing.recovery import recover
from swarmwire_protocol.errors import ErrorCode

STAGES = {"s": Stage.STORED, "r": Stage.REFUSED, "u": Stage.UNKNOWN, "k": Stage.UNKNOWN}


def made(kind: str) -> Pending:
    """s: stored; r: refused; u, k: unknown, without and with a key."""
    item = Pending(Draft("a", b"", b"", b""), b"id" if kind == "k" else b"", 1_000, 0)
    item.stage = STAGES[kind]
    return item


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("sss", "..."),
        ("rr", "ww"),
        ("kk", "ww"),
        ("uku", "OwO"),
        ("skr", ".ww"),
        ("rks", "UO."),
        ("rk", "Uw"),
        ("krk", "OUw"),
        ("kkr", "www"),
        ("kus", "OO."),
    ],
)
def test_only_what_cannot_invert_an_order_or_be_doubled_is_sent_again(before: str, after: str) -> None:
    """w: waits; O, U: given up, unknown or unavailable."""
    items = [made(kind) for kind in before]
    first = recover(items, 2_000, 60_000)
    codes = {ErrorCode.OUTCOME_UNKNOWN: "O", ErrorCode.UNAVAILABLE: "U"}
    told = ""
    for item in items:
        if item.stage is Stage.WAITING:
            told += "w"
        else:
            told += codes[item.error.code] if item.error is not None else "."
    assert told == after
    assert first == (after.index("w") if "w" in after else len(after))


def test_an_id_is_trusted_for_half_of_the_time_for_which_it_is_known() -> None:
    early, late = made("k"), made("k")
    assert recover([early], 1_000 + 29_999, 60_000) == 0
    assert recover([late], 1_000 + 30_000, 60_000) == 1


def test_what_may_be_stored_stays_in_doubt_though_its_repeat_is_refused() -> None:
    item = made("k")
    recover([item], 1_000, 60_000)
    item.stage = Stage.REFUSED
    recover([item], 1_000 + 30_000, 60_000)
    assert item.error is not None
    assert item.error.code is ErrorCode.OUTCOME_UNKNOWN
