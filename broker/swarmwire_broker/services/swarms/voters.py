"""Who votes: under which name a caller may, and how one is told apart who proved nothing."""

from __future__ import annotations

import hashlib
from typing import Final, Protocol

from swarmwire_channels import agent_topic
from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.identity import ANONYMOUS, Author
from ..checks import check_name

__all__ = ["Holders", "Voters", "name_of"]

_DIGITS: Final = 16


class Holders(Protocol):
    """Tells who holds a registered id."""

    def is_holder(self, kind: str, id: str, author: Author) -> bool | None:
        """Whether this is the holder of an id; None where nobody is registered under it."""
        ...


def name_of(author: Author) -> str | None:
    """How a caller is called who gives no name; None for the broker's own process.

    It is the subject of the login. Who proved nothing has a name that stays the same over reconnects, and that tells
    nobody the instance it is made of.
    """
    if author.sender is not None and author.scope.startswith(ANONYMOUS):
        return ANONYMOUS + hashlib.sha256(author.scope.encode()).hexdigest()[:_DIGITS]
    return author.sender


class Voters:
    """Decides who may vote under which name."""

    def __init__(self, holders: Holders | None = None) -> None:
        self._holders = holders

    def name(self, author: Author, voter: str | None) -> str:
        """The name to count a vote under: the caller's own, or that of an agent for which it may speak.

        Raises:
            SwarmwireError: PERMISSION_DENIED, or INVALID_MESSAGE for what is no name.
        """
        own = name_of(author)
        if voter is not None and voter != own:
            check_name(voter, "Voter", "voter")
            self._check_agent(author, voter)
            return voter
        if own is None:
            raise SwarmwireError(
                ErrorCode.INVALID_MESSAGE, "The broker's own process has to say who votes.", field="params.voter"
            )
        return own

    def _check_agent(self, author: Author, agent_id: str) -> None:
        """Who may publish an agent's status speaks for it, but where it is registered, only its holder does."""
        if not author.grants.may_publish(agent_topic(agent_id, "status")):
            sentence = "You may vote under your own name, and for agents whose status you may publish."
            raise SwarmwireError(ErrorCode.PERMISSION_DENIED, sentence, field="params.voter")
        if self._holders is not None and self._holders.is_holder("agent", agent_id, author) is False:
            sentence = "This agent is registered by another; only it votes under this name."
            raise SwarmwireError(ErrorCode.PERMISSION_DENIED, sentence, field="params.voter")
