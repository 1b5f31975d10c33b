"""Grants: publishing and calling by matching, subscribing by containment, the broker's own topics apart."""

from __future__ import annotations

import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swarmwire_broker.core.permissions import EVERYTHING, NOTHING, Grants, parse_permissions
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions
from swarmwire_protocol.topics import contains

_WORDS = st.sampled_from(["a", "b", "$sys"])
TOPICS = st.lists(_WORDS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.lists(_WORDS | st.sampled_from(["*", "#"]), min_size=1, max_size=4).map(".".join)


def naive(pattern: list[str], topic: list[str]) -> bool:
    if not pattern:
        return not topic
    if pattern[0] == "#":
        return any(naive(pattern[1:], topic[taken:]) for taken in range(len(topic) + 1))
    return bool(topic) and pattern[0] in ("*", topic[0]) and naive(pattern[1:], topic[1:])


def matches(pattern: str, topic: str) -> bool:
    if topic.startswith("$") and pattern[0] in "*#":
        return False
    return naive(pattern.split("."), topic.split("."))


@given(st.lists(PATTERNS, max_size=3), TOPICS)
def test_publishing_is_allowed_where_one_pattern_matches_and_never_on_the_brokers_own(
    patterns: list[str], topic: str
) -> None:
    grants = Grants.of(Permissions(publish=patterns))
    expected = not topic.startswith("$") and any(matches(pattern, topic) for pattern in patterns)
    assert grants.may_publish(topic) is expected


@given(st.lists(PATTERNS, max_size=3), TOPICS)
def test_calling_is_allowed_where_one_pattern_matches(patterns: list[str], method: str) -> None:
    grants = Grants.of(Permissions(call=patterns))
    assert grants.may_call(method) is any(matches(pattern, method) for pattern in patterns)


@given(st.lists(PATTERNS, max_size=3), PATTERNS, TOPICS, st.booleans(), st.booleans())
def test_a_subscription_never_shows_a_topic_that_no_grant_covers(
    granted: list[str], pattern: str, topic: str, admin: bool, observe: bool
) -> None:
    grants = Grants.of(Permissions(subscribe=granted, admin=admin, observe=observe))
    if grants.may_subscribe(pattern) and matches(pattern, topic):
        covered = [*granted, "$sys.#"] if admin or observe else granted
        assert any(matches(grant, topic) for grant in covered)
        assert admin or observe or not topic.startswith("$")


@given(PATTERNS)
def test_what_is_granted_may_itself_be_subscribed_to(pattern: str) -> None:
    admin = Grants.of(Permissions(subscribe=[pattern], admin=True))
    assert admin.may_subscribe(pattern)


@pytest.mark.parametrize(
    ("granted", "pattern", "allowed"),
    [
        (["task.#"], "task.*.progress", True),
        (["task.#"], "task", True),
        (["task.*"], "task.#", False),
        (["task.*"], "#", False),
        (["task.1", "task.2"], "task.*", False),
        (["task.#", "agent.#"], "agent.a1.*", True),
        ([], "task.1", False),
    ],
)
def test_a_subscription_must_be_contained_in_one_granted_pattern(
    granted: list[str], pattern: str, allowed: bool
) -> None:
    assert Grants.of(Permissions(subscribe=granted)).may_subscribe(pattern) is allowed


def test_the_brokers_own_topics_are_for_admins_and_observers_whatever_was_granted() -> None:
    granted = Grants.of(Permissions(subscribe=["#", "$sys.#"]))
    admin = Grants.of(Permissions(admin=True))
    assert not granted.may_subscribe("$sys.client.*")
    assert admin.may_subscribe("$sys.client.*")
    assert Grants.of(Permissions(observe=True)).may_subscribe("$sys.#")
    assert not admin.may_subscribe("$other.#")
    assert not admin.may_subscribe("task.#")


def test_everything_is_everything_but_publishing_as_the_broker() -> None:
    grants = Grants.of(EVERYTHING)
    assert grants.admin
    assert grants.observes
    assert grants.publishes_all
    assert grants.may_publish("a.b")
    assert grants.may_subscribe("#")
    assert grants.may_subscribe("$sys.#")
    assert grants.may_call("task.submit")
    assert not grants.may_publish("$sys.client.connected")


def test_nothing_is_nothing() -> None:
    grants = Grants.of(NOTHING)
    assert not grants.admin
    assert not grants.observes
    assert not grants.may_publish("a")
    assert not grants.may_subscribe("a")
    assert not grants.may_call("a")


def test_equal_permissions_share_one_object_and_different_ones_do_not() -> None:
    first = Grants.of(Permissions(publish=["a.#", "b"], call=["x"]))
    assert Grants.of(Permissions(publish=["a.#", "b", "b"], call=["x"])) is first
    assert Grants.of(Permissions(publish=["a.#"], call=["b", "x"])) is not first
    assert Grants.of(Permissions(publish=["a.#", "b"], call=["x"], admin=True)) is not first
    assert Grants.of(Permissions(publish=["a.#", "b"], call=["x"], observe=True)) is not first


def test_grants_are_forgotten_with_the_last_who_holds_them() -> None:
    grants = Grants.of(Permissions(publish=["only.here"]))
    assert grants.may_publish("only.here")
    gone = weakref.ref(grants)
    del grants
    gc.collect()
    assert gone() is None


# ---- From a claim


def test_a_claim_becomes_permissions() -> None:
    claim = {"publish": ["a.*"], "subscribe": ["#"], "call": ["task.*"], "admin": True}
    assert parse_permissions(claim) == Permissions(publish=["a.*"], subscribe=["#"], call=["task.*"], admin=True)
    assert parse_permissions({"observe": True}) == Permissions(observe=True)


def test_what_a_claim_leaves_out_is_not_granted() -> None:
    assert parse_permissions({}) == Permissions()
    assert parse_permissions({"publish": ["a"]}) == Permissions(publish=["a"])


@pytest.mark.parametrize(
    ("claim", "field"),
    [
        (None, "permissions"),
        (["a"], "permissions"),
        ({"write": ["a"]}, "permissions"),
        ({"publish": "a"}, "permissions.publish"),
        ({"publish": None}, "permissions.publish"),
        ({"subscribe": ["a", 1]}, "permissions.subscribe[1]"),
        ({"subscribe": ["a", "b..c"]}, "permissions.subscribe[1]"),
        ({"call": [""]}, "permissions.call[0]"),
        ({"admin": 1}, "permissions.admin"),
        ({"admin": None}, "permissions.admin"),
    ],
)
def test_a_claim_that_is_wrong_is_refused_by_the_name_of_its_field(claim: object, field: str) -> None:
    with pytest.raises(SwarmwireError) as caught:
        parse_permissions(claim)
    assert caught.value.code is ErrorCode.AUTHENTICATION_FAILED
    assert caught.value.field == field
    assert field in caught.value.message


@pytest.mark.parametrize("patterns", [[["a"]], [{}], [True]])
def test_what_cannot_be_a_pattern_is_refused_though_an_equal_claim_was_good(patterns: list[object]) -> None:
    parse_permissions({"publish": ["1"], "subscribe": []})
    with pytest.raises(SwarmwireError) as caught:
        parse_permissions({"publish": patterns, "subscribe": []})
    assert caught.value.field == "permissions.publish[0]"


def test_equal_claims_become_one_object() -> None:
    first = parse_permissions({"publish": ["a.*"], "call": []})
    assert parse_permissions({"publish": ["a.*"]}) is first
    assert parse_permissions({"publish": ["a.*"], "admin": True}) is not first
    assert parse_permissions({"subscribe": ["a.*"]}) == Permissions(subscribe=["a.*"])


@given(PATTERNS, PATTERNS)
def test_granting_a_branch_grants_what_containment_says(branch: str, pattern: str) -> None:
    grants = Grants.of(Permissions(subscribe=[f"{branch}.#"]))
    for wanted in (pattern, f"{branch}.{pattern}"):
        if not wanted.startswith("$"):
            assert grants.may_subscribe(wanted) == contains(f"{branch}.#", wanted)
