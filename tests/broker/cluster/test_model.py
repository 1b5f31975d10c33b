"""Locks of a cluster whose brokers come, go, fall silent and take over: what nobody may ever see."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from swarmwire_protocol.errors import SwarmwireError

from ..services.callers import Caller, a_moment
from .rig import Town, town

TTL = 2.0
NAMES = ("x", "y")


class Holder:
    """A client that takes locks, and knows until when it may rely on each that it has."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.has: dict[str, tuple[int, float]] = {}
        self.asking: dict[str, tuple[asyncio.Future[Any], float]] = {}


class World:
    """Many of them, and what all that they were told comes to."""

    def __init__(self, all: Town, seed: int) -> None:
        self.all = all
        self.chance = random.Random(seed)
        self.holders: list[Holder] = []
        self.highest = dict.fromkeys(NAMES, 0)
        self.last: dict[str, tuple[Holder, int]] = {}
        self.still: dict[str, tuple[int, float]] = {}
        self.granted = 0

    @property
    def now(self) -> float:
        return self.all.clock.now

    def step(self) -> None:
        """Do one thing of all that can happen, but for what takes time."""
        one = self.chance.choice(self.holders) if self.holders else None
        match self.chance.randrange(9):
            case 0 | 1 if one is not None:
                self.acquire(one)
            case 2 | 3 if one is not None:
                self.renew(one)
            case 4 if one is not None:
                self.release(one)
            case 5 if one is not None and self.chance.random() < 0.3:
                one.caller.leave()
                self.holders.remove(one)
            case 6 if one is not None and self.chance.random() < 0.3:
                one.caller.vanish()
                self.holders.remove(one)
                self.ghosts(one)
            case _ if len(self.holders) < 6:
                node = self.chance.choice([node for node in self.all.nodes if node.bus.is_up])
                self.holders.append(Holder(node.caller(f"i{self.chance.randrange(10**9)}")))

    def ghosts(self, one: Holder) -> None:
        """It is gone for the broker, and may still use what it has until its time is over."""
        for name, (token, until) in one.has.items():
            self.still[name] = max(self.still.get(name, (0, 0.0)), (token, until), key=lambda held: held[1])

    # ---- what clients do

    def acquire(self, one: Holder) -> None:
        name = self.chance.choice(NAMES)
        if name in one.has or name in one.asking:
            return
        wait = self.chance.choice((0, 3_000))
        answer = one.caller.begin("lock.acquire", name=name, ttl=round(TTL * 1_000), wait=wait)
        one.asking[name] = answer, self.now

    def renew(self, one: Holder) -> None:
        for name, (token, _) in list(one.has.items()):
            if f"renew {name}" not in one.asking:
                answer = one.caller.begin("lock.renew", name=name, token=token)
                one.asking[f"renew {name}"] = answer, self.now

    def release(self, one: Holder) -> None:
        for name, (token, _) in list(one.has.items()):
            del one.has[name]
            one.caller.begin("lock.release", name=name, token=token)

    # ---- what they are told

    def look(self) -> None:
        for one in self.holders:
            one.has = {name: held for name, held in one.has.items() if held[1] > self.now}
        for one in self.holders:
            for what, (answer, sent) in list(one.asking.items()):
                if answer.done():
                    del one.asking[what]
                    self.told(one, what, answer, sent)

    def told(self, one: Holder, what: str, answer: asyncio.Future[Any], sent: float) -> None:
        name = what.rpartition(" ")[2]
        if isinstance(answer.exception(), SwarmwireError):
            if what != name:
                one.has.pop(name, None)  # it may be lost: it relies on it no more
            return
        token = answer.result()["token"]
        if what != name:
            if name in one.has:
                one.has[name] = token, sent + TTL
            return
        self.granted += 1
        others = [other.has[name] for other in self.holders if other is not one and name in other.has]
        assert others == [], f"{name} is held by two at {self.now}"
        if name in self.still and self.still[name][0] != token:
            assert self.still[name][1] <= self.now, f"{name} was given on too early at {self.now}"
        goes_on = self.last.get(name) == (one, token)  # it had lost the answer, or thought it had lost the lock
        assert goes_on or token > self.highest[name], f"a token of {name} did not rise"
        self.highest[name], self.last[name] = token, (one, token)
        one.has[name] = token, sent + TTL


async def shake(world: World) -> None:
    """One of the things that happen to brokers."""
    all, chance = world.all, world.chance
    node = chance.choice(all.nodes)
    match chance.randrange(5):
        case 0 | 1:
            await all.elect(node)
        case 2:
            await all.elect(node, but=[chance.choice(all.nodes)])  # one of them has not heard of it yet
        case 3:
            node.bus.set_up(False)
            await all.advance(chance.random())
            node.bus.set_up(True)
        case _:
            node.bus.is_cut = True
            await all.advance(chance.choice((1.0, 7.0)))
            node.bus.is_cut = False


@pytest.mark.parametrize("seed", range(200, 216))
async def test_no_lock_is_ever_held_by_two(seed: int) -> None:
    async with town(3) as all:
        world = World(all, seed)
        for number in range(90):
            world.step()
            await a_moment() if number % 3 else await all.advance(world.chance.random())
            world.look()
            for holder in list(world.holders):
                if not holder.caller.session.is_welcome:
                    world.ghosts(holder)
                    world.holders.remove(holder)
            if number % 15 == 14:
                await shake(world)
                world.look()
        assert world.granted
