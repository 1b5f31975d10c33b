"""The Python SDK of Swarmwire.

    from swarmwire import connect

    async with connect("ws://127.0.0.1:8765/ws") as client:
        await client.publish("agent.a1.status", {"state": "running"})
        async for event in client.subscribe("agent.*.status", from_="latest"):
            print(event.topic, event.data)

Scripts without an event loop use `connect_sync`.
"""

from swarmwire_protocol.errors import ErrorCode, Outcome, SwarmwireError

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
from .opening import DEFAULT_URL, Connecting, connect
from .records import Event, Gap, Live, Published
from .sealing import Encryption
from .subscription import Subscription
from .sync import SyncClient, SyncSubscription, connect_sync
from .version import VERSION

__all__ = [
    "connect",
    "connect_sync",
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
    "Outcome",
    "PlainPayload",
    "Published",
    "QueueFull",
    "Registration",
    "ReplayedPayload",
    "ResumeFileError",
    "SealedPayloadError",
    "Subscription",
    "SwarmwireError",
    "SyncClient",
    "SyncSubscription",
    "TamperedPayload",
    "UnknownKey",
    "VERSION",
]
