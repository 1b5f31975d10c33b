from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.versions import VERSIONS, parse_version, select_version

VECTORS = json.loads((Path(__file__).parents[2] / "protocol/spec/vectors/versions.json").read_text())

NUMBERS = st.lists(st.integers(0, 12), min_size=1, max_size=8)


def spelled(numbers: list[int]) -> str:
    return ".".join(map(str, numbers))


@pytest.mark.parametrize("case", [pytest.param(case, id=ascii(case["text"])[:40]) for case in VECTORS["parsing"]])
def test_the_vectors_say_what_a_version_is(case: dict[str, Any]) -> None:
    if case["numbers"] is not None:
        assert parse_version(case["text"]) == tuple(case["numbers"])
        return
    with pytest.raises(SwarmwireError, match="A version is 1 to 8 numbers") as caught:
        parse_version(case["text"])
    assert caught.value.code is ErrorCode.INVALID_MESSAGE


@pytest.mark.parametrize("case", VECTORS["order"], ids=str)
def test_the_vectors_say_which_version_is_higher(case: dict[str, Any]) -> None:
    assert parse_version(case["lower"]) < parse_version(case["higher"])


@pytest.mark.parametrize("case", VECTORS["selection"], ids=str)
def test_the_vectors_say_which_version_is_spoken(case: dict[str, Any]) -> None:
    assert select_version(case["offered"], case["known"]) == case["selected"]


def test_the_known_versions_are_the_packages_own_unless_others_are_named() -> None:
    assert VERSIONS == ("1",)
    assert select_version(["1.0"]) == "1"
    assert select_version(["2"]) is None


def test_a_known_version_that_is_none_is_an_error() -> None:
    with pytest.raises(SwarmwireError):
        select_version(["1"], ["one"])


@given(NUMBERS, NUMBERS)
def test_versions_compare_number_by_number_as_if_the_shorter_went_on_with_zeros(
    left: list[int], right: list[int]
) -> None:
    padded = [numbers + [0] * (8 - len(numbers)) for numbers in (left, right)]
    one, other = parse_version(spelled(left)), parse_version(spelled(right))
    assert (one < other) is (padded[0] < padded[1])
    assert (one == other) is (padded[0] == padded[1])


@given(
    st.lists(NUMBERS.map(spelled) | st.text(max_size=6), max_size=6),
    st.lists(NUMBERS.map(spelled)),
    st.data(),
)
def test_the_order_of_the_lists_makes_no_difference(offered: list[str], known: list[str], data: st.DataObject) -> None:
    chosen = select_version(offered, known)
    again = select_version(data.draw(st.permutations(offered)), data.draw(st.permutations(known)))
    assert (chosen is None) is (again is None)
    if chosen is not None and again is not None:
        assert chosen in known
        assert parse_version(chosen) == parse_version(again)


@given(st.lists(NUMBERS.map(spelled), min_size=1, max_size=6), st.lists(NUMBERS.map(spelled), max_size=6))
def test_no_shared_version_is_higher_than_the_one_chosen(known: list[str], more: list[str]) -> None:
    offered = [*more, known[0]]
    chosen = select_version(offered, known)
    assert chosen is not None
    shared = {parse_version(text) for text in offered} & {parse_version(text) for text in known}
    assert parse_version(chosen) == max(shared)
