"""Conformance: places, payloads, the listener, and what the log lets go."""

from __future__ import annotations

import asyncio

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.base import Evicted, Outcome, PageLimit
from swarmwire_broker.engines.matcher import Matcher
from swarmwire_protocol.codec import decode_from_broker
from swarmwire_protocol.messages import Event

from .rig import Rig
from .suite import EngineSuite

__all__ = ["LogSuite"]


class LogSuite(EngineSuite):
    """The log and its listener."""

    async def test_a_new_log_is_empty(self, rig: Rig) -> None:
        assert (rig.engine.head, rig.engine.oldest, rig.engine.latest_floor) == (0, 1, 0)
        assert await rig.seqs("#") == []
        assert await rig.snapshot("#") == []
        assert await rig.engine.find_last(Matcher(["#"]), 5) == 0
        assert await rig.engine.find_since(0) == 0

    async def test_durability_is_one_of_the_three_promises(self, rig: Rig) -> None:
        assert rig.engine.durability in ("accepted", "stored", "stored_lazily")

    async def test_two_logs_have_two_epochs(self, rig: Rig) -> None:
        async with self.rigged() as other:
            assert rig.engine.epoch != other.engine.epoch

    async def test_closing_twice_is_harmless(self, rig: Rig) -> None:
        await rig.append("a")
        await rig.engine.close()
        await rig.engine.close()

    async def test_seq_rises_from_1_without_holes(self, rig: Rig) -> None:
        assert [(await rig.append(topic)).seq for topic in ("a", "b", "a", "$sys.x")] == [1, 2, 3, 4]
        assert (rig.engine.head, rig.engine.oldest) == (4, 1)

    async def test_the_listener_hears_an_event_before_its_publisher_does(self, rig: Rig) -> None:
        story: list[tuple[str, int]] = []
        finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        rig.engine.listener = lambda entry: story.append(("heard", entry.seq))

        def done(outcome: Outcome) -> None:
            story.append(("done", outcome.seq))
            if outcome.seq == 50:
                finished.set_result(None)

        for number in range(50):
            rig.engine.append(rig.draft(f"t{number % 7}", done=done))
        await finished
        assert [seq for what, seq in story if what == "heard"] == list(range(1, 51))
        assert [seq for what, seq in story if what == "done"] == list(range(1, 51))
        assert all(story.index(("heard", seq)) < story.index(("done", seq)) for seq in range(1, 51))

    async def test_an_event_is_at_the_head_when_the_listener_hears_of_it(self, rig: Rig) -> None:
        heads: list[tuple[int, int]] = []
        rig.engine.listener = lambda entry: heads.append((entry.seq, rig.engine.head))
        await rig.publish("a", "b", "c")
        assert all(head >= seq for seq, head in heads)
        assert len(heads) == 3

    async def test_nobody_has_to_ask_for_the_outcome(self, rig: Rig) -> None:
        rig.engine.append(rig.draft("a"))
        await rig.append("b")
        assert [entry.topic for entry in rig.heard] == ["a", "b"]

    async def test_events_that_are_appended_together_are_as_one_after_the_other(self, rig: Rig) -> None:
        story: list[object] = []
        finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        rig.engine.listener = lambda entry: story.append((entry.seq, entry.topic, entry.clear))
        rig.engine.append_all(
            [
                rig.draft("a", done=story.append),
                rig.draft("b", key="k", done=story.append),
                rig.draft("b", key="k", done=story.append),
                rig.draft("a", b"null", clear=True),
                rig.draft("c", done=lambda outcome: finished.set_result(None)),
            ]
        )
        await finished
        heard = [(1, "a", False), (2, "b", False), (3, "a", True), (4, "c", False)]
        assert [one for one in story if type(one) is tuple] == heard
        assert sorted(one for one in story if isinstance(one, Outcome)) == [
            Outcome(1),
            Outcome(2),
            Outcome(2, duplicate=True),
        ]
        assert await rig.snapshot("#") == [2, 4]

    async def test_appending_nothing_is_nothing(self, rig: Rig) -> None:
        rig.engine.append_all([])
        assert await rig.append("a") == Outcome(1)

    async def test_the_payload_is_the_event_message(self, rig: Rig) -> None:
        await rig.append("agent.ü", b'{"x":[1,null]}')
        (entry,) = rig.heard
        message = decode_from_broker(entry.payload)
        assert isinstance(message, Event)
        assert (message.topic, message.seq, message.ts) == ("agent.ü", 1, entry.ts)
        assert rig.is_now(entry.ts)
        assert (message.from_, bytes(message.data), message.clear) == ("alice", b'{"x":[1,null]}', False)
        assert (entry.seq, entry.topic, entry.clear) == (1, "agent.ü", False)

    async def test_what_is_read_is_what_was_heard(self, rig: Rig) -> None:
        rig.engine.append(rig.draft("a", b'"one"', hidden_from="instance-1"))
        await rig.append("b", b"null", clear=True)
        read = await rig.read_all(["#"])
        parts = [(e.seq, e.ts, e.topic, e.payload, e.hidden_from, e.clear) for e in read]
        assert parts == [(e.seq, e.ts, e.topic, e.payload, e.hidden_from, e.clear) for e in rig.heard]
        assert [(e.hidden_from, e.clear) for e in read] == [("instance-1", False), (None, True)]

    async def test_ts_never_falls_when_the_clock_is_set_back(self, rig: Rig) -> None:
        start = rig.clock.ms
        for ms in (start, start - 60_000, start - 1, start + 5):
            rig.clock.ms = ms
            await rig.append("a")
        times = [entry.ts for entry in rig.heard]
        if self.real_time:
            assert times == sorted(times)
            assert all(rig.is_now(ts) for ts in times), "the clock of this broker is not the log's"
        else:
            assert times == [start, start, start, start + 5]

    async def test_a_pattern_of_interest_may_come_and_go(self, rig: Rig) -> None:
        rig.engine.interest("a.#", True)
        await rig.append("a.b")
        rig.engine.interest("a.#", False)
        assert await rig.seqs("a.#") == [1]

    # ---- eviction

    async def test_the_log_holds_the_newest_events(self) -> None:
        async with self.rigged(Limits(log_events=3)) as rig:
            await rig.publish("a", "b", "c", "d", "e")
            assert (rig.engine.oldest, rig.engine.head) == (3, 5)
            assert await rig.seqs("#") == [3, 4, 5]
            assert await rig.seqs("a") == []
            assert (await rig.page(["#"], 0, PageLimit(1, 1_000, 1))).upto == 3

    async def test_what_was_evicted_can_be_asked_for(self) -> None:
        async with self.rigged(Limits(log_events=3)) as rig:
            assert rig.engine.evicted(Matcher(["#"])) == Evicted(0, 0)
            await rig.publish("a", "b", "c", "d", "e")
            assert rig.engine.evicted(Matcher(["#", "a.*"])) == Evicted(2, 2)

    async def test_an_engine_at_rest_is_neither_congested_nor_in_trouble(self, rig: Rig) -> None:
        await rig.publish("a")
        assert (rig.engine.congested, rig.engine.trouble) == (False, None)
        assert rig.engine.defers == (rig.engine.durability != "accepted")

    async def test_events_of_one_turn_keep_their_order_whatever_they_carry(self, rig: Rig) -> None:
        outcomes: list[Outcome] = []
        for number in range(30):
            key = f"k{number % 10}" if number % 3 == 0 else None
            rig.engine.append(rig.draft("a", b"%d" % number, key=key, done=outcomes.append))
        await rig.append("end")
        stored = [entry.payload for entry in rig.heard]
        assert [outcome.seq for outcome in outcomes if not outcome.duplicate] == list(range(1, len(stored)))
        assert len({outcome.seq for outcome in outcomes}) == len(stored) - 1
        assert [entry.payload for entry in await rig.read_all(["#"])] == stored

    async def test_a_log_of_as_few_events_as_can_be_delivers_all_and_holds_no_more(self) -> None:
        async with self.rigged(Limits(log_events=self.least_events)) as rig:
            await rig.publish("a", "b")
            assert [entry.seq for entry in rig.heard] == [1, 2]
            assert (rig.engine.oldest, rig.engine.head) == (3 - self.least_events, 2)
            assert await rig.seqs("#") == [1, 2][2 - self.least_events :]

    async def test_the_log_holds_no_more_bytes_than_allowed(self) -> None:
        async with self.rigged(Limits(log_events=None, log_bytes=10_000)) as rig:
            for _ in range(30):
                await rig.append("a", b"1" * 1_000)
                assert sum(len(entry.payload) for entry in rig.held) <= 10_000
            assert len(rig.held) >= 5
            assert await rig.seqs("a") == [entry.seq for entry in rig.held]

    async def test_the_log_holds_nothing_older_than_allowed(self) -> None:
        async with self.rigged(Limits(log_age_ms=1_000, dedupe_ms=1_000)) as rig:
            for _ in range(5):
                await rig.append("a")
                await rig.clock.elapse(400)
            await rig.until(lambda: rig.engine.oldest >= 4)
            assert await rig.seqs("a") == list(range(rig.engine.oldest, 6))
            assert rig.is_real or rig.engine.oldest == 4
            await rig.clock.elapse(1_000 if rig.is_real else 10_000)
            await rig.until(lambda: rig.engine.oldest == 6)
            assert await rig.seqs("a") == []
            assert rig.engine.head == 5

    async def test_what_is_too_old_makes_room_though_nobody_reads(self) -> None:
        async with self.rigged(Limits(log_events=None, log_bytes=None, log_age_ms=1_000, dedupe_ms=1_000)) as rig:
            await rig.publish("a", "a")
            await rig.clock.elapse(1_500 if rig.is_real else 5_000)
            await rig.publish("a")
            await rig.until(lambda: rig.engine.oldest == 3)
