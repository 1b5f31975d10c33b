"""Medians, spreads and ratios, from figures that were planted."""

from __future__ import annotations

import pytest
from benchmarks.runner.spreads import Spread, figure, number, ratio, spread
from hypothesis import given
from hypothesis import strategies as st

OURS, OTHER = ("pairs", "swarmwire"), ("pairs", "nats")
FIGURES = st.floats(min_value=1e-3, max_value=1e6)


def planted(**columns: list[float | None]) -> dict[tuple[str, str], list[dict[str, float | None] | None]]:
    return {("pairs", name): [{"cpu": value} for value in values] for name, values in columns.items()}


def test_a_figure_is_the_median_with_the_least_and_the_most() -> None:
    assert figure(planted(swarmwire=[3.0, 1.0, 2.0]), OURS, "cpu") == Spread(2.0, 1.0, 3.0)


def test_a_ratio_is_formed_inside_each_round_and_not_of_the_medians() -> None:
    runs = planted(swarmwire=[1.0, 10.0, 3.0], nats=[2.0, 10.0, 1.0])
    assert ratio(runs, OURS, OTHER, "cpu") == Spread(1.0, 0.5, 3.0)
    assert 3.0 / 2.0 != 1.0  # what the medians would have said


def test_a_ratio_can_be_of_two_different_figures() -> None:
    runs = {OURS: [{"first": 8.0, "decode": 2.0}]}
    assert ratio(runs, OURS, OURS, "first", "decode") == Spread(4.0, 4.0, 4.0)


def test_rounds_that_lack_one_side_are_left_out() -> None:
    runs = planted(swarmwire=[1.0, 2.0, None, 4.0], nats=[1.0, 1.0, 1.0, 0.0])
    runs[OTHER][0] = None
    assert ratio(runs, OURS, OTHER, "cpu") == Spread(2.0, 2.0, 2.0)


def test_nothing_measured_is_no_figure_and_no_ratio() -> None:
    runs = planted(swarmwire=[None, None])
    assert figure(runs, OURS, "cpu") is None
    assert ratio(runs, OURS, OTHER, "cpu") is None
    assert spread([]) is None


def test_a_measured_zero_is_a_figure() -> None:
    assert figure(planted(swarmwire=[0.0]), OURS, "cpu") == Spread(0.0, 0.0, 0.0)


@given(st.lists(FIGURES, min_size=1, max_size=9))
def test_a_median_lies_between_the_least_and_the_most(values: list[float]) -> None:
    found = spread(values)
    assert found is not None
    assert min(values) == found.low <= found.median <= found.high == max(values)


@given(st.lists(st.tuples(FIGURES, FIGURES), min_size=1, max_size=9), FIGURES)
def test_a_ratio_does_not_care_how_fast_the_machine_was_in_a_round(
    rounds: list[tuple[float, float]], factor: float
) -> None:
    plain = planted(swarmwire=[one for one, _ in rounds], nats=[other for _, other in rounds])
    scaled = planted(swarmwire=[one * factor for one, _ in rounds], nats=[other * factor for _, other in rounds])
    before, after = ratio(plain, OURS, OTHER, "cpu"), ratio(scaled, OURS, OTHER, "cpu")
    assert before is not None
    assert after is not None
    assert after.median == pytest.approx(before.median)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.04567, "0.0457"), (1.0, "1.00"), (12.34, "12.3"), (1234.5, "1,234"), (-2.5, "-2.50")],
)
def test_a_number_has_three_digits_that_count(value: float, text: str) -> None:
    assert number(value) == text
