"""The channel of agents: how they are, what they do, what they log."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Unpack

from .agent_records import (
    AgentError,
    AgentHealth,
    AgentLog,
    AgentMetrics,
    AgentRecord,
    AgentStarted,
    AgentState,
    AgentStatus,
    AgentStopped,
    HealthMetrics,
    LogLevel,
    WorkMetrics,
)
from .change import Changes, OnError
from .channel import Channel
from .kinds import AGENT
from .pubsub import PublishOptions, SubscribeOptions
from .record import Fault
from .registration import Handler, Registration

__all__ = ["AgentChannel"]


class AgentChannel(Channel[AgentRecord]):
    """Publishes and watches the events of agents.

    Every publishing method takes the options of a publish and returns what it returns; see `Channel.publish` for
    what it raises.
    """

    kind = AGENT

    async def status(
        self,
        agent_id: str,
        status: AgentState,
        message: str | None = None,
        *,
        metadata: dict[str, Any] | None = None,
        **options: Unpack[PublishOptions],
    ) -> Any:
        """Say what the agent is doing now."""
        record = AgentStatus(agent_id=agent_id, status=status, message=message, metadata=metadata)
        return await self.publish(record, **options)

    async def health(
        self,
        agent_id: str,
        healthy: bool,
        metrics: HealthMetrics | None = None,
        **options: Unpack[PublishOptions],
    ) -> Any:
        """Say whether the agent is well."""
        record = AgentHealth(agent_id=agent_id, healthy=healthy, metrics=metrics or HealthMetrics())
        return await self.publish(record, **options)

    async def metrics(self, agent_id: str, metrics: WorkMetrics, **options: Unpack[PublishOptions]) -> Any:
        """Give the figures of the agent's work."""
        return await self.publish(AgentMetrics(agent_id=agent_id, metrics=metrics), **options)

    async def log(
        self,
        agent_id: str,
        level: LogLevel,
        message: str,
        context: dict[str, Any] | None = None,
        **options: Unpack[PublishOptions],
    ) -> Any:
        """Write a line to the agent's log."""
        record = AgentLog(agent_id=agent_id, level=level, message=message, context=context)
        return await self.publish(record, **options)

    async def started(
        self, agent_id: str, metadata: dict[str, Any] | None = None, **options: Unpack[PublishOptions]
    ) -> Any:
        """Say that the agent has begun to run."""
        return await self.publish(AgentStarted(agent_id=agent_id, metadata=metadata), **options)

    async def stopped(self, agent_id: str, reason: str | None = None, **options: Unpack[PublishOptions]) -> Any:
        """Say that the agent has ended, as it was meant to."""
        return await self.publish(AgentStopped(agent_id=agent_id, reason=reason), **options)

    async def error(
        self,
        agent_id: str,
        error: Fault | BaseException | str,
        context: dict[str, Any] | None = None,
        **options: Unpack[PublishOptions],
    ) -> Any:
        """Say that something failed in the agent; of an exception its text and name are sent, not its stack."""
        record = AgentError(agent_id=agent_id, error=Fault.of(error), context=context)
        return await self.publish(record, **options)

    def watch(
        self,
        agent_id: str | None = None,
        *,
        events: Collection[str] | None = None,
        on_error: OnError | None = None,
        **options: Unpack[SubscribeOptions],
    ) -> Changes[AgentRecord]:
        """The changes of one agent, or of all; of some events, or of all.

        Raises INVALID_TOPIC for an unknown event. What cannot be read goes to `on_error`, see `Changes`.
        """
        return self._watch(agent_id, events, None, on_error, options)

    def on(
        self,
        event: str | None,
        handler: Handler,
        *,
        agent_id: str | None = None,
        on_error: OnError | None = None,
        **options: Unpack[SubscribeOptions],
    ) -> Registration:
        """Call a handler with every change of an event (None: of all), of one agent or of all.

        Calling what is returned ends it; awaiting it returns once it is subscribed. Needs a running event loop.
        """
        return self._on(event, handler, agent_id, None, on_error, options)
