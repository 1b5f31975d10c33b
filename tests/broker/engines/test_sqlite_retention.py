"""What the durable engine lets go by the rules, and that readers can tell."""

from __future__ import annotations

import asyncio
import sqlite3
import tempfile
from pathlib import Path

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


async def test_topics_without_events_leave_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path, limits=Limits(log_events=5, latest_topics=3)) as rig:
        for number in range(300):
            await rig.append(f"t{number}")
        await rig.publish("z", "z")
        assert counted(tmp_path, "topics") <= 12
        assert counted(tmp_path, "last") <= 4


async def test_expired_keys_leave_nothing(tmp_path: Path) -> None:
    async with opened(tmp_path) as rig:
        for number in range(20):
            await rig.append("a", key=f"k{number}")
        rig.clock.ms += 60_000
        await rig.append("a", key="new")
        assert counted(tmp_path, "keys") == 1


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
    found = await rig.seqs(pattern)
    evicted = rig.engine.evicted(Matcher([pattern]))
    wanted = [seq for seq, topic in enumerate(published, 1) if matches_any([pattern], topic)]
    assert set(found) <= set(wanted)
    assert all(seq <= evicted.partly for seq in set(wanted) - set(found))
    assert all(seq > evicted.whole for seq in found)
