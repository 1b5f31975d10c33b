"""The commands of the broker itself, and of swarms."""

from __future__ import annotations

from typing import Final

from .commands import DAY, Command, Facts, Group, Kind, Lines, Option, Sentence, Show

__all__ = ["BROKER_GROUPS", "SINGLES"]

_STATUS: Final = Facts(shows=(("started", Show.AGO), ("uptime", Show.SPAN), ("system.memory_bytes", Show.BYTES)))

SINGLES: Final = (
    Command(
        "health",
        "health.check",
        "Ask each part of the broker how it is. Exits with 1 if one of them is failing.",
        Facts(shows=(("timestamp", Show.AGO),)),
        is_bad=("status", ("failing",)),
    ),
    Command(
        "metrics",
        "metrics.get",
        "Show what the broker counts, what there is now, and what happened a second.",
        Facts(shows=(("timestamp", Show.AGO), ("covered_ms", Show.SPAN))),
        (Option("period", "The time that rates are told of, such as 30s, 5m or 1h.", ("--period",), default="5m"),),
    ),
    Command(
        "logs",
        "logs.tail",
        "Print the last lines of the broker's log, and with --follow those that come. Ctrl-C is then the usual end.",
        Lines("lines"),
        (
            Option("lines", "So many of the last lines.", ("--lines", "-n"), Kind.NUMBER, default=100),
            Option("follow", "Go on with what comes.", ("--follow", "-f"), Kind.FLAG),
            Option("level", "The least level: debug, info, warning, error or critical.", ("--level",)),
        ),
        streams=True,
        timeout=DAY,
    ),
)
"""Commands of their own."""

_DAEMON: Final = Group(
    "daemon",
    "The broker's process: how it is, its end, its configuration.",
    (
        Command("status", "daemon.status", "Show what runs, since when, and how its parts are.", _STATUS),
        Command("stop", "daemon.stop", "Drain and stop the broker.", Sentence("{message}")),
        Command(
            "reload",
            "daemon.reload",
            "Read the configuration again. What needs a restart is named; a broken file changes nothing.",
            Facts(),
        ),
        Command(
            "metrics",
            "daemon.metrics",
            "Show what the broker counts and what its process takes of the machine.",
            Facts(shows=(("timestamp", Show.AGO), ("system.memory_bytes", Show.BYTES))),
        ),
    ),
)

# ---- swarms

_SWARM_ID: Final = Option("swarm_id", "The swarm.", required=True, metavar="SWARM")
_PROPOSAL_ID: Final = Option("proposal_id", "The proposal.", required=True, metavar="PROPOSAL")
_DECISION_ID: Final = Option("decision_id", "The question.", required=True, metavar="DECISION")
_SWARM: Final = Group(
    "swarm",
    "Decisions of swarms: proposals, votes, results.",
    (
        Command(
            "propose",
            "swarm.propose",
            "Put a proposal to the vote.",
            Facts(),
            (
                _SWARM_ID,
                Option("proposal", "JSON, or else text; @FILE reads a file.", kind=Kind.VALUE, required=True),
                Option("proposal_id", "A name for it.", ("--id",)),
                Option("voters", "Who may vote; everyone where nobody is named.", ("--voter",), Kind.TEXTS),
                Option(
                    "quorum",
                    """majority, two-thirds, unanimous, '{"votes": 3}' or '{"share": 0.8}'.""",
                    ("--quorum",),
                    Kind.VALUE,
                ),
                Option("deadline", "It is decided after so long, such as 10m.", ("--deadline",), Kind.DURATION),
            ),
        ),
        Command(
            "vote",
            "swarm.vote",
            "Vote on a proposal; the first vote of a voter counts.",
            Facts(),
            (
                _SWARM_ID,
                _PROPOSAL_ID,
                Option("vote", "yes, no or abstain.", required=True),
                Option("voter", "In the name of this agent.", ("--voter",)),
            ),
        ),
        Command("status", "swarm.proposal", "Show where a proposal stands.", Facts(), (_SWARM_ID, _PROPOSAL_ID)),
        Command(
            "decide",
            "swarm.decide",
            "Ask a question whose answer is one of several options.",
            Facts(),
            (
                _SWARM_ID,
                Option("question", "The question.", required=True),
                Option("options", "One of the answers; give each of them.", ("--option", "-o"), Kind.TEXTS),
                Option("decision_id", "A name for it.", ("--id",)),
                Option("voters", "Who may choose; everyone where nobody is named.", ("--voter",), Kind.TEXTS),
                Option("deadline", "It is decided after so long, such as 10m.", ("--deadline",), Kind.DURATION),
            ),
        ),
        Command(
            "choose",
            "swarm.choose",
            "Choose an answer; the first choice of a voter counts.",
            Facts(),
            (
                _SWARM_ID,
                _DECISION_ID,
                Option("option", "The answer.", required=True),
                Option("confidence", "How much it counts.", ("--confidence",), Kind.REAL),
                Option("voter", "In the name of this agent.", ("--voter",)),
            ),
        ),
        Command("decision", "swarm.decision", "Show where a question stands.", Facts(), (_SWARM_ID, _DECISION_ID)),
    ),
)

BROKER_GROUPS: Final = (_DAEMON, _SWARM)
