"""What tests of votes stand on: who asks, what is told, and logins that say in their token what they may publish."""

from __future__ import annotations

from typing import Any

import pytest

from swarmwire_broker.broker import Broker
from swarmwire_broker.core.ports import Verified
from swarmwire_broker.local import LocalEvent
from swarmwire_protocol.errors import ErrorCode, SwarmwireError
from swarmwire_protocol.messages import Permissions

from .callers import Caller

__all__ = ["by_token", "refusal", "told"]


async def refusal(caller: Caller, method: str, **params: Any) -> tuple[ErrorCode, str | None]:
    """Why a call is refused, and the field at fault."""
    with pytest.raises(SwarmwireError) as refused:
        await caller.call(method, **params)
    return refused.value.code, refused.value.field


async def told(broker: Broker) -> list[LocalEvent]:
    """All events of swarms so far."""
    last = await broker.publish("end", None)
    found: list[LocalEvent] = []
    async with broker.subscribe("#", from_="start") as events:
        async for event in events:
            assert isinstance(event, LocalEvent)
            if event.seq == last:
                return found
            if event.topic.startswith("swarm."):
                found.append(event)
    raise AssertionError("the log ended before its last event")


def by_token(token: str | None, metadata: dict[str, Any]) -> Verified:
    """`alice publish:agent.a1.#` logs alice in, who may publish that, call everything, and watch swarms."""
    subject, *grants = (token or "nobody").split()
    publish = [grant.removeprefix("publish:") for grant in grants if grant.startswith("publish:")]
    subscribe = [] if "blind" in grants else ["swarm.#"]
    permissions = Permissions(publish=publish, subscribe=subscribe, call=["#"], admin="admin" in grants)
    return Verified(subject=subject, permissions=permissions)
