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
from .errors import Disconnected, QueueFull, ResumeFileError
from .handlers import Registration
from .opening import DEFAULT_URL, Connecting, connect
from .records import Event, Gap, Live, Published
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
    "ErrorCode",
    "Event",
    "Gap",
    "Live",
    "Outcome",
    "Published",
    "QueueFull",
    "Registration",
    "ResumeFileError",
    "Subscription",
    "SwarmwireError",
    "SyncClient",
    "SyncSubscription",
    "VERSION",
]
