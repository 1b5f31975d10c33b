from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_protocol.cursor import Cursor, new_epoch
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import MAX_SEQ

VECTORS = json.loads((Path(__file__).parents[2] / "protocol/spec/vectors/cursors.json").read_text())


@pytest.mark.parametrize("case", [pytest.param(case, id=case["text"]) for case in VECTORS["valid"]])
def test_the_vectors_say_what_a_cursor_holds(case: dict[str, Any]) -> None:
    cursor = Cursor.parse(case["text"])
    assert cursor == Cursor(epoch=case["epoch"], seq=case["seq"])
    assert str(cursor) == case["text"]


@pytest.mark.parametrize("case", [pytest.param(case, id=ascii(case["text"])) for case in VECTORS["invalid"]])
def test_the_vectors_say_what_is_no_cursor(case: dict[str, Any]) -> None:
    with pytest.raises(SwarmwireError, match=r"A cursor is <epoch>:<seq>") as caught:
        Cursor.parse(case["text"])
    assert caught.value.code is ErrorCode.INVALID_MESSAGE


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), st.integers(0, MAX_SEQ))
def test_every_cursor_comes_back_from_its_text(epoch: str, seq: int) -> None:
    assert Cursor.parse(str(Cursor(epoch, seq))) == Cursor(epoch, seq)


@given(st.text(max_size=20) | st.text("e:0123456789", max_size=22))
def test_any_text_is_refused_or_is_the_one_text_of_its_cursor(text: str) -> None:
    try:
        cursor = Cursor.parse(text)
    except SwarmwireError as error:
        if error.code is not ErrorCode.INVALID_MESSAGE:
            raise
    else:
        assert str(cursor) == text


def test_a_refusal_shows_what_came_but_not_all_of_something_huge() -> None:
    with pytest.raises(SwarmwireError, match="'nonsense' is none") as caught:
        Cursor.parse("nonsense")
    with pytest.raises(SwarmwireError) as huge:
        Cursor.parse("x" * 1_000_000)
    assert len(huge.value.message) < len(caught.value.message) + 100


def test_a_cursor_cannot_be_changed_and_can_be_a_key() -> None:
    cursor = Cursor("e", 1)
    with pytest.raises(AttributeError):
        cursor.seq = 2  # type: ignore[misc]
    assert {cursor: "here"}[Cursor("e", 1)] == "here"


def test_a_new_epoch_is_16_hexadecimal_digits_and_never_the_same() -> None:
    epochs = {new_epoch() for _ in range(100)}
    assert len(epochs) == 100
    assert all(re.fullmatch("[0-9a-f]{16}", epoch) for epoch in epochs)
    assert all(Cursor.parse(f"{epoch}:0").epoch == epoch for epoch in epochs)
