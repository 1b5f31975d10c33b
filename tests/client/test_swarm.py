"""Swarms that vote, over real sockets: what counts, what cannot be forged, and waiting for it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from swarmwire import Client, ErrorCode, SwarmwireError, connect
from swarmwire_broker.core.ports import Verified
from swarmwire_broker.server import Server
from swarmwire_broker.testing import BrokerFactory
from swarmwire_channels import SwarmChannel, TaskChannel, TaskCompleted, Threshold
from swarmwire_protocol.messages import Permissions

PATIENCE = 20.0


def cut(client: Client) -> None:
    """Break the client's connection under its feet."""
    session = client._supervisor._session
    assert session is not None
    session._connection.abort()


def login(token: str | None, metadata: dict[str, Any]) -> Verified:
    """An agent by the name of its token, which may speak for itself, watch everything and vote."""
    subject = token or "nobody"
    publish = [f"agent.{subject}.#", "swarm.#"]
    return Verified(subject=subject, permissions=Permissions(publish=publish, subscribe=["#"], call=["swarm.#"]))


async def test_a_swarm_votes_and_everyone_hears_the_same(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(authenticate=login)
    async with (
        connect(server.url, token="a") as a,
        connect(server.url, token="b") as b,
        connect(server.url, token="c") as c,
    ):
        swarms = [SwarmChannel(client) for client in (a, b, c)]
        proposal = await swarms[0].propose("s1", {"deploy": True}, voters=["a", "b", "c"])
        waits = [
            asyncio.create_task(swarm.wait_for_consensus("s1", proposal.proposal_id, PATIENCE)) for swarm in swarms
        ]
        votes = [
            await swarms[0].submit_vote("s1", proposal.proposal_id, "yes", "a"),
            await swarms[1].submit_vote("s1", proposal.proposal_id, "no", "b"),
            await swarms[2].vote("s1", proposal.proposal_id, "yes"),
        ]
        assert [(vote.voter, vote.type) for vote in votes] == [("a", "voting"), ("b", "voting"), ("c", "accepted")]
        for answer in await asyncio.gather(*waits):
            assert answer.result is not None
            assert (answer.type, answer.result.votes_for, answer.proposal) == ("accepted", 2, {"deploy": True})
        found = await swarms[1].wait_for_consensus("s1", proposal.proposal_id, PATIENCE)
        assert found.type == "accepted"  # also by who asks later


async def test_nobody_votes_for_another(broker_factory: BrokerFactory) -> None:
    server = await broker_factory(authenticate=login)
    async with connect(server.url, token="a") as a:
        swarm = SwarmChannel(a)
        proposal = await swarm.propose("s1", "?", voters=["a", "b"])
        with pytest.raises(SwarmwireError, match="PERMISSION_DENIED"):
            await swarm.vote("s1", proposal.proposal_id, "yes", "b")
        assert (await swarm.proposal("s1", proposal.proposal_id)).votes == []


@pytest.mark.parametrize("event", ["consensus", "vote", "decision", "choice"])
async def test_a_result_cannot_be_forged(broker_factory: BrokerFactory, event: str) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:  # with every permission there is
        swarm = SwarmChannel(client)
        proposal = await swarm.propose("s1", "?", proposal_id="p1", voters=["a", "b"])
        data = {"swarmId": "s1", "proposalId": "p1", "type": "accepted"}
        for ephemeral, clear in [(False, False), (True, False), (False, True)]:
            with pytest.raises(SwarmwireError) as refused:
                await client.publish(f"swarm.s1.{event}.p1", data, ephemeral=ephemeral, clear=clear)
            assert refused.value.code is ErrorCode.PERMISSION_DENIED
        with pytest.raises(TimeoutError, match="proposal 'p1'"):
            await swarm.wait_for_consensus("s1", proposal.proposal_id, 0.05)


class Subscribing:
    """Counts the subscriptions that a broker takes."""

    def __init__(self, server: Server) -> None:
        self._taken = asyncio.Semaphore(0)
        server.broker.on("subscribe", lambda facts: self._taken.release())

    async def another(self) -> None:
        """Wait for the next."""
        async with asyncio.timeout(PATIENCE):
            await self._taken.acquire()


async def test_a_wait_goes_on_over_a_reconnect(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    subscribing = Subscribing(server)
    async with connect(server.url, base_delay=0.0) as client, connect(server.url) as other:
        proposal = await SwarmChannel(client).propose("s1", "?", quorum=Threshold(votes=1))
        wait = asyncio.create_task(SwarmChannel(client).wait_for_consensus("s1", proposal.proposal_id, PATIENCE))
        await subscribing.another()
        cut(client)
        await subscribing.another()
        await SwarmChannel(other).vote("s1", proposal.proposal_id, "yes")
        assert (await wait).type == "accepted"


async def test_a_wait_fails_when_the_client_disconnects(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    subscribing = Subscribing(server)
    client = await connect(server.url)
    wait = asyncio.create_task(SwarmChannel(client).wait_for_consensus("s1", "p1"))
    await subscribing.another()
    await client.disconnect()
    with pytest.raises(SwarmwireError, match="the consensus on proposal 'p1'"):
        await wait


async def test_a_deadline_decides_without_anybody(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        swarm = SwarmChannel(client)
        asked = await swarm.decide("s1", "Which?", ["x", "y"], deadline=0.05)
        await swarm.choose("s1", asked.decision_id, "y", 0.5)
        decision = await swarm.wait_for_decision("s1", asked.decision_id, PATIENCE)
        assert decision.result is not None
        assert (decision.result.selected_option, decision.result.confidence) == ("y", 0.5)
        assert decision.reason == "deadline"


async def test_the_same_client_votes_once_over_every_connection_it_makes(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url, base_delay=0.0) as client:
        swarm = SwarmChannel(client)
        proposal = await swarm.propose("s1", "?", deadline=60)
        first = await swarm.vote("s1", proposal.proposal_id, "yes")
        again = asyncio.Event()
        client.listen("connected", lambda *facts: again.set())
        cut(client)
        async with asyncio.timeout(PATIENCE):
            await again.wait()
        repeated = await swarm.vote("s1", proposal.proposal_id, "yes")
        assert (repeated.voter, repeated.duplicate) == (first.voter, True)


async def test_votes_go_over_http_too(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url.replace("ws://", "http://").removesuffix("/ws")) as client:
        swarm = SwarmChannel(client)
        proposal = await swarm.propose("s1", {"n": 1}, quorum=Threshold(votes=2))
        votes = [await swarm.vote("s1", proposal.proposal_id, "yes") for _ in range(2)]
        assert [vote.duplicate for vote in votes] == [False, True]  # one client, though each call is a request
        assert (await swarm.vote("s1", proposal.proposal_id, "yes", "a")).type == "accepted"


async def test_the_end_of_a_task_that_the_broker_manages_is_waited_for(broker_factory: BrokerFactory) -> None:
    server = await broker_factory()
    async with connect(server.url) as client:
        tasks = TaskChannel(client)
        task = (await client.call("task.submit", {"type": "build"}))["task"]
        wait = asyncio.create_task(tasks.wait_for_completion(task["id"], PATIENCE))
        claimed = (await client.call("task.claim", {"wait": 0}))["task"]
        await client.call("task.complete", {"id": task["id"], "token": claimed["token"], "result": {"lines": 3}})
        for outcome in (await wait, await tasks.wait_for_completion(task["id"], PATIENCE)):
            assert isinstance(outcome, TaskCompleted)
            assert outcome.result == {"lines": 3}
