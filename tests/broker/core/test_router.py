"""The router beside a model that asks every pattern; and what it remembers, and for how long."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from swarmwire_broker.core.router import Router
from swarmwire_protocol.topics import matches

SEGMENTS = ["a", "b", "$sys"]
TOPICS = st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=4).map(".".join)
PATTERNS = st.lists(st.sampled_from(["*", "#", *SEGMENTS]), min_size=1, max_size=4).map(".".join)


class Receiver:
    def __init__(self, name: str, *, shared: bool = True) -> None:
        self.name = name
        self.shared = shared

    def __repr__(self) -> str:
        return self.name


def check_memory(router: Router) -> None:
    """Every remembered topic goes along the patterns that match it now, and nothing else is remembered."""
    nodes = {**router._literal, **router._wild}
    for topic, route in router._known.items():
        assert sorted(node.text for node in route.nodes) == sorted(p for p in nodes if matches(p, topic))
        assert all(nodes[node.text] is node for node in route.nodes)
    counts = Counter(router._known.values())
    assert set(router._routes.values()) == set(counts)
    assert all(route.topics == count for route, count in counts.items())
    assert sorted(router._known_topics.find("#") or []) == sorted(t for t in router._known if not t.startswith("$"))


class RouterAgainstAModel(RuleBasedStateMachine):
    """Receivers come and go; at every step every topic goes exactly to those who hold a pattern of it."""

    @initialize(max_topics=st.sampled_from([0, 1, 2, 5, 1_000]))
    def begin(self, max_topics: int) -> None:
        self.max_topics = max_topics
        self.router = Router(max_topics)
        self.receivers = [Receiver(f"r{number}", shared=number < 3) for number in range(5)]
        self.model: Counter[tuple[str, Receiver]] = Counter()
        self.wanted: Counter[str] = Counter()
        self.asked = ["a"]

    @rule(pattern=PATTERNS, who=st.integers(0, 4))
    def add(self, pattern: str, who: int) -> None:
        self.router.add(pattern, self.receivers[who])
        self.model[pattern, self.receivers[who]] += 1

    @precondition(lambda self: self.model)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        pattern, receiver = data.draw(st.sampled_from(list(self.model)))
        self.router.remove(pattern, receiver)
        self.model[pattern, receiver] -= 1
        self.model += Counter()  # drops what counts zero

    @rule(pattern=PATTERNS)
    def want(self, pattern: str) -> None:
        assert self.router.want(pattern) is (pattern not in self.wanted)
        self.wanted[pattern] += 1

    @precondition(lambda self: self.wanted)
    @rule(data=st.data())
    def unwant(self, data: st.DataObject) -> None:
        pattern = data.draw(st.sampled_from(list(self.wanted)))
        self.wanted[pattern] -= 1
        self.wanted += Counter()
        assert self.router.unwant(pattern) is (pattern not in self.wanted)

    @rule(topic=TOPICS)
    def ask(self, topic: str) -> None:
        self.asked.append(topic)

    @invariant()
    def topics_go_where_they_should(self) -> None:
        for topic in self.asked[-6:]:
            route = self.router.route(topic)
            expected = {receiver for pattern, receiver in self.model if matches(pattern, topic)}
            assert sorted(map(repr, (*route.shared, *route.own))) == sorted(map(repr, expected))
            assert all(receiver.shared for receiver in route.shared)
            assert not any(receiver.shared for receiver in route.own)

    @invariant()
    def patterns_have_their_holders(self) -> None:
        held = {pattern for pattern, _ in self.model}
        assert self.router.patterns == len(held.union(self.wanted))
        for pattern in held:
            holders = self.router.holders(pattern)
            assert set(holders) == {receiver for other, receiver in self.model if other == pattern}
            assert len(holders) == len(set(holders))

    @invariant()
    def no_more_is_remembered_than_allowed(self) -> None:
        assert len(self.router._known) <= self.max_topics
        assert len(self.router._routes) <= len(self.router._known)
        assert all(route.topics > 0 for route in self.router._routes.values())

    @invariant()
    def what_is_remembered_is_of_patterns_that_are_held(self) -> None:
        check_memory(self.router)

    @invariant()
    def with_the_last_pattern_everything_goes(self) -> None:
        assert self.router.is_empty is (not self.model and not self.wanted)


RouterAgainstAModel.TestCase.settings = hypothesis_settings(max_examples=120, stateful_step_count=40, deadline=None)
TestRouterAgainstAModel = RouterAgainstAModel.TestCase


def routed(router: Router, topic: str) -> list[str]:
    route = router.route(topic)
    return sorted(receiver.name for receiver in (*route.shared, *route.own))


# ---- who gets an event


def test_a_receiver_gets_an_event_once_however_many_of_its_patterns_match() -> None:
    router = Router(10)
    one = Receiver("one")
    for pattern in ("a.b", "a.*", "#", "#.b", "a.#.#.b", "a.b"):
        router.add(pattern, one)
    assert router.route("a.b").shared == (one,)


@pytest.mark.parametrize("count", [1, 15, 16, 17, 40])
def test_receivers_of_few_and_of_many_patterns_are_each_there_once(count: int) -> None:
    router = Router(10)
    receivers = [Receiver(f"r{number}") for number in range(3)]
    for number in range(count):
        router.add(".".join(["#"] * number + ["a"]), receivers[number % 3])
    shared = router.route(".".join(["a"] * 31)).shared
    assert len(shared) == min(count - 1, 3)
    shared = router.route("a").shared
    assert set(shared) == set(receivers[:count])
    assert len(shared) == min(count, 3)


def test_a_pattern_held_twice_is_given_up_twice() -> None:
    router = Router(10)
    one = Receiver("one")
    router.add("a", one)
    router.add("a", one)
    router.remove("a", one)
    assert routed(router, "a") == ["one"]
    router.remove("a", one)
    assert routed(router, "a") == []
    assert router.is_empty


def test_what_a_receiver_does_not_hold_it_cannot_give_up() -> None:
    router = Router(10)
    one, two = Receiver("one"), Receiver("two")
    router.add("a", one)
    for pattern, receiver in (("a", two), ("b", one), ("#", one)):
        with pytest.raises(KeyError):
            router.remove(pattern, receiver)
    assert routed(router, "a") == ["one"]


def test_a_pattern_is_wanted_from_the_first_subscription_to_the_last_whoever_is_live() -> None:
    router = Router(10)
    one = Receiver("one")
    assert [router.want("a.*"), router.want("a.*")] == [True, False]
    assert routed(router, "a.b") == []
    router.add("a.*", one)
    assert routed(router, "a.b") == ["one"]
    assert [router.unwant("a.*"), router.unwant("a.*")] == [False, True]
    assert routed(router, "a.b") == ["one"]
    router.remove("a.*", one)
    assert router.is_empty


def test_receivers_that_share_and_those_that_do_not_are_told_apart() -> None:
    router = Router(10)
    shared, own = Receiver("shared"), Receiver("own", shared=False)
    router.add("a", shared)
    router.add("#", own)
    assert (router.route("a").shared, router.route("a").own) == ((shared,), (own,))


@pytest.mark.parametrize("topic", ["$sys", "$sys.client.connected"])
def test_no_wildcard_in_first_place_reaches_the_reserved_topics(topic: str) -> None:
    router = Router(10)
    for pattern in ("#", "*", "*.#", "#.connected", "*.client.connected", "#.$sys"):
        router.add(pattern, Receiver(pattern))
    router.add("$sys.#", Receiver("operator"))
    assert routed(router, topic) == ["operator"]


# ---- what is remembered


def test_a_pattern_that_appears_and_disappears_changes_a_topic_that_was_asked_before() -> None:
    router = Router(10)
    router.add("#", Receiver("all"))
    other = Receiver("other")
    assert routed(router, "a.b") == ["all"]
    router.add("a.*", other)
    assert routed(router, "a.b") == ["all", "other"]
    router.remove("a.*", other)
    assert routed(router, "a.b") == ["all"]


def test_a_topic_that_takes_the_place_of_another_on_the_same_route_hears_of_newcomers() -> None:
    router = Router(1)
    router.add("#", Receiver("first"))
    assert routed(router, "a") == ["first"]
    assert routed(router, "b") == ["first"]
    router.add("#", Receiver("second"))
    assert routed(router, "b") == ["first", "second"]


def test_a_receiver_that_joins_a_pattern_leaves_everything_remembered() -> None:
    router = Router(100)
    router.add("a.#", Receiver("first"))
    router.add("b", Receiver("other"))
    routes = {topic: router.route(topic) for topic in ("a", "a.x", "a.y", "b")}
    elsewhere = routes["b"].shared
    router.add("a.#", Receiver("second"))
    assert list(router._known) == list(routes)
    assert all(router._known[topic] is route for topic, route in routes.items())
    assert routed(router, "a.x") == ["first", "second"]
    assert router.route("b").shared is elsewhere


def test_a_new_pattern_forgets_only_the_topics_it_matches() -> None:
    router = Router(100)
    router.add("#", Receiver("all"))
    for topic in ("a", "a.x", "b", "b.x"):
        router.route(topic)
    router.add("a.#", Receiver("some"))
    assert list(router._known) == ["b", "b.x"]


def test_a_new_pattern_that_concerns_very_many_topics_is_told_to_all_of_them() -> None:
    router = Router(50_000)
    router.add("#", Receiver("all"))
    topics = [f"a.t{number}.{'even' if number % 2 == 0 else 'odd'}" for number in range(10_000)]
    assert all(routed(router, topic) == ["all"] for topic in topics)
    some = Receiver("some")
    router.add("a.*.odd", some)
    check_memory(router)
    assert [routed(router, topic) for topic in topics[:4]] == [["all"], ["all", "some"], ["all"], ["all", "some"]]
    assert all(routed(router, topic) == ["all", "some"] for topic in topics[1::2])
    router.remove("a.*.odd", some)
    assert all(routed(router, topic) == ["all"] for topic in topics)


def test_topics_of_the_same_patterns_share_one_route() -> None:
    router = Router(100)
    router.add("a.#", Receiver("one"))
    router.add("*.x", Receiver("two"))
    assert router.route("a.b").shared is router.route("a.c").shared
    assert router.route("a.x") is not router.route("a.b")
    assert len(router._routes) == 2


def test_the_topic_asked_first_makes_room() -> None:
    router = Router(3)
    router.add("#", Receiver("all"))
    for topic in "abcd":
        router.route(topic)
    assert list(router._known) == ["b", "c", "d"]


def test_a_large_memory_makes_room_for_some_topics_at_once() -> None:
    router = Router(640)
    router.add("#", Receiver("all"))
    topics = [f"t{number}" for number in range(641)]
    for topic in topics:
        router.route(topic)
    assert list(router._known) == topics[11:]
    check_memory(router)


def test_a_router_that_may_remember_nothing_still_routes() -> None:
    router = Router(0)
    router.add("a", Receiver("one"))
    assert routed(router, "a") == ["one"]
    router.add("a", Receiver("two"))
    assert routed(router, "a") == ["one", "two"]
    assert not router._known


def test_a_topic_nobody_wants_leaves_nothing_behind() -> None:
    router = Router(10)
    assert routed(router, "a") == []
    assert router.is_empty


# ---- what it costs


@given(st.integers(1, 15))
def test_many_wildcards_for_any_number_do_not_explode(count: int) -> None:
    router = Router(10)
    router.add(".".join(["#", "a"] * count), Receiver("deep"))
    router.add(".".join(["#", "a"] * count + ["z"]), Receiver("never"))
    assert routed(router, ".".join(["a"] * 31)) == ["deep"]


def test_thirty_patterns_of_wildcards_for_any_number_are_all_found() -> None:
    router = Router(10)
    names = [f"r{count:02}" for count in range(1, 31)]
    for count, name in enumerate(names, 1):
        router.add(".".join(["#"] * count), Receiver(name))
    assert routed(router, ".".join(["a"] * 32)) == names
    assert routed(router, "a") == names
