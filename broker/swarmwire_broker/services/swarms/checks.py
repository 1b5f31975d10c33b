"""What is asked of a poll before it begins, and of who may see it."""

from __future__ import annotations

from collections.abc import Sequence

from swarmwire_protocol.errors import ErrorCode, SwarmwireError

from ...core.identity import Author
from ...core.settings import Limits
from ..checks import check_name, check_size

__all__ = ["check_deadline", "check_ids", "check_reader", "check_size", "check_speaker", "check_voters"]


def check_ids(swarm_id: str, item_id: str, field: str) -> None:
    """Make sure that these can name a swarm and something in it. Raises INVALID_MESSAGE."""
    check_name(swarm_id, "Swarm ID", "swarm_id")
    check_name(item_id, "ID", field)


def check_voters(voters: Sequence[str] | None, limits: Limits) -> None:
    """Make sure that a list of voters names someone, nobody twice, and not too many.

    Raises:
        SwarmwireError: INVALID_MESSAGE.
    """
    if voters is None:
        return
    if not 0 < len(voters) <= limits.max_votes:
        raise _invalid(f"Expected 1 to {limits.max_votes} voters, got {len(voters)}.", "voters")
    if len(set(voters)) != len(voters):
        raise _invalid("Expected each voter once.", "voters")
    for number, voter in enumerate(voters):
        check_name(voter, "Voter", f"voters[{number}]")


def check_deadline(deadline: int | None, ends_by_votes: bool, limits: Limits) -> None:
    """Make sure that it ends some day: by its votes, or by a deadline within the longest time.

    Raises:
        SwarmwireError: INVALID_MESSAGE.
    """
    if deadline is None and not ends_by_votes:
        raise _invalid("Expected a deadline or a list of voters; without both it would never end.", "deadline")
    if deadline is not None and deadline > limits.max_deadline_ms:
        raise _invalid(f"Expected at most {limits.max_deadline_ms} ms, got {deadline}.", "deadline")


def check_speaker(author: Author, topic: str) -> None:
    """What the broker publishes for a caller, the caller must be granted to publish, although it cannot by itself.

    Raises:
        SwarmwireError: PERMISSION_DENIED.
    """
    if not author.grants.may_publish(topic):
        sentence = f"This needs the permission to publish {topic}."
        raise SwarmwireError(ErrorCode.PERMISSION_DENIED, sentence, field="params.swarm_id")


def check_reader(author: Author, topic: str) -> None:
    """Who may not subscribe to its events may not look at it either. Raises PERMISSION_DENIED."""
    if not author.grants.may_subscribe(topic):
        sentence = f"This needs the permission to subscribe to {topic}."
        raise SwarmwireError(ErrorCode.PERMISSION_DENIED, sentence, field="params.swarm_id")


def _invalid(sentence: str, name: str) -> SwarmwireError:
    return SwarmwireError(ErrorCode.INVALID_MESSAGE, sentence, field=f"params.{name}")
