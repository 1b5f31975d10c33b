"""The ledger itself: what it lets pass, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from .ledger import Begun, Expected, Ledger
from .model import Message, Model, Written, covered, fits

QUEUE: Message = {"mode": "drop_oldest", "queue_size": 2}
TICKS: Message = {"mode": {"conflate_ms": 5}}


def a_ledger(*, oldest: int = 1, stalled: bool = True, **wanted: Any) -> tuple[Ledger, list[str]]:
    """A client with the subscription `s` to everything, live at the start, of a log of six events on a and b."""
    model = Model(events=100, age_ms=None, topics=100, dedupe_ms=1_000, keys=9, keys_per_scope=9)
    wrong: list[str] = []
    ledger = Ledger(model, "me", outbox_bytes=1_000, oldest=lambda: oldest, wrong=wrong)
    ledger.epoch, ledger.was_stalled = "e", stalled
    asked: Message = {"sub": "s", "pattern": "#", **wanted}
    ledger.expected["1"] = Expected(type="ack", wanted=[asked])
    ledger.expected["1"].verdicts = [None]
    ledger.begin("s", Begun("#", 0, 1, model.table()))
    ledger.block([{"type": "ack", "id": 1, "results": [{"sub": "s", "cursor": "e:0"}]}])
    for seq, topic in enumerate("abaaba", start=1):
        model.log.append(Written(seq, 0, topic, {"type": "event", "topic": topic, "seq": seq}, None, False, 100))
    return ledger, wrong


def event(seq: int, **more: Any) -> Message:
    return {"type": "event", "topic": "abaaba"[seq - 1], "seq": seq, **more}


def queued(seq: int) -> Message:
    return event(seq, sub="s")


def ticked(seq: int, skipped: int) -> Message:
    return event(seq, sub="s", skipped=skipped)


def gap(after: int, to: int, reason: str = "overflow", **more: Any) -> Message:
    return {"type": "gap", "from": f"e:{after}", "to": f"e:{to}", "reason": reason, **more}


def position(place: int, **more: Any) -> Message:
    return {"type": "position", "cursor": f"e:{place}", **more}


RIGHT: list[tuple[Message, list[Message]]] = [
    ({}, [event(1), event(2), event(3)]),
    ({}, [event(1), event(2), position(2)]),
    (QUEUE, [queued(1), gap(1, 4, sub="s", dropped=3), queued(5), queued(6)]),
    (TICKS, [ticked(5, 1), ticked(6, 3), position(6, sub="s")]),
]

WRONG: list[tuple[str, Message, list[Message]]] = [
    ("one is missing", {}, [event(1), event(3)]),
    ("one comes twice", {}, [event(1), event(1)]),
    ("two are swapped", {}, [event(2), event(1)]),
    ("it has other content", {}, [event(1, topic="b")]),
    ("it is for nobody", {}, [{**event(1), "sub": "t"}]),
    ("the position is ahead of the events", {}, [event(1), position(2)]),
    ("the position was never reached", {}, [position(7)]),
    ("the gap is of events that are held", {}, [gap(0, 2, "evicted")]),
    ("nothing may overflow here", {}, [gap(0, 2, dropped=2)]),
    ("more were lost than is said", QUEUE, [gap(0, 4, sub="s", dropped=3), queued(5), queued(6)]),
    ("fewer were lost than is said", QUEUE, [gap(0, 4, sub="s", dropped=5), queued(5), queued(6)]),
    ("more was dropped than had to be", QUEUE, [gap(0, 5, sub="s", dropped=5), queued(6)]),
    ("the newest were not kept", QUEUE, [gap(0, 3, sub="s", dropped=3), queued(4), queued(5)]),
    ("what was skipped does not add up", TICKS, [ticked(5, 1), ticked(6, 2), position(6, sub="s")]),
    (
        "it is not the last of its topic",
        TICKS,
        [ticked(4, 2), ticked(5, 1), position(5, sub="s"), position(6, sub="s")],
    ),
    ("one topic comes twice", TICKS, [ticked(1, 0), ticked(5, 1), ticked(6, 2), position(6, sub="s")]),
    ("an answer comes twice", {}, [{"type": "ack", "id": 1}]),
    ("nobody pinged", {}, [{"type": "pong"}]),
]


@pytest.mark.parametrize(("wanted", "messages"), RIGHT)
def test_what_is_owed_passes(wanted: Message, messages: list[Message]) -> None:
    ledger, wrong = a_ledger(**wanted)
    ledger.block(messages)
    assert wrong == []


@pytest.mark.parametrize(("wanted", "messages"), [one[1:] for one in WRONG], ids=[one[0] for one in WRONG])
def test_what_is_not_owed_is_noticed(wanted: Message, messages: list[Message]) -> None:
    ledger, wrong = a_ledger(**wanted)
    ledger.block(messages)
    assert wrong


def test_a_reader_that_never_stalled_loses_nothing() -> None:
    ledger, wrong = a_ledger(stalled=False, **QUEUE)
    ledger.block([gap(0, 4, sub="s", dropped=4), queued(5), queued(6)])
    assert wrong


def test_a_gap_stands_for_exactly_what_was_evicted() -> None:
    ledger, wrong = a_ledger(oldest=4)
    ledger.block([gap(0, 3, "evicted"), event(4)])
    assert wrong == []


def test_what_is_never_said_is_noticed_at_rest() -> None:
    ledger, _ = a_ledger()
    ledger.block([event(1)])
    assert any("[2, 3, 4, 5, 6]" in lack for lack in ledger.check_rest(whole=True))


@pytest.mark.parametrize(
    ("pattern", "topic", "expected"),
    [
        ("#", "a", True),
        ("a.#", "a", True),
        ("#.b", "a.b.b", True),
        ("a.*", "a", False),
        ("*", "$sys", False),
        ("$sys.#", "$sys.x", True),
    ],
)
def test_the_model_matches_as_the_grammar_says(pattern: str, topic: str, expected: bool) -> None:
    assert fits(pattern, topic) == expected


def test_the_model_knows_what_a_grant_covers() -> None:
    assert covered(("a.#",), "a.*")
    assert not covered(("a.*",), "a.#")
    assert not covered(("a", "b"), "*")
