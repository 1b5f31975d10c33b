"""What the durable engine lets go by the rules, and that readers can tell."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines import sqlitewriter
from swarmwire_broker.engines.base import Evicted, PageLimit
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_broker.engines.retention import Keep, Kept
from swarmwire_broker.engines.sqliteschema import FILE
from swarmwire_broker.engines.sqlitestore import Store

from .models import matches_any, patterns
from .rig import Rig, SettableClock
from .test_sqlite import MEMORY, eventually
from .test_sqlite_start import opened

RULES = {"audit.#": Keep(), "*.log": Keep(events=2)}


def counted(directory: Path, table: str) -> int:
    connection = sqlite3.connect(directory / FILE)
    try:
        count: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return count
    finally:
        connection.close()


async def test_each_rule_keeps_its_own(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=Limits(log_events=3), log_rules=RULES, window_events=0) as rig:
        await rig.publish("audit.a", *["a.log", "b.log", "x", "y"] * 3, "audit.b")
        assert await rig.seqs("*.log") == [10, 11]
        assert await rig.seqs("audit.#") == [1, 14]
        assert await rig.seqs("x", "y") == [9, 12, 13]
        assert await rig.seqs("#") == [1, 9, 10, 11, 12, 13, 14]
        assert rig.engine.oldest == 1
        assert rig.engine.evicted(Matcher(["audit.#"])) == Evicted(0, 0)
        assert rig.engine.evicted(Matcher(["#"])) == Evicted(0, 8)


async def test_the_window_in_memory_gives_nothing_that_a_rule_let_go(tmp_path: Path) -> None:
    async with opened(tmp_path, log_rules=RULES) as rig:
        await rig.publish(*["a.log", "audit.a"] * 5)
        assert await rig.seqs("#") == [2, 4, 6, 7, 8, 9, 10]


async def test_what_rules_let_go_is_known_over_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path, log_rules=RULES) as rig:
        await rig.publish(*["a.log", "audit.a"] * 5)
    async with opened(tmp_path, log_rules=RULES) as rig:
        assert rig.engine.evicted(Matcher(["a.log"])).partly == 5
        assert await rig.seqs("#") == [2, 4, 6, 7, 8, 9, 10]
    async with opened(tmp_path) as rig:
        # Without the rules, what they let go is still gone.
        assert rig.engine.evicted(Matcher(["a.log"])).partly == 5


async def test_a_new_rule_does_not_hide_what_the_default_let_go_before(tmp_path: Path) -> None:
    limits = Limits(log_events=2)
    async with opened(tmp_path, limits=limits) as rig:
        await rig.publish(*["audit.a"] * 5)
    async with opened(tmp_path, limits=limits, log_rules=RULES) as rig:
        assert rig.engine.evicted(Matcher(["audit.a"])).partly == 3
        await rig.publish("audit.a", "audit.a", "audit.a")
        assert await rig.seqs("audit.a") == [4, 5, 6, 7, 8]


async def test_by_bytes_and_by_age(tmp_path: Path) -> None:
    rules = {"big.#": Keep(bytes=5_000), "old.#": Keep(age_ms=1_000)}
    async with opened(tmp_path, log_rules=rules) as rig:
        for _ in range(10):
            await rig.append("big.a", b"1" * 1_000)
            await rig.append("old.a")
            rig.clock.ms += 300
        assert await rig.seqs("big.#") == [15, 17, 19]
        await rig.append("x")
        assert await rig.seqs("old.#") == [16, 18, 20]


async def test_what_is_too_old_goes_though_nobody_publishes(tmp_path: Path) -> None:
    async with opened(tmp_path, log_rules={"old.#": Keep(age_ms=1_000)}) as rig:
        await rig.publish("old.a", "x", "old.a")
        rig.clock.ms += 5_000
        await eventually(lambda: counted(tmp_path, "events") == 1)
        await eventually(lambda: rig.engine.evicted(Matcher(["old.a"])).partly == 3)
        assert await rig.seqs("#") == [2]


async def test_a_log_that_must_shrink_does_so_in_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(tmp_path) as rig:
        for number in range(1_000):
            rig.engine.append(rig.draft(f"t{number}"))
        await rig.append("x")
    sizes: list[int] = []
    evict = Store._evict_of

    def counting(store: Store, number: int, kept: Kept, over: dict[str, int], latest_floor: int) -> int:
        sizes.append(evict(store, number, kept, over, latest_floor))
        return sizes[-1]

    monkeypatch.setattr(sqlitewriter, "_EVICTED", 50)
    monkeypatch.setattr(Store, "_evict_of", counting)
    async with opened(tmp_path, limits=Limits(log_events=10)) as rig:
        await eventually(lambda: rig.engine.oldest == 992)
        assert await rig.seqs("#") == list(range(992, 1_002))
        assert len(await rig.snapshot("#")) == 1_001
    assert (max(sizes), sum(sizes)) == (50, 991)


async def test_only_where_rules_differ_events_are_indexed_by_rule(tmp_path: Path) -> None:
    def is_indexed() -> bool:
        connection = sqlite3.connect(tmp_path / FILE)
        try:
            found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'events_by_rule'").fetchone()
            return found is not None
        finally:
            connection.close()

    limits = Limits(log_events=3)
    async with opened(tmp_path, limits=limits) as rig:
        await rig.publish("a.log", "a.log", "a.log")
        assert not is_indexed()
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("CREATE INDEX events_by_rule ON events(rule_id)")
    connection.close()
    async with opened(tmp_path, limits=limits) as rig:
        assert not is_indexed()
    async with opened(tmp_path, limits=limits, log_rules=RULES) as rig:
        assert is_indexed()
        await rig.publish(*["a.log", "x"] * 4)
        assert await rig.seqs("#") == [7, 8, 9, 10, 11]


@pytest.mark.parametrize("most", [2, 2_000])
async def test_the_last_event_of_a_topic_is_kept_whatever_goes_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    monkeypatch.setattr(sqlitewriter, "_EVICTED", most)
    async with opened(tmp_path, limits=Limits(log_events=4), window_events=0) as rig:
        await rig.publish("a", "b", "a", "a", "b", "a", "c", "a", "a", "a", "a")
        await eventually(lambda: counted(tmp_path, "events") == 4)
        assert await rig.seqs("#") == [8, 9, 10, 11]
        assert counted(tmp_path, "last") == 2
        await rig.append("c", clear=True)
    async with opened(tmp_path, limits=Limits(log_events=4), window_events=0) as rig:
        assert await rig.snapshot("#") == [5, 11]


async def test_topics_without_events_leave_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=Limits(log_events=5, latest_topics=3)) as rig:
        for number in range(300):
            await rig.append(f"t{number}")
        await rig.publish("z", "z")
        assert counted(tmp_path, "topics") <= 12
        assert counted(tmp_path, "last") <= 4


async def test_what_was_evicted_while_a_page_was_fetched_is_known_when_it_comes(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=Limits(log_events=5), window_events=0) as rig:
        engine = rig.engine
        await rig.publish(*["a"] * 5)
        for _ in range(30):
            appended = asyncio.ensure_future(rig.append("a"))
            page = await rig.engine.fetch(Matcher(["#"]), 0, PageLimit(100, 10_000, 100))
            missing = page.entries[0].seq - 1
            assert engine.evicted(Matcher(["#"])).partly >= missing
            await appended


# ---- after a restart by other rules


async def test_the_head_stays_where_it_was_though_a_rule_let_the_newest_go(tmp_path: Path) -> None:
    rules = {"tmp.#": Keep(events=0)}
    async with opened(tmp_path, log_rules=rules) as rig:
        await rig.publish("a", "b", "tmp.x", "tmp.x")
    async with opened(tmp_path, log_rules=rules) as rig:
        assert rig.engine.head == 4
        await rig.publish("a")
        assert await rig.seqs("a", "b") == [1, 2, 5]
        assert await rig.seqs("a", "b", after=4) == [5]
        assert await rig.seqs("a", "b", after=1) == [2, 5]


@pytest.mark.parametrize("latest", [1, 1_000])
async def test_an_event_that_another_rule_holds_keeps_its_topic(tmp_path: Path, latest: int) -> None:
    limits = Limits(log_events=3, latest_topics=latest)
    async with opened(tmp_path, limits=limits, log_rules={"t.#": Keep(events=1_000)}) as rig:
        await rig.publish("a", "t.secret")
    async with opened(tmp_path, limits=limits) as rig:
        await rig.append("t.secret", clear=True)
        await rig.publish(*["a", "b"] * 3)
    async with opened(tmp_path, limits=limits, window_events=0) as rig:
        await rig.publish("public.x")
        assert [(entry.seq, entry.topic) for entry in await rig.read_all(["*.*"])] == [
            (2, "t.secret"),
            (10, "public.x"),
        ]


async def test_a_number_that_an_event_bears_is_given_to_no_other_topic(tmp_path: Path) -> None:
    async with opened(tmp_path) as rig:
        await rig.publish("a", "b")
    connection = sqlite3.connect(tmp_path / FILE)
    connection.execute("DELETE FROM topics WHERE topic = 'b'")
    connection.commit()
    connection.close()
    async with opened(tmp_path, window_events=0) as rig:
        await rig.publish("c")
        assert [(entry.seq, entry.topic) for entry in await rig.read_all(["#"])] == [(1, "a"), (3, "c")]


async def test_an_older_event_that_another_rule_holds_is_not_the_last_again(tmp_path: Path) -> None:
    rules = {"#.x": Keep(events=0)}
    async with opened(tmp_path) as rig:
        await rig.publish("b.x", "c.x")
    async with opened(tmp_path, log_rules=rules) as rig:
        await rig.publish("b.x", "a")
        await rig.append("c.x", clear=True)
        assert await rig.snapshot("#") == [3, 4]
    async with opened(tmp_path, log_rules=rules) as rig:
        assert await rig.snapshot("#") == [3, 4]


async def test_the_mark_of_a_clear_goes_with_the_last_older_event(tmp_path: Path) -> None:
    rules, limits = {"#.x": Keep(events=0)}, Limits(log_events=2)
    async with opened(tmp_path, limits=limits) as rig:
        await rig.publish("b.x")
    async with opened(tmp_path, limits=limits, log_rules=rules) as rig:
        await rig.append("b.x", clear=True)
        assert counted(tmp_path, "last") == 1
        await rig.publish("a", "a")
        assert (counted(tmp_path, "last"), counted(tmp_path, "topics")) == (0, 1)


async def test_an_older_last_event_does_not_take_the_place_of_a_newer_one(tmp_path: Path) -> None:
    rules, limits = {"#.x": Keep(events=0)}, Limits(log_events=1)
    async with opened(tmp_path, limits=limits) as rig:
        await rig.publish("b.x")
    async with opened(tmp_path, limits=limits, log_rules=rules) as rig:
        await rig.publish("b.x", "a")
        assert await rig.snapshot("#") == [2, 3]
        assert await rig.seqs("#") == [3]
    async with opened(tmp_path, limits=limits, log_rules=rules) as rig:
        assert await rig.snapshot("#") == [2, 3]


async def test_where_nothing_has_grown_too_old_nothing_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[int] = []
    looks: list[int] = []
    commit, leave = Store.commit, Store.leave
    monkeypatch.setattr(sqlitewriter, "_SWEEP", 0.01)

    def committing(store: Store, latest_floor: int) -> None:
        commits.append(latest_floor)
        commit(store, latest_floor)

    def leaving(store: Store) -> None:
        looks.append(store.head)
        leave(store)

    monkeypatch.setattr(Store, "commit", committing)
    monkeypatch.setattr(Store, "leave", leaving)
    async with opened(tmp_path, log_rules={"old.#": Keep(age_ms=1_000)}) as rig:
        await rig.publish("old.a")
        before = len(commits)
        seen = len(looks)
        await eventually(lambda: len(looks) >= seen + 5)
        assert len(commits) == before
        rig.clock.ms += 5_000
        await eventually(lambda: counted(tmp_path, "events") == 0)
        assert len(commits) == before + 1


Step: TypeAlias = "tuple[str, bool] | int | dict[str, Keep] | str"
"""An event, with or without `clear`; milliseconds that pass; a restart by other rules; a pattern that is read."""

_keeps = st.builds(Keep, st.none() | st.integers(0, 4), st.none() | st.just(900), st.none() | st.just(400))
_rule_sets = st.dictionaries(st.sampled_from(["t.#", "*.x", "#.x", "c.#"]), _keeps, max_size=3)
_events = st.tuples(st.sampled_from(["a", "t", "t.a", "t.x", "b.x", "c.y"]), st.sampled_from([False, False, True]))
_steps: st.SearchStrategy[Step] = st.one_of(
    _events, _events, _events, st.sampled_from([1, 500]), _rule_sets, st.sampled_from(["#", "t.#", "*.x", "t.x", "a"])
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(_steps, min_size=15, max_size=40),
    _rule_sets,
    st.sampled_from([None, 2, 6]),
    st.sampled_from([2, 3, 1_000]),
    st.sampled_from([0, 3, 1_000]),
)
async def test_restarts_by_other_rules_change_no_head_no_last_event_and_no_topic(
    steps: list[Step], rules: dict[str, Keep], most: int | None, latest: int, window: int
) -> None:
    limits, clock = Limits(log_events=most, latest_topics=latest), SettableClock()
    published: list[tuple[str, bool]] = []
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=MEMORY)))

        async def restarted(by: dict[str, Keep]) -> Rig:
            running = await stack.enter_async_context(AsyncExitStack())
            return await running.enter_async_context(
                opened(directory, clock, limits=limits, log_rules=by, window_events=window)
            )

        rig = await restarted(rules)
        for step in [*steps, rules, "#"]:
            match step:
                case (str() as topic, bool() as clear):
                    assert (await rig.append(topic, clear=clear)).seq == len(published) + 1
                    published.append((topic, clear))
                case int() as ms:
                    clock.wait(ms)
                case dict() as by:
                    floor = rig.engine.latest_floor
                    await rig.engine.close()
                    rig = await restarted(by)
                    assert rig.engine.latest_floor >= floor
                case str() as pattern:
                    await _check(rig, [topic for topic, _ in published], pattern)
            assert rig.engine.head == len(published)
            assert await rig.snapshot("#") == _last_events(published, rig.engine.latest_floor)


def _last_events(published: list[tuple[str, bool]], floor: int) -> list[int]:
    last = {topic: (seq, clear) for seq, (topic, clear) in enumerate(published, 1)}
    return sorted(seq for seq, clear in last.values() if seq > floor and not clear)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(["a.log", "b.log", "audit.x", "t", "t.u"]), max_size=60),
    st.dictionaries(
        st.sampled_from(["*.log", "audit.#", "t.#"]),
        st.builds(Keep, st.none() | st.integers(0, 6), st.none() | st.integers(0, 2**70), st.none()),
    ),
    patterns,
    st.booleans(),
)
async def test_nothing_is_missing_but_what_the_engine_says_may_be(
    published: list[str], rules: dict[str, Keep], pattern: str, again: bool
) -> None:
    with tempfile.TemporaryDirectory(dir=MEMORY) as name:
        directory, clock, limits = Path(name), SettableClock(), Limits(log_events=8)
        async with opened(directory, clock, limits=limits, log_rules=rules, window_events=4) as rig:
            await rig.publish(*published)
            await _check(rig, published, pattern)
        if again:
            async with opened(directory, clock, limits=limits, log_rules={"t": Keep()}, window_events=4) as rig:
                await rig.publish(*published)
                await _check(rig, published * 2, pattern)


async def _check(rig: Rig, published: list[str], pattern: str) -> None:
    before = rig.engine.evicted(Matcher([pattern]))  # by its age more may go while it is read
    entries = await rig.read_all([pattern])
    assert all(entry.topic == published[entry.seq - 1] for entry in entries)
    found = [entry.seq for entry in entries]
    evicted = rig.engine.evicted(Matcher([pattern]))
    wanted = [seq for seq, topic in enumerate(published, 1) if matches_any([pattern], topic)]
    assert set(found) <= set(wanted)
    assert all(seq <= evicted.partly for seq in set(wanted) - set(found))
    assert all(seq > before.whole for seq in found)
