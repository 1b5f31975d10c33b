"""The events of committed changes: into the log, each once, whatever fails."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from swarmwire_protocol.errors import ErrorCode

from ...entry import Draft, Outcome
from .journal import Group, Place, event_ids
from .pausing import Pause
from .storage import EventLog, StorageAway

__all__ = ["Teller"]

log = logging.getLogger("swarmwire.broker.engine")

_NEVER: Final = frozenset((ErrorCode.MESSAGE_TOO_LARGE, ErrorCode.INVALID_TOPIC))
"""Errors that another try would meet again."""


class Teller:
    """Puts events into the log under their ids.

    The log knows an id for some time. Whoever cannot be sure to be within that time looks for it in the log first.

    Arguments:
        events: the log.
        steady_ms: milliseconds that rise, also while the machine sleeps.
        trusted_ms: how long after its change was committed an event is put into the log without a look.
    """

    def __init__(self, events: EventLog, steady_ms: Callable[[], int], trusted_ms: int) -> None:
        self._events = events
        self._steady_ms = steady_ms
        self._trusted_ms = trusted_ms

    async def tell(self, drafts: Sequence[tuple[bytes, Draft]], place: Place, since_ms: int) -> None:
        """Put the events of one change into the log, one after the other; each draft's `done` hears of it.

        Does not end before all are there.

        Arguments:
            drafts: with their ids.
            place: one in the log that is before them.
            since_ms: when the change was committed at the earliest, by `steady_ms`.
        """
        for message_id, draft in drafts:
            outcome = await self._tell_one(message_id, draft, place, since_ms)
            if draft.done is not None:
                try:
                    draft.done(outcome)
                except Exception:
                    log.exception("an answer could not be handed on", extra={"topic": draft.topic})

    async def redo(self, groups: Sequence[Group]) -> None:
        """Put into the log what is missing of groups that somebody else has committed; they come in order.

        Raises:
            StorageAway: it is not certain that all are there.
        """
        named = [each for group in groups for change in event_ids(group) for each in change]
        if not named:
            return
        wanted = [(message_id, event.draft()) for message_id, event in named]
        found = await self._find(wanted, _earliest(groups))
        for message_id, draft in wanted:
            if message_id not in found:
                outcome = await self._publish(message_id, draft)
                if outcome.error is not None and outcome.error.code not in _NEVER:
                    raise StorageAway(outcome.error.message)

    async def _tell_one(self, message_id: bytes, draft: Draft, place: Place, since_ms: int) -> Outcome:
        pause = Pause()
        looks = self._steady_ms() - since_ms > self._trusted_ms
        while True:
            try:
                if looks and (seq := (await self._find([(message_id, draft)], place)).get(message_id)):
                    return Outcome(seq)
                outcome = await self._publish(message_id, draft)
                if outcome.error is None:
                    return Outcome(outcome.seq)
                if outcome.error.code in _NEVER:
                    log.error("an event of a change cannot be stored: %s", outcome.error, extra={"topic": draft.topic})
                    return outcome
            except StorageAway:
                pass
            looks = True
            await pause()

    async def _find(self, drafts: Iterable[tuple[bytes, Draft]], place: Place) -> dict[bytes, int]:
        topics = {message_id: draft.topic for message_id, draft in drafts}
        return await self._events.find(topics.keys(), set(topics.values()), place)

    async def _publish(self, message_id: bytes, draft: Draft) -> Outcome:
        decided: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

        def done(outcome: Outcome) -> None:
            if not decided.done():
                decided.set_result(outcome)

        d = draft
        self._events.publish(Draft(d.topic, d.head, d.origin, d.data, None, d.hidden_from, d.clear, done), message_id)
        return await decided


def _earliest(groups: Sequence[Group]) -> Place:
    """A place before all events of these groups; the log's beginning where they name different logs."""
    epochs = {group.e for group in groups}
    return Place(epochs.pop(), min(group.s for group in groups)) if len(epochs) == 1 else Place("", 0)
