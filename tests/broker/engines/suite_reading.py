"""Conformance: reading by patterns in pages, and finding a place to begin."""

from __future__ import annotations

from hypothesis import strategies as st

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.base import PageLimit
from swarmwire_broker.engines.matcher import Matcher

from .models import BROAD, naive_read, page_limits, pattern_sets, patterns, topics
from .rig import Rig
from .suite import Change, EngineSuite, changes, examples, put_all

__all__ = ["ReadingSuite"]


def bounds(suite: type[EngineSuite]) -> st.SearchStrategy[Limits]:
    return st.builds(
        Limits,
        log_events=st.none() | st.integers(suite.least_events, 40),
        log_bytes=st.none() | st.integers(suite.least_bytes, 15_000),
    )


class ReadingSuite(EngineSuite):
    """Pages of the log."""

    @examples(
        60,
        lambda suite: (
            bounds(suite),
            st.lists(changes, max_size=60),
            st.lists(st.tuples(pattern_sets, page_limits, st.integers(0, 70))),
        ),
    )
    async def test_reading_by_patterns_gives_exactly_what_matches(
        self, limits: Limits, events: list[Change], reads: list[tuple[list[str], PageLimit, int]]
    ) -> None:
        async with self.rigged(limits) as rig:
            await put_all(rig, events)
            for wanted, limit, after in [*reads, (["#"], BROAD, 0)]:
                found = [entry.seq for entry in await rig.read_all(wanted, after, limit)]
                assert found == naive_read(rig.held, wanted, after)

    @examples(25, lambda _: (st.lists(changes, max_size=60), pattern_sets, page_limits))
    async def test_fetching_and_reading_from_memory_agree(
        self, events: list[Change], wanted: list[str], limit: PageLimit
    ) -> None:
        async with self.rigged(Limits(log_events=40)) as rig:
            await put_all(rig, events)
            fetched: list[int] = []
            after = 0
            while after < rig.engine.head:
                page = await rig.engine.fetch(Matcher(wanted), after, limit)
                assert page.upto > after
                fetched += [entry.seq for entry in page.entries]
                after = page.upto
            assert fetched == [entry.seq for entry in await rig.read_all(wanted, 0, limit)]

    async def test_an_entry_larger_than_the_page_is_still_given(self, rig: Rig) -> None:
        await rig.append("a", b"1" * 5_000)
        await rig.append("a")
        page = await rig.page(["a"], 0, PageLimit(10, 1, 10))
        assert [entry.seq for entry in page.entries] == [1]
        assert page.upto == 1

    async def test_a_position_advances_over_what_does_not_match(self, rig: Rig) -> None:
        await rig.publish(*["b"] * 10)
        page = await rig.page(["#.a.*"], 0, PageLimit(5, 1_000, 4))
        assert page.entries == []
        assert page.upto >= 4

    async def test_at_the_head_there_is_nothing_to_read(self, rig: Rig) -> None:
        await rig.publish("a", "a")
        page = await rig.page(["#"], 2)
        assert (page.entries, page.upto) == ([], 2)

    async def test_a_narrow_pattern_costs_what_it_matches(self) -> None:
        async with self.rigged(Limits(log_events=None, log_bytes=None)) as rig:
            await rig.append("agent.a1.status")
            for number in range(49_998):
                rig.engine.append(rig.draft(f"task.t{number % 5_000}.progress"))
            await rig.append("agent.a1.status")
            for pattern in ("agent.a1.status", "agent.*.status", "agent.#"):
                page = await rig.page([pattern], 0, PageLimit(100, 100_000, 1_000))
                assert ([entry.seq for entry in page.entries], page.upto) == ([1, 50_000], 50_000)
                assert page.scanned <= 10

    async def test_a_broad_pattern_that_matches_little_is_read_in_bounded_pages(self) -> None:
        async with self.rigged() as rig:
            for number in range(4_999):
                rig.engine.append(rig.draft(f"task.t{number}.progress"))
            await rig.append("task.x.rare")
            found = await rig.read_all(["#.rare"], 0, PageLimit(100, 100_000, 1_000))
            assert [entry.seq for entry in found] == [5_000]

    # ---- finding a place

    @examples(
        60,
        lambda suite: (
            st.lists(topics, max_size=50),
            patterns,
            st.integers(0, 60),
            st.none() | st.integers(suite.least_events, 30),
        ),
    )
    async def test_after_the_place_found_stand_exactly_the_last_events(
        self, published: list[str], pattern: str, count: int, most: int | None
    ) -> None:
        async with self.rigged(Limits(log_events=most)) as rig:
            await rig.publish(*published)
            place = await rig.engine.find_last(Matcher([pattern]), count)
            held = naive_read(rig.held, [pattern], 0)
            assert rig.engine.oldest - 1 <= place <= rig.engine.head
            assert naive_read(rig.held, [pattern], place) == (held[-count:] if count else [])

    async def test_the_last_of_a_broad_pattern_are_found_far_back(self) -> None:
        async with self.rigged() as rig:
            await rig.publish("task.x.rare", "task.y.rare")
            for number in range(5_000):
                rig.engine.append(rig.draft(f"task.t{number}.progress"))
            await rig.append("task.z")
            assert await rig.engine.find_last(Matcher(["#.rare"]), 1) == 1
            assert await rig.seqs("#.rare", after=await rig.engine.find_last(Matcher(["#.rare"]), 9)) == [1, 2]

    @examples(
        40,
        lambda suite: (
            st.lists(st.integers(-3, 10), max_size=40),
            st.integers(-5, 120),
            st.none() | st.integers(suite.least_events, 30),
        ),
    )
    async def test_after_the_place_found_stands_exactly_what_is_not_earlier(
        self, pauses: list[int], since: int, most: int | None
    ) -> None:
        async with self.rigged(Limits(log_events=most)) as rig:
            since += rig.clock.ms
            for pause in pauses:
                if rig.is_real:
                    await rig.clock.elapse(pause)
                else:
                    rig.clock.ms += pause
                await rig.append("a")
            place = await rig.engine.find_since(since)
            assert await rig.seqs("a", after=place) == [entry.seq for entry in rig.held if entry.ts >= since]
