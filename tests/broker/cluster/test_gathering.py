"""Methods that all brokers of a cluster answer together."""

from __future__ import annotations

from typing import Any

import pytest

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ..services.callers import Caller, a_moment
from .rig import Town, town


async def failure(caller: Caller, method: str, **params: Any) -> SwarmwireError:
    with pytest.raises(SwarmwireError) as found:
        await caller.call(method, **params)
    return found.value


async def test_an_event_is_sent_to_a_client_of_any_broker() -> None:
    async with town(3) as all:
        sender, receivers = all[0].caller(), [node.caller() for node in all.nodes]
        for number, receiver in enumerate(receivers):
            assert await sender.call("client.send", client_id=receiver.id, topic="t", data=number) == {"sent": 1}
        await a_moment()
        assert [[event["data"] for event in receiver.events] for receiver in receivers] == [[0], [1], [2]]
        assert receivers[2].events[0]["from"] == f"anonymous:{sender.id}"


async def test_a_client_is_not_found_only_when_all_brokers_have_said_so() -> None:
    async with town(3) as all:
        error = await failure(all[0].caller(), "client.send", client_id="none", topic="t", data=1)
        assert (error.code, error.field) == (ErrorCode.NOT_FOUND, "params.client_id")


async def test_a_broker_that_does_not_answer_makes_the_outcome_unknown() -> None:
    async with town(3) as all:
        caller = all[0].caller()
        all[2].kill()
        sent = caller.begin("client.send", client_id="none", topic="t", data=1)
        seen = caller.begin("client.get", client_id="none")
        await a_moment()
        assert not sent.done()
        await all.advance(7)
        codes = [answer.exception().code for answer in (sent, seen)]  # type: ignore[union-attr]
        assert codes == [ErrorCode.TIMEOUT, ErrorCode.TIMEOUT] or codes == [
            ErrorCode.OUTCOME_UNKNOWN,
            ErrorCode.UNAVAILABLE,
        ]
        assert (await failure(caller, "client.get", client_id="none")).code is ErrorCode.NOT_FOUND


async def test_a_broker_that_does_not_answer_keeps_nobody_waiting_for_what_another_has() -> None:
    async with town(3) as all:
        other = all[1].caller()
        all[2].kill()
        found = await all[0].caller().call("client.get", client_id=other.id)
        assert found["client_id"] == other.id


async def test_what_the_broker_that_has_the_client_says_is_the_answer() -> None:
    async with town(3) as all:
        caller, other = all[0].caller(), all[2].caller()
        assert (await caller.call("client.get", client_id=other.id))["client_id"] == other.id
        error = await failure(caller, "client.send", client_id=other.id, topic="$sys.x", data=1)
        assert error.code is ErrorCode.PERMISSION_DENIED


async def test_an_operator_disconnects_a_client_of_another_broker() -> None:
    async with town(2) as all:
        other = all[1].caller()
        assert (await all[0].caller().call("client.disconnect", client_id=other.id))["client_id"] == other.id
        await a_moment()
        assert other.sink.closed is not None


async def test_a_broadcast_reaches_the_clients_of_all_brokers_but_some() -> None:
    async with town(3) as all:
        callers = [node.caller() for node in all.nodes for _ in range(2)]
        spared = [callers[1].id, callers[4].id]
        params: dict[str, Any] = {"topic": "t", "data": 1, "except": spared}
        answer = await callers[0].begin("client.broadcast", **params)
        assert answer == {"sent": 4}
        await a_moment()
        assert [len(caller.events) for caller in callers] == [1, 0, 1, 1, 0, 1]


async def test_lists_of_all_brokers_are_one_list_that_says_where_each_row_is_from() -> None:
    async with town(3) as all:
        clients = {node.id: {node.caller().id for _ in range(3)} for node in all.nodes}
        found = await all[1].caller().call("client.list")
        assert found["count"] == 10
        for id, theirs in clients.items():
            assert theirs <= {row["client_id"] for row in found["clients"] if row["broker"] == id}


@pytest.mark.parametrize(("limit", "offset"), [(2, 0), (3, 1), (4, 3), (100, 5), (0, 0), (5, 9), (3, 100), (1, 8)])
async def test_a_page_of_a_list_of_all_is_that_part_of_the_whole(limit: int, offset: int) -> None:
    async with town(3) as all:
        await _subscribed(all)
        caller = all[0].caller()
        whole = await caller.call("subscription.list")
        assert whole["count"] == 9
        page = await caller.call("subscription.list", limit=limit, offset=offset)
        assert page["count"] == 9
        assert page["subscriptions"] == whole["subscriptions"][offset : offset + limit]


async def test_the_subscribers_of_a_topic_are_those_at_all_brokers() -> None:
    async with town(3) as all:
        await _subscribed(all)
        found = await all[0].caller().call("topic.subscribers", topic="t.1")
        assert [row["pattern"] for row in found["subscriptions"]] == ["t.1"] * 3
        assert {row["broker"] for row in found["subscriptions"]} == {node.id for node in all.nodes}


async def test_a_broker_alone_answers_as_ever() -> None:
    async with town(1) as all:
        caller = all[0].caller()
        assert "broker" not in (await caller.call("client.list"))["clients"][0]
        assert (await caller.call("lock.acquire", name="x", ttl=1_000))["token"] > 0


async def test_every_broker_lists_all_brokers() -> None:
    async with town(3) as all:
        for node in all.nodes:
            told = await node.caller().call("cluster.members")
            assert {row["id"] for row in told["members"]} == {one.id for one in all.nodes}
            assert [row["id"] for row in told["members"] if row["here"]] == [node.id]
            assert [row["id"] for row in told["members"] if row["coordinator"]] == [all[0].id]


async def _subscribed(all: Town) -> None:
    for node in all.nodes:
        for number in range(3):
            client = node.caller()
            wanted = b'{"type":"subscribe","id":1,"subscriptions":[{"pattern":"t.%d"}]}' % number
            client.session.receive(wanted)
    await a_moment()
