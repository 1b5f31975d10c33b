"""The journal of the state: groups of changes, one after the other, and what they add up to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import msgspec
from msgspec import Struct

from ...base import Put, Stored
from ...entry import Draft
from ...state import State

__all__ = [
    "BrokenChain",
    "Change",
    "Changed",
    "Event",
    "Fold",
    "Forked",
    "Group",
    "Place",
    "decode_group",
    "encode_group",
    "event_ids",
    "new_change",
    "size_of",
]

_OVERHEAD: Final = 128
"""What a message costs the one who reads it, beside its bytes, in bytes."""
_WRITERS: Final = 256
"""Writers whose last group is remembered. One that asks later is told that its group is not known."""

Changed = Callable[[str, Stored | None], None]
"""Hears that a key has another value now, or none."""


class Place(NamedTuple):
    """A place in the log of events: the epoch of the log, and a `seq`."""

    epoch: str
    seq: int


class Event(Struct, frozen=True, array_like=True):
    """An event that comes with a change, as the journal keeps it: what a `Draft` says, without whoever waits for it."""

    topic: str
    head: bytes
    origin: bytes
    data: bytes
    hidden_from: str | None = None
    clear: bool = False

    @classmethod
    def of(cls, draft: Draft) -> Event:
        return cls(draft.topic, draft.head, draft.origin, draft.data, draft.hidden_from, draft.clear)

    def draft(self) -> Draft:
        return Draft(self.topic, self.head, self.origin, self.data, None, self.hidden_from, self.clear)


class Change(Struct, frozen=True, array_like=True):
    """Keys that change together, and the events that come with it. The revisions it expected were checked before."""

    puts: list[tuple[str, bytes | None]]
    events: list[Event]


def new_change(puts: Sequence[Put], appends: Sequence[Draft]) -> Change:
    """The change that somebody asks for."""
    return Change([(put.key, put.value) for put in puts], [Event.of(draft) for draft in appends])


def size_of(change: Change) -> int:
    """Bytes that a change takes up in a group, rounded up."""
    size = 16
    for key, value in change.puts:
        size += 16 + len(key.encode()) + (len(value) if value is not None else 0)
    for event in change.events:
        size += 32 + len(event.topic.encode()) + len(event.head) + len(event.origin) + len(event.data)
        size += 8 + len(event.hidden_from.encode(errors="surrogatepass")) if event.hidden_from is not None else 0
    return size


class Group(Struct, frozen=True, omit_defaults=True):
    """A message of the journal: changes that are committed together. What later versions add is passed over.

    Attributes:
        w, n: who wrote it, and its how manieth group it is: these two name it.
        p, b: where the group before it stands, 0 for the first, and its name.
        r: the revision before its first change.
        t: the term it was written in; a group that begins a term fences the writers of the terms before.
        c: the changes.
        d: the events of all groups up to this place are known to be in the log.
        e, s: a place of the log that is before all events of the group.
    """

    w: str
    n: int
    p: int
    r: int
    b: str = ""
    t: int = 0
    c: list[Change] = msgspec.field(default_factory=list)
    d: int = 0
    e: str = ""
    s: int = 0

    @property
    def name(self) -> str:
        return f"{self.w}-{self.n}"

    @property
    def place(self) -> Place:
        return Place(self.e, self.s)

    @property
    def has_events(self) -> bool:
        return any(change.events for change in self.c)


def event_ids(group: Group) -> list[list[tuple[bytes, Event]]]:
    """The events of each change of a group in order, with the ids by which the log knows them again."""
    name = b"tx-" + group.name.encode()
    return [
        [(b"%b-%d-%d" % (name, number, index), event) for index, event in enumerate(change.events)]
        for number, change in enumerate(group.c)
    ]


def encode_group(group: Group) -> bytes:
    return _encoder.encode(group)


def decode_group(payload: bytes) -> Group:
    """The group that a message of the journal is; msgspec.DecodeError for what is none."""
    return _decoder.decode(payload)


_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(Group)


class BrokenChain(Exception):
    """A group does not follow what is known: there are others between."""


class Forked(BrokenChain):
    """A group follows another one than is known to stand there: the journal has lost some, and others came instead."""


class Fold:
    """The state as the journal has it up to a place.

    Attributes:
        state: keys, values, revisions.
        seq, last: the place of the last group, and its name.
        term, owner: the highest term, and who began it.
        doubtful: groups whose events may not be in the log yet, by place, in order.
        recorded: the events of groups up to here are known by the journal itself to be in the log.
        evented: the place of the last group that has events.
        cost: bytes of the groups since the last snapshot, with what each costs beside them.
        snapshot_seq, snapshot_cost: up to where the last snapshot goes, and its bytes.
    """

    def __init__(self) -> None:
        self.state = State()
        self.seq = 0
        self.last = ""
        self.term = 0
        self.owner = ""
        self.recorded = 0
        self.evented = 0
        self.doubtful: dict[int, Group] = {}
        self.cost = 0
        self.snapshot_seq = 0
        self.snapshot_cost = 0
        self._writers: OrderedDict[str, int] = OrderedDict()

    # ---- what comes

    def apply(self, seq: int, group: Group, size: int, changed: Changed | None = None) -> None:
        """Take the group that stands at a place. One that was taken before is passed over.

        Raises:
            BrokenChain: it does not follow the last one; nothing was taken of it.
        """
        if seq <= self.seq:
            return
        if group.p > self.seq:
            raise BrokenChain(f"the group at {seq} follows {group.p}, and not {self.seq}")
        if (group.p, group.b) != (self.seq, self.last):
            raise Forked(f"the group at {seq} follows another one at {group.p}")
        self._note(seq, group)
        self.seq, self.last = seq, group.name
        if group.t > self.term:
            self.term, self.owner = group.t, group.w
        self.cost += size + _OVERHEAD
        self._writers[group.w] = group.n
        self._writers.move_to_end(group.w)
        if len(self._writers) > _WRITERS:
            self._writers.popitem(last=False)
        self.state.revision = max(self.state.revision, group.r)
        for change in group.c:
            self._apply_change(change, changed)

    def recall(self, seq: int, group: Group) -> None:
        """Look at a group that the snapshot contains already: its events may still be missing from the log."""
        self._note(seq, group)

    def _note(self, seq: int, group: Group) -> None:
        self.recorded = max(self.recorded, group.d)
        while self.doubtful and (first := next(iter(self.doubtful))) <= group.d:
            del self.doubtful[first]
        if group.has_events:
            self.doubtful[seq] = group
            self.evented = seq

    def _apply_change(self, change: Change, changed: Changed | None) -> None:
        self.state.apply([Put(key, value) for key, value in change.puts])
        if changed is not None:
            for key, _ in change.puts:
                changed(key, self.state.get(key))

    # ---- what is known

    @property
    def told(self) -> int:
        """The events of all groups up to this place are in the log."""
        return next(iter(self.doubtful)) - 1 if self.doubtful else self.seq

    def settle(self, group: Group) -> None:
        """All events of a group are in the log."""
        for seq, known in self.doubtful.items():
            if (known.w, known.n) == (group.w, group.n):
                del self.doubtful[seq]
                return

    @property
    def is_noted(self) -> bool:
        """Whether the journal says all that is known of its events: whoever loads it has nothing to look for."""
        return self.recorded >= self.evented or bool(self.doubtful)

    def snapshotted(self, seq: int, cost: int, journal_cost: int) -> None:
        """There is a snapshot up to a place, of so many bytes; the journal up to there costs nothing any more."""
        self.snapshot_seq, self.snapshot_cost = seq, cost
        self.cost = max(0, self.cost - journal_cost)

    def last_of(self, writer: str) -> int:
        """The number of the last group of a writer; 0 if none is known."""
        return self._writers.get(writer, 0)

    @property
    def writers(self) -> Sequence[tuple[str, int]]:
        """Who wrote, in the order of their last groups, and the number of it."""
        return list(self._writers.items())

    @writers.setter
    def writers(self, known: Sequence[tuple[str, int]]) -> None:
        self._writers = OrderedDict(known)
