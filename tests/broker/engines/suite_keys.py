"""Conformance: an append under a key happens once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from swarmwire_broker.core.settings import Limits
from swarmwire_broker.engines.base import Outcome
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .rig import Rig
from .suite import EngineSuite

__all__ = ["KeySuite"]


def error_of(outcome: Outcome) -> SwarmwireError:
    assert outcome.error is not None
    assert outcome.seq == 0
    return outcome.error


class KeySuite(EngineSuite):
    """Idempotency keys."""

    def remembering(self, **given: Any) -> Limits:
        return Limits(dedupe_ms=self.dedupe_ms, **given)

    @pytest_asyncio.fixture
    async def brief(self) -> AsyncIterator[Rig]:
        """An engine that forgets keys while the test looks."""
        async with self.rigged(self.remembering()) as rig:
            yield rig

    async def test_a_repeated_key_is_a_duplicate_that_nobody_hears(self, rig: Rig) -> None:
        first = await rig.append("a", b"1", key="k")
        await rig.append("a")
        again = await rig.append("a", b"2", key="k")
        assert (first, again) == (Outcome(1), Outcome(1, duplicate=True))
        assert [entry.seq for entry in rig.heard] == [1, 2]
        assert await rig.seqs("a") == [1, 2]

    async def test_a_repeat_that_is_sent_before_the_first_is_decided_is_a_duplicate_too(self, rig: Rig) -> None:
        outcomes: list[Outcome] = []
        rig.engine.append(rig.draft("a", key="k", done=outcomes.append))
        rig.engine.append(rig.draft("a", key="k", done=outcomes.append))
        await rig.append("b")
        assert outcomes == [Outcome(1), Outcome(1, duplicate=True)]
        assert [entry.topic for entry in rig.heard] == ["a", "b"]

    async def test_the_same_key_on_another_topic_or_of_another_scope_is_another_key(self, rig: Rig) -> None:
        outcomes = [
            await rig.append("a", key="k"),
            await rig.append("b", key="k"),
            await rig.append("a", key="k", scope="bob"),
        ]
        assert outcomes == [Outcome(1), Outcome(2), Outcome(3)]

    async def test_a_key_is_remembered_for_dedupe_ms_and_no_longer(self, brief: Rig) -> None:
        await brief.append("a", key="k")
        await brief.clock.elapse(self.dedupe_ms - self.margin_ms)
        assert await brief.append("a", key="k") == Outcome(1, duplicate=True)
        await brief.clock.elapse(2 * self.margin_ms)
        assert await brief.append("a", key="k") == Outcome(2)

    @pytest.mark.parametrize("jumps", [2, -2], ids=["forward", "back"])
    async def test_a_clock_that_is_set_forgets_no_key_sooner_and_keeps_none_longer(
        self, brief: Rig, jumps: int
    ) -> None:
        await brief.append("a", key="k1")
        brief.clock.ms += jumps * self.dedupe_ms
        assert await brief.append("a", key="k1") == Outcome(1, duplicate=True)
        await brief.append("a", key="k2")
        await brief.clock.elapse(self.dedupe_ms - self.margin_ms)
        assert await brief.append("a", key="k1") == Outcome(1, duplicate=True)
        assert await brief.append("a", key="k2") == Outcome(2, duplicate=True)
        await brief.clock.elapse(self.margin_ms if not self.real_time else 2 * self.margin_ms)
        assert await brief.append("a", key="k1") == Outcome(3)
        assert await brief.append("a", key="k2") == Outcome(4)

    async def test_a_key_outlives_the_event_it_named(self) -> None:
        async with self.rigged(Limits(log_events=2)) as rig:
            await rig.append("a", key="k")
            await rig.publish("b", "b", "b")
            assert rig.engine.oldest > 1
            assert await rig.append("a", key="k") == Outcome(1, duplicate=True)

    async def test_dedupe_ms_0_remembers_nothing(self) -> None:
        async with self.rigged(Limits(dedupe_ms=0)) as rig:
            assert [(await rig.append("a", key="k")).seq for _ in range(3)] == [1, 2, 3]

    async def test_a_full_table_of_keys_refuses_until_one_is_forgotten(self) -> None:
        async with self.rigged(self.remembering(dedupe_keys=2)) as rig:
            await rig.append("a", key="k1")
            await rig.clock.elapse(self.dedupe_ms // 4)
            await rig.append("a", key="k2")
            error = error_of(await rig.append("a", key="k3"))
            assert (error.code, error.field) == (ErrorCode.UNAVAILABLE, "key")
            self._check_wait(error, self.dedupe_ms - self.dedupe_ms // 4)
            assert await rig.append("a", key="k1") == Outcome(1, duplicate=True)
            assert await rig.append("a") == Outcome(3)
            await rig.clock.elapse(error.retry_after_ms or 0)
            assert await rig.append("a", key="k3") == Outcome(4)

    async def test_a_scope_over_its_quota_is_refused_and_the_others_are_not(self) -> None:
        async with self.rigged(self.remembering(dedupe_keys_per_subject=1)) as rig:
            await rig.append("a", key="k", scope="bob")
            await rig.clock.elapse(self.dedupe_ms // 2)
            await rig.append("a", key="k1")
            error = error_of(await rig.append("a", key="k2"))
            assert (error.code, error.field) == (ErrorCode.UNAVAILABLE, "key")
            self._check_wait(error, self.dedupe_ms)
            assert await rig.append("a", key="k", scope="carol") == Outcome(3)
            await rig.clock.elapse(error.retry_after_ms or 0)
            assert await rig.append("a", key="k2") == Outcome(4)

    def _check_wait(self, error: SwarmwireError, ms: int) -> None:
        """The error says to come again after so long; where time has gone on meanwhile, a little sooner."""
        assert error.retry_after_ms is not None
        assert ms - (self.margin_ms if self.real_time else 0) <= error.retry_after_ms <= ms

    async def test_a_refused_append_is_neither_heard_nor_logged(self) -> None:
        async with self.rigged(Limits(dedupe_keys=0)) as rig:
            error = error_of(await rig.append("a", key="k"))
            assert error.retry_after_ms is not None
            assert error.retry_after_ms >= 1
            assert (rig.heard, rig.engine.head) == ([], 0)
