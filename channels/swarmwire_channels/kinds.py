"""The table of the channels: what each is about, its events, and what their topics say beside.

Topics, reading and publishing are all driven by it: an event that is not here exists nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from .agent_records import AGENT_EVENTS
from .record import Record
from .swarm_records import SWARM_EVENTS
from .task_records import TASK_EVENTS

__all__ = ["AGENT", "KINDS", "SWARM", "TASK", "Kind"]


class Kind(NamedTuple):
    """One channel: `name` is the first segment of its topics, `id_field` the field that repeats the second."""

    name: str
    id_field: str
    events: Mapping[str, type[Record]]
    items: Mapping[str, str]
    """The events with a fourth segment, and the field that repeats it."""
    reserved: frozenset[str]
    """The events that the broker's services alone publish."""

    def event_of(self, record: Record) -> str | None:
        """The event that this record is published as, or None if it is no record of this channel."""
        return next((event for event, kind in self.events.items() if type(record) is kind), None)


AGENT = Kind("agent", "agent_id", AGENT_EVENTS, {}, frozenset())
TASK = Kind("task", "task_id", TASK_EVENTS, {}, frozenset())
SWARM = Kind(
    "swarm",
    "swarm_id",
    SWARM_EVENTS,
    {"consensus": "proposal_id", "vote": "proposal_id", "decision": "decision_id", "choice": "decision_id"},
    frozenset({"consensus", "vote", "decision", "choice"}),
)

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (AGENT, TASK, SWARM)}
