"""Who belongs to a cluster: brokers come, go, fall silent, stand still, and are told apart from those that do not."""

from __future__ import annotations

import pytest

from swarmwire_broker.auth import Revocations
from swarmwire_broker.cluster.bus import BusDown
from swarmwire_broker.cluster.messages import VERSION, Beat, decode, encode
from swarmwire_protocol.codec import encode as encoded

from ..services.callers import a_moment
from .rig import Node, Town, town


def seen(node: Node) -> set[str]:
    return {facts.id for facts in node.cluster.shown()}


def everybody(all: Town) -> set[str]:
    return {node.id for node in all.nodes}


async def test_brokers_that_start_know_each_other_at_once() -> None:
    async with town(4) as all:
        assert [seen(node) for node in all.nodes] == [everybody(all)] * 4


async def test_a_broker_that_leaves_is_gone_at_once() -> None:
    async with town(3) as all:
        await all[2].cluster.close()
        await a_moment()
        assert seen(all[0]) == seen(all[1]) == {all[0].id, all[1].id}


async def test_a_broker_that_is_not_heard_for_five_seconds_is_gone() -> None:
    async with town(3) as all:
        await all.advance(2.5)
        all[2].kill()
        await all.advance(4)
        assert seen(all[0]) == everybody(all)
        await all.advance(2.5)
        assert seen(all[0]) == seen(all[1]) == {all[0].id, all[1].id}


async def test_a_broker_that_is_heard_again_begins_anew_on_both_sides() -> None:
    async with town(2) as all:
        handler = await all[0].handler("greet")
        waiting = all[1].caller().begin("greet", timeout=100)
        await a_moment()
        # The first hears nothing of the second, which does hear the first and notices nothing.
        all[1].bus.publish = lambda subject, payload: None  # type: ignore[method-assign]
        await all.advance(7)
        assert seen(all[0]) == {all[0].id}
        assert handler.cancelled == [handler.asked[0]["id"]]
        assert not waiting.done()
        del all[1].bus.publish
        await all.advance(2)
        assert waiting.exception() is not None
        assert seen(all[0]) == seen(all[1]) == everybody(all)
        again = all[1].caller().begin("greet")
        await a_moment()
        handler.reply("hi")
        await a_moment()
        assert again.result() == "hi"


async def test_two_halves_that_lost_each_other_find_together_again() -> None:
    async with town(4) as all:
        for node in all.nodes[2:]:
            node.bus.is_cut = True
        await all.advance(8)
        assert seen(all[0]) == {all[0].id, all[1].id}
        assert seen(all[2]) == {all[2].id}
        for node in all.nodes[2:]:
            node.bus.is_cut = False
        await all.advance(3)
        assert [seen(node) for node in all.nodes] == [everybody(all)] * 4


async def test_a_broker_that_stood_still_takes_nobody_for_gone_before_it_has_read_what_came_meanwhile() -> None:
    async with town(2) as all:
        all.clock.now += 60  # nothing of it ran: its timers are late
        await all.advance(0.5)
        assert seen(all[0]) == seen(all[1]) == everybody(all)


async def test_leases_go_on_when_the_bus_of_their_holders_broker_is_lost_for_a_moment() -> None:
    async with town(2) as all:
        holder = all[1].caller()
        await holder.call("lock.acquire", name="x", ttl=60_000)
        all[1].bus.set_up(False)
        await all.advance(1)
        all[1].bus.set_up(True)
        await a_moment()
        assert (await all[0].caller().call("lock.status", name="x"))["holder"]["connected"]


async def test_who_ended_while_the_bus_was_lost_is_known_to_be_gone_when_it_is_back() -> None:
    async with town(2) as all:
        holder, stays = all[1].caller(), all[1].caller()
        await holder.call("lock.acquire", name="x", ttl=60_000)
        await stays.call("lock.acquire", name="y", ttl=60_000)
        all[1].bus.set_up(False)
        holder.vanish()
        await all.advance(0.1)
        all[1].bus.set_up(True)
        await a_moment()
        asker = all[0].caller()
        assert not (await asker.call("lock.status", name="x"))["holder"]["connected"]
        assert (await asker.call("lock.status", name="y"))["holder"]["connected"]


async def test_who_ended_while_the_bus_took_no_more_is_known_to_be_gone_soon() -> None:
    async with town(2) as all:
        holder, stays = all[1].caller(), all[1].caller()
        await holder.call("lock.acquire", name="x", ttl=60_000)
        await stays.call("lock.acquire", name="y", ttl=60_000)

        def full(subject: str, payload: bytes) -> None:
            raise BusDown("too much waits")

        all[1].bus.publish = full  # type: ignore[method-assign]
        holder.vanish()
        await all.advance(2.5)
        del all[1].bus.publish
        await all.advance(1)
        asker = all[0].caller()
        assert not (await asker.call("lock.status", name="x"))["holder"]["connected"]
        assert (await asker.call("lock.status", name="y"))["holder"]["connected"]


@pytest.mark.parametrize("seconds", [1.0, 20.0])
async def test_what_was_revoked_while_a_broker_was_cut_off_is_revoked_there_when_it_is_back(seconds: float) -> None:
    async with town(2) as all:
        for node in all.nodes:
            node.cluster.revocations = Revocations(now_ms=all.clock.now_ms)
        mallory, other = all[1].caller(), all[1].caller()
        all[1].bus.set_up(False)
        revocations = all[0].cluster.revocations
        assert isinstance(revocations, Revocations)
        revocations.revoke_subject(f"anonymous:{mallory.id}")
        all[0].cluster.revoke(f"anonymous:{mallory.id}", None)
        await all.advance(seconds)
        assert mallory.sink.closed is None
        all[1].bus.set_up(True)
        await all.advance(2)
        assert mallory.sink.closed is not None
        assert other.sink.closed is None


async def test_messages_of_another_version_are_taken_as_far_as_they_are_known() -> None:
    async with town(1) as all:
        beat = Beat(name="new", version="9", uptime=1.0, revision=0)
        newer = encode("abc", beat).replace(b'"v":%d' % VERSION, b'"v":99').replace(b'"name"', b'"moon":[1],"name"')
        receive = all[0].cluster._post._take
        receive(newer)
        assert seen(all[0]) == {all[0].id, "abc"}
        for odd in (
            b"",
            b"{",
            b"Px",
            b"P a 1 2",
            b"\xff\xfe",
            encoded({"v": 2, "from": "abc", "m": {"type": "riddle"}}),
        ):
            receive(odd)
        receive(encoded({"v": 1, "from": "stranger", "m": {"type": "leave"}}))
        assert seen(all[0]) == {all[0].id, "abc"}


def test_every_message_says_its_version() -> None:
    payload = encode("abc", Beat(name="n", version="1", uptime=0.0, revision=3))
    assert b'"v":1' in payload
    assert decode(payload).m == Beat(name="n", version="1", uptime=0.0, revision=3)
