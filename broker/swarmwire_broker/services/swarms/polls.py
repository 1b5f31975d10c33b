"""Polls: things that are voted on, once by each voter, until votes or a deadline decide. The result is final.

A proposal and a decision are polls; what they ask, and what votes come to, their `Rules` say.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import Any, Final, Generic, NamedTuple, NoReturn, Protocol, TypeVar

from swarmwire_channels import Ballot, Choice, EndReason
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.topics import encode_segment

from ...core.identity import Author
from ...core.ports import Timer
from ...engines.base import Draft
from ..endings import Endings
from ..keylocks import KeyLocks
from ..ledger import Ledger, write_together
from ..shared import Shared
from .records import BallotCast, ChoiceCast, Poll

__all__ = ["Polls", "Rules", "Stand", "poll_key"]

_RETRY: Final = 1.0
"""Seconds after which the end of a poll is tried again that could not be stored."""

P = TypeVar("P", bound=Poll)
V = TypeVar("V", bound=Ballot | Choice)


def poll_key(swarm_id: str, item_id: str) -> str:
    """The name of a poll in its ledger. Segments hold no dot, so no two polls share one."""
    return f"{encode_segment(swarm_id)}.{encode_segment(item_id)}"


class Stand(NamedTuple, Generic[P, V]):
    """Where a poll stands, with its votes in the order in which they came; `is_new`: something has just changed."""

    poll: P
    votes: list[V]
    is_new: bool = False


class Rules(Protocol[P, V]):
    """What a kind of poll is about: what it is called, its parameter, and what votes come to."""

    what: str
    field: str

    def ended(self, poll: P, votes: list[V], why: EndReason, now_ms: int) -> P | None:
        """The poll with its result; None if the reason is `votes`, and these leave it open."""
        ...

    def vote_events(self, poll: P, votes: Sequence[V], author: Author) -> list[Draft]:
        """What is told of the last of these votes, which leaves it open or not."""
        ...

    def state_event(self, poll: P) -> Draft:
        """What is told when it begins or has ended."""
        ...

    def votes_of(self, poll: P) -> list[V]:
        """The votes of one that has ended."""
        ...


class Polls(Generic[P, V]):
    """The polls of one kind. Each change and its events are one step; after a restart the open ones go on.

    Arguments:
        prefix: of the keys in the engine.
        poll, cast: the records that are kept, of polls and of the votes on open ones.
        rules: what they mean.
    """

    def __init__(
        self, shared: Shared, prefix: str, poll: type[P], cast: type[BallotCast] | type[ChoiceCast], rules: Rules[P, V]
    ) -> None:
        self._hub = shared.hub
        self._clock = shared.hub.clock
        self._rules: Rules[P, V] = rules
        self._cast: Any = cast
        self._polls: Ledger[P] = Ledger(shared.engine, f"{prefix}/", poll)
        self._casts: Ledger[Any] = Ledger(shared.engine, f"{prefix}-vote/", cast)
        self._votes: dict[str, dict[str, V]] = {}  # of the open ones, by voter
        self._ended: deque[str] = deque()
        self._coming = 0
        self._timers: dict[str, Timer] = {}
        self._locks = KeyLocks()
        self._endings = Endings(self._clock, self._decide)
        self._closed = False

    async def start(self) -> None:
        """Read what there is, and wait for the deadlines of what is open."""
        await self._polls.load()
        await self._casts.load()
        ended = [(poll.ended_at, key) for key, poll in self._polls.items() if poll.ended_at is not None]
        self._ended = deque(key for _, key in sorted(ended))
        self._votes = {key: {} for key, poll in self._polls.items() if poll.ended_at is None}
        for name, cast in sorted(self._casts.items(), key=lambda item: item[1].place):
            self._votes[name.rpartition(".")[0]][cast.vote.voter] = cast.vote
        for key in self._votes:
            self._wait(key)

    def close(self) -> None:
        """Let nothing end by itself any more. Harmless twice."""
        self._closed = True
        self._endings.close()
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()

    def get(self, key: str) -> Stand[P, V]:
        """Where a poll stands. Raises NOT_FOUND."""
        poll, counted = self._poll(key), self._votes.get(key)
        return Stand(poll, self._rules.votes_of(poll) if counted is None else list(counted.values()))

    def _poll(self, key: str) -> P:
        poll = self._polls.get(key)
        if poll is None:
            raise SwarmwireError(ErrorCode.NOT_FOUND, f"There is no such {self._rules.what}.", field=self._rules.field)
        return poll

    # ---- asking

    async def ask(self, key: str, poll: P) -> Stand[P, V]:
        """Begin a poll, unless the very same was begun already.

        Raises:
            SwarmwireError: CONFLICT if there is another of this id, LIMIT_EXCEEDED.
        """
        async with self._locks.hold(key):
            former = self._polls.get(key)
            if former is not None:
                if former.content != poll.content:
                    self._conflict(f"There is another {self._rules.what} of this id.")
                return self.get(key)
            self._check_room()
            self._coming += 1
            try:
                await self._polls.write({key: poll}, [self._rules.state_event(poll)])
            finally:
                self._coming -= 1
                if key in self._polls:
                    self._votes[key] = {}
                    self._wait(key)
            return Stand(poll, [], True)

    def _check_room(self) -> None:
        most = self._hub.limits.max_proposals
        if len(self._votes) + self._coming >= most:
            raise SwarmwireError(ErrorCode.LIMIT_EXCEEDED, f"At most {most} {self._rules.what}s are open at once.")

    def _conflict(self, sentence: str) -> NoReturn:
        raise SwarmwireError(ErrorCode.CONFLICT, sentence, field=self._rules.field)

    # ---- voting

    async def vote(self, key: str, vote: V, author: Author) -> Stand[P, V]:
        """Count a vote, unless it repeats the voter's first.

        Raises:
            SwarmwireError: NOT_FOUND, CONFLICT, PERMISSION_DENIED for who is no voter, LIMIT_EXCEEDED.
        """
        async with self._locks.hold(key):
            stand = self.get(key)
            if _is_repeated(stand.votes, vote):
                return stand
            self._check_open(stand.poll)
            self._check_voter(stand, vote)
            votes = [*stand.votes, vote]
            events = self._rules.vote_events(stand.poll, votes, author)
            ended = self._rules.ended(stand.poll, votes, "votes", self._clock.now_ms())
            if ended is not None:
                await self._end(key, ended, events)
            else:
                await self._add(key, vote, events)
            return Stand(ended or stand.poll, votes, True)

    def _check_open(self, poll: P) -> None:
        is_over = poll.deadline_at is not None and self._clock.now_ms() >= poll.deadline_at
        if is_over or poll.ended_at is not None:
            self._conflict(f"This {self._rules.what} has ended.")

    def _check_voter(self, stand: Stand[P, V], vote: V) -> None:
        voters = stand.poll.voters
        if voters is not None and vote.voter not in voters:
            sentence = f"This {self._rules.what} has other voters."
            raise SwarmwireError(ErrorCode.PERMISSION_DENIED, sentence, field="params.voter")
        most = self._hub.limits.max_votes
        if len(stand.votes) >= most:
            raise SwarmwireError(ErrorCode.LIMIT_EXCEEDED, f"A {self._rules.what} takes at most {most} votes.")

    async def _add(self, key: str, vote: V, events: list[Draft]) -> None:
        counted, name = self._votes[key], _cast_name(key, vote)
        try:
            await self._casts.write({name: self._cast(len(counted), vote)}, events)
        finally:
            if name in self._casts:  # also where it was stored, and the answer lost
                counted[vote.voter] = vote

    # ---- the end

    async def withdraw(self, key: str, author: Author) -> Stand[P, V]:
        """End a poll before its time, for who asked or an operator. Harmless twice.

        Raises:
            SwarmwireError: NOT_FOUND, PERMISSION_DENIED, CONFLICT if it has ended otherwise.
        """
        async with self._locks.hold(key):
            poll = self._poll(key)
            if poll.scope != author.scope and not author.grants.admin:
                sentence = f"Only who asked for it, or an operator, may withdraw a {self._rules.what}."
                raise SwarmwireError(ErrorCode.PERMISSION_DENIED, sentence, field=self._rules.field)
            if poll.reason == "withdrawn":
                return self.get(key)
            self._check_open(poll)
            return await self._end_by(key, poll, "withdrawn")

    def _wait(self, key: str, seconds: float | None = None) -> None:
        """Have it end at its deadline."""
        poll = self._polls.get(key)
        if self._closed or poll is None or poll.deadline_at is None:
            return
        if seconds is None:  # never more than it was given, also where the time of day was set back
            seconds = min(poll.deadline_at - self._clock.now_ms(), poll.deadline or 0) / 1000
        self._timers[key] = self._clock.call_later(max(0.0, seconds), partial(self._due, key))

    def _due(self, key: str) -> None:
        self._timers.pop(key, None)
        self._endings.add(key)

    async def _decide(self, key: str) -> None:
        async with self._locks.hold(key):
            if key not in self._votes:
                return  # the last vote was quicker
            try:
                await self._end_by(key, self._poll(key), "deadline")
            except SwarmwireError:
                self._wait(key, _RETRY)
                raise

    async def _end_by(self, key: str, poll: P, why: EndReason) -> Stand[P, V]:
        votes = list(self._votes[key].values())
        ended = self._rules.ended(poll, votes, why, self._clock.now_ms())
        assert ended is not None
        await self._end(key, ended, [])
        return Stand(ended, votes, True)

    async def _end(self, key: str, ended: P, events: list[Draft]) -> None:
        """Store the result, its votes with it, in place of the oldest one kept."""
        casts = {_cast_name(key, vote): None for vote in self._votes[key].values()}
        gone = self._too_many()
        kept = ended if self._hub.limits.max_ended_proposals else None
        changes = {key: kept, **dict.fromkeys(gone)}
        try:
            events.append(self._rules.state_event(ended))
            await write_together([(self._polls, changes), (self._casts, casts)], events)
        finally:
            self._ended.extendleft(name for name in reversed(gone) if name in self._polls)
            self._look_again(key)

    def _too_many(self) -> list[str]:
        """The oldest that make room for one more, taken out so that nobody else does."""
        over = len(self._ended) + 1 - self._hub.limits.max_ended_proposals
        return [self._ended.popleft() for _ in range(min(over, len(self._ended)))]

    def _look_again(self, key: str) -> None:
        """Learn from the ledger whether a poll has ended."""
        poll = self._polls.get(key)
        if poll is not None and poll.ended_at is None:
            return
        del self._votes[key]
        if poll is not None:
            self._ended.append(key)
        if (timer := self._timers.pop(key, None)) is not None:
            timer.cancel()


def _cast_name(key: str, vote: Ballot | Choice) -> str:
    return f"{key}.{encode_segment(vote.voter)}"


def _is_repeated(votes: Sequence[Ballot | Choice], vote: Ballot | Choice) -> bool:
    former = next((other for other in votes if other.voter == vote.voter), None)
    if former is not None and former != vote:
        sentence = "This voter has voted already; the first vote counts."
        raise SwarmwireError(ErrorCode.CONFLICT, sentence, field="params.voter")
    return former is not None
