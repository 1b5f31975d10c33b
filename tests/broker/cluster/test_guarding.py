"""What clients may not publish, they may not publish at any broker."""

from __future__ import annotations

from swarmwire_protocol.codec import encode

from ..services.callers import Caller, a_moment
from .rig import town


def publish(caller: Caller, topic: str) -> str:
    """What becomes of a publish: its code, or `ack`."""
    caller.session.receive(encode({"type": "publish", "topic": topic, "data": {}, "id": "p"}))
    caller.session.hub.delivery.settle()
    answer = caller.sink.received[-1]
    return str(answer.get("code", answer["type"]))


async def test_topics_of_the_services_are_refused_everywhere() -> None:
    async with town(3) as all:
        for node in all.nodes:
            assert publish(node.caller(), "lock.x.acquired") == "PERMISSION_DENIED"
            assert publish(node.caller(), "swarm.s.consensus.p") == "PERMISSION_DENIED"


async def test_the_life_of_a_managed_task_is_told_by_nobody_else_anywhere() -> None:
    async with town(3) as all:
        task = (await all[2].caller().call("task.submit", queue="q", type="t"))["task"]
        for node in all.nodes:
            assert publish(node.caller(), f"task.{task['id']}.completed") == "PERMISSION_DENIED"
            assert publish(node.caller(), "task.another.completed") == "ack"


async def test_a_former_holder_is_fenced_at_every_broker() -> None:
    async with town(3) as all:
        former = [node.caller("former") for node in all.nodes]
        first = await former[1].call("registry.register", id="a", name="a", kind="agent", ttl=10_000)
        assert [publish(caller, "agent.a.status") for caller in former] == ["ack"] * 3
        former[1].vanish()
        await a_moment()
        holder = [node.caller("holder") for node in all.nodes]
        being = await holder[2].call("registry.register", id="a", name="a", kind="agent", ttl=10_000)
        assert being["epoch"] > first["epoch"]
        assert [publish(former[place], "agent.a.status") for place in (0, 2)] == ["FENCED"] * 2
        assert [publish(caller, "agent.a.status") for caller in holder] == ["ack"] * 3
        await holder[2].call("registry.unregister", id="a", epoch=being["epoch"])
        assert [publish(former[place], "agent.a.status") for place in (0, 2)] == ["ack"] * 2


async def test_guards_stay_when_the_services_go_to_another_broker() -> None:
    async with town(2) as all:
        former = [node.caller("former") for node in all.nodes]
        await former[0].call("registry.register", id="a", name="a", kind="agent", ttl=60_000)
        former[0].vanish()
        await a_moment()
        await all[1].caller("holder").call("registry.register", id="a", name="a", kind="agent", ttl=60_000)
        task = (await all[0].caller().call("task.submit", queue="q", type="t"))["task"]
        for node in (all[1], all[0], all[1]):
            await all.elect(node)
            for one in all.nodes:
                caller = one.caller("former")
                assert publish(caller, "agent.a.status") == "FENCED"
                assert publish(caller, f"task.{task['id']}.failed") == "PERMISSION_DENIED"


async def test_a_broker_that_joins_knows_what_is_refused() -> None:
    async with town(2) as all:
        task = (await all[0].caller().call("task.submit", queue="q", type="t"))["task"]
        await all[1].cluster._guarding.start()
        assert publish(all[1].caller(), f"task.{task['id']}.failed") == "PERMISSION_DENIED"


async def test_closing_takes_all_guards_down() -> None:
    async with town(2) as all:
        task = (await all[0].caller().call("task.submit", queue="q", type="t"))["task"]
        all[1].cluster._guarding.close()
        all[1].cluster._guarding.close()
        assert publish(all[1].caller(), f"task.{task['id']}.failed") == "ack"
