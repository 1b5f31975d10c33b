"""The commands of who is there: registrations, locks, clients, and what they listen to."""

from __future__ import annotations

from typing import Final

from .commands import PAGE, REASON, Column, Command, Facts, Group, Kind, Option, Sentence, Show, Table

__all__ = ["PRESENCE_GROUPS"]

_BEING: Final = Facts(shows=(("ttl", Show.SPAN), ("registered_at", Show.AGO), ("updated_at", Show.AGO)))
_REGISTRY: Final = Group(
    "registry",
    "Who has registered: agents, workers, services.",
    (
        Command(
            "list",
            "registry.list",
            "List who is registered.",
            Table(
                "beings",
                (
                    Column("ID", "id"),
                    Column("NAME", "name"),
                    Column("KIND", "kind"),
                    Column("STATE", "state"),
                    Column("STATUS", "status"),
                    Column("CAPABILITIES", "capabilities"),
                    Column("EPOCH", "epoch"),
                    Column("SUBJECT", "subject"),
                ),
                ("count",),
                "nobody",
            ),
            (
                Option("kind", "Of this kind only.", ("--kind", "-k")),
                Option("name", "Of this name only.", ("--name",)),
                Option("capabilities", "With this capability only.", ("--capability", "-c"), Kind.TEXTS),
                Option("state", "online or suspect.", ("--state", "-s")),
                *PAGE,
            ),
        ),
        Command(
            "get",
            "registry.get",
            "Show one of them.",
            _BEING,
            (Option("id", "Its id.", required=True),),
        ),
    ),
)

_LOCKS: Final = Group(
    "lock",
    "Locks: who holds them, and who waits.",
    (
        Command(
            "list",
            "lock.list",
            "List the locks that are held.",
            Table(
                "locks",
                (
                    Column("NAME", "name"),
                    Column("HOLDER", "holder.sender"),
                    Column("CLIENT", "holder.client_id"),
                    Column("TOKEN", "token"),
                    Column("LEFT", "left_ms", Show.SPAN),
                    Column("WAITING", "waiting"),
                ),
                ("count",),
                "no locks",
            ),
            (Option("prefix", "Whose names begin so only.", ("--prefix",)), *PAGE),
        ),
        Command(
            "status",
            "lock.status",
            "Show how a lock stands.",
            Facts(shows=(("ttl", Show.SPAN), ("left_ms", Show.SPAN), ("since", Show.AGO))),
            (Option("name", "The lock.", required=True),),
        ),
    ),
)

_CLIENT_ID: Final = Option("client_id", "The client, as `client list` shows it.", required=True, metavar="CLIENT")
_TOPIC: Final = Option("topic", "The topic.", required=True)
_DATA: Final = Option("data", "JSON, or else text; @FILE reads a file.", kind=Kind.VALUE, default="null")
_CLIENTS: Final = Group(
    "client",
    "Clients that are connected.",
    (
        Command(
            "list",
            "client.list",
            "List the clients.",
            Table(
                "clients",
                (
                    Column("CLIENT", "client_id"),
                    Column("NAME", "name"),
                    Column("SUBJECT", "subject"),
                    Column("VIA", "transport"),
                    Column("PID", "pid"),
                    Column("CONNECTED", "connected_at", Show.AGO),
                    Column("SUBSCRIPTIONS", "subscriptions"),
                    Column("QUEUED", "queue_bytes", Show.BYTES),
                    Column("LAG", "lag"),
                ),
                ("count",),
                "no clients",
            ),
            (
                Option("name", "Of this name only.", ("--name",)),
                Option("kind", "Of this kind only.", ("--kind",)),
                Option("subject", "Of this subject only.", ("--subject",)),
                Option("transport", "Connected so only: websocket, unix, pipe or http.", ("--transport",)),
                *PAGE,
            ),
        ),
        Command(
            "get",
            "client.get",
            "Show one client.",
            Facts(shows=(("connected_at", Show.AGO), ("queue_bytes", Show.BYTES))),
            (_CLIENT_ID,),
        ),
        Command(
            "disconnect",
            "client.disconnect",
            "Close a client's connection for good.",
            Sentence("disconnected {client_id}"),
            (_CLIENT_ID, REASON),
        ),
        Command(
            "send",
            "client.send",
            "Send an event to one client, whatever it subscribes to.",
            Sentence("sent to {sent}"),
            (_CLIENT_ID, _TOPIC, _DATA),
        ),
        Command(
            "broadcast",
            "client.broadcast",
            "Send an event to every client, whatever they subscribe to.",
            Sentence("sent to {sent}"),
            (_TOPIC, _DATA, Option("except", "But not to this client.", ("--except",), Kind.TEXTS)),
        ),
    ),
)
_TOPICS: Final = Group(
    "topic",
    "Topics and who listens to them.",
    (
        Command(
            "list",
            "topic.list",
            "List topics that have a last event.",
            Table(
                "topics",
                (Column("TOPIC", "topic"), Column("LAST SEQ", "seq"), Column("LAST EVENT", "ts", Show.AGO)),
                ("count",),
                "no topics",
            ),
            (Option("pattern", "Those that it matches."), PAGE[0]),
        ),
        Command(
            "subscribers",
            "topic.subscribers",
            "List who hears of a topic, by wildcards too.",
            Table(
                "subscriptions",
                (
                    Column("CLIENT", "client_id"),
                    Column("NAME", "name"),
                    Column("SUBJECT", "subject"),
                    Column("PATTERN", "pattern"),
                    Column("SUB", "sub"),
                ),
                ("count",),
                "nobody",
            ),
            (_TOPIC,),
        ),
    ),
)
_SUBSCRIPTIONS: Final = Group(
    "subscription",
    "Subscriptions of all clients.",
    (
        Command(
            "list",
            "subscription.list",
            "List the subscriptions.",
            Table(
                "subscriptions",
                (
                    Column("CLIENT", "client_id"),
                    Column("NAME", "name"),
                    Column("PATTERN", "pattern"),
                    Column("SUB", "sub"),
                    Column("MODE", "mode"),
                ),
                ("count",),
                "no subscriptions",
            ),
            (
                Option("pattern", "With this pattern only."),
                Option("client_id", "Of this client only.", ("--client",)),
                *PAGE,
            ),
        ),
    ),
)

PRESENCE_GROUPS: Final = (_REGISTRY, _LOCKS, _CLIENTS, _TOPICS, _SUBSCRIPTIONS)
