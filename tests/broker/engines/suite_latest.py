"""Conformance: the last event of every topic, its bounds and its floor."""

from __future__ import annotations

from hypothesis import strategies as st

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.base import PageLimit

from .models import check_page_limits, matches_any, page_limits, patterns
from .rig import EVERYTHING, Rig
from .suite import Change, EngineSuite, changes, examples, put_all

__all__ = ["LatestSuite"]


def bounds(suite: type[EngineSuite]) -> st.SearchStrategy[Limits]:
    """Limits that drop last events: of the table of these, or of the log where that is all there is."""
    if suite.keeps_last_beyond_log:
        return st.builds(Limits, latest_topics=st.integers(0, 12), latest_bytes=st.integers(0, 1_500))
    return st.builds(Limits, log_events=st.integers(max(1, suite.least_events), 12))


class LatestSuite(EngineSuite):
    """Snapshots."""

    async def test_a_snapshot_is_the_last_event_of_every_matching_topic(self, rig: Rig) -> None:
        await rig.publish("a.x", "a.y", "b", "a.x", "$sys.a")
        assert await rig.snapshot("a.*") == [2, 4]
        assert await rig.snapshot("#") == [2, 3, 4]
        assert await rig.snapshot("$sys.#", "b") == [3, 5]

    async def test_a_cleared_topic_is_logged_and_has_no_last_event(self, rig: Rig) -> None:
        await rig.publish("a", "b")
        await rig.append("a", b"null", clear=True)
        assert [entry.clear for entry in rig.heard] == [False, False, True]
        assert await rig.seqs("a") == [1, 3]
        assert await rig.snapshot("#") == [2]
        await rig.append("a")
        assert await rig.snapshot("#") == [2, 4]

    async def test_a_topic_keeps_its_last_event_when_the_log_has_evicted_it(self) -> None:
        async with self.rigged(Limits(log_events=1)) as rig:
            await rig.publish("a", "b", "c")
            if self.keeps_last_beyond_log:
                assert await rig.snapshot("#") == [1, 2, 3]
            else:
                assert (await rig.snapshot("#"), rig.engine.latest_floor) == ([3], 2)

    async def test_the_topic_longest_unchanged_makes_room_and_raises_the_floor(self) -> None:
        async with self.rigged(Limits(latest_topics=2)) as rig:
            await rig.publish("a", "b", "a")
            assert rig.engine.latest_floor == 0
            await rig.publish("c")
            kept = ([3, 4], 2) if self.keeps_last_beyond_log else ([2, 3, 4], 0)
            assert (await rig.snapshot("#"), rig.engine.latest_floor) == kept

    async def test_a_snapshot_ends_where_it_was_begun(self, rig: Rig) -> None:
        await rig.publish("a", "b", "c")
        page = await rig.latest(["#"], 0, 2)
        assert ([entry.seq for entry in page.entries], page.upto) == ([1, 2], 2)

    @examples(
        80,
        lambda suite: (
            bounds(suite) | st.just(Limits()),
            st.lists(changes, max_size=40),
            patterns,
            page_limits,
            st.lists(st.lists(changes, max_size=4), max_size=12),
        ),
    )
    async def test_a_snapshot_in_pages_misses_nothing_but_what_the_floor_covers(
        self, limits: Limits, before: list[Change], pattern: str, limit: PageLimit, meanwhile: list[list[Change]]
    ) -> None:
        async with self.rigged(limits) as rig:
            await put_all(rig, before)
            last = self._last_of(rig)
            until = rig.engine.head
            given_seqs: list[int] = []
            after = 0
            while after < until:
                # Elsewhere the last ones may be those of the moment when the first page was asked for.
                now_last = set((last if rig.engine.remote else self._last_of(rig)).values())
                page = await rig.latest([pattern], after, until, limit)
                seqs = [entry.seq for entry in page.entries]
                assert after < page.upto <= until
                assert all(after < seq <= page.upto for seq in seqs)
                assert set(seqs) <= now_last
                assert len(seqs) <= page.scanned <= limit.scan
                check_page_limits(page.entries, limit)
                given_seqs += seqs
                after = page.upto
                await put_all(rig, meanwhile.pop(0) if meanwhile else [])
            changed = {entry.topic for entry in rig.heard if entry.seq > until}
            wanted = {topic: seq for topic, seq in last.items() if matches_any([pattern], topic)}
            assert given_seqs == sorted(set(given_seqs))
            assert set(given_seqs) <= set(wanted.values())
            missed = [
                seq
                for topic, seq in wanted.items()
                if seq not in given_seqs and topic not in changed and seq > rig.engine.latest_floor
            ]
            assert missed == []

    @examples(40, lambda suite: (bounds(suite), st.lists(changes, max_size=60)))
    async def test_the_table_of_last_events_keeps_its_bounds_and_says_what_it_dropped(
        self, limits: Limits, events: list[Change]
    ) -> None:
        async with self.rigged(limits) as rig:
            for event in events:
                await put_all(rig, [event])
                page = await rig.latest(EVERYTHING)
                assert len(page.entries) <= limits.latest_topics
                assert sum(len(entry.payload) for entry in page.entries) <= limits.latest_bytes
                kept = {entry.seq for entry in page.entries}
                dropped = set(self._last_of(rig).values()) - kept
                assert max(dropped, default=0) <= rig.engine.latest_floor < min(kept, default=rig.engine.head + 1)

    @staticmethod
    def _last_of(rig: Rig) -> dict[str, int]:
        """Topic -> the place of its last event, as a table without bounds would have it."""
        last: dict[str, int] = {}
        for entry in rig.heard:
            last[entry.topic] = entry.seq
            if entry.clear:
                del last[entry.topic]
        return last
