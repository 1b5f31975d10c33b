"""Conformance: keys, values and revisions, and events that come with a change."""

from __future__ import annotations

import asyncio

import pytest

from swarmwire_broker.engines.base import Outcome, Put
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .rig import Rig
from .suite import EngineSuite

__all__ = ["StateSuite"]


class StateSuite(EngineSuite):
    """The key-value part."""

    async def test_a_key_that_was_never_put_is_not_there(self, rig: Rig) -> None:
        assert await rig.engine.get("a") is None
        assert await rig.engine.scan("") == []

    async def test_every_change_raises_the_one_revision(self, rig: Rig) -> None:
        first = await rig.engine.transact([Put("a", b"1")])
        second = await rig.engine.transact([Put("b", b"2"), Put("c", b"")])
        assert 0 < first < second
        assert await rig.engine.get("a") == (b"1", first)
        assert await rig.engine.get("b") == (b"2", second)
        assert await rig.engine.get("c") == (b"", second)

    async def test_keys_are_scanned_by_prefix_in_order(self, rig: Rig) -> None:
        names = ["lock.b", "lock.a", "lockx", "lock", "Lock.c", "lock.%", "lock._"]
        await rig.engine.transact([Put(name, name.encode()) for name in names])
        scanned = [(name, stored.value) for name, stored in await rig.engine.scan("lock.")]
        assert scanned == [(name, name.encode()) for name in sorted(names) if name.startswith("lock.")]
        assert [name for name, _ in await rig.engine.scan("")] == sorted(names)

    async def test_a_put_without_a_value_removes_the_key(self, rig: Rig) -> None:
        first = await rig.engine.transact([Put("a", b"1")])
        removed = await rig.engine.transact([Put("a", None)])
        assert await rig.engine.get("a") is None
        again = await rig.engine.transact([Put("a", b"2", expected=0)])
        assert first < removed < again

    @pytest.mark.parametrize("expected", [0, 99])
    async def test_a_put_that_expects_another_revision_is_a_conflict(self, rig: Rig, expected: int) -> None:
        await rig.engine.transact([Put("a", b"1")])
        with pytest.raises(SwarmwireError) as caught:
            await rig.engine.transact([Put("a", b"2", expected)])
        assert caught.value.code is ErrorCode.CONFLICT

    async def test_a_conflict_changes_nothing_and_appends_nothing(self, rig: Rig) -> None:
        revision = await rig.engine.transact([Put("a", b"1")])
        with pytest.raises(SwarmwireError, match="CONFLICT"):
            await rig.engine.transact([Put("b", b"2"), Put("a", None, revision + 1)], [rig.draft("x")])
        assert await rig.engine.scan("") == [("a", (b"1", revision))]
        assert (rig.heard, rig.engine.head) == ([], 0)
        assert await rig.engine.transact([Put("a", b"2", revision)]) > revision

    async def test_what_is_appended_with_a_change_comes_in_the_same_step(self, rig: Rig) -> None:
        outcomes: list[Outcome] = []
        drafts = [rig.draft("x", done=outcomes.append), rig.draft("y", done=outcomes.append)]
        await rig.engine.transact([Put("a", b"1", 0)], drafts)
        assert [(entry.seq, entry.topic) for entry in rig.heard] == [(1, "x"), (2, "y")]
        assert outcomes == [Outcome(1), Outcome(2)]
        assert await rig.seqs("#") == [1, 2]

    async def test_of_two_changes_that_expect_the_same_revision_one_wins(self, rig: Rig) -> None:
        results = await asyncio.gather(
            *(rig.engine.transact([Put("a", b"%d" % who, 0)], [rig.draft(f"won.{who}")]) for who in range(5)),
            return_exceptions=True,
        )
        assert sum(isinstance(result, int) for result in results) == 1
        stored = await rig.engine.get("a")
        assert stored is not None
        assert [entry.topic for entry in rig.heard] == [f"won.{stored.value.decode()}"]

    async def test_what_is_appended_with_a_change_has_no_key(self, rig: Rig) -> None:
        with pytest.raises(ValueError, match="without a key"):
            await rig.engine.transact([Put("a", b"1")], [rig.draft("x", key="k")])
        assert await rig.engine.get("a") is None
        assert rig.heard == []
