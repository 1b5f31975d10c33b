"""What was seen, against what the log holds."""

from typing import Any

import pytest
from examples.codeswarm.witness import Witness, compare

from swarmwire import Event, Gap


def event(seq: int, topic: str = "task.r1-a.created", data: Any = None) -> Event:
    if data is None:
        data = {"taskId": "r1-a", "type": "survey-file", "metadata": {"file": "a.py"}, "timestamp": 1}
    return Event(topic=topic, data=data, seq=seq, ts=1, cursor=f"e:{seq}")


def completed(seq: int, lines: int) -> Event:
    data = {"taskId": "r1-a", "status": "completed", "result": {"lines": lines, "functions": 0, "classes": 0}}
    return event(seq, "task.r1-a.completed", data)


def witness_of(*items: Event | Gap) -> Witness:
    witness = Witness("r1")
    for item in items:
        witness.note("task.#", item)
    return witness


GAP = Gap(start="e:0", end="e:1", reason="evicted", pattern="task.#")


def test_all_seen_is_a_good_verdict() -> None:
    found = compare(witness_of(event(1), completed(2, 5)), witness_of(event(1), completed(2, 5)))
    assert found.ok
    assert found.sentence() == "saw 2 events, the log holds 2, lost 0"


def test_an_event_that_only_the_log_holds_is_lost() -> None:
    found = compare(witness_of(event(1)), witness_of(event(1), event(2)))
    assert not found.ok
    assert found.lost == 1
    assert "saw 1 events, the log holds 2, lost 1" in found.sentence()


def test_an_equal_number_of_other_events_is_a_loss_too() -> None:
    assert not compare(witness_of(event(1), event(3)), witness_of(event(1), event(2))).ok


def test_an_event_that_the_log_never_held_is_wrong() -> None:
    found = compare(witness_of(event(1), event(2)), witness_of(event(1)))
    assert not found.ok
    assert "NOT IN THE LOG" in found.sentence()


def test_what_the_log_says_it_has_let_go_of_is_not_lost() -> None:
    found = compare(witness_of(event(1), event(2)), witness_of(GAP, event(2)))
    assert found.ok
    assert "has let go of 1" in found.sentence()


@pytest.mark.parametrize("again", [1, 2])
def test_an_event_that_comes_twice_or_late_is_found(again: int) -> None:
    live = witness_of(event(1), event(2), event(again))
    found = compare(live, witness_of(event(1), event(2)))
    assert not found.ok
    assert "1 CAME TWICE" in found.sentence()


def test_equal_events_with_other_results_are_found() -> None:
    found = compare(witness_of(event(1), completed(2, 5)), witness_of(event(1), completed(2, 6)))
    assert not found.ok
    assert "THE RESULTS DIFFER" in found.sentence()


def test_events_of_others_are_neither_counted_nor_applied() -> None:
    witness = witness_of(event(1, "task.r2-a.created"), event(2, "task.elsewhere"))
    assert (witness.seen, witness.board.tasks, witness.positions) == (set(), {}, {"task.#": 2})


def test_an_event_with_unfit_data_is_counted_and_changes_nothing() -> None:
    witness = witness_of(event(1), event(2, "task.r1-a.completed", {"taskId": 5}))
    assert (len(witness.seen), witness.misfits) == (2, 1)
    assert witness.board.tasks["r1-a"].state == "created"


def test_a_result_that_is_none_is_a_misfit() -> None:
    data = {"taskId": "r1-a", "status": "completed", "result": "done"}
    assert witness_of(event(1), event(2, "task.r1-a.completed", data)).misfits == 1


def test_gaps_are_kept_in_words_and_positions_begin_anew_behind_them() -> None:
    witness = witness_of(event(7), Gap(start="e:7", end="f:0", reason="epoch", pattern="task.#"), event(1))
    assert witness.gaps == ["task.# from e:7 to f:0: epoch"]
    assert (witness.repeated, witness.positions) == (0, {"task.#": 1})
