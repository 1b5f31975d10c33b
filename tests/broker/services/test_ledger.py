"""Ledgers: typed records in the engine, and a copy of them to decide by."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec import Struct

from swarmwire_broker.services.ledger import Ledger, write_together
from swarmwire_broker.services.telling import told
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from .rig import opened


class Note(Struct):
    text: str


async def test_what_was_written_is_in_the_copy_and_in_the_engine() -> None:
    async with opened() as engine:
        ledger = Ledger(engine, "note/", Note)
        await ledger.write({"a": Note("one"), "b": Note("two")})
        assert dict(ledger.items()) == {"a": Note("one"), "b": Note("two")}
        again = Ledger(engine, "note/", Note)
        await again.load()
        assert dict(again.items()) == dict(ledger.items())


async def test_a_record_is_removed_by_none() -> None:
    async with opened() as engine:
        ledger = Ledger(engine, "note/", Note)
        await ledger.write({"a": Note("one")})
        await ledger.write({"a": None})
        assert "a" not in ledger
        assert await engine.scan("note/") == []


async def test_records_of_another_prefix_are_not_seen() -> None:
    async with opened() as engine:
        await Ledger(engine, "note/", Note).write({"a": Note("one")})
        other = Ledger(engine, "notes/", Note)
        await other.load()
        assert len(other) == 0


async def test_records_survive_a_restart_with_a_durable_engine(tmp_path: Path) -> None:
    async with opened(tmp_path) as engine:
        await Ledger(engine, "note/", Note).write({"a": Note("one")})
    async with opened(tmp_path) as engine:
        ledger = Ledger(engine, "note/", Note)
        await ledger.load()
        assert ledger.get("a") == Note("one")
        await ledger.write({"a": Note("two")})  # at the revision that was loaded
        assert ledger.get("a") == Note("two")


async def test_an_event_is_in_the_log_when_the_record_is(tmp_path: Path) -> None:
    async with opened(tmp_path) as engine:
        ledger = Ledger(engine, "note/", Note)
        await ledger.write({"a": Note("one")}, [told("note.a", {"text": "one"})])
        assert engine.head == 1


async def test_a_write_over_what_another_broker_wrote_is_a_conflict_and_the_copy_then_holds_the_others() -> None:
    async with opened() as engine:
        mine, theirs = Ledger(engine, "note/", Note), Ledger(engine, "note/", Note)
        await theirs.write({"a": Note("theirs")})
        with pytest.raises(SwarmwireError) as caught:
            await mine.write({"a": Note("mine")}, [told("note.a", None)])
        assert caught.value.code is ErrorCode.CONFLICT
        assert mine.get("a") == Note("theirs")
        assert engine.head == 0
        await mine.write({"a": Note("mine")})
        assert mine.get("a") == Note("mine")


async def test_ledgers_are_written_together_or_not_at_all() -> None:
    async with opened() as engine:
        notes, marks = Ledger(engine, "note/", Note), Ledger(engine, "mark/", Note)
        await Ledger(engine, "mark/", Note).write({"a": Note("there")})
        with pytest.raises(SwarmwireError):
            await write_together([(notes, {"a": Note("one")}), (marks, {"b": Note("x"), "c": None, "a": Note("y")})])
        assert await engine.scan("note/") == []
        assert "a" not in notes


async def test_a_cancelled_writer_is_told_so_when_the_write_is_done(tmp_path: Path) -> None:
    async with opened(tmp_path) as engine:
        ledger = Ledger(engine, "note/", Note)
        writing = asyncio.get_running_loop().create_task(ledger.write({"a": Note("one")}))
        await asyncio.sleep(0)
        writing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await writing
        assert ledger.get("a") == Note("one")
        await ledger.write({"a": Note("two")})
