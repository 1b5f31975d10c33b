"""Events that the broker's services publish: past the guards of clients, in one step with the state they tell of."""

from __future__ import annotations

from typing import Any

import msgspec

from swarmwire_channels import Record, to_data
from swarmwire_protocol.codec import encode, event_head
from swarmwire_protocol.messages import Event
from swarmwire_protocol.topics import check_topic

from ..core.identity import Author
from ..engines.entry import Draft

__all__ = ["direct", "told"]


def told(topic: str, data: Any, author: Author | None = None, *, clear: bool = False) -> Draft:
    """An event for `Ledger.write`: a record of the channels, or anything else that is JSON.

    `author` is on whose behalf it is published, as its `from` will say; without one the broker speaks for itself,
    which no client can: their events always say who they are from.

    Raises:
        SwarmwireError: INVALID_TOPIC, where an id is too long for a topic; INVALID_MESSAGE, where the record breaks
            its own promises.
    """
    check_topic(topic)
    value = to_data(data) if isinstance(data, Record) else data
    origin = author.origin if author is not None else b""
    return Draft(topic, event_head(topic), origin, msgspec.json.encode(value), clear=clear)


def direct(draft: Draft, ts: int, headers: dict[str, str]) -> bytes:
    """The same event for one client alone (`deliver_direct`), in the broker's own name: it has no `from`."""
    return encode(Event(topic=draft.topic, ts=ts, data=msgspec.Raw(draft.data), headers=headers, direct=True))
