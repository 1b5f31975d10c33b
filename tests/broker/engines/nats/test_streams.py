"""The stream that is the log: how it is wanted, and what is said when it is otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from swarmwire_broker.engines.nats.streams import (
    EngineMismatch,
    check,
    description,
    facts_of,
    log_config,
    stream_name,
    topic_prefix,
    turnover,
)
from swarmwire_broker.engines.retention import Keep


def wanted(**more: Any) -> dict[str, Any]:
    return log_config("main", Keep(10, None, None), 60_000) | more


def answer(*, messages: int = 1, first: int = 3, last: int = 7, **more: Any) -> dict[str, Any]:
    """What STREAM.INFO answers."""
    state = {"messages": messages, "first_seq": first, "last_seq": last}
    return {"config": wanted(num_replicas=1, **more), "created": "2026-01-01T00:00:00Z", "state": state}


def test_a_log_is_named_after_its_space() -> None:
    assert (stream_name("a-b_1"), topic_prefix("a-b_1")) == ("swarmwire_a-b_1_log", b"swarmwire.a-b_1.e.")


@pytest.mark.parametrize("space", ["", "a.b", "a b", "*", ">", "ü", "x" * 65])
def test_what_cannot_be_part_of_a_subject_is_no_space(space: str) -> None:
    with pytest.raises(ValueError, match="space"):
        stream_name(space)


def test_none_means_no_limit() -> None:
    config = log_config("main", Keep(None, None, None), 60_000)
    assert (config["max_msgs"], config["max_bytes"], config["max_age"]) == (-1, -1, 0)
    config = log_config("main", Keep(5, 6, 7_000), 60_000)
    assert (config["max_msgs"], config["max_bytes"], config["max_age"]) == (5, 6, 7_000_000_000)


@pytest.mark.parametrize(
    ("keep", "seconds"),
    [
        (Keep(None, None, None), 1.0),
        (Keep(100_000, None, None), 0.4),
        (Keep(0, None, None), 0.04),
        (Keep(100_000, 1_000_000, None), 0.001),
        (Keep(100_000, None, 100), 0.05),
    ],
)
def test_a_log_cannot_be_replaced_faster_than_a_stream_is_filled(keep: Keep, seconds: float) -> None:
    assert turnover(keep) == seconds


@pytest.mark.parametrize("keep", [Keep(0, 5, None), Keep(5, 0, None)])
def test_the_stream_of_a_log_of_nothing_holds_what_brokers_have_to_hear(keep: Keep) -> None:
    config = log_config("main", keep, 60_000)
    assert (config["max_msgs"], config["max_bytes"]) == (10_000, -1)


@pytest.mark.parametrize(
    ("age_ms", "dedupe_ms", "window_ms"),
    [(None, 60_000, 60_000), (None, 0, 100), (1_000, 60_000, 1_000), (90_000, 60_000, 60_000)],
)
def test_keys_are_known_for_as_long_as_a_stream_can(age_ms: int | None, dedupe_ms: int, window_ms: int) -> None:
    config = log_config("main", Keep(None, None, age_ms), dedupe_ms)
    assert config["duplicate_window"] == window_ms * 1_000_000


def test_all_that_differs_is_named_in_one_sentence() -> None:
    found = wanted(num_replicas=1, max_msgs=11, storage="memory", mirror={"name": "x"})
    with pytest.raises(EngineMismatch) as caught:
        check(wanted(), found, replicas=3)
    sentence = str(caught.value)
    for part in (
        "swarmwire_main_log",
        "max_msgs is 11 instead of 10",
        "storage is 'memory' instead of 'file'",
        "mirror is {'name': 'x'} instead of None",
        "num_replicas is 1 instead of 3",
    ):
        assert part in sentence


def test_what_a_server_adds_or_leaves_out_where_it_is_nothing_does_not_matter() -> None:
    found = wanted(num_replicas=5, description="other", metadata={"_nats.req.level": "0"}, sealed=False)
    del found["max_age"]  # 0
    check(wanted(), found, replicas=None)


def test_a_stream_says_what_it_holds() -> None:
    facts = facts_of(answer())
    assert (facts.first, facts.last, facts.generation, facts.replicas) == (3, 7, 1, 1)
    assert facts_of(answer(messages=0, first=0, last=7)).first == 8


def test_an_epoch_is_of_a_stream_of_when_it_was_made_and_of_its_generation() -> None:
    epochs = {
        facts_of(answer()).epoch,
        facts_of(answer(name="other")).epoch,
        facts_of(answer() | {"created": "2026-01-01T00:00:01Z"}).epoch,
        facts_of(answer(description=description(2))).epoch,
    }
    assert len(epochs) == 4
    assert facts_of(answer(first=5, last=9)).epoch == facts_of(answer()).epoch


@pytest.mark.parametrize(
    ("others", "settled"),
    [
        ([{"name": "b", "current": True}, {"name": "c", "current": True}], True),
        ([{"name": "b", "current": True}, {"name": "c", "current": False, "lag": 9}], False),
        ([{"name": "b", "current": True}, {"name": "c", "current": True, "offline": True}], False),
        ([{"name": "b", "current": True}], False),
    ],
)
def test_a_log_is_settled_when_all_that_keep_it_are_there_and_have_it(
    others: list[dict[str, Any]], settled: bool
) -> None:
    told = answer() | {"cluster": {"leader": "a", "replicas": others}}
    told["config"]["num_replicas"] = 3
    assert facts_of(told).settled == settled


@pytest.mark.parametrize("text", ["", "mine", "swarmwire log, format 2, generation 1"])
def test_a_stream_of_another_format_is_not_touched(text: str) -> None:
    with pytest.raises(EngineMismatch, match="swarmwire_main_log"):
        facts_of(answer(description=text))
