"""What is published about an agent, one record an event."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from .record import Count, Fault, Number, Part, Record

__all__ = [
    "AGENT_EVENTS",
    "AgentError",
    "AgentHealth",
    "AgentLog",
    "AgentMetrics",
    "AgentRecord",
    "AgentStarted",
    "AgentState",
    "AgentStatus",
    "AgentStopped",
    "HealthMetrics",
    "LogLevel",
    "WorkMetrics",
]

AgentState: TypeAlias = Literal["idle", "busy", "error", "offline"]
LogLevel: TypeAlias = Literal["debug", "info", "warn", "error"]


class _OfAgent(Record, frozen=True, kw_only=True):
    agent_id: str


class AgentStatus(_OfAgent, frozen=True, kw_only=True):
    """What the agent is doing now."""

    status: AgentState
    message: str | None = None
    metadata: dict[str, Any] | None = None


class HealthMetrics(Part, frozen=True, kw_only=True):
    """How an agent's process fares; what is not measured is None. `uptime` is in milliseconds."""

    cpu: Number | None = None
    memory: Number | None = None
    uptime: Number | None = None
    tasks_completed: Count | None = None
    error_count: Count | None = None


class AgentHealth(_OfAgent, frozen=True, kw_only=True):
    """Whether the agent is well, with the figures that say so."""

    healthy: bool
    metrics: HealthMetrics = HealthMetrics()


class WorkMetrics(Part, frozen=True, kw_only=True):
    """How an agent's work goes; what is not measured is None. `response_time` is in milliseconds."""

    response_time: Number | None = None
    throughput: Number | None = None
    error_rate: Number | None = None
    queue_size: Count | None = None
    active_connections: Count | None = None


class AgentMetrics(_OfAgent, frozen=True, kw_only=True):
    """The figures of an agent's work."""

    metrics: WorkMetrics


class AgentLog(_OfAgent, frozen=True, kw_only=True):
    """One line of an agent's log."""

    level: LogLevel
    message: str
    context: dict[str, Any] | None = None


class AgentStarted(_OfAgent, frozen=True, kw_only=True):
    """The agent has begun to run."""

    metadata: dict[str, Any] | None = None


class AgentStopped(_OfAgent, frozen=True, kw_only=True):
    """The agent has ended, as it was meant to."""

    reason: str | None = None


class AgentError(_OfAgent, frozen=True, kw_only=True):
    """Something failed in the agent."""

    error: Fault
    context: dict[str, Any] | None = None


AgentRecord: TypeAlias = AgentStatus | AgentHealth | AgentMetrics | AgentLog | AgentStarted | AgentStopped | AgentError

AGENT_EVENTS: MappingProxyType[str, type[AgentRecord]] = MappingProxyType(
    {
        "status": AgentStatus,
        "health": AgentHealth,
        "metrics": AgentMetrics,
        "log": AgentLog,
        "started": AgentStarted,
        "stopped": AgentStopped,
        "error": AgentError,
    }
)
"""The events of an agent, by the last segment of their topic."""
