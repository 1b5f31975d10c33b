"""What was seen of a run's events, and whether it is all that the log holds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from msgspec import Struct

import swarmwire_channels as channels
from swarmwire import Client, Event, Gap, SwarmwireError

from .board import Board

__all__ = ["Ends", "Verdict", "Witness", "compare", "reread"]

PATIENCE = 30.0
"""Seconds to wait for the next event of a log that must hold more of them."""


class Ends(Struct, frozen=True):
    """The `seq` of the last event of a run on the topics of agents, and of tasks."""

    agents: int
    tasks: int


class Witness:
    """Notes the events of a run and keeps its board.

    Attributes:
        board: the state of the run as far as it was seen.
        seen: the cursors of the run's events, which name each of them.
        repeated: how often an event came a second time on the same stream, or out of order.
        misfits: events of the run that are not what their topic promises.
        gaps: a sentence for each gap.
        positions: how far each stream was seen, by its pattern.
    """

    def __init__(self, run: str) -> None:
        self.board = Board(run)
        self.seen: set[str] = set()
        self.repeated = 0
        self.misfits = 0
        self.gaps: list[str] = []
        self.positions: dict[str, int] = {}

    def note(self, pattern: str, item: Event | Gap) -> channels.Change[channels.Record] | None:
        """Note what a stream brought; returns the change that it tells of, if it is one of the run."""
        if isinstance(item, Gap):
            self._note_gap(pattern, item)
            return None
        self._note_position(pattern, item)
        place = channels.parse_topic(item.topic)
        if place is None or item.cursor is None or not self.board.concerns(place[0]):
            return None
        self.seen.add(item.cursor)
        return self._change(item)

    def _note_gap(self, pattern: str, gap: Gap) -> None:
        self.gaps.append(f"{pattern} from {gap.start} to {gap.end}: {gap.reason}")
        self.positions.pop(pattern, None)

    def _note_position(self, pattern: str, event: Event) -> None:
        if event.seq is not None:
            self.repeated += event.seq <= self.positions.get(pattern, 0)
            self.positions[pattern] = event.seq

    def _change(self, event: Event) -> channels.Change[channels.Record] | None:
        try:
            change = channels.read_change(event)
            if change:
                self.board.apply(change.record)
        except (SwarmwireError, ValueError):
            self.misfits += 1
            return None
        return change


class Verdict(Struct, frozen=True, kw_only=True):
    """How what was seen compares with what the log holds.

    `missing` counts events that were seen and are not in the log; that is as it should be only where the log itself
    says, by a gap, that it has let go of its oldest ones (`evicted`).
    """

    seen: int
    logged: int
    lost: int
    missing: int
    evicted: bool
    repeated: int
    same_results: bool
    gaps: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether every event that the log holds was seen, once, and gives the same results."""
        return not self.lost and not self.repeated and self.same_results and (self.evicted or not self.missing)

    def sentence(self) -> str:
        """The verdict in words."""
        text = f"saw {self.seen:,} events, the log holds {self.logged:,}, lost {self.lost:,}"
        if self.missing and self.evicted:
            text += f"; the log has let go of {self.missing:,} that were seen, as its gap says"
        elif self.missing:
            text += f"; {self.missing:,} THAT WERE SEEN ARE NOT IN THE LOG"
        if self.repeated:
            text += f"; {self.repeated:,} CAME TWICE or out of order"
        return text if self.same_results else f"{text}; THE RESULTS DIFFER from those in the log"


def compare(live: Witness, log: Witness) -> Verdict:
    """Hold what was seen live against what was read again from the log."""
    return Verdict(
        seen=len(live.seen),
        logged=len(log.seen),
        lost=len(log.seen - live.seen),
        missing=len(live.seen - log.seen),
        evicted=bool(log.gaps),
        repeated=live.repeated,
        same_results=bool(log.gaps) or live.board.tasks == log.board.tasks,
        gaps=tuple(live.gaps),
    )


async def reread(client: Client, run: str, start: str, ends: Ends) -> Witness:
    """Read a run again from the log, from the cursor `start` to its last events.

    Raises:
        TimeoutError: the log does not bring the last events within `PATIENCE` seconds of the ones before.
    """
    witness = Witness(run)
    for pattern, end in (("agent.#", ends.agents), ("task.#", ends.tasks)):
        async with client.subscribe(pattern, from_={"cursor": start}, gaps=True) as stream:
            await _read_until(stream, witness, pattern, end)
    return witness


async def _read_until(stream: AsyncIterator[Event | Gap], witness: Witness, pattern: str, end: int) -> None:
    while witness.positions.get(pattern, 0) < end:
        try:
            async with asyncio.timeout(PATIENCE):
                witness.note(pattern, await anext(stream))
        except TimeoutError:
            raise TimeoutError(f"event {end} on {pattern} could not be read from the log again") from None
