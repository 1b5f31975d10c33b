"""The vote of an agent: hears of proposals and decisions of its swarm, thinks, and says what it wants."""

from __future__ import annotations

import asyncio
import random

from swarmwire import ErrorCode, SwarmwireError
from swarmwire_channels import Consensus, Decision, SwarmChannel, SwarmRecord, VoteValue

__all__ = ["take_part"]

THINKING_SECONDS = (0.5, 5.0)
OPINIONS: tuple[VoteValue, ...] = ("yes", "yes", "yes", "no", "abstain")


async def take_part(swarm: SwarmChannel, swarm_id: str, voter: str) -> None:
    """Vote whenever the voter is asked, for ever."""
    async with swarm.watch(swarm_id, events=["consensus", "decision"]) as changes, asyncio.TaskGroup() as thoughts:
        async for change in changes:
            thoughts.create_task(_answer(swarm, change.record, voter))


async def _answer(swarm: SwarmChannel, record: SwarmRecord, voter: str) -> None:
    try:
        match record:
            case Consensus(type="proposed", voters=[*voters]) if voter in voters:
                await asyncio.sleep(random.uniform(*THINKING_SECONDS))
                await swarm.vote(record.swarm_id, record.proposal_id, random.choice(OPINIONS), voter)
            case Decision(type="asked", voters=[*voters]) if voter in voters:
                await asyncio.sleep(random.uniform(*THINKING_SECONDS))
                option, confidence = random.choice(record.options), round(random.uniform(0.4, 1), 2)
                await swarm.choose(record.swarm_id, record.decision_id, option, confidence, voter)
    except SwarmwireError as error:
        if error.code is not ErrorCode.CONFLICT:  # the others have decided it meanwhile
            raise
