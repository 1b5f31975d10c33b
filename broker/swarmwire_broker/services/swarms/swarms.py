"""What swarms ask the broker: to count their votes."""

from __future__ import annotations

from swarmwire_channels import DecisionStanding, ProposalStanding
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.methods import Asked, Method
from ..shared import Shared
from .consensus import Proposals
from .decisions import Decisions
from .params import Withdraw
from .voters import Holders, Voters

__all__ = ["Swarms"]


class Swarms:
    """The `swarm.*` methods: proposals, decisions, and taking one back. `holders` tells who registered an agent."""

    def __init__(self, shared: Shared, holders: Holders | None = None) -> None:
        voters = Voters(holders)
        self._proposals = Proposals(shared, voters)
        self._decisions = Decisions(shared, voters)

    def methods(self) -> list[Method]:
        return [
            *self._proposals.methods(),
            *self._decisions.methods(),
            Method("swarm.withdraw", Withdraw, self._withdraw),
        ]

    async def start(self) -> None:
        await self._proposals.start()
        await self._decisions.start()

    def close(self) -> None:
        self._proposals.close()
        self._decisions.close()

    async def _withdraw(self, asked: Asked, params: Withdraw) -> ProposalStanding | DecisionStanding:
        match params.proposal_id, params.decision_id:
            case str(proposal_id), None:
                return await self._proposals.withdraw(asked, params.swarm_id, proposal_id)
            case None, str(decision_id):
                return await self._decisions.withdraw(asked, params.swarm_id, decision_id)
            case _:
                sentence = "Expected either a proposal_id or a decision_id."
                raise SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field="params.proposal_id")
