"""Locks beside a model of them, under whatever clients do: one holder, rising tokens, the line in order."""

from __future__ import annotations

import asyncio
from typing import Any, Final

from hypothesis import given, note, settings
from hypothesis import strategies as st

from swarmwire_broker.core.hub import Hub
from swarmwire_broker.services.locks.locks import Locks
from swarmwire_broker.services.shared import Shared

from .callers import Caller, MovableClock, a_moment
from .rig import opened

CLIENTS: Final = 4
TTL: Final = 2.0

CLIENT = st.integers(0, CLIENTS - 1)
NAME = st.sampled_from(["x", "x", "x", "y"])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("acquire"), CLIENT, NAME),
        st.tuples(st.just("acquire"), CLIENT, NAME),
        st.tuples(st.just("acquire"), CLIENT, NAME),
        st.tuples(st.just("try"), CLIENT, NAME),
        st.tuples(st.just("release"), CLIENT, NAME),
        st.tuples(st.just("release"), CLIENT, NAME),
        st.tuples(st.just("renew"), CLIENT, NAME),
        st.tuples(st.just("give up"), CLIENT, NAME),
        st.tuples(st.just("vanish"), CLIENT, st.none()),
        st.tuples(st.just("leave"), CLIENT, st.none()),
        st.tuples(st.just("wait"), st.integers(1, 24), st.none()),
    ),
    min_size=10,
    max_size=60,
)


class Lock:
    """What a lock should be: who has it until when, and who waits."""

    def __init__(self) -> None:
        self.holder: int | None = None
        self.until = 0.0
        self.is_new = False
        """Whether the holder was told no token yet."""
        self.is_tied = False
        """Whether the present connection of the holder stands for it."""
        self.token = 0
        self.line: list[int] = []


class Model:
    """A broker with clients, and beside it what should come of what they do."""

    def __init__(self, hub: Hub, clock: MovableClock) -> None:
        self.hub = hub
        self.clock = clock
        self.instances = [f"{number}" * 32 for number in range(CLIENTS)]
        self.callers = [Caller(hub, instance) for instance in self.instances]
        self.locks = {"x": Lock(), "y": Lock()}
        self.pending: dict[tuple[int, str], asyncio.Future[Any]] = {}
        self.tokens: dict[str, list[int]] = {"x": [], "y": []}

    async def do(self, what: str, who: int, name: str | None) -> None:
        match what:
            case "wait":
                await self.pass_time(who / 8)  # exact in binary: no rounding to disagree about
            case "vanish" | "leave":
                await self.end(who, said_bye=what == "leave")
            case _:
                assert name is not None
                await getattr(self, what.replace(" ", "_") + "_")(who, name)
        await a_moment()
        await self.compare()

    # ---- what clients do

    async def acquire_(self, who: int, name: str) -> None:
        if (who, name) not in self.pending:
            self.pending[who, name] = self.ask(who, name, timeout=3_600)
            lock = self.locks[name]
            if lock.holder in (None, who):
                self.now_has(lock, who)
            else:
                lock.line.append(who)

    async def try_(self, who: int, name: str) -> None:
        lock = self.locks[name]
        if (who, name) in self.pending:
            return
        answer = self.ask(who, name, wait=0)
        await a_moment()
        assert (answer.exception() is None) is (lock.holder in (None, who))
        if answer.exception() is None:
            self.pending[who, name] = answer
            self.now_has(lock, who)

    async def release_(self, who: int, name: str) -> None:
        lock = self.locks[name]
        if lock.holder == who:
            await self.callers[who].call("lock.release", name=name, token=lock.token)
            self.pass_on(lock)
        else:
            answer = self.callers[who].begin("lock.release", name=name, token=max(0, lock.token - 1))
            await a_moment()
            assert answer.exception() is not None

    async def renew_(self, who: int, name: str) -> None:
        lock = self.locks[name]
        if lock.holder == who:
            await self.callers[who].call("lock.renew", name=name, token=lock.token)
            lock.until, lock.is_tied = self.clock.now + TTL, True

    async def give_up_(self, who: int, name: str) -> None:
        lock = self.locks[name]
        if who in lock.line:
            self.callers[who].cancel(self.pending.pop((who, name)))
            lock.line.remove(who)

    async def end(self, who: int, *, said_bye: bool) -> None:
        caller = self.callers[who]
        if said_bye:
            caller.leave()
        else:
            caller.vanish()
        for name, lock in self.locks.items():
            if who in lock.line:
                lock.line.remove(who)
                del self.pending[who, name]
            if lock.holder == who:
                if said_bye and lock.is_tied:
                    self.pass_on(lock)
                lock.is_tied = lock.is_tied and lock.holder != who
        self.callers[who] = Caller(self.hub, self.instances[who])

    async def pass_time(self, seconds: float) -> None:
        end = self.clock.now + seconds
        while (
            due := min((lock.until for lock in self.locks.values() if lock.holder is not None), default=end + 1)
        ) <= end:
            for lock in self.locks.values():
                if lock.holder is not None and lock.until == due:
                    self.pass_on(lock, at=due)
        await self.clock.advance(end - self.clock.now)

    # ---- what should be

    def ask(self, who: int, name: str, **params: Any) -> asyncio.Future[Any]:
        return self.callers[who].begin("lock.acquire", name=name, ttl=round(TTL * 1000), **params)

    def now_has(self, lock: Lock, who: int, at: float | None = None) -> None:
        lock.is_new, lock.is_tied = lock.is_new or lock.holder is None, True
        lock.holder, lock.until = who, (self.clock.now if at is None else at) + TTL

    def pass_on(self, lock: Lock, at: float | None = None) -> None:
        lock.holder = None
        if lock.line:
            self.now_has(lock, lock.line.pop(0), at)

    async def compare(self) -> None:
        for name, lock in self.locks.items():
            status = await self.callers[0].call("lock.status", name=name)
            assert status["waiting"] == len(lock.line)
            assert status["held"] is (lock.holder is not None)
            for who in lock.line:
                assert not self.pending[who, name].done()
            if lock.holder is not None:
                self.compare_holder(name, lock, status["token"])
            for who in range(CLIENTS):
                if who not in (*lock.line, lock.holder) and (found := self.pending.pop((who, name), None)) is not None:
                    assert found.result()["name"] == name  # had it, and has lost it meanwhile

    def compare_holder(self, name: str, lock: Lock, token: int) -> None:
        """The holder was told this token, and a new holder's is higher than all before."""
        assert lock.holder is not None
        answer = self.pending.pop((lock.holder, name), None)
        if answer is not None:
            assert answer.result()["token"] == token
        if lock.is_new:
            assert all(token > before for before in self.tokens[name])
            self.tokens[name].append(token)
        else:
            assert token == lock.token
        lock.is_new, lock.token = False, token


async def play(steps: list[tuple[str, int, str | None]]) -> None:
    async with opened() as engine:
        hub = Hub(engine, clock := MovableClock())
        locks = Locks(Shared(hub))
        for method in locks.methods():
            hub.calls.add(method)
        await locks.start()
        model = Model(hub, clock)
        for step in steps:
            await model.do(*step)
        locks.close()
        await clock.close()


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_two_never_have_one_lock_tokens_only_rise_and_the_line_is_served_in_order(
    steps: list[tuple[str, int, str | None]],
) -> None:
    note(f"{steps}")
    asyncio.run(play(steps))
