"""Saved histories, and the sentences that tell what is wrong with them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from .check import main
from .checker import check
from .history import load, save
from .model import Model, good_history
from .records import Record, Seen


def history(*numbers: int) -> list[Record]:
    """Three events, of which a subscription was given those with these numbers."""
    model = Model(random.Random(1))
    sub = model.subscribe("a.*")
    for topic in ("a.x", "a.y", "a.x"):
        model.publish(topic)
    model.deliver(sub)
    return [each for each in model.settle() if not isinstance(each, Seen) or each.number in numbers]


def test_a_saved_history_is_loaded_as_it_was(tmp_path: Path) -> None:
    records = good_history(random.Random(7))
    save(records, tmp_path / "history.jsonl")
    assert load(tmp_path / "history.jsonl") == records


def test_histories_of_several_processes_are_one_in_the_order_of_their_moments(tmp_path: Path) -> None:
    records = good_history(random.Random(7))
    save(records[::2], tmp_path / "one.jsonl")
    save(records[1::2], tmp_path / "two.jsonl")
    assert load(tmp_path / "one.jsonl", tmp_path / "two.jsonl") == records


def test_a_good_history_passes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(history(1, 2, 3), tmp_path / "history.jsonl")
    assert main([str(tmp_path / "history.jsonl")]) == 0
    assert "0 violations" in capsys.readouterr().err


def test_a_violation_names_client_topic_and_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save(history(1, 3), tmp_path / "history.jsonl")
    assert main([str(tmp_path / "history.jsonl")]) == 1
    found = capsys.readouterr().out
    assert "missing: subscription s7 of c2 to a.* was not given event 2 on a.y at e0:2" in found
    assert "unstored: event 2 on a.y at e0:2 was acknowledged to c1" in found


def test_what_is_no_history_is_refused_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "broken.jsonl").write_text('{"what":"settled","at":1}\n{"what":"nothing"}\n')
    assert main([str(tmp_path / "broken.jsonl")]) == 2
    assert "line 2" in capsys.readouterr().err
    assert main([]) == 2


def test_nothing_is_owed_to_who_was_not_there_to_the_end() -> None:
    unsettled = history(1, 2)[:-1]
    assert check(unsettled) == []
    assert [violation.kind for violation in check(history(1, 2))] == ["missing", "unstored"]
