"""A simple model of the broker and its clients, which writes histories in which every promise is kept."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

from swarmwire_protocol.topics import matches

from .records import (
    Acked,
    Audited,
    Complete,
    Connected,
    Ended,
    Granted,
    Held,
    Lost,
    Missed,
    Mode,
    Publishing,
    Record,
    Refused,
    Seen,
    Settled,
    Setup,
    Start,
    Subscribed,
    Subscribing,
    Unknown,
    Unsubscribed,
)

__all__ = ["Model", "good_history"]

TOPICS = ("a.x", "a.y", "b.x", "b.y", "c")
PATTERNS = ("#", "a.*", "*.x", "b.#", "c")
MODES: tuple[Mode, ...] = ("all", "drop_oldest", "disconnect", "conflate")
STARTS: tuple[Start, ...] = ("now", "start", "latest", "cursor", "last", "since")


class _Entry(NamedTuple):
    seq: int
    number: int
    topic: str
    client: str
    echo: bool
    clear: bool


class _Reader:
    """A subscription of the model. `snapshot` is what of a snapshot is still to come."""

    def __init__(self, asked: Subscribing, position: int) -> None:
        self.asked = asked
        self.position = position
        self.snapshot: list[_Entry] = []
        self.is_complete = asked.start != "latest"

    def wants(self, entry: _Entry) -> bool:
        hidden = not entry.echo and entry.client == self.asked.client
        return matches(self.asked.pattern, entry.topic) and not hidden


class Model:
    """One broker. Every step is drawn from `draw`; `records` is the history so far."""

    def __init__(self, draw: random.Random, *, durable: bool = False, log_events: int | None = None) -> None:
        self._draw = draw
        self._durable = durable
        self._log_events = log_events
        self._at = 0.0
        self._life = 0
        self._numbers = 0
        self._log: list[_Entry] = []
        self._readers: dict[str, _Reader] = {}
        self.records: list[Record] = []
        self._add(Setup, engine="model", durable=durable, log_events=log_events)
        self._clients = ("c1", "c2", "c3")
        for client in self._clients:
            self._add(Granted, client=client, subscribe=["#"])
            self._add(Connected, client=client, epoch=self._epoch)

    @property
    def _epoch(self) -> str:
        return f"e{self._life}"

    @property
    def _head(self) -> int:
        return self._log[-1].seq if self._log else 0

    @property
    def _floor(self) -> int:
        """Everything up to here was evicted."""
        return 0 if self._log_events is None else max(0, self._head - self._log_events)

    def _add(self, kind: Any, **fields: Any) -> Any:
        self._at += 1.0
        record = kind(at=self._at, **fields)
        self.records.append(record)
        return record

    # ---- publishing

    def publish(self, topic: str, *, client: str = "c1", echo: bool = True, clear: bool = False) -> int:
        """Publish, and be acknowledged; returns the number of the event."""
        number = self._begin(topic, client, echo, clear)
        seq = self._store(number, topic, client, echo, clear)
        self._add(Acked, client=client, number=number, epoch=self._epoch, seq=seq)
        return number

    def publish_badly(self, topic: str, *, client: str = "c1") -> None:
        """Publish, and fail in one of the ways there are."""
        number = self._begin(topic, client, True, False)
        fate = self._draw.randrange(3)
        if fate == 0:
            self._add(Refused, client=client, number=number, code="RATE_LIMIT_EXCEEDED")
            return
        if fate == 1:
            self._store(number, topic, client, True, False)
        self._add(Unknown, client=client, number=number, code="OUTCOME_UNKNOWN")

    def _begin(self, topic: str, client: str, echo: bool, clear: bool) -> int:
        self._numbers += 1
        fields = {"topic": topic, "digest": self._numbers * 7, "echo": echo, "clear": clear}
        self._add(Publishing, client=client, number=self._numbers, **fields)
        return self._numbers

    def _store(self, number: int, topic: str, client: str, echo: bool, clear: bool) -> int:
        seq = self._head + 1
        self._log.append(_Entry(seq, number, topic, client, echo, clear))
        return seq

    # ---- subscribing

    def subscribe(
        self,
        pattern: str = "#",
        start: Start = "now",
        mode: Mode = "all",
        *,
        client: str = "c2",
        value: str | int | None = None,
    ) -> str:
        """Subscribe, and be accepted; returns the name of the subscription."""
        sub = f"s{len(self.records)}"
        if start == "cursor" and value is None:
            value = f"{self._epoch}:{self._draw.randint(self._floor, self._head)}"
        if start in ("last", "since") and value is None:
            value = self._draw.randint(1, 4) if start == "last" else self._draw.randint(1, self._head + 1)
        fields = {"pattern": pattern, "start": start, "mode": mode, "value": value}
        asked = self._add(Subscribing, client=client, sub=sub, **fields)
        reader = _Reader(asked, self._first_position(asked))
        self._take_snapshot(reader)
        cursor = f"{self._epoch}:{reader.position}" if reader.is_complete else None
        self._add(Subscribed, client=client, sub=sub, cursor=cursor)
        self._readers[sub] = reader
        return sub

    def _first_position(self, asked: Subscribing) -> int:
        reader = _Reader(asked, 0)
        match asked.start:
            case "start":
                return self._floor
            case "cursor":
                return int(str(asked.value).partition(":")[2])
            case "last":
                held = [entry.seq for entry in self._log if entry.seq > self._floor and reader.wants(entry)]
                return held[-int(asked.value or 0)] - 1 if len(held) >= int(asked.value or 0) else self._floor
            case "since":
                return max(self._floor, min(int(asked.value or 0) - 1, self._head))  # the ts of an event is its seq
        return self._head

    def _take_snapshot(self, reader: _Reader) -> None:
        if reader.is_complete:
            return
        last: dict[str, _Entry] = {}
        for entry in self._log:
            last.pop(entry.topic, None)
            if not entry.clear:
                last[entry.topic] = entry
        # What was received before a cut is not given again.
        newest = self._newest(reader)
        reader.snapshot = [entry for entry in last.values() if reader.wants(entry) and entry.seq > newest]
        reader.position = self._head

    def _newest(self, reader: _Reader) -> int:
        """The last place that was given of the log of today."""
        sub = reader.asked.sub
        seen = (each for each in self.records if isinstance(each, Seen) and each.sub == sub)
        return max((each.seq for each in seen if each.epoch == self._epoch), default=0)

    def _reached(self, reader: _Reader) -> int:
        """The place behind what was given: while a snapshot is not complete, its last event."""
        return reader.position if reader.is_complete else self._newest(reader)

    # ---- delivering

    def deliver(self, sub: str, count: int = 1_000_000) -> None:
        """Give a subscription its next events, at most so many."""
        reader = self._readers[sub]
        while reader.snapshot and count:
            self._see(reader, reader.snapshot.pop(0), 0)
            count -= 1
        if reader.snapshot:
            return
        if not reader.is_complete and count:
            reader.is_complete = True
            self._add(Complete, client=reader.asked.client, sub=sub)
        if reader.position < self._floor:
            self._gap(reader, self._floor, "evicted")
        due = [entry for entry in self._log if entry.seq > reader.position and reader.wants(entry)][:count]
        last = {entry.topic: entry for entry in due}
        for entry in due:
            if reader.asked.mode != "conflate":
                self._see(reader, entry, None)
            elif last[entry.topic] is entry:
                self._see(reader, entry, sum(each.topic == entry.topic for each in due) - 1)
            reader.position = max(reader.position, entry.seq)

    def drop(self, sub: str, count: int) -> None:
        """Drop the oldest events of a subscription that has so many waiting."""
        reader = self._readers[sub]
        due = [entry for entry in self._log if entry.seq > reader.position and reader.wants(entry)]
        if reader.asked.mode == "drop_oldest" and reader.is_complete and len(due) >= count > 0:
            if reader.position < self._floor:
                self.deliver(sub, 0)
                return
            self._gap(reader, due[count - 1].seq, "overflow", dropped=count)

    def _see(self, reader: _Reader, entry: _Entry, skipped: int | None) -> None:
        self._add(
            Seen,
            client=reader.asked.client,
            sub=reader.asked.sub,
            topic=entry.topic,
            epoch=self._epoch,
            seq=entry.seq,
            number=entry.number,
            digest=entry.number * 7,
            ts=entry.seq,
            skipped=skipped if reader.asked.mode == "conflate" else None,
        )

    def _gap(self, reader: _Reader, to: int, reason: str, dropped: int | None = None) -> None:
        start, end = f"{self._epoch}:{reader.position}", f"{self._epoch}:{to}"
        asked = reader.asked
        self._add(Missed, client=asked.client, sub=asked.sub, start=start, end=end, reason=reason, dropped=dropped)
        reader.position = to

    # ---- what goes wrong

    def cut(self, client: str) -> None:
        """Cut a connection: a snapshot that was not complete is asked for again, all else goes on from its place."""
        self._add(Lost, client=client, code=1006)
        self._add(Connected, client=client, epoch=self._epoch)
        for reader in self._readers.values():
            if reader.asked.client == client:
                self._take_snapshot(reader)

    def restart(self) -> None:
        """Kill the broker and start it again."""
        for client in self._clients:
            self._add(Lost, client=client, code=1006)
        former = self._epoch
        reached = {sub: self._reached(reader) for sub, reader in self._readers.items()}
        if not self._durable:
            self._life += 1
            self._log.clear()
        for client in self._clients:
            self._add(Connected, client=client, epoch=self._epoch)
        for sub, reader in self._readers.items():
            if not self._durable:
                start, end = f"{former}:{reached[sub]}", f"{self._epoch}:0"
                self._add(Missed, client=reader.asked.client, sub=sub, start=start, end=end, reason="epoch")
                reader.position = 0
            self._take_snapshot(reader)

    def unsubscribe(self, sub: str) -> None:
        reader = self._readers.pop(sub)
        self._add(Unsubscribed, client=reader.asked.client, sub=sub)

    def narrow(self, client: str) -> None:
        """Take the permission for everything but topics in `a.`; what is not covered any more ends."""
        self._add(Granted, client=client, subscribe=["a.*"])
        for sub, reader in list(self._readers.items()):
            if reader.asked.client == client and reader.asked.pattern != "a.*":
                reader.position = self._reached(reader)
                self._gap(reader, self._head, "denied")
                self._add(Ended, client=client, sub=sub, code="PERMISSION_DENIED")
                del self._readers[sub]

    def settle(self) -> list[Record]:
        """Let everybody receive everything; returns the history."""
        for sub in self._readers:
            self.deliver(sub)
        if self._durable:
            self._audit()
        self._add(Settled)
        return self.records

    def _audit(self) -> None:
        """Read the log past the broker."""
        for entry in self._log:
            if entry.seq > self._floor:
                self._add(Held, epoch=self._epoch, seq=entry.seq, number=entry.number)
        self._add(Audited, epoch=self._epoch, first=self._floor + 1, last=self._head)

    # ---- chance

    def step(self) -> None:
        """Do something."""
        draw = self._draw
        sub = draw.choice(list(self._readers)) if self._readers else self.subscribe()
        match draw.randrange(16):
            case 0 | 1:
                client = draw.choice(self._clients[1:])
                self.subscribe(draw.choice(PATTERNS), draw.choice(STARTS), draw.choice(MODES), client=client)
            case 2:
                self.publish_badly(draw.choice(TOPICS), client=draw.choice(self._clients))
            case 3:
                self.publish(draw.choice(TOPICS), client="c3", echo=False)
            case 4:
                self.publish(draw.choice(TOPICS), clear=True)
            case 5 | 6 | 7:
                self.deliver(sub, draw.randint(1, 3))
            case 8:
                self.drop(sub, draw.randint(1, 3))
            case 9:
                draw.choice((self.restart, lambda: self.cut("c2"), lambda: self.unsubscribe(sub)))()
            case _:
                self.publish(draw.choice(TOPICS), client=draw.choice(self._clients))


def good_history(draw: random.Random, *, steps: int = 40) -> list[Record]:
    """A history in which every promise is kept."""
    model = Model(draw, durable=draw.random() < 0.5, log_events=draw.choice((None, None, 5)))
    for _ in range(steps):
        model.step()
    if draw.random() < 0.3:
        model.narrow("c3")
    return model.settle()
