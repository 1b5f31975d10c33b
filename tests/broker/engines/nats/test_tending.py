"""Seeing to the log: what is believed of it, and when."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from swarmwire_broker.engines.nats import tending
from swarmwire_broker.engines.nats.streams import StreamFacts
from swarmwire_broker.engines.nats.tending import Tending
from swarmwire_broker.natslink import ApiError, LinkError, LinkState
from swarmwire_protocol.errors import SwarmwireError


class FakeLink:
    def __init__(self) -> None:
        self.state = LinkState.CONNECTED
        self.server = None
        self.tell: Any = None

    def on_state(self, callback: Any) -> Any:
        self.tell = callback
        return lambda: None


class FakeStream:
    """A stream of which the test says what it tells."""

    def __init__(self, replicas: int = 1) -> None:
        self.facts = StreamFacts("s", "t", 1, replicas, 1, 10)
        self.error: LinkError | None = None
        self.forgets_all = False
        self.asked = 0

    async def open(self, *, clustered: bool, timeout: float) -> StreamFacts:
        self.error = None
        return self.facts

    async def ask(self, timeout: float) -> StreamFacts:
        self.asked += 1
        if self.error is not None:
            raise self.error
        return self.facts

    async def raise_generation(self, facts: StreamFacts, timeout: float) -> StreamFacts:
        self.facts = facts._replace(generation=facts.generation + 1)
        return self.facts


class FakeTended:
    def __init__(self) -> None:
        self.known = 10
        self.has_fallen = False
        self.is_open = True
        self.story: list[str] = []
        self.refusal: SwarmwireError | None = None

    def pause(self) -> None:
        self.is_open = False
        self.story.append("pause")

    def lost(self) -> None:
        self.is_open = False
        self.story.append("lost")

    def resume(self) -> None:
        self.is_open = True
        self.story.append("resume")

    def learn(self, facts: StreamFacts) -> None: ...

    def renew(self) -> None:
        self.known = 0
        self.story.append("renew")

    def refuse(self, refusal: SwarmwireError | None) -> None:
        self.refusal = refusal

    def tick(self) -> None: ...


class Bench:
    def __init__(self, replicas: int = 1) -> None:
        self.link, self.stream, self.tended = FakeLink(), FakeStream(replicas), FakeTended()
        link: Any = self.link
        stream: Any = self.stream
        self.tending = Tending(link, stream, self.tended, start_timeout=1)

    async def start(self) -> None:
        async def rest(timeout: float) -> None: ...

        await self.tending.start(rest)

    def shorten(self, **more: Any) -> None:
        self.stream.facts = self.stream.facts._replace(last=5, **more)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tending, "_LOOK_PAUSE", 0)


async def test_a_log_that_one_server_keeps_is_as_short_as_it_says() -> None:
    bench = Bench()
    await bench.start()
    bench.shorten()
    facts = await bench.tending.look()
    assert (facts.generation, bench.tended.story, bench.stream.asked) == (2, ["renew"], 3)


async def test_a_server_that_is_behind_the_others_is_not_believed() -> None:
    bench = Bench(replicas=3)
    await bench.start()
    bench.shorten()
    for _ in range(2):
        with pytest.raises(LinkError, match="behind"):
            await bench.tending.look()
    bench.stream.facts = bench.stream.facts._replace(last=11)
    assert (await bench.tending.look()).last == 11
    assert bench.tended.story == []


async def test_several_servers_are_believed_when_an_acknowledgement_says_the_same() -> None:
    bench = Bench(replicas=3)
    await bench.start()
    bench.shorten()
    bench.tended.has_fallen = True
    await bench.tending.look()
    assert bench.tended.story == ["renew"]


async def test_a_log_that_seems_empty_where_it_was_not_is_looked_at_for_longer(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(replicas=3)
    await bench.start()
    bench.stream.facts = bench.stream.facts._replace(first=11)
    with pytest.raises(LinkError, match="behind"):
        await bench.tending.look()
    assert bench.tending.first == 1
    monkeypatch.setattr(tending, "_ELECTION", 0)
    await bench.tending.look()
    assert (bench.tending.first, bench.tended.story) == (11, [])


@pytest.mark.parametrize(("replicas", "forgets_all"), [(1, False), (3, True)])
async def test_a_log_that_may_be_empty_is_believed_to_be(replicas: int, forgets_all: bool) -> None:
    bench = Bench(replicas=replicas)
    bench.stream.forgets_all = forgets_all
    await bench.start()
    bench.stream.facts = bench.stream.facts._replace(first=11)
    await bench.tending.look()
    assert bench.tending.first == 11


@pytest.mark.parametrize("settled", [True, False])
async def test_several_servers_are_believed_when_they_have_had_time_to_agree(
    settled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(replicas=3)
    await bench.start()
    bench.shorten(settled=settled)
    with pytest.raises(LinkError):
        await bench.tending.look()
    monkeypatch.setattr(tending, "_ELECTION", 0)
    if settled:
        await bench.tending.look()
    else:
        with pytest.raises(LinkError):
            await bench.tending.look()
    assert bench.tended.story == (["renew"] if settled else [])


async def test_a_log_that_another_broker_has_renewed_is_renewed_once() -> None:
    bench = Bench()
    await bench.start()
    bench.stream.facts = bench.stream.facts._replace(created="later", last=0, first=1)
    await bench.tending.look()
    await bench.tending.look()
    assert bench.tended.story == ["renew"]


async def test_a_server_that_does_not_know_yet_that_the_log_is_another_is_not_believed() -> None:
    bench = Bench(replicas=3)
    await bench.start()
    former = bench.stream.facts
    bench.stream.facts = former._replace(generation=2)
    await bench.tending.look()
    bench.stream.facts = former._replace(settled=False)
    with pytest.raises(LinkError, match="earlier generation"):
        await bench.tending.look()
    assert bench.tended.story == ["renew"]
    bench.stream.facts = former  # all servers that keep it say so: somebody has brought it back
    await bench.tending.look()
    assert bench.tended.story == ["renew", "renew"]


async def test_in_doubt_the_log_is_asked_made_if_it_is_gone_and_gone_on_with() -> None:
    bench = Bench()
    await bench.start()
    bench.tending.watch()
    bench.stream.error = ApiError("STREAM.INFO", 404, 10059, "stream not found")
    bench.tended.is_open = False
    bench.tending.doubt()
    async with asyncio.timeout(5):
        while "resume" not in bench.tended.story:  # noqa: ASYNC110 - it is done by a task
            await asyncio.sleep(0)
    assert bench.tended.is_open
    await bench.tending.close()
    await bench.tending.close()


async def test_a_server_that_is_left_may_answer_what_it_was_sent() -> None:
    bench = Bench()
    await bench.start()
    bench.tending.watch()
    for state in (LinkState.LEAVING, LinkState.RECONNECTING, LinkState.CONNECTED):
        bench.link.state = state
        bench.link.tell(state)
    assert bench.tended.story == ["pause", "lost"]
    async with asyncio.timeout(5):
        while not bench.tended.is_open:  # noqa: ASYNC110 - it is done by a task
            await asyncio.sleep(0)
    await bench.tending.close()


async def test_after_a_moment_without_a_log_publishes_are_refused_until_it_is_back() -> None:
    bench = Bench()
    await bench.start()
    bench.tending.watch()
    bench.link.state = LinkState.RECONNECTING
    bench.link.tell(LinkState.RECONNECTING)
    assert bench.tended.story == ["lost"]
    for _ in range(4):
        assert bench.tending.trouble is None
        bench.tending._tick()
    assert bench.tending.trouble
    assert bench.tended.refusal is not None
    bench.link.state = LinkState.CONNECTED
    bench.link.tell(LinkState.CONNECTED)
    async with asyncio.timeout(5):
        while bench.tending.trouble is not None:  # noqa: ASYNC110 - it is done by a task
            await asyncio.sleep(0)
    assert bench.tended.refusal is None
    await bench.tending.close()


async def test_whoever_is_told_and_fails_does_not_end_the_tending(caplog: pytest.LogCaptureFixture) -> None:
    bench = Bench()
    await bench.start()
    failures, resumed = iter((ValueError("a callback"),)), asyncio.Event()

    def resume() -> None:
        for failure in failures:
            raise failure
        resumed.set()

    bench.tended.resume = resume  # type: ignore[method-assign]
    bench.tending.watch()
    bench.tending.doubt()
    async with asyncio.timeout(5):
        await resumed.wait()
    await bench.tending.close()
    assert "it could not be gone on with the log" in caplog.text
