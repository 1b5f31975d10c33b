"""A window is a list that loses its start."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.engines.window import Window


@given(st.lists(st.integers(0, 40), max_size=60))
def test_a_window_is_what_was_appended_without_what_was_taken(moves: list[int]) -> None:
    window: Window = Window()
    model: list[int] = []
    number = 0
    for move in moves:
        for _ in range(move):
            number += 1
            window.items.append(number)
            model.append(number)
        for _ in range(min(move * 3 % 37, len(model))):
            assert window.popleft(0) == model.pop(0)
        assert len(window) == len(model)
        assert window.items[window.start :] == model
        assert list(window.from_index(window.start + len(model) // 2)) == model[len(model) // 2 :]


def test_what_is_gone_takes_no_lasting_room() -> None:
    window: Window = Window()
    for number in range(10_000):
        window.items.append(number)
        if number >= 10:
            window.popleft(0)
    assert len(window) == 10
    assert len(window.items) <= 150


def test_a_taken_item_is_replaced_until_there_is_room_to_be_made() -> None:
    window: Window = Window()
    window.items += ["a", "b"]
    assert window.popleft("") == "a"
    assert (window.items, window.start) == (["", "b"], 1)
