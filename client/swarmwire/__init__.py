"""The Python SDK of Swarmwire.

    from swarmwire import connect

    async with connect("ws://127.0.0.1:8765/ws") as client:
        await client.publish("agent.a1.status", {"state": "running"})
        async for event in client.subscribe("agent.*.status", from_="latest"):
            print(event.topic, event.data)

Scripts without an event loop use `connect_sync`.
"""

from swarmwire_protocol.errors import ErrorCode, Outcome, SwarmwireError
from swarmwire_protocol.handling import Call, CallError

from .callhandlers import CallHandler
from .client import Client
from .errors import (
    Disconnected,
    PlainPayload,
    QueueFull,
    ReplayedPayload,
    ResumeFileError,
    SealedPayloadError,
    TamperedPayload,
    UnknownKey,
)
from .handlers import Registration
from .keyring import Key, Keyring
from .locks.lock import Lock
from .locks.locks import LockHolder, LockInfo
from .locks.machinelock import MachineLock, machine_lock
from .locks.synclock import SyncLock
from .memory.bus import MemoryBus, SyncMemoryBus
from .opening import DEFAULT_URL, Connecting, connect
from .records import Event, Gap, Live, Published
from .registry.beings import Being, BeingChange, Will
from .registry.beingwatch import Watch
from .registry.presence import Presence, PresenceState
from .sealing import Encryption
from .subscription import Subscription
from .sync import SyncClient, SyncSubscription, connect_sync
from .tasks.projects import Project
from .tasks.queues import Queue
from .tasks.tasks import ClaimedTask, NoRetry, Submitted, Task, TaskFault, TaskLost
from .version import VERSION
from .workers.pool import Pool, PoolFailed
from .workers.threadtask import ThreadTask
from .workers.worker import Worker

__all__ = [
    "connect",
    "connect_sync",
    "machine_lock",
    "Being",
    "BeingChange",
    "ClaimedTask",
    "Call",
    "CallError",
    "CallHandler",
    "Client",
    "Connecting",
    "DEFAULT_URL",
    "Disconnected",
    "Encryption",
    "ErrorCode",
    "Event",
    "Gap",
    "Key",
    "Keyring",
    "Live",
    "Lock",
    "LockHolder",
    "LockInfo",
    "MachineLock",
    "MemoryBus",
    "NoRetry",
    "Outcome",
    "PlainPayload",
    "Pool",
    "PoolFailed",
    "Presence",
    "PresenceState",
    "Project",
    "Published",
    "Queue",
    "QueueFull",
    "Registration",
    "ReplayedPayload",
    "ResumeFileError",
    "SealedPayloadError",
    "Submitted",
    "Subscription",
    "SwarmwireError",
    "SyncClient",
    "SyncMemoryBus",
    "SyncLock",
    "SyncSubscription",
    "TamperedPayload",
    "Task",
    "TaskFault",
    "TaskLost",
    "ThreadTask",
    "UnknownKey",
    "VERSION",
    "Worker",
    "Watch",
    "Will",
]
