from __future__ import annotations

import random
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.services.swarms.ballots import Count, count, is_accepted, outcome, rule_of, selected, winner
from swarmwire_channels import Choice, Quorum, Threshold, VoteValue

quorums: st.SearchStrategy[Quorum] = st.one_of(
    st.sampled_from(["majority", "two-thirds", "unanimous"]),
    st.integers(1, 6).map(lambda votes: Threshold(votes=votes)),
    st.floats(0.01, 1).map(lambda share: Threshold(share=share)),
)
votes = st.lists(st.sampled_from(["yes", "no", "abstain"]), max_size=6)
OPTIONS = ["a", "b", "c"]
confidences = st.none() | st.floats(0, 1.7e308)


@st.composite
def choices(draw: st.DrawFn) -> list[Choice]:
    made = draw(st.lists(st.tuples(st.sampled_from(OPTIONS), confidences), max_size=6))
    return [Choice(voter=str(place), option=option, confidence=sure) for place, (option, sure) in enumerate(made)]


def completions(silent: int) -> list[Count]:
    """All that so many voters may still do; who stays silent is in none of the counts."""
    numbers = range(silent + 1)
    return [Count(y, n, a) for y in numbers for n in numbers for a in numbers if y + n + a <= silent]


def together(one: Count, other: Count) -> Count:
    return Count(*(a + b for a, b in zip(one, other, strict=True)))


# ---- The table of quorum rules

YES_OF = [
    ("majority", 1, 2, False),
    ("majority", 2, 3, True),
    ("majority", 2, 4, False),
    ("majority", 3, 4, True),
    ("two-thirds", 2, 3, True),
    ("two-thirds", 3, 5, False),
    ("two-thirds", 4, 6, True),
    ("unanimous", 4, 5, False),
    ("unanimous", 5, 5, True),
    (Threshold(votes=2), 1, 5, False),
    (Threshold(votes=2), 2, 5, True),
    (Threshold(share=0.1), 3, 30, True),
    (Threshold(share=0.1), 2, 30, False),
    (Threshold(share=1.0), 3, 3, True),
]


@pytest.mark.parametrize(("quorum", "yes", "of", "accepted"), YES_OF)
def test_so_many_yes_votes_of_so_many_are_enough_or_not(quorum: Quorum, yes: int, of: int, accepted: bool) -> None:
    assert is_accepted(rule_of(quorum), Count(yes=yes, no=of - yes), None) is accepted
    assert is_accepted(rule_of(quorum), Count(yes=yes), of) is accepted  # the others are silent, and count as no


@pytest.mark.parametrize("quorum", ["majority", "two-thirds", "unanimous", Threshold(share=0.5)])
def test_who_abstains_is_left_out_of_the_count_and_who_is_silent_is_not(quorum: Quorum) -> None:
    rule = rule_of(quorum)
    assert is_accepted(rule, Count(yes=1, abstain=4), 5)
    assert not is_accepted(rule, Count(yes=1), 5)


@given(quorums, st.none() | st.integers(0, 6))
def test_nothing_is_accepted_without_a_yes(quorum: Quorum, voters: int | None) -> None:
    assert not is_accepted(rule_of(quorum), Count(abstain=voters or 0), voters)


@pytest.mark.parametrize("threshold", [Threshold(), Threshold(votes=2, share=0.5)])
def test_a_threshold_names_one_of_the_two(threshold: Threshold) -> None:
    with pytest.raises(ValueError, match="either votes or a share"):
        rule_of(threshold)


def test_a_share_is_what_is_written_and_not_the_float_next_to_it() -> None:
    assert rule_of(Threshold(share=0.1)).share == Fraction(1, 10)


# ---- What is final stays so


@given(quorums, votes, st.integers(0, 4))
def test_a_result_before_all_have_voted_is_what_every_further_vote_leaves_it(
    quorum: Quorum, cast: list[VoteValue], silent: int
) -> None:
    rule, counted = rule_of(quorum), count(cast)
    voters = len(cast) + silent
    ends = {is_accepted(rule, together(counted, more), voters) for more in completions(silent)}
    early = outcome(rule, counted, voters)
    # Decided exactly when the votes to come cannot change it: neither too early nor too late.
    assert early == (ends.pop() if len(ends) == 1 else None)


@given(quorums, votes)
def test_without_a_list_of_voters_only_a_number_of_votes_is_final(quorum: Quorum, cast: list[VoteValue]) -> None:
    rule, counted = rule_of(quorum), count(cast)
    early = outcome(rule, counted, None)
    assert early is (True if rule.votes is not None and counted.yes >= rule.votes else None)
    if early:
        assert all(is_accepted(rule, together(counted, more), None) for more in completions(3))


@given(votes, st.randoms(use_true_random=False))
def test_a_count_does_not_depend_on_the_order_of_votes(cast: list[VoteValue], chance: random.Random) -> None:
    shuffled = list(cast)
    chance.shuffle(shuffled)
    assert count(shuffled) == count(cast)
    assert sum(count(cast)) == len(cast)


# ---- Options


def test_the_option_with_most_votes_is_selected() -> None:
    cast = [Choice(voter=str(place), option=option) for place, option in enumerate("abb")]
    result = selected(OPTIONS, cast)
    assert result is not None
    assert (result.selected_option, result.confidence) == ("b", None)


def test_of_equals_the_surer_is_selected_and_then_the_first() -> None:
    sure = [Choice(voter="1", option="a", confidence=0.5), Choice(voter="2", option="b", confidence=0.6)]
    unsure = [Choice(voter="1", option="c"), Choice(voter="2", option="b")]
    zero = [Choice(voter="1", option="c", confidence=0.0), Choice(voter="2", option="a")]
    found = [selected(OPTIONS, cast) for cast in (sure, unsure, zero)]
    assert [result and result.selected_option for result in found] == ["b", "b", "c"]


def test_the_confidence_is_the_mean_of_those_who_chose_it() -> None:
    cast = [
        Choice(voter="1", option="a", confidence=0.2),
        Choice(voter="2", option="a", confidence=0.4),
        Choice(voter="3", option="a"),
        Choice(voter="4", option="b", confidence=9.0),
    ]
    result = selected(OPTIONS, cast)
    assert result is not None
    assert result.confidence == pytest.approx(0.3)


def test_the_votes_are_gone_through_as_often_however_many_options_there_are() -> None:
    class Counted(list[Choice]):
        passes = 0

        def __iter__(self) -> Iterator[Choice]:
            self.passes += 1
            return super().__iter__()

    passes = []
    for number in (2, 200):
        cast = Counted(Choice(voter=str(n), option=str(n), confidence=0.5) for n in range(number))
        assert selected([str(n) for n in range(number)], cast) is not None
        assert winner([str(n) for n in range(number)], cast, number + 1) is None
        passes.append(cast.passes)
    assert passes[0] == passes[1]


def test_without_votes_nothing_is_selected() -> None:
    assert selected(OPTIONS, []) is None


@given(choices(), st.randoms(use_true_random=False))
def test_a_selection_does_not_depend_on_the_order_of_votes(cast: list[Choice], chance: random.Random) -> None:
    shuffled = list(cast)
    chance.shuffle(shuffled)
    assert selected(OPTIONS, shuffled) == selected(OPTIONS, cast)


@given(choices(), st.lists(st.tuples(st.sampled_from(OPTIONS), confidences), max_size=3), st.integers(0, 3))
def test_a_winner_before_all_have_voted_is_selected_in_the_end(
    cast: list[Choice], later: list[tuple[str, float | None]], silent: int
) -> None:
    won = winner(OPTIONS, cast, len(cast) + len(later) + silent)
    more = [Choice(voter=f"later {n}", option=option, confidence=sure) for n, (option, sure) in enumerate(later)]
    if won is not None:
        result = selected(OPTIONS, [*cast, *more])
        assert result is not None
        assert result.selected_option == won


@given(choices())
def test_when_all_have_voted_there_is_a_winner(cast: list[Choice]) -> None:
    result = selected(OPTIONS, cast)
    assert winner(OPTIONS, cast, len(cast)) == (None if result is None else result.selected_option)
    assert winner(OPTIONS, cast, None) is None
