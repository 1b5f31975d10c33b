"""What stands in the log, and what wants to stand there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from swarmwire_protocol.codec import encode_event
from swarmwire_protocol.errors import SwarmwireError

__all__ = ["Draft", "Entry", "Outcome", "new_draft", "new_entry", "placed", "stored_at"]


class Entry:
    """One event in the log: `payload` is the whole event message as JSON, written once for everyone.

    `hidden_from` is the instance that published with `echo: false` and does not get its own event.
    """

    __slots__ = ("clear", "hidden_from", "payload", "seq", "topic", "ts")

    def __init__(
        self, seq: int, ts: int, topic: str, payload: bytes, hidden_from: str | None = None, clear: bool = False
    ) -> None:
        self.seq = seq
        self.ts = ts
        self.topic = topic
        self.payload = payload
        self.hidden_from = hidden_from
        self.clear = clear

    def __repr__(self) -> str:
        return f"Entry({self.seq}, {self.ts}, {self.topic!r}, {self.payload!r})"


class Outcome(NamedTuple):
    """What became of an append: the place it has in the log, or the error that refused it."""

    seq: int = 0
    duplicate: bool = False
    error: SwarmwireError | None = None


_made: Final = tuple.__new__  # a named tuple's own way is a Python call


class Draft:
    """An event before it has its place: its parts as the codec makes them.

    `key` is (scope, key) for an append that is to happen once; `done` hears the outcome, where anyone asks for it.
    """

    __slots__ = ("clear", "data", "done", "head", "hidden_from", "key", "origin", "topic")

    def __init__(
        self,
        topic: str,
        head: bytes,
        origin: bytes,
        data: bytes,
        key: tuple[str, str] | None = None,
        hidden_from: str | None = None,
        clear: bool = False,
        done: Callable[[Outcome], None] | None = None,
    ) -> None:
        self.topic = topic
        self.head = head
        self.origin = origin
        self.data = data
        self.key = key
        self.hidden_from = hidden_from
        self.clear = clear
        self.done = done


# Compiled callers make these without the detour of a Python call.


def stored_at(seq: int) -> Outcome:
    """The `Outcome` of an append that was stored at this place."""
    outcome: Outcome = _made(Outcome, (seq, False, None))
    return outcome


def new_entry(seq: int, ts: int, topic: str, payload: bytes, hidden_from: str | None, clear: bool) -> Entry:
    """An `Entry` of these parts."""
    entry = Entry.__new__(Entry)
    entry.seq = seq
    entry.ts = ts
    entry.topic = topic
    entry.payload = payload
    entry.hidden_from = hidden_from
    entry.clear = clear
    return entry


def placed(draft: Draft, seq: int, ts: int) -> Entry:
    """A draft that has its place."""
    payload = encode_event(draft.head, seq, ts, draft.origin, draft.data, draft.clear)
    return new_entry(seq, ts, draft.topic, payload, draft.hidden_from, draft.clear)


def new_draft(
    topic: str,
    head: bytes,
    origin: bytes,
    data: bytes,
    key: tuple[str, str] | None,
    hidden_from: str | None,
    clear: bool,
    done: Callable[[Outcome], None] | None,
) -> Draft:
    """A `Draft` of these parts."""
    draft = Draft.__new__(Draft)
    draft.topic = topic
    draft.head = head
    draft.origin = origin
    draft.data = data
    draft.key = key
    draft.hidden_from = hidden_from
    draft.clear = clear
    draft.done = done
    return draft
