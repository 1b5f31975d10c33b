"""Fencing tokens only grow."""

from __future__ import annotations

import asyncio
from pathlib import Path

from swarmwire_broker.services.fencing import Fencing

from .rig import NOW, opened


async def test_tokens_rise_over_many_blocks_and_askers() -> None:
    async with opened() as engine:
        fencing = Fencing(engine, lambda: NOW)
        tokens = [await fencing.next() for _ in range(2_500)]
        assert tokens == list(range(NOW * 1_000 + 1, NOW * 1_000 + 2_501))


async def test_no_two_askers_get_one_token(tmp_path: Path) -> None:
    async with opened(tmp_path) as engine:
        fencing = Fencing(engine, lambda: NOW)
        tokens = await asyncio.gather(*(fencing.next() for _ in range(1_500)))
        assert len(set(tokens)) == 1_500


async def test_tokens_rise_over_a_restart_even_when_the_clock_was_set_back(tmp_path: Path) -> None:
    async with opened(tmp_path) as engine:
        before = await Fencing(engine, lambda: NOW).next()
    async with opened(tmp_path) as engine:
        assert await Fencing(engine, lambda: NOW - 1_000_000).next() > before


async def test_two_brokers_of_one_engine_never_give_out_the_same(tmp_path: Path) -> None:
    async with opened(tmp_path) as engine:
        one, two = Fencing(engine, lambda: NOW), Fencing(engine, lambda: NOW)
        tokens = await asyncio.gather(*(fencing.next() for _ in range(5) for fencing in (one, two)))
        assert len(set(tokens)) == 10


async def test_where_the_engine_forgets_tokens_rise_with_the_time() -> None:
    async with opened() as engine:
        fencing = Fencing(engine, lambda: NOW)
        before = [await fencing.next() for _ in range(20_000)][-1]
    async with opened() as engine:
        assert await Fencing(engine, lambda: NOW + 1_000).next() > before


async def test_tokens_are_whole_numbers_in_every_language_for_two_centuries() -> None:
    in_2200 = 7_258_118_400_000
    async with opened() as engine:
        assert await Fencing(engine, lambda: in_2200).next() < 2**53
